//! Rules for `metadata`, on create and on update.
use serde_json::Value;

use super::format::NameFn;
use crate::field::{ErrorList, Path};

/// `metadata` of an object to be created (or the new one on update).
pub fn validate_object_meta(_meta: &Value, _requires_namespace: bool, _name: NameFn, _at: &Path) -> ErrorList {
    todo!()
}
/// `metadata` of an update, against the old one.
pub fn validate_object_meta_update(_new: &Value, _old: &Value, _at: &Path) -> ErrorList {
    todo!()
}
/// A map of labels.
pub fn validate_labels(_labels: &Value, _at: &Path) -> ErrorList {
    todo!()
}
/// A map of annotations.
pub fn validate_annotations(_annotations: &Value, _at: &Path) -> ErrorList {
    todo!()
}
/// `metadata.finalizers`.
pub fn validate_finalizers(_finalizers: &Value, _at: &Path) -> ErrorList {
    todo!()
}
/// `metadata.ownerReferences`.
pub fn validate_owner_references(_owners: &Value, _at: &Path) -> ErrorList {
    todo!()
}
/// A field that may not change.
pub fn validate_immutable_field(_new: &Value, _old: &Value, _at: &Path) -> ErrorList {
    todo!()
}
