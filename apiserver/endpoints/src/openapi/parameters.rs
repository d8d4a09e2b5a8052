//! Parameters of paths and operations in OpenAPI v3, in the order of their names. What all operations of a path have belongs to
//! the path.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use registry::Row;
use serde_json::{Value, json};

use super::operations::{Operation, Path};

/// What upstream says of each. Of built-in kinds we leave it out: their documents are large without.
static WORDS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let words = serde_json::from_str(include_str!("parameters.json"));
    words
        .inspect_err(|error| tracing::error!(%error, "the descriptions of parameters cannot be read"))
        .unwrap_or_default()
});

/// Those of a path.
pub(super) fn shared(path: &Path, row: &Row) -> Vec<Value> {
    let mut all: Vec<(&str, Value)> = path.path_parameters.iter().map(|name| (*name, of_path(name, row))).collect();
    all.push(("pretty", query("pretty", "string", "pretty", row.is_custom())));
    all.extend(common(path, row.is_custom()).map(|(name, kind)| (name, query(name, kind, name, row.is_custom()))));
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().map(|(_, parameter)| parameter).collect()
}

/// Those of an operation alone.
pub(super) fn own(operation: &Operation, path: &Path, custom: bool) -> Vec<Value> {
    let shared: Vec<&str> = common(path, custom).map(|(name, _)| name).collect();
    let own = operation.query.iter().filter(|(name, _)| !shared.contains(name));
    own.map(|(name, kind)| {
        let words = match (operation.action, *name) {
            ("patch", "fieldManager") => "fieldManager of a patch",
            (_, name) => name,
        };
        query(name, kind, words, custom)
    })
    .collect()
}

/// What every operation of the path takes, in the same words.
fn common(path: &Path, custom: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let first = path.operations.first().filter(|_| custom).map_or(&[][..], |first| first.query);
    first.iter().copied().filter(|parameter| {
        let patches = |operation: &Operation| operation.action == "patch" && parameter.0 == "fieldManager";
        let alone = path.operations.len() == 1;
        path.operations.iter().all(|of| of.query.contains(parameter) && (alone || !patches(of)))
    })
}

fn query(name: &str, kind: &str, words: &str, described: bool) -> Value {
    let mut parameter = json!({ "name": name, "in": "query", "schema": { "type": kind, "uniqueItems": true } });
    if let Some(words) = WORDS.get(words).filter(|_| described) {
        parameter["description"] = words.as_str().into();
    }
    parameter
}

fn of_path(name: &str, row: &Row) -> Value {
    let description = match name {
        "namespace" => "object name and auth scope, such as for teams and projects".to_owned(),
        _ => format!("name of the {}", row.kind),
    };
    json!({
        "name": name, "in": "path", "description": description, "required": true,
        "schema": { "type": "string", "uniqueItems": true },
    })
}
