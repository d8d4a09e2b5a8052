//! JSON merge patch (RFC 7386).
use serde_json::Value;

/// Applies a JSON merge patch.
pub fn apply(_document: &mut Value, _patch: &Value) {
    todo!()
}
