//! Objects with their types, and their conversion between the versions in which managers wrote.

use std::sync::Arc;

use apimachinery::{GroupVersionKind, ObjectExt};
use schema::Schema;
use serde_json::{Value, json};
use structured_merge_diff::merge::{ConvertError, Converter};
use structured_merge_diff::typed::Duplicates;
use structured_merge_diff::{ApiVersion, TypedValue};

use super::Writer;
use crate::conversion::{self, Pending};
use crate::table::{Table, Versions};

/// The types of one kind in its versions.
pub(super) struct Types<'a> {
    table: &'a Table,
    kind: GroupVersionKind,
    schema: Option<Schema>,
    custom: bool,
    versions: Option<&'a Versions>,
    pending: &'a Pending,
}

impl<'a> Types<'a> {
    /// Those of what the writer writes.
    pub fn of(writer: &Writer<'a>) -> Self {
        let kind = writer.view.kind(writer.row);
        let whole = writer.view.is_whole();
        let schema = if whole { writer.row.schema() } else { schema::builtin().kind(&kind) };
        let versions = writer.row.versions.as_deref().filter(|_| whole);
        let custom = whole && writer.row.is_custom();
        Self { table: writer.table, kind, schema, custom, versions, pending: writer.pending }
    }

    /// An object of the kind in which nothing is set: what Go always writes of it.
    pub fn zero(&self) -> Value {
        let mut zero = json!({"apiVersion": self.kind.api_version(), "kind": self.kind.kind});
        if let (false, Some(schema)) = (self.custom, &self.schema) {
            schema.apply_defaults(&mut zero);
        }
        zero
    }

    /// An object that is or will be stored. It may hold duplicates.
    pub fn stored(&self, object: impl Into<Arc<Value>>) -> Result<TypedValue, String> {
        typed(self.schema.as_ref(), object, Duplicates::Allow)
    }

    /// A configuration that is applied.
    pub fn applied(&self, object: impl Into<Arc<Value>>) -> Result<TypedValue, String> {
        typed(self.schema.as_ref(), object, Duplicates::Reject)
    }

    fn schema_of(&self, version: &GroupVersionKind) -> Option<Schema> {
        if *version == self.kind {
            return self.schema.clone();
        }
        self.table.row_of_kind(&version.group, &version.version, &version.kind).and_then(|row| row.schema())
    }
}

fn typed(schema: Option<&Schema>, object: impl Into<Arc<Value>>, duplicates: Duplicates) -> Result<TypedValue, String> {
    match schema {
        Some(schema) => {
            let merge = schema.merge_type();
            TypedValue::new(object, &merge.schema, &merge.type_ref, duplicates).map_err(|errors| errors.to_string())
        }
        None => Ok(TypedValue::deduced(object)),
    }
}

impl Converter for Types<'_> {
    fn convert(&self, object: &TypedValue, version: &ApiVersion) -> Result<TypedValue, ConvertError> {
        let from = object.value().api_version();
        if from.is_empty() || from == version.as_str() {
            return Ok(object.clone());
        }
        // Upstream converts through the internal version of the request's group, which no other group's version knows: what
        // was written through another group is forgotten.
        let missing = || ConvertError::MissingVersion(format!("no kind {} in {version}", self.kind.kind));
        let to =
            GroupVersionKind::from_api_version_and_kind(version.as_str(), &self.kind.kind).map_err(|_| missing())?;
        if to.group != self.kind.group {
            return Err(missing());
        }
        let schema = self.schema_of(&to).ok_or_else(missing)?;
        let mut value = object.value().clone();
        match self.versions {
            Some(versions) if versions.asks_a_webhook() => {
                let answer = self.pending.find(&value, &to.version);
                let answer = answer.unwrap_or_else(|| Err("the conversion webhook has not answered yet".into()));
                value = answer.map_err(|error| ConvertError::Failed(error.into()))?;
            }
            _ => conversion::convert(&mut value, &to),
        }
        // Upstream allows duplicates in what is stored, but not in what that is converted to.
        typed(Some(&schema), value, Duplicates::Reject).map_err(|error| ConvertError::Failed(error.into()))
    }
}
