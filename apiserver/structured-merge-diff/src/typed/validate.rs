//! Whether a value is of its type.

use std::collections::BTreeSet;

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::atom::{Kind, entry_type, kind_of};
use super::list_items::path_element;
use crate::fieldpath::PathElement;
use crate::schema::{ElementRelationship, List, Map, Scalar, Schema, TypeRef};
use crate::value;

/// Whether associative lists and sets may hold the same item twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// As stored objects may.
    Allow,
    /// As applied objects must.
    Reject,
}

pub(super) fn validate(schema: &Schema, type_ref: &TypeRef, value: &Value, duplicates: Duplicates) -> ValidationErrors {
    Walker { schema, duplicates }.validate(Some(type_ref), value)
}

struct Walker<'a> {
    schema: &'a Schema,
    duplicates: Duplicates,
}

impl Walker<'_> {
    fn validate(&self, type_ref: Option<&TypeRef>, value: &Value) -> ValidationErrors {
        let kind = match kind_of(self.schema, type_ref, value) {
            Ok(kind) => kind,
            Err(errors) => return errors,
        };
        match (kind, value) {
            (_, Value::Null) => ValidationErrors::new(),
            (Kind::Scalar(scalar), _) => check_scalar(scalar, value, "").err().unwrap_or_default(),
            (Kind::List(list), Value::Array(items)) => self.list(list, items),
            (Kind::List(_), _) => ValidationErrors::of(format!("expected list, got &{{{}}}", value::Display(value))),
            (Kind::Map(map), Value::Object(entries)) => self.map(map, entries),
            (Kind::Map(_), _) => ValidationErrors::of(format!("expected map, got &{{{}}}", value::Display(value))),
        }
    }

    fn list(&self, list: &List, items: &[Value]) -> ValidationErrors {
        let mut errors = ValidationErrors::new();
        let mut observed = BTreeSet::new();
        for (i, item) in (0_i64..).zip(items) {
            if list.element_relationship != ElementRelationship::Associative {
                errors.extend_under(&PathElement::Index(i), self.validate(Some(&list.element_type), item));
                continue;
            }
            let element = match path_element(self.schema, list, item) {
                Ok(element) => element,
                Err(err) => {
                    // An item without a name leaves no place to report what else is wrong.
                    errors.push(format!("element {i}: {err}"));
                    return errors;
                }
            };
            if observed.contains(&element) {
                errors.push(format!("duplicate entries for key {element}"));
            }
            errors.extend_under(&element, self.validate(Some(&list.element_type), item));
            if self.duplicates == Duplicates::Reject {
                observed.insert(element);
            }
        }
        errors
    }

    fn map(&self, map: &Map, entries: &Object<String, Value>) -> ValidationErrors {
        let mut errors = ValidationErrors::new();
        for (key, value) in entries {
            let (type_ref, _) = entry_type(map, key);
            if type_ref.is_none() {
                errors.extend_under(&format_args!(".{key}"), ValidationErrors::of("field not declared in schema"));
                break;
            }
            let below = self.validate(type_ref, value);
            if !below.is_empty() {
                errors.extend_under(&format_args!(".{key}"), below);
            }
        }
        errors
    }
}

/// Whether the value is the scalar, or null.
pub(super) fn check_scalar(scalar: Scalar, value: &Value, side: &str) -> Result<(), ValidationErrors> {
    let message = match (scalar, value) {
        (_, Value::Null)
        | (Scalar::Numeric, Value::Number(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Boolean, Value::Bool(_))
        | (Scalar::Untyped, Value::Number(_) | Value::String(_) | Value::Bool(_)) => return Ok(()),
        (Scalar::Numeric, _) => format!("expected numeric (int or float), got {}", value::type_name(value)),
        (Scalar::String, _) => {
            format!("expected string, got &value.valueUnstructured{{Value:{}}}", value::Debug(value))
        }
        (Scalar::Boolean, _) => format!("expected boolean, got &{{{}}}", value::Display(value)),
        (Scalar::Untyped, _) => format!("expected any scalar, got &{{{}}}", value::Display(value)),
    };
    Err(ValidationErrors::of(format!("{side}{message}")))
}
