//! Arguments in the forms that upstream's flag library takes.

use std::ffi::OsString;

use apiserver::options::boolean;

/// The same arguments with `-` for `_` in the names of long flags.
pub(super) fn normalized(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.map(|argument| match argument.to_str() {
        Some(text) if text.starts_with("--") => {
            let end = text.find('=').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            format!("{}{rest}", name.replace('_', "-")).into()
        }
        _ => argument,
    })
}

/// Checks the form of `Name=true,Other=false`.
///
/// # Errors
/// Upstream's words.
pub(super) fn feature_gates(text: &str) -> Result<(), String> {
    for gate in text.split(',').map(str::trim).filter(|gate| !gate.is_empty()) {
        let Some((name, value)) = gate.split_once('=') else { return Err(format!("missing bool value for {gate}")) };
        let value = value.trim();
        boolean(value).map_err(|error| format!("invalid value of {}={value}, err: {error}", name.trim()))?;
    }
    Ok(())
}
