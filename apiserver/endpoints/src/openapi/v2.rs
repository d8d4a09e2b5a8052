//! The document in OpenAPI v2 (Swagger), for clients that know no other.

use registry::Table;
use serde_json::{Map, Value, json};

use super::operations::{self, Operation};
use super::{schemas, v3};

/// The document of all rows.
pub(super) fn value(table: &Table, title: &v3::Title) -> Value {
    let rows = table.rows();
    let mut definitions = Map::new();
    for (name, json) in schemas::closure(rows) {
        let mut value: Value = serde_json::from_str(&json).unwrap_or_default();
        schemas::to_v2(&mut value);
        definitions.insert(name, value);
    }
    let mut paths = Map::new();
    for row in rows {
        if row.is_custom() {
            let published = schemas::custom_v2(row);
            definitions.extend([published.kind, published.list]);
        }
        for path in operations::of(row) {
            let mut item = Map::new();
            for operation in &path.operations {
                item.insert(operation.method.into(), describe(operation, &operations::tag(row), row.is_custom()));
            }
            let parameters: Vec<Value> = path
                .path_parameters
                .iter()
                .map(|name| json!({ "name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true }))
                .collect();
            item.insert("parameters".into(), parameters.into());
            paths.insert(path.path, item.into());
        }
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": title.version },
        "paths": paths,
        "definitions": definitions,
        "securityDefinitions": {
            "BearerToken": { "description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey" },
        },
        "security": [{ "BearerToken": [] }],
    })
}

fn describe(operation: &Operation, tag: &str, custom: bool) -> Value {
    let produces: &[&str] = match (operation.action, custom) {
        (_, true) => &["application/json", "application/yaml"],
        ("list", false) => &[
            "application/json",
            "application/yaml",
            protobuf_encoding::MEDIA_TYPE,
            "application/json;stream=watch",
            protobuf_encoding::WATCH_MEDIA_TYPE,
        ],
        (_, false) => &["application/json", "application/yaml", protobuf_encoding::MEDIA_TYPE],
    };
    let schema = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    let mut parameters: Vec<Value> = operation
        .query
        .iter()
        .map(|(name, kind)| json!({ "name": name, "in": "query", "type": kind, "uniqueItems": true }))
        .collect();
    if let Some(body) = &operation.body {
        let required = !operation.action.starts_with("delete");
        parameters.push(json!({ "name": "body", "in": "body", "required": required, "schema": schema(body) }));
    }
    let mut responses: Map<String, Value> = operation
        .codes
        .iter()
        .map(|(code, words)| (code.to_string(), json!({ "description": words, "schema": schema(&operation.answer) })))
        .collect();
    responses.insert("401".into(), json!({ "description": "Unauthorized" }));
    json!({
        "tags": [tag],
        "description": operation.description,
        "operationId": operation.id,
        "consumes": ["*/*"],
        "produces": produces,
        "schemes": ["https"],
        "parameters": parameters,
        "responses": responses,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {
            "group": operation.kind.group, "version": operation.kind.version, "kind": operation.kind.kind,
        },
    })
}
