//! The root of a schema whose status is written apart: what stands there must hold for the status alone, too.

use apimachinery::field::{Error, Path};
use serde_json::Value;

use super::{Raw, is_true, text};
use crate::types;

/// What may not stand at the root, before and after the type, in upstream's order.
const BEFORE_TYPE: [&str; 3] = ["id", "$schema", "$ref"];
const AFTER_TYPE: [&str; 19] = [
    "nullable",
    "default",
    "enum",
    "maxProperties",
    "minProperties",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "additionalProperties",
    "patternProperties",
    "dependencies",
    "additionalItems",
    "definitions",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
];

const ALLOWED: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";

/// The first thing that is wrong.
pub(super) fn validate(schema: &Raw, path: &Path) -> Option<Error> {
    let given = |keyword: &&str| match schema.get(*keyword) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(_)) if *keyword != "additionalProperties" && *keyword != "additionalItems" => {
            is_true(schema, keyword)
        }
        Some(Value::String(text)) if matches!(*keyword, "id" | "$schema") => !text.is_empty(),
        Some(_) => true,
    };
    let kind = text(schema, "type");
    let forbidden = BEFORE_TYPE.iter().any(given);
    if !forbidden && !kind.is_empty() && kind != "object" {
        let why =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        return Some(Error::invalid(&path.child("type"), kind, why));
    }
    if !forbidden && !AFTER_TYPE.iter().any(given) {
        return None;
    }
    let why =
        format!("only {ALLOWED} fields are allowed at the root of the schema if the status subresource is enabled");
    let shown = types::bad_value("apiextensions.JSONSchemaProps", &Value::Object(schema.clone()));
    Some(Error::invalid(path, shown, why))
}
