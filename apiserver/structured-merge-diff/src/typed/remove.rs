//! Removing and extracting.
use super::TypedValue;
use crate::{
    fieldpath::Set,
    schema::{Schema, TypeRef},
};
use serde_json::Value;

/// Whether an extracted list item brings its key fields along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFields {
    /// Only what the set names.
    AsNamed,
    /// The key fields of each item on the way too.
    Append,
}
pub(super) fn remove(_: &Schema, _: &TypeRef, _: Value, _: &Set) -> Value {
    todo!()
}
pub(super) fn extract(_: &TypedValue, _: &Set, _: KeyFields) -> Value {
    todo!()
}
