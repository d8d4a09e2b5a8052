//! `selectableFields`: what instances can be listed by.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use schema::crd;
use serde_json::Value;

use crate::strategy::read::text;

/// As many as there may be.
pub(super) const MOST: usize = 8;

/// What is wrong with the fields to select by (at `path`) of the versions that have `schema` (at `parent`).
pub(super) fn validate(fields: &[Value], schema: &Value, many: bool, path: &Path, parent: &Path) -> ErrorList {
    if let Some(why) = crd::unsupported(schema) {
        return vec![Error::invalid(&parent.child("schema").child("openAPIV3Schema"), "", why)];
    }
    let mut errors = ErrorList::new();
    let mut known = HashSet::new();
    for (index, field) in fields.iter().enumerate() {
        let at = path.index(index).child("jsonPath");
        let given = text(field, "jsonPath");
        if given.is_empty() {
            errors.push(Error::required(&at, ""));
            continue;
        }
        let found = match crd::field_at(given, schema, false) {
            Ok(found) => found,
            Err(why) => {
                errors.push(Error::invalid(&at, given, format!("is an invalid path: {why}")));
                continue;
            }
        };
        if found.root == "metadata" {
            errors.push(Error::invalid(&at, given, "must not point to fields in metadata"));
        }
        if !matches!(text(found.schema, "type"), "string" | "boolean" | "integer") {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(Error::invalid(&at, given, why));
        }
        if !known.insert(found.shown) {
            errors.push(Error::duplicate(&at, given));
        }
    }
    if known.len() > MOST && !many {
        errors.push(Error::too_many(path, known.len(), MOST));
    }
    errors
}
