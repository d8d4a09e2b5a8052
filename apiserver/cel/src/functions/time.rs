//! Durations and points in time.

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::conversion;
use crate::interpreter::{Error, Result};
use crate::value::Value;

/// A point in time. It is written as far from UTC as it was given, which counts for nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    at: Timestamp,
    offset: Offset,
}

impl Moment {
    /// A later or an earlier one, written as this one is.
    pub(super) fn moved(self, by: SignedDuration) -> Option<Self> {
        Some(Self { at: self.at.checked_add(by).ok()?, ..self })
    }

    /// RFC 3339 with the decimals that are needed.
    pub(super) fn text(self) -> String {
        let there = self.offset.to_datetime(self.at);
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            there.year(),
            there.month(),
            there.day(),
            there.hour(),
            there.minute(),
            there.second()
        );
        let nanos = there.subsec_nanosecond();
        if nanos != 0 {
            text.push('.');
            text.push_str(format!("{nanos:09}").trim_end_matches('0'));
        }
        match self.offset.seconds() / 60 {
            0 => text.push('Z'),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                text.push_str(&format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60));
            }
        }
        text
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { at, offset: Offset::UTC }
    }
}

impl std::ops::Deref for Moment {
    type Target = Timestamp;

    fn deref(&self) -> &Timestamp {
        &self.at
    }
}

/// The years that a timestamp may have, 1 to 9999, in seconds.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Whether cel-go takes the time.
pub(super) fn in_range(at: Timestamp) -> bool {
    SECONDS.contains(&at.as_second())
}

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    match (function, values) {
        ("duration", [value @ Value::Duration(_)]) | ("timestamp", [value @ Value::Timestamp(_)]) => {
            Some(Ok(value.clone()))
        }
        ("duration", [Value::String(text)]) => Some(
            parse_duration(text).map(Value::Duration).ok_or_else(|| conversion("string", "google.protobuf.Duration")),
        ),
        ("timestamp", [Value::String(text)]) => Some(
            parse_date_time(text)
                .filter(|at| in_range(**at))
                .map(Value::Timestamp)
                .ok_or_else(|| conversion("string", "google.protobuf.Timestamp")),
        ),
        ("timestamp", [Value::Int(seconds)]) => Some(
            Timestamp::from_second(*seconds)
                .ok()
                .filter(|at| in_range(*at))
                .map(|at| Value::Timestamp(at.into()))
                .ok_or_else(|| Error::new("timestamp overflow")),
        ),
        (_, [Value::Duration(nanos)]) => {
            let unit = match function {
                "getHours" => 3_600_000_000_000,
                "getMinutes" => 60_000_000_000,
                "getSeconds" => 1_000_000_000,
                "getMilliseconds" => 1_000_000,
                _ => return None,
            };
            Some(Ok(Value::Int(nanos / unit)))
        }
        (_, [Value::Timestamp(at)]) => part(function, at.to_zoned(TimeZone::UTC)),
        (_, [Value::Timestamp(at), Value::String(zone)]) if function.starts_with("get") => match time_zone(zone) {
            Ok(zone) => part(function, at.to_zoned(zone)),
            Err(error) => Some(Err(error)),
        },
        _ => None,
    }
}

fn part<'a>(function: &str, at: Zoned) -> Option<Result<Value<'a>>> {
    let found = match function {
        "getFullYear" => i64::from(at.year()),
        "getMonth" => i64::from(at.month()) - 1,
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDate" => i64::from(at.day()),
        "getDayOfWeek" => i64::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(at.hour()),
        "getMinutes" => i64::from(at.minute()),
        "getSeconds" => i64::from(at.second()),
        "getMilliseconds" => i64::from(at.subsec_nanosecond() / 1_000_000),
        _ => return None,
    };
    Some(Ok(Value::Int(found)))
}

/// A zone by its name, or by its offset `[+-]hh:mm`.
fn time_zone(name: &str) -> Result<TimeZone> {
    let unknown = || Error::new(format!("unknown time zone {name}"));
    if let Some((hours, minutes)) = name.split_once(':') {
        let (hours, minutes): (i32, i32) =
            (hours.parse().map_err(|_| unknown())?, minutes.parse().map_err(|_| unknown())?);
        let sign = if name.starts_with('-') { -1 } else { 1 };
        let seconds = hours.saturating_mul(3600).saturating_add(sign * minutes.saturating_mul(60));
        return Offset::from_seconds(seconds).map(Offset::to_time_zone).map_err(|_| unknown());
    }
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| unknown()),
    }
}

/// RFC 3339 with a time.
pub(crate) fn parse_date_time(text: &str) -> Option<Moment> {
    let at = apimachinery::time::parse_time(text).ok()?;
    let offset = match text.len().checked_sub(6).and_then(|start| text.get(start..)) {
        Some(zone) if zone.starts_with(['+', '-']) => {
            let minutes = zone[1..3].parse::<i32>().ok()? * 60 + zone[4..].parse::<i32>().ok()?;
            Offset::from_seconds(if zone.starts_with('-') { -minutes } else { minutes } * 60).ok()?
        }
        _ => Offset::UTC,
    };
    Some(Moment { at, offset })
}

/// A date, as its first moment in UTC.
pub(crate) fn parse_date(text: &str) -> Option<Moment> {
    let well_formed = text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    let date: Date = text.parse().ok().filter(|_| well_formed)?;
    Offset::UTC.to_timestamp(DateTime::from_parts(date, jiff::civil::Time::midnight())).ok().map(Into::into)
}

/// Go's `time.ParseDuration`, in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = &rest[..digits(rest)];
        rest = &rest[whole.len()..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            fraction = &after[..digits(after)];
            rest = &after[fraction.len()..];
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_length = rest.find(|char: char| char == '.' || char.is_ascii_digit()).unwrap_or(rest.len());
        let unit: u128 = match &rest[..unit_length] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[unit_length..];
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let mut scale = unit;
        for digit in fraction.bytes() {
            scale /= 10;
            total = total.checked_add(u128::from(digit - b'0') * scale)?;
        }
        if total > 1 << 63 {
            return None;
        }
    }
    let signed = if negative { -(total as i128) } else { total as i128 };
    i64::try_from(signed).ok()
}

/// What the format `duration` takes beside [`parse_duration`]: numbers with the names of units, `2 days`, `1 hr 5 min`.
pub(crate) fn parse_format_duration(text: &str) -> Option<i64> {
    if let Some(nanos) = parse_duration(text) {
        return Some(nanos);
    }
    let mut total: i64 = 0;
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let length = rest.find(|char: char| !char.is_alphabetic()).unwrap_or(rest.len());
        let unit: i64 = match rest[..length].to_ascii_lowercase().trim_end_matches('s') {
            "n" | "nano" | "nanosecond" => 1,
            "u" | "µ" | "micro" | "microsecond" => 1_000,
            "m" if rest[..length].eq_ignore_ascii_case("ms") => 1_000_000,
            "milli" | "millisecond" => 1_000_000,
            "" | "sec" | "second" => 1_000_000_000,
            "m" | "min" | "minute" => 60_000_000_000,
            "h" | "hr" | "hour" => 3_600_000_000_000,
            "d" | "day" => 86_400_000_000_000,
            "w" | "wk" | "week" => 604_800_000_000_000,
            _ => return None,
        };
        if length == 0 {
            return None;
        }
        rest = rest[length..].trim_start();
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let cases = [
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("-1ms", Some(-1_000_000)),
            ("0", Some(0)),
            (".5h", Some(1_800_000_000_000)),
            ("1 hour", None),
            ("1", None),
            ("", None),
            ("3000000h", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse_duration(text), nanos, "{text}");
        }
        for (text, nanos) in
            [("2 days", Some(172_800_000_000_000)), ("1hr 5min", Some(3_900_000_000_000)), ("2 x", None), ("", None)]
        {
            assert_eq!(parse_format_duration(text), nanos, "{text}");
        }
    }
}
