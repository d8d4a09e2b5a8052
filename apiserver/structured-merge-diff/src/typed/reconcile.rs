//! Reconciling.
use super::ValidationErrors;
use crate::{
    fieldpath::Set,
    schema::{Schema, TypeRef},
};
pub(super) fn reconcile(_: &Schema, _: &TypeRef, _: &Set) -> Result<Option<Set>, ValidationErrors> {
    todo!()
}
