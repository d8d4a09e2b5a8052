//! Cells that many kinds share.

use apimachinery::jsonpath;
use apimachinery::quote::{go_float, go_json};
use apimachinery::time::parse_time;
use jiff::Timestamp;
use registry::Column;
use serde_json::Value;

/// `0001-01-01T00:00:00Z`, in seconds.
const ZERO_TIME: i64 = -62_135_596_800;

/// The moment that ages are counted to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Timestamp);

impl Clock {
    /// Now.
    pub(crate) fn now() -> Self {
        Self(Timestamp::now())
    }

    /// This moment.
    #[cfg(test)]
    pub(crate) fn at(text: &str) -> Self {
        Self(text.parse().expect("a time"))
    }

    /// How long ago a time was, as `kubectl` shows it; `<unknown>` if there is none.
    pub(super) fn age(self, time: Option<&str>) -> String {
        match time.and_then(|text| text.parse::<Timestamp>().ok()) {
            Some(then) => human(self.0.as_second() - then.as_second()),
            None => "<unknown>".to_owned(),
        }
    }

    /// How long ago a time was; `<invalid>` if it cannot be read.
    fn custom_age(self, time: &str) -> String {
        match parse_time(time) {
            _ if matches!(time, "" | "null") => self.age(None),
            // Go's zero time is none.
            Ok(then) if then.as_second() == ZERO_TIME => self.age(None),
            Ok(then) => human(self.0.as_second() - then.as_second()),
            Err(_) => "<invalid>".to_owned(),
        }
    }

    /// Seconds between this moment and a time.
    pub(super) fn seconds_since(self, time: &str) -> Option<i64> {
        time.parse::<Timestamp>().ok().map(|then| self.0.as_second() - then.as_second())
    }
}

/// A duration in at most two units (apimachinery's `duration.HumanDuration`).
pub(super) fn human(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let two = |large: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ if days < 365 * 2 => format!("{days}d"),
        _ if days < 365 * 8 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// A custom resource's cell: the column's JSONPath, shown as the column's type.
pub(super) fn custom(column: &Column, path: &jsonpath::Path, object: &Value, clock: Clock) -> Value {
    // Of several results the first is shown.
    let Some(first) = path.first(object) else { return Value::Null };
    match (column.kind.as_str(), first) {
        ("integer", Value::Number(number)) => number.as_i64().or_else(|| number.as_f64().map(truncate)).into(),
        // Every number becomes a float, which is written without what it need not have.
        ("number", Value::Number(number)) => number
            .as_i64()
            .filter(|whole| whole.unsigned_abs() > EXACT)
            .map_or_else(|| first.clone(), |whole| truncate(whole as f64).into()),
        ("boolean", Value::Bool(_)) => first.clone(),
        ("date", Value::String(time)) => clock.custom_age(time).into(),
        ("string", value) => text(value).into(),
        _ => Value::Null,
    }
}

/// Up to this every integer is a float.
const EXACT: u64 = 1 << 53;

// A cell of type integer that holds a fraction: Go's conversion cuts it off.
#[allow(clippy::cast_possible_truncation)]
fn truncate(number: f64) -> i64 {
    number as i64
}

/// A value as kubectl's JSONPath prints it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".to_owned(),
        Value::Number(number) if !number.is_i64() => number.as_f64().map(go_float).unwrap_or_default(),
        other => go_json(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_shown_in_at_most_two_units() {
        for (seconds, shown) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (691_200, "8d"),
            (31_536_000, "365d"),
            (63_072_000, "2y"),
            (70_000_000, "2y80d"),
            (252_288_000, "8y"),
        ] {
            assert_eq!(human(seconds), shown, "{seconds}");
        }
    }

    #[test]
    fn a_cell_is_shown_as_its_column_says() {
        let object = serde_json::json!({"spec": {
            "i": 42, "f": 3.75, "big": 9_007_199_254_740_993_i64, "large": 1e21, "mid": 1_234_567.5, "t": true, "s": "text",
            "n": null, "o": {"b": "<", "a": 1e21}, "l": [1, 2.5], "when": "2026-01-01T00:00:00Z", "soon": "2026-01-03T00:00:00Z",
            "zero": "0001-01-01T00:00:00Z", "loose": "2026-01-01 00:00:00Z", "none": ""}});
        let clock = Clock::at("2026-01-01T12:30:00Z");
        for (kind, field, want) in [
            ("integer", "i", serde_json::json!(42)),
            ("integer", "f", serde_json::json!(3)),
            ("integer", "t", Value::Null),
            ("integer", "s", Value::Null),
            ("number", "i", serde_json::json!(42)),
            ("number", "f", serde_json::json!(3.75)),
            ("number", "big", serde_json::json!(9_007_199_254_740_992_i64)),
            ("number", "s", Value::Null),
            ("boolean", "t", serde_json::json!(true)),
            ("boolean", "i", Value::Null),
            ("string", "s", serde_json::json!("text")),
            ("string", "i", serde_json::json!("42")),
            ("string", "mid", serde_json::json!("1.2345675e+06")),
            ("string", "large", serde_json::json!("1e+21")),
            ("string", "t", serde_json::json!("true")),
            ("string", "n", serde_json::json!("<no value>")),
            ("string", "o", serde_json::json!(r#"{"a":1e+21,"b":"\u003c"}"#)),
            ("string", "l", serde_json::json!("[1,2.5]")),
            ("string", "absent", Value::Null),
            ("integer", "n", Value::Null),
            ("date", "when", serde_json::json!("12h")),
            ("date", "soon", serde_json::json!("<invalid>")),
            ("date", "zero", serde_json::json!("<unknown>")),
            ("date", "loose", serde_json::json!("<invalid>")),
            ("date", "none", serde_json::json!("<unknown>")),
            ("date", "i", Value::Null),
            ("other", "s", Value::Null),
        ] {
            let column = super::super::computed("C", kind, "", &format!(".spec.{field}"));
            let path = jsonpath::Path::parse(column.json_path.as_deref().unwrap()).unwrap();
            assert_eq!(custom(&column, &path, &object, clock), want, "{kind} {field}");
        }
    }
}
