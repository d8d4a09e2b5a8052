//! The document in OpenAPI v2 (Swagger), for clients that know no other. It is put together from parts: one of all built-in
//! kinds, and one of each custom resource in each version, which is made again only when that changes.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use registry::Row;
use serde_json::{Map, Value, json};

use super::compressed::{Document, Piece};
use super::operations::{self, Operation};
use super::{proto, schemas, v3};
use crate::aggregation::openapi as aggregation;

/// What rows add to the document.
#[derive(Default)]
pub(super) struct Part {
    json: OnceLock<JsonPart>,
    proto: OnceLock<Arc<Piece>>,
}

struct JsonPart {
    definitions: Arc<Piece>,
    paths: Arc<Piece>,
}

/// Rows with their part: all built-in ones, or one custom one.
pub(super) struct Described {
    pub rows: Vec<Arc<Row>>,
    pub part: Arc<Part>,
}

impl Described {
    fn is_custom(&self) -> bool {
        self.rows.iter().all(|row| row.is_custom())
    }

    fn definitions(&self) -> Map<String, Value> {
        if !self.is_custom() {
            return builtin_definitions(&self.rows);
        }
        let published = self.rows.iter().map(|row| schemas::custom_v2(row));
        published.flat_map(|published| [published.kind, published.list]).collect()
    }

    fn json(&self) -> &JsonPart {
        self.part.json.get_or_init(|| JsonPart {
            definitions: self.members(self.definitions()),
            paths: self.members(self.rows.iter().flat_map(|row| paths(row)).collect()),
        })
    }

    /// The members of an object, which follow others where they are a custom resource's.
    fn members(&self, map: Map<String, Value>) -> Arc<Piece> {
        if self.is_custom() {
            return following(map);
        }
        let text = Value::Object(map).to_string();
        Piece::new(text.get(1..text.len() - 1).unwrap_or_default().as_bytes())
    }

    fn proto(&self) -> Arc<Piece> {
        self.part.proto.get_or_init(|| Piece::new(&proto::definitions(&self.definitions()))).clone()
    }
}

/// What others add to the document, each beside what is there before it.
fn beside(all: &[Described], others: &[aggregation::Part]) -> Vec<aggregation::Part> {
    if others.is_empty() {
        return Vec::new();
    }
    let mut there: Map<String, Value> = all.iter().flat_map(Described::definitions).collect();
    let rows = all.iter().flat_map(|described| &described.rows);
    let mut taken: HashSet<String> = rows.flat_map(|row| operations::of(row)).map(|path| path.path).collect();
    let mut add = |part: &aggregation::Part| {
        let mut part = part.beside(|name| there.get(name));
        part.paths.retain(|path, _| taken.insert(path.clone()));
        there.extend(part.definitions.iter().map(|(name, value)| (name.clone(), value.clone())));
        part
    };
    others.iter().map(&mut add).collect()
}

/// The members of an object, behind others.
fn following(map: Map<String, Value>) -> Arc<Piece> {
    let text = Value::Object(map).to_string();
    let members = text.get(1..text.len() - 1).unwrap_or_default();
    let comma = if members.is_empty() { "" } else { "," };
    Piece::new(format!("{comma}{members}").as_bytes())
}

/// The document as JSON. The part of the built-in kinds comes first, those of others last.
pub(super) fn json(all: &[Described], others: &[aggregation::Part], title: &v3::Title) -> Document {
    let (definitions, paths): (Vec<_>, Vec<_>) =
        beside(all, others).into_iter().map(|part| (following(part.definitions), following(part.paths))).unzip();
    let between = json!({ "title": "Kubernetes", "version": title.version });
    let security = json!({
        "BearerToken": { "description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey" },
    });
    let mut pieces = vec![Piece::new(br#"{"definitions":{"#)];
    pieces.extend(all.iter().map(|described| described.json().definitions.clone()));
    pieces.extend(definitions);
    pieces.push(Piece::new(format!(r#"}},"info":{between},"paths":{{"#).as_bytes()));
    pieces.extend(all.iter().map(|described| described.json().paths.clone()));
    pieces.extend(paths);
    let rest = format!(r#"}},"security":[{{"BearerToken":[]}}],"securityDefinitions":{security},"swagger":"2.0"}}"#);
    pieces.push(Piece::new(rest.as_bytes()));
    Document::new(pieces)
}

/// The document as gnostic's message.
pub(super) fn message(all: &[Described], others: &[aggregation::Part], title: &v3::Title) -> Document {
    let others = beside(all, others).into_iter().map(|part| Piece::new(&proto::definitions(&part.definitions)));
    let parts: Vec<Arc<Piece>> = all.iter().map(Described::proto).chain(others).collect();
    let head = proto::head(&title.version, parts.iter().map(|part| part.len()).sum());
    Document::new(std::iter::once(Piece::new(&head)).chain(parts).collect())
}

fn builtin_definitions(rows: &[Arc<Row>]) -> Map<String, Value> {
    let read = |(name, json): (String, String)| {
        let mut value: Value = serde_json::from_str(&json).unwrap_or_default();
        schemas::to_v2(&mut value);
        (name, value)
    };
    schemas::closure(rows).into_iter().map(read).collect()
}

fn paths(row: &Row) -> Vec<(String, Value)> {
    let tag = operations::tag(row);
    let describe = |path: operations::Path| {
        let mut item = Map::new();
        for operation in &path.operations {
            item.insert(operation.method.into(), describe(operation, &tag, row.is_custom()));
        }
        let parameters: Vec<Value> = path
            .path_parameters
            .iter()
            .map(|name| json!({ "name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true }))
            .collect();
        item.insert("parameters".into(), parameters.into());
        (path.path, item.into())
    };
    operations::of(row).into_iter().map(describe).collect()
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
