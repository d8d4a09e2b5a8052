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
    Ok(parsed.into())
}
