//! Times as Kubernetes writes them. The clock is never read here: now is passed in.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Why a text is no time, in the words of Go's parser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

/// `metav1.Time`: RFC 3339 in UTC, cut to whole seconds.
pub fn format_time(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    let mut text = String::with_capacity(20);
    write_seconds(&mut text, time);
    text.push('Z');
    text
}

/// `metav1.MicroTime`: RFC 3339 in UTC, cut to six decimals.
pub fn format_micro_time(time: Timestamp) -> String {
    let time = Offset::UTC.to_datetime(time);
    let mut text = String::with_capacity(27);
    write_seconds(&mut text, time);
    // Writing to a String cannot fail.
    let _ = write!(text, ".{:06}Z", time.subsec_nanosecond() / 1000);
    text
}

fn write_seconds(text: &mut String, time: DateTime) {
    let (date, time) = (time.date(), time.time());
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
}

/// Parses a `metav1.Time`: RFC 3339; a fraction of a second is taken (and dropped when it is formatted again).
///
/// # Errors
/// The text is no such time; the error has the words of Go's `time.Parse`.
pub fn parse_time(text: &str) -> Result<Timestamp, ParseError> {
    Parser { layout: "2006-01-02T15:04:05Z07:00", text, rest: text, micro: false }.parse()
}

/// Parses a `metav1.MicroTime`: RFC 3339 with exactly six decimals.
///
/// # Errors
/// The text is no such time; the error has the words of Go's `time.Parse`.
pub fn parse_micro_time(text: &str) -> Result<Timestamp, ParseError> {
    Parser { layout: "2006-01-02T15:04:05.000000Z07:00", text, rest: text, micro: true }.parse()
}

/// The time as `metav1.Time` writes it back: UTC, whole seconds.
///
/// # Errors
/// As [`parse_time`].
pub fn normalize_time(text: &str) -> Result<String, ParseError> {
    parse_time(text).map(format_time)
}

/// The time as `metav1.MicroTime` writes it back: UTC, six decimals.
///
/// # Errors
/// As [`parse_micro_time`].
pub fn normalize_micro_time(text: &str) -> Result<String, ParseError> {
    parse_micro_time(text).map(format_micro_time)
}

/// Reads a text along a layout, element by element, as Go's `time.Parse` does.
struct Parser<'a> {
    layout: &'static str,
    text: &'a str,
    rest: &'a str,
    micro: bool,
}

impl Parser<'_> {
    fn parse(mut self) -> Result<Timestamp, ParseError> {
        let year = self.year()?;
        self.literal("-")?;
        let month = self.number("01", true)?;
        self.within(month, 1..=12, "month")?;
        self.literal("-")?;
        let day = self.number("02", true)?;
        self.literal("T")?;
        let hour = self.number("15", false)?;
        self.within(hour, 0..=23, "hour")?;
        self.literal(":")?;
        let minute = self.number("04", true)?;
        self.within(minute, 0..=59, "minute")?;
        self.literal(":")?;
        let second = self.number("05", true)?;
        self.within(second, 0..=59, "second")?;
        let nanosecond = if self.micro { self.microseconds()? } else { self.fraction() };
        let offset = self.offset()?;
        if !self.rest.is_empty() {
            return Err(self.because(&format!("extra text: {}", go_time_quoted(self.rest))));
        }
        DateTime::new(year, month, day, hour, minute, second, nanosecond)
            .and_then(|time| offset.to_timestamp(time))
            .map_err(|_| self.because("day out of range"))
    }

    /// The words for a value that does not look like its element of the layout.
    fn bad(&self, element: &str, value: &str) -> ParseError {
        ParseError(format!(
            "parsing time {} as {}: cannot parse {} as {}",
            go_time_quoted(self.text),
            go_time_quoted(self.layout),
            go_time_quoted(value),
            go_time_quoted(element)
        ))
    }

    fn because(&self, why: &str) -> ParseError {
        ParseError(format!("parsing time {}: {why}", go_time_quoted(self.text)))
    }

    fn within(&self, number: i8, range: std::ops::RangeInclusive<i8>, what: &str) -> Result<(), ParseError> {
        if range.contains(&number) { Ok(()) } else { Err(self.because(&format!("{what} out of range"))) }
    }

    fn literal(&mut self, literal: &str) -> Result<(), ParseError> {
        self.rest = self.rest.strip_prefix(literal).ok_or_else(|| self.bad(literal, self.rest))?;
        Ok(())
    }

    fn digits(&self, count: usize) -> Option<i32> {
        let digits = self.rest.get(..count).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok()
    }

    fn year(&mut self) -> Result<i16, ParseError> {
        let year = self.digits(4).and_then(|year| i16::try_from(year).ok());
        let year = year.ok_or_else(|| self.bad("2006", self.rest))?;
        self.rest = &self.rest[4..];
        Ok(year)
    }

    /// A number of two digits, or of one where the element is not fixed.
    fn number(&mut self, element: &str, fixed: bool) -> Result<i8, ParseError> {
        let two = self.digits(2).map(|number| (number, 2));
        let found = two.or_else(|| self.digits(1).filter(|_| !fixed).map(|number| (number, 1)));
        let (number, length) = found.ok_or_else(|| self.bad(element, self.rest))?;
        self.rest = &self.rest[length..];
        Ok(i8::try_from(number).unwrap_or(i8::MAX))
    }

    /// A fraction the layout does not ask for: a point or comma and any number of digits.
    fn fraction(&mut self) -> i32 {
        let Some(after) = self.rest.strip_prefix(['.', ',']) else { return 0 };
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            return 0;
        }
        let (digits, rest) = after.split_at(length);
        self.rest = rest;
        nanoseconds(digits)
    }

    fn microseconds(&mut self) -> Result<i32, ParseError> {
        let digits = self.rest.strip_prefix(['.', ',']).and_then(|after| after.get(..6));
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let digits = digits.ok_or_else(|| self.bad(".000000", self.rest))?;
        self.rest = &self.rest[7..];
        Ok(nanoseconds(digits))
    }

    fn offset(&mut self) -> Result<Offset, ParseError> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(Offset::UTC);
        }
        let bad = |parser: &Self| parser.bad("Z07:00", parser.rest);
        let Some((zone, rest)) = self.rest.split_at_checked(6) else { return Err(bad(self)) };
        let two = |at: usize| {
            let digits = zone.get(at..at + 2).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<i32>().ok()
        };
        let (Some(hours), Some(minutes), Some(":")) = (two(1), two(4), zone.get(3..4)) else { return Err(bad(self)) };
        let sign = match zone.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(bad(self)),
        };
        if hours > 24 {
            return Err(self.because("time zone offset hour out of range"));
        }
        if minutes > 60 {
            return Err(self.because("time zone offset minute out of range"));
        }
        self.rest = rest;
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60))
            .map_err(|_| self.because("time zone offset hour out of range"))
    }
}

/// The first nine digits as nanoseconds.
fn nanoseconds(digits: &str) -> i32 {
    digits.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))
}

/// Go's time package quotes in its own way: every byte that is not plain ASCII as `\xNN`.
fn go_time_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=b'\x7f' => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\x{byte:02x}");
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_normalized_to_utc_and_cut() {
        for (text, want) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.999Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05-07:30", "2026-01-02T10:34:05Z"),
            ("2026-01-02T3:04:05,5Z", "2026-01-02T03:04:05Z"),
            ("1901-12-13T20:45:52Z", "1901-12-13T20:45:52Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59+00:00", "2024-02-29T23:59:59Z"),
        ] {
            assert_eq!(normalize_time(text), Ok(want.to_owned()), "{text:?}");
        }
        for (text, want) in [
            ("2026-01-02T03:04:05.120000+02:00", "2026-01-02T01:04:05.120000Z"),
            ("2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.000000Z"),
        ] {
            assert_eq!(normalize_micro_time(text), Ok(want.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_in_gos_words() {
        const SECONDS: &str = "2006-01-02T15:04:05Z07:00";
        const MICRO: &str = "2006-01-02T15:04:05.000000Z07:00";
        let cannot = |text: &str, layout: &str, value: &str, element: &str| {
            format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{value}\" as \"{element}\"")
        };
        for (text, value, element) in [
            ("", "", "2006"),
            ("2026-01-02", "", "T"),
            ("2026-01-02T03:04:05", "", "Z07:00"),
            ("2026-01-02t03:04:05z", "t03:04:05z", "T"),
            ("2026-1-02T03:04:05Z", "1-02T03:04:05Z", "01"),
            ("2026-01-02T03:04:05+0200", "+0200", "Z07:00"),
            ("x", "x", "2006"),
        ] {
            assert_eq!(parse_time(text).unwrap_err().0, cannot(text, SECONDS, value, element));
        }
        for (text, value, element) in [
            ("2026-01-02T03:04:05.123456789Z", "789Z", "Z07:00"),
            ("2026-01-02T03:04:05.123Z", ".123Z", ".000000"),
            ("2026-01-02T03:04:05Z", "Z", ".000000"),
            ("", "", "2006"),
        ] {
            assert_eq!(parse_micro_time(text).unwrap_err().0, cannot(text, MICRO, value, element));
        }
        for (text, why) in [
            ("2026-02-30T03:04:05Z", "day out of range"),
            ("2026-13-01T03:04:05Z", "month out of range"),
            ("2026-12-01T24:04:05Z", "hour out of range"),
            ("2026-12-01T23:60:05Z", "minute out of range"),
            ("2026-12-01T23:00:60Z", "second out of range"),
            ("2026-12-01T23:00:00Zx", "extra text: \"x\""),
        ] {
            assert_eq!(parse_time(text).unwrap_err().0, format!("parsing time \"{text}\": {why}"));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_is_refused(text in "[0-9TZé:.+-]{0,30}") {
            let _ = parse_time(&text);
            let _ = parse_micro_time(&text);
        }

        #[test]
        fn a_time_survives_its_text(seconds in -62_135_596_800i64..253_402_207_200) {
            let time = Timestamp::from_second(seconds).unwrap();
            proptest::prop_assert_eq!(parse_time(&format_time(time)), Ok(time));
            proptest::prop_assert_eq!(parse_micro_time(&format_micro_time(time)), Ok(time));
        }
    }
}
