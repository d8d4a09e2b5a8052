//! The objects that loads are made of: ConfigMaps, and instances of a definition. Their bytes are made from a pattern, for
//! the load is not to spend its time on that.

use std::io::Write as _;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::Connections;

/// The namespace of the objects; it has to be made where the server does not.
pub const NAMESPACE: &str = "bench";
const GROUP: &str = "bench.example.com";
/// Every object has one of so many values of the label `group`: a selector by it finds a tenth.
const GROUPS: usize = 10;

/// A kind, and what its objects look like.
pub struct Kind {
    /// In the plural, as tables call it.
    pub name: &'static str,
    /// Where all are listed.
    pub all: String,
    /// Where they are created.
    pub collection: String,
    /// Where the store keeps them.
    pub keys: String,
    /// The field that holds what patches change.
    field: &'static str,
    pattern: Pattern,
}

impl Kind {
    /// ConfigMaps of about `size` bytes as they are served.
    pub fn config_maps(size: usize) -> Self {
        // What is not the text takes this much: names, labels, and who manages which field.
        let text = "0123456789abcdef".repeat(size.saturating_sub(540) / 16);
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(),
            "data": {"at": AT, "name": NAME, "text": text}});
        Self {
            name: "ConfigMaps",
            all: "/api/v1/configmaps".to_owned(),
            collection: format!("/api/v1/namespaces/{NAMESPACE}/configmaps"),
            keys: format!("/configmaps/{NAMESPACE}"),
            field: "data",
            pattern: Pattern::of(&object),
        }
    }

    /// Instances of a definition (see [`define`]) of about `size` bytes as they are served.
    pub fn loads(size: usize) -> Self {
        let part = |at: usize| json!({"name": format!("part-{at:02}"), "value": HEX.repeat(6)});
        let parts: Vec<_> = (0..size.saturating_sub(600) / 80).map(part).collect();
        let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Load", "metadata": metadata(),
            "spec": {"number": NUMBER, "replicas": 1, "at": AT, "parts": parts}});
        Self {
            name: "custom resources",
            all: format!("/apis/{GROUP}/v1/loads"),
            collection: format!("/apis/{GROUP}/v1/namespaces/{NAMESPACE}/loads"),
            keys: format!("/{GROUP}/loads/{NAMESPACE}"),
            field: "spec",
            pattern: Pattern::of(&object),
        }
    }

    /// Writes the path of an object.
    pub fn path(&self, number: usize, to: &mut String) {
        use std::fmt::Write as _;
        to.clear();
        let _ = write!(to, "{}/object-{number:07}", self.collection);
    }

    /// Writes an object; `at` is text that changes, `revision` the one it replaces (none if empty).
    pub fn object(&self, number: usize, at: &str, revision: &str, to: &mut Vec<u8>) {
        self.pattern.write(number, at, revision, to);
    }

    /// Writes a merge patch that changes the text.
    pub fn patch(&self, at: &str, to: &mut Vec<u8>) {
        to.clear();
        let _ = write!(to, r#"{{"{}":{{"at":"{at}"}}}}"#, self.field);
    }

    /// An object for those who need one alone.
    pub fn one(&self, number: usize) -> Bytes {
        let mut body = Vec::new();
        self.object(number, "", "", &mut body);
        body.into()
    }

    /// The query that selects a tenth.
    pub fn a_tenth() -> &'static str {
        "?labelSelector=group%3Dgroup-3"
    }
}

fn metadata() -> Value {
    json!({"name": NAME, "namespace": NAMESPACE, "resourceVersion": REVISION,
        "labels": {"app": "bench", "group": format!("group-{DIGIT}")}})
}

/// Makes the namespace and the definition of [`Kind::loads`], and waits until it is served.
pub async fn define(connections: &Connections) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    there(connections, "/api/v1/namespaces", &namespace).await;
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "number": {"type": "integer"},
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "at": {"type": "string", "maxLength": 63},
        "parts": {"type": "array", "items": {"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 63}, "value": {"type": "string"}}}},
    }}}});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("loads.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "loads", "singular": "load", "kind": "Load", "listKind": "LoadList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    there(connections, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
    let path = format!("/apis/{GROUP}/v1/loads");
    while !connections.send(Method::GET, &path, &[], Bytes::new()).await.status.is_success() {
        tokio::task::yield_now().await;
    }
}

/// Creates it, if no run before has.
async fn there(connections: &Connections, collection: &str, object: &Value) {
    let answer = connections.send(Method::POST, collection, &[], object.to_string().into()).await;
    if answer.status != StatusCode::CONFLICT {
        answer.granted();
    }
}

/// What stands in a pattern for what differs.
const NAME: &str = "%name%";
const DIGIT: &str = "%digit%";
const NUMBER: &str = "%number%";
const HEX: &str = "%hex%";
const AT: &str = "%at%";
const REVISION: &str = "%revision%";

/// JSON with holes.
struct Pattern(Vec<Piece>);

enum Piece {
    Text(String),
    Hole(&'static str),
}

impl Pattern {
    fn of(object: &Value) -> Self {
        // A number has no quotes.
        let text = object.to_string().replace(&format!("\"{NUMBER}\""), NUMBER);
        let (mut pieces, mut rest) = (Vec::new(), text.as_str());
        while let Some((at, hole)) =
            [NAME, DIGIT, NUMBER, HEX, AT, REVISION].iter().filter_map(|hole| Some((rest.find(*hole)?, *hole))).min()
        {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            pieces.push(Piece::Hole(hole));
            rest = &rest[at + hole.len()..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    fn write(&self, number: usize, at: &str, revision: &str, to: &mut Vec<u8>) {
        to.clear();
        for piece in &self.0 {
            // Writing to memory does not fail.
            let _ = match piece {
                Piece::Text(text) => to.write_all(text.as_bytes()),
                Piece::Hole(NAME) => write!(to, "object-{number:07}"),
                Piece::Hole(DIGIT) => write!(to, "{}", number % GROUPS),
                Piece::Hole(NUMBER) => write!(to, "{number}"),
                Piece::Hole(HEX) => write!(to, "{number:08x}"),
                Piece::Hole(AT) => to.write_all(at.as_bytes()),
                Piece::Hole(_) => to.write_all(revision.as_bytes()),
            };
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_object_is_made_from_its_pattern() {
        for kind in [Kind::config_maps(1600), Kind::loads(1600)] {
            let mut body = Vec::new();
            kind.object(23, "then", "77", &mut body);
            let object: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(object["metadata"]["name"], "object-0000023");
            assert_eq!(object["metadata"]["labels"]["group"], "group-3");
            assert_eq!(object["metadata"]["resourceVersion"], "77");
            assert_eq!(object[kind.field]["at"], "then");
            assert!(!String::from_utf8(body).unwrap().contains('%'), "{object}");
        }
    }
}
