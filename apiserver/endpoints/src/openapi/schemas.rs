//! The definitions that the documents refer to, and everything those refer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use registry::Row;
use registry::table::SchemaSource;
use schema::openapi::{CustomKind, Published};
use serde_json::{Value, json};

pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const PREFIX: &str = "\"#/components/schemas/";

/// The definition name of a row's kind.
pub(super) fn kind_name(row: &Row) -> String {
    name_of(&row.gvk()).unwrap_or_else(|| custom_name(row, &row.kind))
}

fn custom_name(row: &Row, kind: &str) -> String {
    schema::openapi::definition_name(&row.gvr.group, &row.gvr.version, kind)
}

/// The definition name of a row's lists.
pub(super) fn list_name(row: &Row) -> String {
    if row.is_custom() {
        return custom_name(row, &row.list_kind);
    }
    let gvk = apimachinery::gvk::GroupVersionKind { kind: row.list_kind.clone(), ..row.gvk() };
    name_of(&gvk).unwrap_or_else(|| kind_name(row))
}

/// The definition name of a built-in kind.
pub(super) fn name_of(gvk: &apimachinery::gvk::GroupVersionKind) -> Option<String> {
    schema::builtin().definition_name(gvk).map(str::to_owned)
}

/// The published definitions of a custom resource.
pub(super) fn custom(row: &Row) -> Published {
    published(row, schema::openapi::v3)
}

/// The same, as v2 can say it.
pub(super) fn custom_v2(row: &Row) -> Published {
    published(row, schema::openapi::v2)
}

fn published(row: &Row, publish: impl Fn(&CustomKind<'_>) -> Published) -> Published {
    let source = match &row.schema {
        SchemaSource::Crd(schema) => Some(schema.value()),
        _ => None,
    };
    let selectable: Vec<&str> = row.selectable.labels().collect();
    publish(&CustomKind {
        group: &row.gvr.group,
        version: &row.gvr.version,
        kind: &row.kind,
        list_kind: &row.list_kind,
        plural: &row.gvr.resource,
        schema: source.as_ref(),
        preserve_unknown_fields: matches!(row.schema, SchemaSource::Preserving),
        selectable_fields: &selectable,
    })
}

/// The JSON of each definition that `rows` and their operations need, by name.
pub(super) fn closure(rows: &[Arc<Row>]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut wanted: Vec<String> =
        ["DeleteOptions", "Patch", "Status"].iter().map(|name| format!("{META}.{name}")).collect();
    if !rows.iter().all(|row| row.is_custom()) {
        wanted.push(format!("{META}.WatchEvent"));
    }
    for row in rows {
        if row.is_custom() {
            let published = custom(row);
            for (name, value) in [published.kind, published.list] {
                let json = value.to_string();
                wanted.extend(references(&json));
                found.insert(name, json);
            }
        } else {
            wanted.push(kind_name(row));
            wanted.push(list_name(row));
        }
        wanted.extend(row.subresources.iter().filter_map(|subresource| name_of(&subresource.kind)));
    }
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let json = schema::builtin().raw(&name).map(|raw| raw.get().to_owned()).unwrap_or_else(|| fallback(&name));
        wanted.extend(references(&json));
        found.insert(name, json);
    }
    found
}

/// What the built-in definitions refer to and do not hold: said as freely as it is used.
fn fallback(name: &str) -> String {
    let value = if name.ends_with(".Patch") {
        json!({ "description": "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.", "type": "object" })
    } else {
        json!({ "type": "object" })
    };
    value.to_string()
}

fn references(json: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in json.match_indices(PREFIX) {
        let rest = &json[at + PREFIX.len()..];
        if let Some(end) = rest.find('"') {
            names.push(rest[..end].to_owned());
        }
    }
    names
}

/// A definition in v2's terms: references renamed, a reference alone where v3 wraps it, int-or-string as a format.
pub(super) fn to_v2(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(all)) = map.get_mut("allOf")
                && all.len() == 1
            {
                let only = all.pop();
                map.remove("allOf");
                map.remove("default");
                if let Some(Value::Object(only)) = only {
                    map.extend(only);
                }
            }
            if map.contains_key("oneOf") && map.get("format").and_then(Value::as_str) == Some("int-or-string") {
                map.remove("oneOf");
                map.insert("type".into(), "string".into());
            }
            for unsupported in ["oneOf", "anyOf", "not", "nullable"] {
                map.remove(unsupported);
            }
            for (name, value) in map.iter_mut() {
                match value {
                    Value::String(reference) if name == "$ref" => {
                        *reference = reference.replace("#/components/schemas/", "#/definitions/");
                    }
                    value => to_v2(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(to_v2),
        _ => {}
    }
}
