//! The request deadline: how long a request may take.

use std::time::Duration;

use apimachinery::status::StatusError;

use crate::query::Query;

/// A client has at least this long to read an answer, also one that was made when the request's time was over.
pub(crate) const LEAST_TO_READ: Duration = Duration::from_secs(10);

/// The time a request has: the server's limit, or less if the `timeout` parameter (a Go duration) says so. 400 if that
/// is no duration.
pub(crate) fn allotted(query: &Query, limit: Duration) -> Result<Duration, StatusError> {
    let text = query.text("timeout");
    if text.is_empty() {
        return Ok(limit);
    }
    let invalid =
        |detail: String| StatusError::bad_request(format!("invalid timeout specified in the request URL - {detail}"));
    match parse(text) {
        Some(duration) if duration.is_zero() => Ok(limit),
        Some(duration) => Ok(duration.min(limit)),
        None => Err(invalid(format!("time: invalid duration {}", apimachinery::quote::quoted(text)))),
    }
}

/// The 504 of a request that took longer.
pub(crate) fn exceeded() -> StatusError {
    StatusError::timeout("request did not complete within the allotted timeout", 0)
}

/// A Go duration such as `1m30s` or `1.5s`, not negative.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_timeout_is_obeyed_and_a_broken_one_refused() {
        let limit = Duration::from_secs(60);
        for (raw, expected) in [
            ("", Some(60_000)),
            ("timeout=10s", Some(10_000)),
            ("timeout=1.5s", Some(1_500)),
            ("timeout=0m20s", Some(20_000)),
            ("timeout=2h", Some(60_000)),
            ("timeout=0s", Some(60_000)),
            ("timeout=10", None),
            ("timeout=-1s", None),
            ("timeout=x", None),
        ] {
            let allotted = allotted(&Query::parse(Some(raw)), limit);
            assert_eq!(allotted.ok().map(|d| d.as_millis()), expected, "{raw}");
        }
    }
}
