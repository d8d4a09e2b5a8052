//! Scalars that Go writes in another form than they were given: times, base64.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The instant Go calls zero, 0001-01-01T00:00:00Z, in seconds since 1970.
const ZERO: i64 = -62_135_596_800;

/// The two time types of meta/v1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `2006-01-02T15:04:05Z07:00`; a fraction is read and lost.
    Seconds,
    /// `2006-01-02T15:04:05.000000Z07:00`.
    Micros,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Self::Seconds => "2006-01-02T15:04:05Z07:00",
            Self::Micros => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

/// The time as Go writes it back, in UTC; `None` for the zero time, which is written as null. The error is that of Go's
/// `time.Parse`.
pub(crate) fn time(text: &str, layout: Layout) -> Result<Option<String>, String> {
    let (seconds, micros) = GoTime { text, rest: text, layout }.parse()?;
    if seconds == ZERO && micros == 0 {
        return Ok(None);
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let mut out = String::with_capacity(27);
    // Writing to a String cannot fail.
    let _ =
        write!(out, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    if layout == Layout::Micros {
        let _ = write!(out, ".{micros:06}");
    }
    out.push('Z');
    Ok(Some(out))
}

struct GoTime<'a> {
    text: &'a str,
    rest: &'a str,
    layout: Layout,
}

impl<'a> GoTime<'a> {
    /// Seconds since 1970 and microseconds.
    fn parse(mut self) -> Result<(i64, u32), String> {
        let year = self.year()?;
        self.literal("-")?;
        let month = self.number("01", true)?;
        if !(1..=12).contains(&month) {
            return Err(self.out_of_range("month"));
        }
        self.literal("-")?;
        let day = self.number("02", true)?;
        self.literal("T")?;
        let hour = self.number("15", false)?;
        if hour > 23 {
            return Err(self.out_of_range("hour"));
        }
        self.literal(":")?;
        let minute = self.number("04", true)?;
        if minute > 59 {
            return Err(self.out_of_range("minute"));
        }
        self.literal(":")?;
        let second = self.number("05", true)?;
        if second > 59 {
            return Err(self.out_of_range("second"));
        }
        let micros = self.fraction()?;
        let offset = self.zone()?;
        if !self.rest.is_empty() {
            return Err(format!("parsing time {:?}: extra text: {:?}", self.text, self.rest));
        }
        if day < 1 || day > days_in(month, year) {
            return Err(self.out_of_range("day"));
        }
        let days = days_since_1970(year, month, day);
        Ok((days * 86_400 + hour * 3600 + minute * 60 + second - offset, micros))
    }

    fn year(&mut self) -> Result<i64, String> {
        match self.rest.get(..4).map(str::parse::<u16>) {
            Some(Ok(year)) if self.rest.as_bytes()[0].is_ascii_digit() => {
                self.rest = &self.rest[4..];
                Ok(i64::from(year))
            }
            _ => Err(self.cannot("2006", self.rest)),
        }
    }

    /// Two digits, or one where Go's layout lets a number be shorter.
    fn number(&mut self, element: &str, fixed: bool) -> Result<i64, String> {
        let digits = self.rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits == 0 || (fixed && digits == 1) {
            return Err(self.cannot(element, self.rest));
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Ok(number.bytes().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.cannot(literal, self.rest)),
        }
    }

    fn fraction(&mut self) -> Result<u32, String> {
        let bytes = self.rest.as_bytes();
        if self.layout == Layout::Micros {
            let digits =
                bytes.get(1..7).filter(|d| matches!(bytes[0], b'.' | b',') && d.iter().all(u8::is_ascii_digit));
            let Some(digits) = digits else { return Err(self.cannot(".000000", self.rest)) };
            let micros = digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'));
            self.rest = &self.rest[7..];
            return Ok(micros);
        }
        if bytes.len() >= 2 && matches!(bytes[0], b'.' | b',') && bytes[1].is_ascii_digit() {
            let digits = bytes[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            self.rest = &self.rest[1 + digits..];
        }
        Ok(0)
    }

    /// Seconds east of UTC.
    fn zone(&mut self) -> Result<i64, String> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let hold = self.rest;
        let bytes = hold.as_bytes();
        let digit = |at: usize| bytes[at].is_ascii_digit();
        if bytes.len() < 6 || bytes[3] != b':' || ![1, 2, 4, 5].into_iter().all(digit) {
            return Err(self.cannot(ELEMENT, hold));
        }
        let two = |at: usize| i64::from(bytes[at] - b'0') * 10 + i64::from(bytes[at + 1] - b'0');
        let (hours, minutes) = (two(1), two(4));
        self.rest = &hold[6..];
        if hours > 24 {
            return Err(self.out_of_range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(self.out_of_range("time zone offset minute"));
        }
        match bytes[0] {
            b'+' => Ok(hours * 3600 + minutes * 60),
            b'-' => Ok(-(hours * 3600 + minutes * 60)),
            _ => Err(self.cannot(ELEMENT, hold)),
        }
    }

    fn cannot(&self, element: &str, at: &'a str) -> String {
        format!("parsing time {:?} as {:?}: cannot parse {at:?} as {element:?}", self.text, self.layout.text())
    }

    fn out_of_range(&self, what: &str) -> String {
        format!("parsing time {:?}: {what} out of range", self.text)
    }
}

fn days_in(month: i64, year: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar; the year is taken to begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_since_1970`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Base64 as Go reads it, written again in its canonical form; the error is the offset Go complains of.
///
/// Go skips line ends, and does not mind bits beyond the last byte.
pub(crate) fn base64(text: &str) -> Result<Option<String>, usize> {
    if STANDARD.decode(text).is_ok() {
        return Ok(None);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let next = |mut at: usize| {
        while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        at
    };
    let mut at = 0;
    loop {
        let mut sextets = [0_u8; 4];
        let mut filled = 0;
        while filled < 4 {
            at = next(at);
            let Some(&byte) = bytes.get(at) else {
                if filled == 0 {
                    return Ok(Some(STANDARD.encode(out)));
                }
                return Err(at - filled);
            };
            at += 1;
            if let Some(sextet) = sextet(byte) {
                sextets[filled] = sextet;
                filled += 1;
                continue;
            }
            if byte != b'=' || filled < 2 {
                return Err(at - 1);
            }
            if filled == 2 {
                at = next(at);
                match bytes.get(at) {
                    None => return Err(bytes.len()),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(at - 1),
                }
            }
            at = next(at);
            if at < bytes.len() {
                return Err(at);
            }
            break;
        }
        let group = sextets.iter().fold(0_u32, |n, s| n << 6 | u32::from(*s)).to_be_bytes();
        out.extend_from_slice(&group[1..filled.max(1)]);
        if filled < 4 {
            return Ok(Some(STANDARD.encode(out)));
        }
    }
}

/// Bytes as Go writes them.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_refused_as_go_does() {
        for (text, layout, expected) in [
            ("2026-01-02T03:04:05Z", Layout::Seconds, Ok(Some("2026-01-02T03:04:05Z"))),
            ("2026-01-02T03:04:05-07:30", Layout::Seconds, Ok(Some("2026-01-02T10:34:05Z"))),
            ("2026-01-02T03:04:05.999Z", Layout::Seconds, Ok(Some("2026-01-02T03:04:05Z"))),
            ("1901-12-13T20:45:52Z", Layout::Seconds, Ok(Some("1901-12-13T20:45:52Z"))),
            ("2024-02-29T00:00:00+24:00", Layout::Seconds, Ok(Some("2024-02-28T00:00:00Z"))),
            ("0001-01-01T00:00:00Z", Layout::Seconds, Ok(None)),
            ("2026-01-02T03:04:05.120000+02:00", Layout::Micros, Ok(Some("2026-01-02T01:04:05.120000Z"))),
            ("2026-01-02T03:04:05Z", Layout::Micros, Err(r#"cannot parse "Z" as ".000000""#)),
            ("2026-01-02T03:04:05.123Z", Layout::Micros, Err(r#"cannot parse ".123Z" as ".000000""#)),
            ("2026-01-02T03:04:05.123456789Z", Layout::Micros, Err(r#"cannot parse "789Z" as "Z07:00""#)),
            (
                "yesterday",
                Layout::Seconds,
                Err(r#"as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#),
            ),
            ("", Layout::Seconds, Err(r#"parsing time "" as"#)),
            ("2026-01-02T03:04:05", Layout::Seconds, Err(r#"cannot parse "" as "Z07:00""#)),
            ("2026-01-02", Layout::Seconds, Err(r#"cannot parse "" as "T""#)),
            ("2026-02-30T03:04:05Z", Layout::Seconds, Err(r#"parsing time "2026-02-30T03:04:05Z": day out of range"#)),
            ("2026-01-02t03:04:05z", Layout::Seconds, Err(r#"cannot parse "t03:04:05z" as "T""#)),
            ("2026-01-02T03:04:05Zx", Layout::Seconds, Err(r#"extra text: "x""#)),
        ] {
            match (time(text, layout), expected) {
                (Ok(got), Ok(want)) => assert_eq!(got.as_deref(), want, "{text}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
                (got, want) => panic!("{text}: got {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn base64_is_read_and_refused_as_go_does() {
        for (text, expected) in [
            ("YQ==", Ok(None)),
            ("", Ok(None)),
            ("YR==", Ok(Some("YQ=="))),
            ("YW\nJj\r\n", Ok(Some("YWJj"))),
            ("YW\nI=", Ok(Some("YWI="))),
            ("*not base64*", Err(0)),
            ("YQ", Err(0)),
            ("YWJjYQ", Err(4)),
            ("YQ=", Err(3)),
            ("YQ==x", Err(4)),
            ("abc!", Err(3)),
            ("a===", Err(1)),
        ] {
            assert_eq!(base64(text), expected.map(|e: Option<&str>| e.map(str::to_owned)), "{text:?}");
        }
    }
}
