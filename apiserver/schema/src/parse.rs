//! From OpenAPI JSON to [`Node`]s, for built-in definitions and for CRDs.
//!
//! Nothing is refused here: a keyword of the wrong type is as if it were not there. CRDs are checked before
//! ([`crate::crd`]).

use std::borrow::Cow;

use foldhash::HashMap;
use serde_json::{Map, Value};

use crate::builtin::DefinitionId;
use crate::node::{Additional, Constraints, Emission, Kind, ListType, MapType, Merging, Node, Property};
use crate::pattern::Pattern;

type IdOf<'a> = &'a dyn Fn(&str) -> Option<DefinitionId>;

/// A built-in definition; `fields` is its part of `data/fields.json`.
pub(crate) fn definition(raw: &Value, fields: &HashMap<Cow<'static, str>, &'static str>, id_of: IdOf<'_>) -> Node {
    let mut node = node(raw, Some(id_of));
    for property in node.properties.iter_mut() {
        property.emission = published_emission(&property.node, node.required.contains(&property.name));
        for word in fields.get(&*property.name).copied().unwrap_or_default().split(' ') {
            match word {
                "keep" => property.emission = Emission::Keep,
                "omit" => property.emission = Emission::Omit,
                "always" => property.emission = Emission::Always,
                "null" => property.emission = Emission::Null,
                "" => {}
                go_type => property.go_type = Some(go_type),
            }
        }
    }
    node
}

/// A schema of a CRD, or a part of one.
pub(crate) fn custom(raw: &Value) -> Node {
    node(raw, None)
}

/// How Go writes a field, as far as OpenAPI tells.
///
/// A reference with the default `{}` is a struct held by value, without it a pointer. A scalar with a default or a
/// required one is written always. What is optional goes by `omitempty`; pointers to scalars look the same, and are
/// told apart by `data/fields.json`.
fn published_emission(node: &Node, required: bool) -> Emission {
    if node.reference.is_some() {
        return if node.default.is_some() { Emission::Always } else { Emission::Keep };
    }
    let zero_default = node.default.as_ref().is_some_and(is_zero);
    if required || (zero_default && !matches!(node.kind, Kind::Array | Kind::Object)) {
        Emission::Always
    } else {
        Emission::Omit
    }
}

/// Whether Go's `omitempty` finds nothing in the value.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
    }
}

/// `builtin` finds the definitions that `$ref` names; without it this is a CRD's schema.
fn node(raw: &Value, builtin: Option<IdOf<'_>>) -> Node {
    let Some(map) = raw.as_object() else { return Node::default() };
    let mut node = Node {
        kind: kind(map, builtin.is_some()),
        format: text(map, "format"),
        nullable: flag(map, "nullable"),
        default: map.get("default").filter(|v| !v.is_null()).cloned(),
        preserve_unknown: flag(map, "x-kubernetes-preserve-unknown-fields"),
        embedded_resource: flag(map, "x-kubernetes-embedded-resource"),
        merging: merging(map),
        ..Node::default()
    };
    if let Some(id_of) = builtin {
        node.reference = reference(map).and_then(id_of);
        if node.reference.is_some() {
            return node;
        }
    } else {
        node.constraints = constraints(map);
    }
    node.required = texts(map.get("required"));
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        let of = |(name, raw): (&String, &Value)| Property {
            name: name.as_str().into(),
            node: self::node(raw, builtin),
            ..Property::default()
        };
        node.properties = properties.iter().map(of).collect();
    }
    node.additional = match map.get("additionalProperties") {
        Some(Value::Bool(true)) => Additional::Any,
        Some(Value::Bool(false)) => Additional::Forbidden,
        Some(raw @ Value::Object(_)) => Additional::Of(Box::new(self::node(raw, builtin))),
        _ => Additional::None,
    };
    node.items = map.get("items").filter(|v| v.is_object()).map(|raw| Box::new(self::node(raw, builtin)));
    if builtin.is_none() {
        node.note_keywords();
    }
    node
}

/// The definition that a node is: `$ref`, or `allOf` with one (how OpenAPI v3 puts a default beside a reference).
fn reference(map: &Map<String, Value>) -> Option<&str> {
    if let Some(Value::String(name)) = map.get("$ref") {
        return Some(name);
    }
    match map.get("allOf")?.as_array()?.as_slice() {
        [only] => only.get("$ref")?.as_str(),
        _ => None,
    }
}

fn kind(map: &Map<String, Value>, builtin: bool) -> Kind {
    if flag(map, "x-kubernetes-int-or-string") {
        return Kind::IntOrString;
    }
    match map.get("type").and_then(Value::as_str) {
        Some("object") => Kind::Object,
        Some("array") => Kind::Array,
        Some("string") if builtin && map.get("format").is_some_and(|f| f == "byte") => Kind::Bytes,
        Some("string") => Kind::String,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Any,
    }
}

fn merging(map: &Map<String, Value>) -> Option<Box<Merging>> {
    let word = |key: &str| map.get(key).and_then(Value::as_str);
    let merging = Merging {
        list_type: match word("x-kubernetes-list-type") {
            Some("atomic") => ListType::Atomic,
            Some("set") => ListType::Set,
            Some("map") => ListType::Map,
            _ => ListType::Unset,
        },
        list_map_keys: texts(map.get("x-kubernetes-list-map-keys")),
        map_type: match word("x-kubernetes-map-type") {
            Some("atomic") => MapType::Atomic,
            Some("granular") => MapType::Granular,
            _ => MapType::Unset,
        },
        patch_merge_key: text(map, "x-kubernetes-patch-merge-key"),
        patch_strategy: text(map, "x-kubernetes-patch-strategy"),
    };
    let given = merging.list_type != ListType::Unset
        || merging.map_type != MapType::Unset
        || merging.patch_merge_key.is_some()
        || merging.patch_strategy.is_some();
    given.then(|| Box::new(merging))
}

fn constraints(map: &Map<String, Value>) -> Option<Box<Constraints>> {
    const KEYWORDS: [&str; 18] = [
        "enum",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "multipleOf",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxProperties",
        "minProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
    ];
    if !KEYWORDS.iter().any(|k| map.contains_key(*k)) {
        return None;
    }
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let count = |key: &str| map.get(key).and_then(Value::as_i64);
    let nodes =
        |key: &str| map.get(key).and_then(Value::as_array).map_or_else(Vec::new, |a| a.iter().map(custom).collect());
    Some(Box::new(Constraints {
        allowed: map.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        maximum: number("maximum"),
        exclusive_maximum: flag(map, "exclusiveMaximum"),
        minimum: number("minimum"),
        exclusive_minimum: flag(map, "exclusiveMinimum"),
        multiple_of: number("multipleOf"),
        max_length: count("maxLength"),
        min_length: count("minLength"),
        pattern: text(map, "pattern").filter(|p| !p.is_empty()).map(Pattern::new),
        max_items: count("maxItems"),
        min_items: count("minItems"),
        unique_items: flag(map, "uniqueItems"),
        max_properties: count("maxProperties"),
        min_properties: count("minProperties"),
        all_of: nodes("allOf"),
        any_of: nodes("anyOf"),
        one_of: nodes("oneOf"),
        not: map.get("not").filter(|v| v.is_object()).map(|raw| Box::new(custom(raw))),
    }))
}

fn flag(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn text(map: &Map<String, Value>, key: &str) -> Option<Box<str>> {
    map.get(key).and_then(Value::as_str).map(Into::into)
}

fn texts(value: Option<&Value>) -> Vec<Box<str>> {
    value
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).map(Into::into).collect())
}
