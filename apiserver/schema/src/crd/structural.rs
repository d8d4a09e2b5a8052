//! Structural schemas: the types stand outside of `allOf`, `anyOf`, `oneOf` and `not`, and what is said inside of them is
//! about fields that are specified outside.

use apimachinery::field::{Error, ErrorList, Path};
use cel::pattern;
use serde_json::{Value, json};

use super::{Raw, is_given, is_true, properties, schema_in, schemas_in, text};

/// Why a schema cannot even be read as a structural one.
pub(super) fn unsupported(schema: &Raw) -> Option<String> {
    for keyword in ["id", "$schema", "$ref", "patternProperties", "dependencies", "definitions"] {
        if is_given(schema, keyword) {
            let name = if keyword == "$schema" { "schema" } else { keyword };
            return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
        }
    }
    if schema.get("additionalItems").is_some_and(|v| !v.is_null()) {
        return Some("OpenAPIV3Schema 'additionalItems' is not supported".to_owned());
    }
    if schema.get("items").and_then(Value::as_array).is_some_and(|list| !list.is_empty()) {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".to_owned());
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        return Some("internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined".to_owned());
    }
    let below = ["not", "items", "additionalProperties"].into_iter().filter_map(|keyword| schema_in(schema, keyword));
    let branches = ["allOf", "anyOf", "oneOf"].into_iter().flat_map(|keyword| schemas_in(schema, keyword));
    below.chain(branches).chain(properties(schema).map(|(_, schema)| schema)).find_map(unsupported)
}

/// What is not structural, sorted by its words.
pub(super) fn validate(schema: &Raw, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    invariants(schema, Level::Root, path, &mut errors);
    completeness(schema, schema, path, path, &mut errors);
    errors.sort_by_cached_key(ToString::to_string);
    errors
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

fn invariants(schema: &Raw, level: Level, path: &Path, errors: &mut ErrorList) {
    let kind = text(schema, "type");
    match schema_in(schema, "items") {
        Some(items) => invariants(items, Level::Item, &path.child("items"), errors),
        None if kind == "array" => errors.push(Error::required(&path.child("items"), "must be specified")),
        None => {}
    }
    for (name, property) in properties(schema) {
        invariants(property, Level::Field, &path.child("properties").key(name), errors);
    }
    let additional = path.child("additionalProperties");
    let has_additional = schema.get("additionalProperties").is_some_and(|v| !v.is_null());
    if has_additional && level == Level::Root {
        errors.push(Error::forbidden(&additional, "must not be used at the root"));
    }
    if let Some(values) = schema_in(schema, "additionalProperties") {
        invariants(values, Level::Field, &additional, errors);
    }

    let int_or_string = is_true(schema, "x-kubernetes-int-or-string");
    let preserve = is_true(schema, "x-kubernetes-preserve-unknown-fields");
    let embedded = is_true(schema, "x-kubernetes-embedded-resource");
    for (set, keyword) in
        [(preserve, "x-kubernetes-preserve-unknown-fields"), (embedded, "x-kubernetes-embedded-resource")]
    {
        if int_or_string && set {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(Error::invalid(&path.child(keyword), true, detail));
        }
    }

    let first_all_of = schemas_in(schema, "allOf").next();
    let skip_all_of = first_all_of.is_some_and(int_or_string_any_of);
    validations(schema, int_or_string_any_of(schema), skip_all_of, level, path, errors);

    type_of(schema, level, path, errors);
    if embedded && has_additional {
        errors.push(Error::forbidden(&additional, "must not be used if x-kubernetes-embedded-resource is set"));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(Error::invalid(&path.child("type"), kind, "must be object at the root"));
    }
    metadata(schema, level, embedded, path, errors);
    if embedded && !preserve && properties(schema).next().is_none() {
        errors.push(Error::required(
            &path.child("properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ));
    }
}

fn type_of(schema: &Raw, level: Level, path: &Path, errors: &mut ErrorList) {
    let kind = text(schema, "type");
    let at = path.child("type");
    if is_true(schema, "x-kubernetes-embedded-resource") && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() { Error::required(&at, detail) } else { Error::invalid(&at, kind, detail) });
    } else if kind.is_empty()
        && !is_true(schema, "x-kubernetes-int-or-string")
        && !is_true(schema, "x-kubernetes-preserve-unknown-fields")
    {
        errors.push(Error::required(
            &at,
            match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            },
        ));
    }
}

/// apiVersion, kind and metadata are what they are for every object: a schema may constrain names, no more.
fn metadata(schema: &Raw, level: Level, embedded: bool, path: &Path, errors: &mut ErrorList) {
    let is_resource = level == Level::Root || embedded;
    let at = |name: &str| path.child("properties").key(name);
    let given = |name: &str| schema_in(schema, "properties").and_then(|all| schema_in(all, name));
    for name in ["kind", "apiVersion"] {
        if let Some(property) = given(name).filter(|p| is_resource && text(p, "type") != "string") {
            errors.push(Error::invalid(&at(name).child("type"), text(property, "type"), "must be string"));
        }
    }
    let Some(metadata) = given("metadata") else { return };
    if is_resource && text(metadata, "type") != "object" {
        errors.push(Error::invalid(&at("metadata").child("type"), text(metadata, "type"), "must be object"));
    }
    let only_names = properties(metadata).all(|(name, _)| matches!(name, "name" | "generateName"));
    let only_those = metadata.keys().all(|keyword| matches!(keyword.as_str(), "type" | "default" | "properties"));
    if level == Level::Root && !(only_names && only_those) {
        errors.push(Error::forbidden(
            &at("metadata"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ));
    }
}

/// `anyOf: [{type: integer}, {type: string}]`, which may stand with `x-kubernetes-int-or-string`.
fn int_or_string_any_of(schema: &Raw) -> bool {
    schema.get("anyOf") == Some(&json!([{"type": "integer"}, {"type": "string"}]))
}

/// The branches of a schema and its pattern.
fn validations(schema: &Raw, skip_any_of: bool, skip_all_of: bool, level: Level, path: &Path, errors: &mut ErrorList) {
    if !skip_any_of {
        for (at, branch) in schemas_in(schema, "anyOf").enumerate() {
            nested(branch, false, level, &path.child("anyOf").index(at), errors);
        }
    }
    for (at, branch) in schemas_in(schema, "allOf").enumerate() {
        nested(branch, skip_all_of && at == 0, level, &path.child("allOf").index(at), errors);
    }
    for (at, branch) in schemas_in(schema, "oneOf").enumerate() {
        nested(branch, false, level, &path.child("oneOf").index(at), errors);
    }
    if let Some(branch) = schema_in(schema, "not") {
        nested(branch, false, level, &path.child("not"), errors);
    }
    let regex = text(schema, "pattern");
    if let Err(error) = pattern::compile(regex) {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(Error::invalid(&path.child("pattern"), regex, detail));
    }
}

/// Within a branch nothing may be said of structure.
fn nested(schema: &Raw, skip_any_of: bool, level: Level, path: &Path, errors: &mut ErrorList) {
    validations(schema, skip_any_of, false, level, path, errors);
    if let Some(items) = schema_in(schema, "items") {
        nested(items, false, level, &path.child("items"), errors);
    }
    for (name, property) in properties(schema) {
        nested(property, false, Level::Field, &path.child("properties").key(name), errors);
    }
    let additional = schema.get("additionalProperties");
    let mut forbid = |set: bool, keyword: &str, detail: &str| {
        if set {
            errors.push(Error::forbidden(&path.child(keyword), detail));
        }
    };
    forbid(is_given(schema, "type"), "type", "must be empty to be structural");
    forbid(
        additional.is_some_and(|v| v.is_object() || v == &Value::Bool(true)),
        "additionalProperties",
        "must be undefined to be structural",
    );
    forbid(schema.get("default").is_some_and(|v| !v.is_null()), "default", "must be undefined to be structural");
    forbid(is_given(schema, "title"), "title", "must be empty to be structural");
    forbid(is_given(schema, "description"), "description", "must be empty to be structural");
    for keyword in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        forbid(is_true(schema, keyword), keyword, "must be false to be structural");
    }
    forbid(
        is_given(schema, "x-kubernetes-list-map-keys"),
        "x-kubernetes-list-map-keys",
        "must be empty to be structural",
    );
    for keyword in ["x-kubernetes-list-type", "x-kubernetes-map-type"] {
        forbid(schema.contains_key(keyword), keyword, "must be undefined to be structural");
    }
    forbid(is_given(schema, "x-kubernetes-validations"), "x-kubernetes-validations", "must be empty to be structural");
    if properties(schema).any(|(name, _)| name == "metadata") {
        let at = path.child("properties").key("metadata");
        errors.push(Error::forbidden(&at, "must not be specified in a nested context"));
    }
}

/// What the branches of `within` speak of must be specified in `schema`.
fn completeness(within: &Raw, schema: &Raw, at: &Path, path: &Path, errors: &mut ErrorList) {
    if let Some(branch) = schema_in(within, "not") {
        branch_completeness(branch, Some(schema), at, &path.child("not"), errors);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for (index, branch) in schemas_in(within, keyword).enumerate() {
            branch_completeness(branch, Some(schema), at, &path.child(keyword).index(index), errors);
        }
    }
}

fn branch_completeness(branch: &Raw, schema: Option<&Raw>, at: &Path, path: &Path, errors: &mut ErrorList) {
    let Some(schema) = schema else {
        errors.push(Error::required(at, format!("because it is defined in {path}")));
        return;
    };
    completeness(branch, schema, at, path, errors);
    if let Some(items) = schema_in(branch, "items") {
        branch_completeness(items, schema_in(schema, "items"), &at.child("items"), &path.child("items"), errors);
    }
    for (name, property) in properties(branch) {
        let specified = schema_in(schema, "properties").and_then(|all| schema_in(all, name));
        let (at, path) = (at.child("properties").key(name), path.child("properties").key(name));
        branch_completeness(property, specified, &at, &path, errors);
    }
}
