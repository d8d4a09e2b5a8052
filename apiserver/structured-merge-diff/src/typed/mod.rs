//! Values with types.

mod atom;
mod compare;
mod error;
mod field_set;
mod fits;
mod list_items;
mod merge;
mod reconcile;
mod remove;
mod said;
mod same_fields;
mod sides;
mod validate;

use std::sync::Arc;

use serde_json::Value;

pub use compare::Comparison;
pub use error::{ValidationError, ValidationErrors};
pub use remove::KeyFields;
pub use validate::Duplicates;

use crate::fieldpath::Set;
use crate::schema::{self, Schema, TypeRef};

/// A value of a type. Cheap to clone: the value, the schema and the type are shared.
#[derive(Clone, Debug)]
pub struct TypedValue {
    value: Arc<Value>,
    schema: Schema,
    type_ref: TypeRef,
}

impl TypedValue {
    /// A value that is valid for the type.
    ///
    /// Stored objects may hold duplicates in their associative lists and sets; what a client applies may not.
    ///
    /// # Errors
    /// Everything in the value that the type does not allow.
    pub fn new(
        value: impl Into<Arc<Value>>,
        schema: &Schema,
        type_ref: &TypeRef,
        duplicates: Duplicates,
    ) -> Result<Self, ValidationErrors> {
        let typed = Self::unvalidated(value, schema, type_ref);
        typed.validate(duplicates)?;
        Ok(typed)
    }

    /// A value that is taken to be valid for the type.
    pub fn unvalidated(value: impl Into<Arc<Value>>, schema: &Schema, type_ref: &TypeRef) -> Self {
        Self { value: value.into(), schema: schema.clone(), type_ref: type_ref.clone() }
    }

    /// A value without a schema: its maps merge key by key, all else is replaced as a whole.
    pub fn deduced(value: impl Into<Arc<Value>>) -> Self {
        let (schema, type_ref) = schema::deduced();
        Self { value: value.into(), schema, type_ref }
    }

    /// The value without its type.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value without its type; copied only when it is shared.
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.value)
    }

    /// The schema the type is in.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The value's type.
    pub fn type_ref(&self) -> &TypeRef {
        &self.type_ref
    }

    /// A null of the same type.
    #[must_use]
    pub fn empty(&self) -> Self {
        self.with_value(Value::Null)
    }

    fn with_value(&self, value: Value) -> Self {
        Self { value: Arc::new(value), schema: self.schema.clone(), type_ref: self.type_ref.clone() }
    }

    /// Refuses values of different schemas or types.
    fn check_same_type(&self, other: &Self) -> Result<(), ValidationErrors> {
        if !self.schema.same(&other.schema) {
            return Err(ValidationErrors::of("expected objects with types from the same schema"));
        }
        if self.type_ref != other.type_ref {
            return Err(ValidationErrors::of(format!(
                "expected objects of the same type, but got {} and {}",
                self.type_ref, other.type_ref
            )));
        }
        Ok(())
    }

    /// Everything in the value that the type does not allow.
    ///
    /// # Errors
    /// In upstream's words, each at its field.
    pub fn validate(&self, duplicates: Duplicates) -> Result<(), ValidationErrors> {
        if fits::fits(&self.schema, Some(&self.type_ref), &self.value, duplicates) {
            return Ok(());
        }
        validate::validate(&self.schema, &self.type_ref, &self.value, duplicates).into_result()
    }

    /// The set of every leaf and list item in the value.
    ///
    /// # Errors
    /// When the value does not fit the type.
    pub fn to_field_set(&self) -> Result<Set, ValidationErrors> {
        field_set::field_set(&self.schema, &self.type_ref, &self.value)
    }

    /// Whether [`TypedValue::to_field_set`] is `set` but for the members of `without`, which are not in `set`. `false` where
    /// only making it can tell.
    pub(crate) fn has_fields(&self, set: &Set, without: &Set) -> bool {
        same_fields::has_fields(&self.schema, &self.type_ref, &self.value, set, without)
    }

    /// Whether merging `partial`, which is valid and without duplicates, would change nothing. `false` where only merging
    /// can tell.
    pub(crate) fn says(&self, partial: &Self) -> bool {
        self.check_same_type(partial).is_ok()
            && said::is_said(&self.schema, Some(&self.type_ref), &self.value, &partial.value)
    }

    /// The value with all that `partial` says merged in. Nothing is removed.
    ///
    /// A container keeps the order of `self` unless `partial` has items in it: then those come in its order.
    ///
    /// # Errors
    /// When the two are not of the same type, or a value does not fit the type.
    pub fn merge(&self, partial: &Self) -> Result<Self, ValidationErrors> {
        self.check_same_type(partial)?;
        let merged = merge::merge(&self.schema, &self.type_ref, &self.value, &partial.value)?;
        Ok(merged.map_or_else(|| self.clone(), |merged| self.with_value(merged)))
    }

    /// What became of the fields of `self` in `other`.
    ///
    /// # Errors
    /// When the two are not of the same type, or a value does not fit the type.
    pub fn compare(&self, other: &Self) -> Result<Comparison, ValidationErrors> {
        self.check_same_type(other)?;
        if Arc::ptr_eq(&self.value, &other.value) {
            return Ok(Comparison::default());
        }
        compare::compare(&self.schema, &self.type_ref, &self.value, &other.value)
    }

    /// The value without these fields and list items. A container that loses all it had becomes null.
    #[must_use]
    pub fn remove_items(&self, items: &Set) -> Self {
        self.with_value(remove::remove(&self.schema, &self.type_ref, Value::clone(&self.value), items))
    }

    /// The value with nothing but these fields and list items, and with the key fields of the list items when asked.
    #[must_use]
    pub fn extract_items(&self, items: &Set, key_fields: KeyFields) -> Self {
        self.with_value(remove::extract(self, items, key_fields))
    }

    /// The set brought in line with a type that changed since the set was written; nothing when it is in line.
    ///
    /// Where a list or map has become atomic, its owner now owns it whole.
    ///
    /// # Errors
    /// When the set names types the schema does not have.
    pub fn reconcile_field_set(&self, set: &Set) -> Result<Option<Set>, ValidationErrors> {
        reconcile::reconcile(&self.schema, &self.type_ref, set)
    }
}

#[cfg(test)]
mod tests;
