//! What typed values promise.

mod compare;
mod merge;
mod parts;
mod validate;

use serde_json::{Value, json};

use super::{Duplicates, TypedValue, ValidationErrors};
use crate::schema::{Schema, TypeRef};

/// A type with a field of each form.
fn schema() -> Schema {
    serde_json::from_value(json!({"types": [
        {"name": "root", "map": {"fields": [
            {"name": "numeric", "type": {"scalar": "numeric"}},
            {"name": "string", "type": {"scalar": "string"}},
            {"name": "bool", "type": {"scalar": "boolean"}},
            {"name": "any", "type": {"scalar": "untyped"}},
            {"name": "set", "type": {"list": {"elementType": {"scalar": "string"}, "elementRelationship": "associative"}}},
            {"name": "numbers", "type": {"list": {"elementType": {"scalar": "numeric"}, "elementRelationship": "associative"}}},
            {"name": "atoms", "type": {"list": {"elementType": {"namedType": "item"}, "elementRelationship": "atomic"}}},
            {"name": "items", "type": {"namedType": "items"}},
            {"name": "ports", "type": {"list": {
                "elementType": {"namedType": "port"}, "elementRelationship": "associative", "keys": ["port", "protocol"],
            }}},
            {"name": "map", "type": {"map": {"elementType": {"scalar": "string"}}}},
            {"name": "sets", "type": {"map": {"elementType": {
                "list": {"elementType": {"scalar": "string"}, "elementRelationship": "associative"},
            }}}},
            {"name": "record", "type": {"namedType": "record"}},
            {"name": "whole", "type": {"namedType": "record", "elementRelationship": "atomic"}},
            {"name": "free", "type": {"namedType": "__untyped_deduced_"}},
            {"name": "opaque", "type": {"namedType": "__untyped_atomic_"}},
        ]}},
        {"name": "record", "map": {"fields": [
            {"name": "a", "type": {"scalar": "numeric"}},
            {"name": "b", "type": {"scalar": "string"}},
            {"name": "record", "type": {"namedType": "record"}},
        ]}},
        {"name": "items", "list": {
            "elementType": {"namedType": "item"}, "elementRelationship": "associative", "keys": ["name", "id"],
        }},
        {"name": "item", "map": {"fields": [
            {"name": "name", "type": {"scalar": "string"}},
            {"name": "id", "type": {"scalar": "numeric"}},
            {"name": "value", "type": {"map": {"elementType": {"scalar": "string"}}}},
            {"name": "flag", "type": {"scalar": "boolean"}},
        ]}},
        {"name": "port", "map": {"fields": [
            {"name": "port", "type": {"scalar": "numeric"}},
            {"name": "protocol", "type": {"scalar": "string"}, "default": "TCP"},
            {"name": "name", "type": {"scalar": "string"}},
        ]}},
        {"name": "__untyped_atomic_", "scalar": "untyped",
            "list": {"elementType": {"namedType": "__untyped_atomic_"}, "elementRelationship": "atomic"},
            "map": {"elementType": {"namedType": "__untyped_atomic_"}, "elementRelationship": "atomic"}},
        {"name": "__untyped_deduced_", "scalar": "untyped",
            "list": {"elementType": {"namedType": "__untyped_atomic_"}, "elementRelationship": "atomic"},
            "map": {"elementType": {"namedType": "__untyped_deduced_"}}},
    ]}))
    .unwrap()
}

fn typed_in(schema: &Schema, value: &Value, duplicates: Duplicates) -> Result<TypedValue, ValidationErrors> {
    TypedValue::new(value.clone(), schema, &TypeRef::named("root"), duplicates)
}

/// Two values as a server has them: the first stored, the second sent.
fn pair(stored: &Value, sent: &Value) -> (TypedValue, TypedValue) {
    let schema = schema();
    let get = |value, duplicates| typed_in(&schema, value, duplicates).unwrap_or_else(|err| panic!("{value}: {err}"));
    (get(stored, Duplicates::Allow), get(sent, Duplicates::Allow))
}

fn lines(set: &crate::Set) -> Vec<String> {
    let mut lines: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}
