//! Strategic merge patch.
use serde_json::Value;

use super::PatchError;

/// What the schema says of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strategy {
    /// `x-kubernetes-patch-strategy` has `merge`.
    pub merge: bool,
    /// `x-kubernetes-patch-strategy` has `replace`.
    pub replace: bool,
    /// `x-kubernetes-patch-strategy` has `retainKeys`.
    pub retain_keys: bool,
}

/// What the schema says of a field.
pub struct Field<'a> {
    /// How a patch of this field is merged.
    pub strategy: Strategy,
    /// `x-kubernetes-patch-merge-key` of a list; `None` or empty without one.
    pub merge_key: Option<&'a str>,
    /// The schema of the field's value: for a list, that of its items; for a map, the map itself
    /// (whose [`Lookup::field`] answers the same schema for any key).
    pub schema: Box<dyn Lookup + 'a>,
}

/// A position in a schema.
pub trait Lookup {
    /// What the schema says of the field of that name; `None` where there is no such field, or this is no structure.
    fn field(&self, name: &str) -> Option<Field<'_>>;
}

/// Applies a strategic merge patch.
///
/// # Errors
/// The patch is malformed, or its types are not those of the document.
pub fn apply(_document: Value, _patch: &Value, _schema: &dyn Lookup) -> Result<Value, PatchError> {
    todo!()
}
