//! List types and map types: which keywords they go with, and what keys and items must be like.

use std::collections::HashSet;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use serde_json::Value;

use super::{Checks, Raw, is_true, schema_in, text};
use crate::types;

/// The error of a type that a keyword does not go with.
fn wrong_type(path: &Path, kind: &str, detail: &str) -> Error {
    let at = path.child("type");
    if kind.is_empty() { Error::required(&at, detail) } else { Error::invalid(&at, kind, detail) }
}

pub(super) fn map_type(schema: &Raw, path: &Path, errors: &mut ErrorList) {
    let Some(map_type) = schema.get("x-kubernetes-map-type").and_then(Value::as_str) else { return };
    let kind = text(schema, "type");
    if kind != "object" {
        errors.push(wrong_type(path, kind, "must be object if x-kubernetes-map-type is specified"));
    }
    if !matches!(map_type, "atomic" | "granular") {
        errors.push(Error::not_supported(&path.child("x-kubernetes-map-type"), map_type, &["atomic", "granular"]));
    }
}

pub(super) fn list_type(schema: &Raw, path: &Path, checks: &Checks, errors: &mut ErrorList) {
    let at = path.child("x-kubernetes-list-type");
    let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
    let kind = text(schema, "type");
    match list_type {
        Some(_) if kind != "array" => {
            errors.push(wrong_type(path, kind, "must be array if x-kubernetes-list-type is specified"));
        }
        Some("set") if checks.atomic_sets => {
            errors.extend(schema_in(schema, "items").and_then(|items| granular_item(items, path)));
        }
        _ => {}
    }
    if let Some(list_type) = list_type.filter(|t| !matches!(*t, "atomic" | "set" | "map")) {
        errors.push(Error::not_supported(&at, list_type, &["atomic", "set", "map"]));
    }
    let keys = map_keys(schema);
    if !keys.is_empty() {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        match list_type {
            None => errors.push(Error::required(&at, detail)),
            Some("map") => {}
            Some(other) => errors.push(Error::invalid(&at, other, detail)),
        }
    }
    if list_type == Some("map") {
        keyed(schema, &keys, path, errors);
    }
    if checks.strict_items {
        errors.extend(loose_items(schema, path));
    }
}

fn map_keys(schema: &Raw) -> Vec<&str> {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What makes the items of a map or of a set hard to tell apart: they may be null, or lack a key.
pub(super) fn loose_items(schema: &Raw, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let list_type = text(schema, "x-kubernetes-list-type");
    let Some(items) = schema_in(schema, "items").filter(|_| matches!(list_type, "set" | "map")) else { return errors };
    if is_true(items, "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(Error::forbidden(&path.child("items").child("nullable"), detail));
    }
    if list_type == "map" {
        keys_are_there(items, &map_keys(schema), path, &mut errors);
    }
    errors
}

/// Whether a list is a set of items that are not merged as wholes.
pub(super) fn is_set_of_granular_items(schema: &Raw) -> bool {
    text(schema, "x-kubernetes-list-type") == "set"
        && schema_in(schema, "items").is_some_and(|items| granular_item(items, &Path::default()).is_some())
}

/// The items of a set are told apart as wholes: they must be merged as wholes.
fn granular_item(items: &Raw, path: &Path) -> Option<Error> {
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let at = |keyword: &str| path.child("items").child(keyword);
    let list_type = items.get("x-kubernetes-list-type").and_then(Value::as_str);
    // Upstream shows the list type in both cases.
    let shown = BadValue::Value(list_type.map_or(Value::Null, Value::from));
    match text(items, "type") {
        "array" if list_type.is_some_and(|t| t != "atomic") => {
            Some(Error::invalid(&at("x-kubernetes-list-type"), shown, detail))
        }
        "object" if text(items, "x-kubernetes-map-type") != "atomic" => {
            Some(Error::invalid(&at("x-kubernetes-map-type"), shown, detail))
        }
        _ => None,
    }
}

fn keyed(schema: &Raw, keys: &[&str], path: &Path, errors: &mut ErrorList) {
    let at = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(Error::required(&at, "must not be empty if x-kubernetes-list-type is map"));
    }
    let items = match schema.get("items") {
        Some(Value::Object(items)) => items,
        Some(other) if !other.is_null() => {
            let detail = "must only have a single schema if x-kubernetes-list-type is map";
            // As upstream's internal type has it.
            let shown =
                format!(r#"{{"Schema":null,"JSONSchemas":{}}}"#, types::json("[]apiextensions.JSONSchemaProps", other));
            errors.push(Error::invalid(&path.child("items"), BadValue::Rendered(shown), detail));
            return;
        }
        _ => {
            let detail = "must have a schema if x-kubernetes-list-type is map";
            errors.push(Error::required(&path.child("items"), detail));
            return;
        }
    };
    let items_path = path.child("items");
    let item_type = text(items, "type");
    if item_type != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(Error::invalid(&items_path.child("type"), item_type, detail));
        return;
    }
    let mut seen = HashSet::new();
    for key in keys {
        match schema_in(items, "properties").and_then(|all| schema_in(all, key)) {
            Some(property) if matches!(text(property, "type"), "array" | "object") => {
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let at = items_path.child("properties").key(key).child("type");
                // Upstream shows the item's type here.
                errors.push(Error::invalid(&at, item_type, detail));
            }
            Some(_) => {}
            None => errors.push(Error::invalid(&at, keys.to_vec(), "entries must all be names of item properties")),
        }
        if !seen.insert(key) {
            errors.push(Error::invalid(&at, keys.to_vec(), "must not contain duplicate entries"));
        }
    }
}

fn keys_are_there(items: &Raw, keys: &[&str], path: &Path, errors: &mut ErrorList) {
    let required: HashSet<&str> = match items.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => HashSet::new(),
    };
    for key in keys {
        let Some(property) = schema_in(items, "properties").and_then(|all| schema_in(all, key)) else { continue };
        let at = path.child("items").child("properties").key(key);
        if !required.contains(key) && property.get("default").is_none_or(Value::is_null) {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(Error::required(&at.child("default"), detail));
        }
        if is_true(property, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(Error::forbidden(&at.child("nullable"), detail));
        }
    }
}
