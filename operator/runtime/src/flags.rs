//! Values of flags in the forms that upstream's flags take.

use std::time::Duration;

/// A positive duration in Go's form: `15s`, `1m30s`, `500ms`.
///
/// # Errors
/// A sentence for the flag's user.
pub fn duration(value: &str) -> Result<Duration, String> {
    let parsed: kube::core::Duration = value.parse().map_err(|error| format!("{error}"))?;
    if parsed.is_negative() {
        return Err("must not be negative".into());
    }
    let duration: Duration = parsed.into();
    // A wait of no time would be a busy loop.
    if duration.is_zero() {
        return Err("must be greater than zero".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_positive_and_in_gos_form() {
        for (text, expected) in [
            ("15s", Some(Duration::from_secs(15))),
            ("1m30s", Some(Duration::from_secs(90))),
            ("0s", None),
            ("-1s", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }
}
