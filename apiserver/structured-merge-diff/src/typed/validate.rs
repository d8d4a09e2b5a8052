//! Whether a value is of its type.
use super::ValidationErrors;
use crate::schema::{Schema, TypeRef};
use serde_json::Value;

/// Whether associative lists and sets may hold the same item twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// As stored objects may.
    Allow,
    /// As applied objects must.
    Reject,
}

pub(super) fn validate(_: &Schema, _: &TypeRef, _: &Value, _: Duplicates) -> ValidationErrors {
    todo!()
}
