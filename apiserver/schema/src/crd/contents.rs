//! What a schema has anywhere in it: questions that decide how strictly a changed definition is checked.

use serde_json::Value;

use super::keywords::TYPES;
use super::{Raw, default_values, is_given, is_true, lists, structural, text};
use crate::formats;
use crate::parse;

/// Whether `holds` for the schema or for one below it, wherever a schema can stand.
fn any(schema: &Value, holds: &mut dyn FnMut(&Raw) -> bool) -> bool {
    let Some(schema) = schema.as_object() else { return false };
    if holds(schema) {
        return true;
    }
    // As upstream goes: what names its schemas comes after what lists them.
    for keyword in ["items", "allOf", "anyOf", "oneOf", "not"] {
        let found = match schema.get(keyword) {
            Some(Value::Array(list)) => list.iter().any(|schema| any(schema, holds)),
            Some(schema) => any(schema, holds),
            None => false,
        };
        if found {
            return true;
        }
    }
    let named = |keyword: &str| schema.get(keyword).and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    named("properties").any(|schema| any(schema, holds))
        || schema.get("additionalProperties").is_some_and(|schema| any(schema, holds))
        || named("patternProperties").any(|schema| any(schema, holds))
        || schema.get("additionalItems").is_some_and(|schema| any(schema, holds))
        || named("definitions").any(|schema| any(schema, holds))
        || named("dependencies").any(|schema| any(schema, holds))
}

/// Whether there is a default.
pub fn has_defaults(schema: &Value) -> bool {
    any(schema, &mut |schema| schema.get("default").is_some_and(|default| !default.is_null()))
}

/// Whether there is a default with fields that its schema does not have. Of a schema that is not structural nobody knows.
pub fn has_unpruned_defaults(schema: &Value) -> bool {
    has_defaults(schema) && is_structural(schema) && default_values::any_unpruned(&parse::custom(schema))
}

/// Whether the schema is structural.
pub fn is_structural(schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return true };
    structural::unsupported(schema).is_none() && structural::validate(schema, &Default::default()).is_empty()
}

/// Whether a list that is a set has items that are not merged as wholes.
pub fn has_granular_sets(schema: &Value) -> bool {
    any(schema, &mut lists::is_set_of_granular_items)
}

/// Whether a list that is a map has keys that an item may lack, or a list that is a map or a set has items that may be null.
pub fn has_loose_items(schema: &Value) -> bool {
    any(schema, &mut |schema| !lists::loose_items(schema, &Default::default()).is_empty())
}

/// Whether there is a type that OpenAPI v3 does not have.
pub fn has_unknown_types(schema: &Value) -> bool {
    any(schema, &mut |schema| !matches!(text(schema, "type"), "") && !TYPES.contains(&text(schema, "type")))
}

/// Whether there is one of the keywords that only structural schemas may have.
pub fn has_extensions(schema: &Value) -> bool {
    any(schema, &mut |schema| {
        is_true(schema, "x-kubernetes-embedded-resource")
            || is_true(schema, "x-kubernetes-int-or-string")
            || ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-list-type"]
                .iter()
                .any(|keyword| schema.get(*keyword).is_some_and(|value| !value.is_null()))
            || is_given(schema, "x-kubernetes-list-map-keys")
            || is_given(schema, "x-kubernetes-validations")
    })
}

/// The formats that are not checked, in the order in which they stand in the schema.
pub fn unrecognized_formats(schema: &Value) -> Vec<String> {
    let mut unrecognized = Vec::new();
    any(schema, &mut |schema| {
        let format = text(schema, "format");
        let kind = Some(text(schema, "type")).filter(|kind| !kind.is_empty());
        if !format.is_empty() && !formats::is_supported(format, kind) {
            unrecognized.push(format.to_owned());
        }
        false
    });
    unrecognized
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formats_are_known_by_type() {
        let of = |kind: &str, format: &str| {
            unrecognized_formats(&json!({"type": "object", "properties": {"a": {"type": kind, "format": format}}}))
        };
        for (kind, known) in [
            ("string", &["date-time", "bsonobjectid", "k8s-short-name", "uuid4"][..]),
            ("integer", &["int32", "int64"]),
            ("number", &["float", "double"]),
        ] {
            for format in known {
                assert_eq!(of(kind, format), [""; 0], "{kind} {format}");
            }
        }
        for (kind, format) in [("string", "int32"), ("integer", "date"), ("number", "int64"), ("boolean", "byte")] {
            assert_eq!(of(kind, format), [format], "{kind}");
        }
    }

    #[test]
    fn what_a_schema_has_is_found_wherever_schemas_stand() {
        for schema in [
            json!({"items": {"type": "x"}}),
            json!({"items": [{"type": "x"}]}),
            json!({"not": {"type": "x"}}),
            json!({"oneOf": [{"type": "x"}]}),
            json!({"additionalProperties": {"properties": {"a": {"type": "x"}}}}),
            json!({"definitions": {"a": {"type": "x"}}}),
            json!({"dependencies": {"a": {"type": "x"}}}),
        ] {
            assert!(has_unknown_types(&schema), "{schema}");
        }
        assert!(!has_unknown_types(&json!({"type": "object", "dependencies": {"a": ["x"]}})));
    }
}
