//! The fields of a value.
use super::ValidationErrors;
use crate::{
    fieldpath::Set,
    schema::{Schema, TypeRef},
};
use serde_json::Value;
pub(super) fn field_set(_: &Schema, _: &TypeRef, _: &Value) -> Result<Set, ValidationErrors> {
    todo!()
}
