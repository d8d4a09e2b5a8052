//! A version's document in OpenAPI v3.

use std::sync::Arc;

use registry::Row;
use serde_json::{Map, Value, json};

use super::operations::{self, Operation, Path};
use super::{parameters, schemas};

/// What documents are headed with.
#[derive(Clone)]
pub(super) struct Title {
    /// The server's version.
    pub version: String,
}

/// The document of a version's rows.
pub(super) fn document(rows: &[Arc<Row>], title: &Title) -> String {
    let mut paths = Map::new();
    for row in rows {
        let custom = row.is_custom();
        for path in operations::of(row) {
            let mut item = Map::new();
            for operation in &path.operations {
                item.insert(operation.method.into(), describe(operation, &path, &operations::tag(row), custom));
            }
            item.insert("parameters".into(), parameters::shared(&path, row).into());
            paths.insert(path.path, item.into());
        }
    }
    // Upstream makes the documents of definitions apart from its own.
    let custom = rows.iter().all(|row| row.is_custom());
    let info = if custom {
        json!({ "title": "Kubernetes CRD Swagger", "version": "v0.1.0" })
    } else {
        json!({ "title": "Kubernetes", "version": title.version })
    };
    // The definitions are written as they are: most are text that was never parsed.
    let mut out = String::from(r#"{"components":{"schemas":{"#);
    for (at, (name, json)) in schemas::closure(rows).iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        push_compact(json, &mut out);
    }
    out.push('}');
    if !custom {
        let security = json!({
            "BearerToken": { "description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey" },
        });
        out.push_str(&format!(r#","securitySchemes":{security}"#));
    }
    let paths = Value::Object(paths);
    out.push_str(&format!(r#"}},"info":{info},"openapi":"3.0.0","paths":{paths}}}"#));
    out
}

/// JSON text without the line breaks and spaces between its tokens.
fn push_compact(json: &str, out: &mut String) {
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
}

fn reference(name: &str) -> Value {
    json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } })
}

fn describe(operation: &Operation, path: &Path, tag: &str, custom: bool) -> Value {
    let query = parameters::own(operation, path, custom);
    let content = |name: &str, types: &[&str]| -> Value {
        types.iter().map(|media| ((*media).to_owned(), reference(name))).collect::<Map<_, _>>().into()
    };
    let answers: &[&str] = if custom {
        &["application/json", "application/yaml"]
    } else if operation.action == "list" {
        &[
            "application/json",
            "application/json;stream=watch",
            protobuf_encoding::MEDIA_TYPE,
            protobuf_encoding::WATCH_MEDIA_TYPE,
            "application/yaml",
        ]
    } else {
        &["application/json", protobuf_encoding::MEDIA_TYPE, "application/yaml"]
    };
    let mut responses: Map<String, Value> = operation
        .codes
        .iter()
        .map(|(code, words)| {
            (code.to_string(), json!({ "description": words, "content": content(&operation.answer, answers) }))
        })
        .collect();
    responses.insert("401".into(), json!({ "description": "Unauthorized" }));
    let mut value = json!({
        "tags": [tag],
        "description": operation.description,
        "operationId": operation.id,
        "responses": responses,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {
            "group": operation.kind.group, "version": operation.kind.version, "kind": operation.kind.kind,
        },
    });
    if !query.is_empty() {
        value["parameters"] = query.into();
    }
    if let Some(body) = &operation.body {
        let types: &[&str] = match (operation.action, custom) {
            ("patch", true) => {
                &["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"]
            }
            ("patch", false) => &[
                "application/apply-patch+yaml",
                "application/json-patch+json",
                "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ],
            ("delete" | "deletecollection", false) => &["*/*"],
            (_, true) => &["application/json", "application/yaml"],
            (_, false) => &["*/*"],
        };
        value["requestBody"] = json!({ "content": content(body, types) });
        if !operation.action.starts_with("delete") {
            value["requestBody"]["required"] = true.into();
        }
    }
    value
}
