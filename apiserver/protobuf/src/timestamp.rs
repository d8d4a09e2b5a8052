//! Times as text (RFC 3339 in UTC) and as seconds with nanoseconds since 1970.

use jiff::Timestamp;

/// Go's zero time, 1 January of year 1, which is `null` in JSON and an empty message.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// The text of a time in whole seconds (`Time`) or with six digits after them (`MicroTime`); none for Go's zero time.
pub(crate) fn format(seconds: i64, nanos: i32, micro: bool) -> Result<Option<String>, String> {
    let micros = if micro { nanos / 1000 } else { 0 };
    if seconds == ZERO_SECONDS && micros == 0 {
        return Ok(None);
    }
    let time = Timestamp::new(seconds, micros * 1000).map_err(|error| error.to_string())?;
    // Go writes years of four digits alone.
    if time < Timestamp::constant(-62_167_219_200, 0) {
        return Err("Time.MarshalJSON: year outside of range [0,9999]".into());
    }
    let layout = if micro { "%Y-%m-%dT%H:%M:%S%.6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(Some(time.strftime(layout).to_string()))
}

/// Seconds and nanoseconds of a time's text; none for Go's zero time.
pub(crate) fn parse(text: &str, micro: bool) -> Result<Option<(i64, i32)>, String> {
    let time: Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let mut seconds = time.as_second();
    let mut nanos = time.subsec_nanosecond();
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    let nanos = if micro { nanos / 1000 * 1000 } else { 0 };
    Ok((seconds != ZERO_SECONDS || nanos != 0).then_some((seconds, nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_and_read_back() {
        for (text, micro, parts) in [
            ("2026-01-02T03:04:05Z", false, Some((1_767_323_045, 0))),
            ("2026-01-02T03:04:05.678901Z", true, Some((1_767_323_045, 678_901_000))),
            ("1969-12-31T23:59:58.500000Z", true, Some((-2, 500_000_000))),
            ("1970-01-01T00:00:00Z", false, Some((0, 0))),
        ] {
            assert_eq!(parse(text, micro), Ok(parts), "{text}");
            let (seconds, nanos) = parts.unwrap();
            assert_eq!(format(seconds, nanos, micro), Ok(Some(text.to_owned())));
        }
        assert_eq!(parse("2026-01-02T05:04:05.9+02:00", false), Ok(Some((1_767_323_045, 0))));
        assert_eq!(parse("0001-01-01T00:00:00Z", false), Ok(None));
        assert_eq!(format(ZERO_SECONDS, 0, true), Ok(None));
        assert!(parse("yesterday", false).is_err());
        assert!(format(i64::MAX, 0, false).is_err() && format(-99_999_999_999, 0, false).is_err());
        assert!(format(0, i32::MIN, true).is_err());
    }
}
