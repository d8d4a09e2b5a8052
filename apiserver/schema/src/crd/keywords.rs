//! Keywords that CRDs may not use, and those that must go together.

use std::collections::HashSet;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use serde_json::Value;

use super::{Raw, is_given, is_true, properties, schema_in, schemas_in, text};
use crate::prune::META_FIELDS;
use crate::rules::definition;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Where in an object a schema is.
#[derive(Clone, Copy, Default)]
struct Context<'a> {
    root: bool,
    inside_metadata: bool,
    /// Why there may be no default here.
    no_default: Option<&'a str>,
}

pub(super) fn validate(schema: &Raw, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    visit(schema, path, Context { root: true, ..Context::default() }, &mut errors);
    errors
}

fn visit(schema: &Raw, path: &Path, context: Context<'_>, errors: &mut ErrorList) {
    unsupported(schema, path, context, errors);
    if is_true(schema, "uniqueItems") {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(Error::forbidden(&path.child("uniqueItems"), detail));
    }
    let below = Context { root: false, ..context };
    if let Some(additional) = schema.get("additionalProperties").filter(|v| !v.is_null()) {
        let at = path.child("additionalProperties");
        if properties(schema).next().is_some() && additional != &Value::Bool(true) {
            errors.push(Error::forbidden(&at, "additionalProperties and properties are mutual exclusive"));
        }
        if let Some(values) = additional.as_object() {
            let inside = "inside additionalProperties applying to object metadata";
            let no_default = if context.inside_metadata { Some(inside) } else { context.no_default };
            visit(values, &at, Context { no_default, ..below }, errors);
        }
    }
    let embedded = is_true(schema, "x-kubernetes-embedded-resource");
    for (name, property) in properties(schema) {
        let at = path.child("properties").key(name);
        if (context.root || embedded) && META_FIELDS.contains(&name) {
            let reason = format!("in top-level {name}");
            let no_default = if context.root { Some(reason.as_str()) } else { context.no_default };
            visit(property, &at, Context { root: false, inside_metadata: true, no_default }, errors);
        } else {
            visit(property, &at, below, errors);
        }
    }
    if let Some(branch) = schema_in(schema, "not") {
        visit(branch, &path.child("not"), below, errors);
    }
    for keyword in ["allOf", "oneOf", "anyOf"] {
        for (index, branch) in schemas_in(schema, keyword).enumerate() {
            visit(branch, &path.child(keyword).index(index), below, errors);
        }
    }
    if let Some(items) = schema_in(schema, "items") {
        visit(items, &path.child("items"), below, errors);
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        let at = path.child("x-kubernetes-preserve-unknown-fields");
        errors.push(Error::invalid(&at, false, "must be true or undefined"));
    }
    map_type(schema, path, errors);
    list_type(schema, path, errors);
    rules(schema, path, errors);
}

fn unsupported(schema: &Raw, path: &Path, context: Context<'_>, errors: &mut ErrorList) {
    let kind = text(schema, "type");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        errors.push(Error::not_supported(&path.child("type"), kind, &TYPES));
    }
    if let Some(reason) = context.no_default.filter(|_| schema.get("default").is_some_and(|v| !v.is_null())) {
        errors.push(Error::forbidden(&path.child("default"), format!("must not be set {reason}")));
    }
    for keyword in ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] {
        let set = match keyword {
            "additionalItems" | "dependencies" | "$ref" => schema.get(keyword).is_some_and(|v| !v.is_null()),
            _ => is_given(schema, keyword),
        };
        if set {
            errors.push(Error::forbidden(&path.child(keyword), format!("{keyword} is not supported")));
        }
    }
    if kind == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.push(Error::forbidden(&path.child("type"), detail));
    }
    if schema.get("items").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
        errors.push(Error::forbidden(&path.child("items"), "items must be a schema object and not an array"));
    }
    if context.inside_metadata && is_true(schema, "x-kubernetes-embedded-resource") {
        let at = path.child("x-kubernetes-embedded-resource");
        errors.push(Error::forbidden(&at, "must not be used inside of resource meta"));
    }
}

/// The error of a type that a keyword does not go with.
fn wrong_type(path: &Path, kind: &str, detail: &str) -> Error {
    let at = path.child("type");
    if kind.is_empty() { Error::required(&at, detail) } else { Error::invalid(&at, kind, detail) }
}

fn map_type(schema: &Raw, path: &Path, errors: &mut ErrorList) {
    let Some(map_type) = schema.get("x-kubernetes-map-type").and_then(Value::as_str) else { return };
    let kind = text(schema, "type");
    if kind != "object" {
        errors.push(wrong_type(path, kind, "must be object if x-kubernetes-map-type is specified"));
    }
    if !matches!(map_type, "atomic" | "granular") {
        errors.push(Error::not_supported(&path.child("x-kubernetes-map-type"), map_type, &["atomic", "granular"]));
    }
}

fn list_type(schema: &Raw, path: &Path, errors: &mut ErrorList) {
    let at = path.child("x-kubernetes-list-type");
    let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
    let kind = text(schema, "type");
    let items = schema_in(schema, "items");
    match list_type {
        Some(_) if kind != "array" => {
            errors.push(wrong_type(path, kind, "must be array if x-kubernetes-list-type is specified"));
        }
        Some("set") => errors.extend(items.and_then(|items| granular_item(items, path))),
        _ => {}
    }
    if let Some(list_type) = list_type.filter(|t| !matches!(*t, "atomic" | "set" | "map")) {
        errors.push(Error::not_supported(&at, list_type, &["atomic", "set", "map"]));
    }
    let keys: Vec<&str> = match schema.get("x-kubernetes-list-map-keys") {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
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
    let (Some(items), Some(list_type @ ("set" | "map"))) = (items, list_type) else { return };
    if is_true(items, "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(Error::forbidden(&path.child("items").child("nullable"), detail));
    }
    if list_type == "map" {
        keys_are_there(items, &keys, path, errors);
    }
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
            errors.push(Error::invalid(&path.child("items"), other.clone(), detail));
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

/// The form of rules; what they say is looked at when all else is right.
fn rules(schema: &Raw, path: &Path, errors: &mut ErrorList) {
    for (index, rule) in schemas_in(schema, "x-kubernetes-validations").enumerate() {
        let at = path.child("x-kubernetes-validations").index(index);
        let (expression, message) = (text(rule, "rule").trim(), text(rule, "message"));
        let breaks = |text: &str| text.contains(['\n', '\r']);
        if expression.is_empty() {
            errors.push(Error::required(&at.child("rule"), "rule is not specified"));
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.push(Error::invalid(&at.child("message"), message, "must be non-empty if specified"));
        } else if breaks(message.trim()) {
            errors.push(Error::invalid(&at.child("message"), message, "must not contain line breaks"));
        } else if breaks(expression) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            errors.push(Error::required(&at.child("message"), detail));
        }
        let message_expression = text(rule, "messageExpression");
        if !message_expression.is_empty() && message_expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            errors.push(Error::required(&at.child("messageExpression"), detail));
        }
        if let Some(reason) = rule.get("reason").and_then(Value::as_str).filter(|r| !REASONS.contains(r)) {
            errors.push(Error::not_supported(&at.child("reason"), reason, &REASONS));
        }
        let field_path = text(rule, "fieldPath");
        if !field_path.is_empty() && field_path.trim().is_empty() {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must be non-empty if specified"));
        }
        if breaks(field_path) {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must not contain line breaks"));
        }
        if !field_path.is_empty() && !definition::is_field_path(field_path, &Value::Object(schema.clone())) {
            errors.push(Error::invalid(&at.child("fieldPath"), field_path, "must be a valid path"));
        }
    }
}
