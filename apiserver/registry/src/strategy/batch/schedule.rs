//! Cron schedules: five fields, or a word such as `@daily`. Only whether they can be read is asked here; errors are in the
//! words of the parser that upstream uses.

use apimachinery::quote::quoted;

/// A field's least and greatest number, and the names of numbers.
struct Bounds {
    least: u32,
    greatest: u32,
    names: &'static [&'static str],
}

const FIELDS: [Bounds; 5] = [
    Bounds { least: 0, greatest: 59, names: &[] },
    Bounds { least: 0, greatest: 23, names: &[] },
    Bounds { least: 1, greatest: 31, names: &[] },
    Bounds {
        least: 1,
        greatest: 12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Bounds { least: 0, greatest: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// Reads a schedule; `is_zone` says whether there is such a time zone.
///
/// # Errors
/// Why it is none.
pub(super) fn parse(text: &str, is_zone: impl Fn(&str) -> bool) -> Result<(), String> {
    if text.is_empty() {
        return Err("empty spec string".into());
    }
    let mut text = text;
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        let (zone, rest) = text.split_once(' ').unwrap_or((text, ""));
        let zone = zone.split_once('=').map_or("", |(_, zone)| zone);
        if !is_zone(zone) {
            return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
        }
        text = rest.trim();
    }
    if let Some(descriptor) = text.strip_prefix('@') {
        return parse_descriptor(text, descriptor);
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", parts.len(), parts.join(" ")));
    }
    parts.iter().zip(&FIELDS).try_for_each(|(part, bounds)| parse_field(part, bounds))
}

fn parse_descriptor(text: &str, descriptor: &str) -> Result<(), String> {
    if matches!(descriptor, "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly") {
        return Ok(());
    }
    match descriptor.strip_prefix("every ") {
        Some(duration) if is_duration(duration) => Ok(()),
        Some(duration) => Err(format!("failed to parse duration {text}: time: invalid duration {}", quoted(duration))),
        None => Err(format!("unrecognized descriptor: {text}")),
    }
}

/// Go's durations: numbers with units, one after the other.
fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text == "0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let unit =
            rest[digits..].len() - rest[digits..].trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.').len();
        let number = &rest[..digits];
        let is_unit = matches!(&rest[digits..digits + unit], "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h");
        if !number.bytes().any(|byte| byte.is_ascii_digit()) || number.matches('.').count() > 1 || !is_unit {
            return false;
        }
        rest = &rest[digits + unit..];
    }
    !text.is_empty()
}

fn parse_field(field: &str, bounds: &Bounds) -> Result<(), String> {
    field.split(',').filter(|range| !range.is_empty()).try_for_each(|range| parse_range(range, bounds))
}

fn parse_range(text: &str, bounds: &Bounds) -> Result<(), String> {
    let range_and_step: Vec<&str> = text.split('/').collect();
    let low_and_high: Vec<&str> = range_and_step[0].split('-').collect();
    let single = low_and_high.len() == 1;
    let (start, mut end);
    if matches!(low_and_high[0], "*" | "?") {
        (start, end) = (bounds.least, bounds.greatest);
    } else {
        start = number_or_name(low_and_high[0], bounds)?;
        end = match low_and_high.len() {
            1 => start,
            2 => number_or_name(low_and_high[1], bounds)?,
            _ => return Err(format!("too many hyphens: {text}")),
        };
    }
    let step = match range_and_step.len() {
        1 => 1,
        2 => {
            let step = number(range_and_step[1])?;
            // "N/step" is from N to the greatest.
            if single {
                end = bounds.greatest;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    let (least, greatest) = (bounds.least, bounds.greatest);
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {text}"));
    }
    if end > greatest {
        return Err(format!("end of range ({end}) above maximum ({greatest}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(())
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().position(|name| *name == lower) {
        Some(at) => Ok(bounds.least + u32::try_from(at).unwrap_or(0)),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u32, String> {
    let words = |why: &str| format!("failed to parse int from {text}: strconv.Atoi: parsing {}: {why}", quoted(text));
    let number: i64 = text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => words("value out of range"),
        _ => words("invalid syntax"),
    })?;
    if number < 0 {
        return Err(format!("negative number ({number}) not allowed: {text}"));
    }
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_upstream_reads_them() {
        for (text, want) in [
            ("*/5 0-3 1,15 jan-mar MON", None),
            ("@daily", None),
            ("@every 1h30m", None),
            ("* * *", Some("expected exactly 5 fields, found 3: [* * *]")),
            ("61 * * * *", Some("end of range (61) above maximum (59): 61")),
            ("* * 0 * *", Some("beginning of range (0) below minimum (1): 0")),
            ("5-3 * * * *", Some("beginning of range (5) beyond end of range (3): 5-3")),
            ("*/0 * * * *", Some("step of range should be a positive number: */0")),
            ("1-2-3 * * * *", Some("too many hyphens: 1-2-3")),
            ("often * * * *", Some("failed to parse int from often: strconv.Atoi: parsing \"often\": invalid syntax")),
            ("@sometimes", Some("unrecognized descriptor: @sometimes")),
        ] {
            assert_eq!(parse(text, |_| true).err().as_deref(), want, "{text}");
        }
    }
}
