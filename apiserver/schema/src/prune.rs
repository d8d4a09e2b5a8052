//! Dropping the fields that a schema does not have.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::decode::MAX_STRICT_ERRORS;
use crate::node::{Additional, Kind, Node};

/// Fields that every object has; the decoder checks them, not the schema.
pub(crate) const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops unknown fields; what was dropped comes back as strict decoding words it. Of a custom resource (`resource`) the
/// names are sorted, and the root's apiVersion, kind and metadata are let be.
pub(crate) fn prune(root: &Node, value: &mut Value, resource: bool) -> Vec<String> {
    let mut walk = Walk { builtin: !resource, path: String::new(), unknown: Vec::new() };
    match value {
        Value::Object(object) if resource => walk.object(root, object, true),
        value => walk.value(Some(root), value),
    }
    if resource {
        walk.unknown.sort_unstable();
    }
    walk.unknown.into_iter().map(|path| format!("unknown field \"{path}\"")).collect()
}

/// Drops what a default has and its schema does not; with `resource` the default is a whole object.
pub(crate) fn prune_default(node: &Node, value: &mut Value, resource: bool) {
    let mut walk = Walk { builtin: false, path: String::new(), unknown: Vec::new() };
    match value {
        Value::Object(object) if resource => walk.object(node, object, true),
        value => walk.value(Some(node), value),
    }
}

struct Walk {
    builtin: bool,
    path: String,
    unknown: Vec<String>,
}

impl Walk {
    fn value(&mut self, node: Option<&Node>, value: &mut Value) {
        let node = node.map(Node::resolve);
        match value {
            Value::Object(object) => match node {
                Some(node) if self.builtin && node.kind != Kind::Object => {}
                Some(node) => self.object(node, object, node.embedded_resource),
                None => {
                    for (key, _) in std::mem::take(object) {
                        self.record(&key);
                    }
                }
            },
            Value::Array(list) => {
                let items = node.and_then(|n| n.items.as_deref());
                if node.is_some_and(|n| n.preserve_unknown) {
                    list.iter_mut().enumerate().for_each(|(at, item)| self.preserved_item(items, at, item));
                    return;
                }
                // A built-in list without an item schema is raw JSON.
                if self.builtin && items.is_none() {
                    return;
                }
                for (at, item) in list.iter_mut().enumerate() {
                    let length = self.enter_index(at);
                    self.value(items, item);
                    self.path.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// A list that preserves unknown fields passes that on to its items.
    fn preserved_item(&mut self, items: Option<&Node>, at: usize, item: &mut Value) {
        let Some(items) = items else { return };
        let length = self.enter_index(at);
        match item {
            Value::Object(object) => self.known_fields(items, object, items.embedded_resource),
            Value::Array(list) => {
                let inner = items.items.as_deref();
                list.iter_mut().enumerate().for_each(|(at, item)| self.preserved_item(inner, at, item));
            }
            _ => {}
        }
        self.path.truncate(length);
    }

    fn object(&mut self, node: &Node, object: &mut Map<String, Value>, resource: bool) {
        if node.preserve_unknown {
            self.known_fields(node, object, resource);
            return;
        }
        let known = |key: &str| (resource && META_FIELDS.contains(&key)) || node.property(key).is_some();
        // Nearly always all are known: then this is cheaper than to take the map apart.
        if matches!(node.additional, Additional::None) && !object.keys().all(|key| known(key)) {
            object.retain(|key, _| {
                let known = known(key);
                // The root's own are not told of, even where they go.
                let meta = self.path.is_empty() && !self.builtin && META_FIELDS.contains(&key.as_str());
                if !known && !meta {
                    self.record(key);
                }
                known
            });
        }
        self.known_fields(node, object, resource);
    }

    fn known_fields(&mut self, node: &Node, object: &mut Map<String, Value>, resource: bool) {
        for (key, value) in object {
            if resource && META_FIELDS.contains(&key.as_str()) {
                continue;
            }
            let child = match (node.property(key), &node.additional) {
                (Some(property), _) => Some(&property.node),
                (None, Additional::Of(values)) => Some(&**values),
                // `additionalProperties: true` says nothing of what is below, and so nothing there is known.
                (None, Additional::Any | Additional::Forbidden) => None,
                (None, Additional::None) => continue,
            };
            let length = self.path.len();
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(key);
            self.value(child, value);
            self.path.truncate(length);
        }
    }

    fn enter_index(&mut self, at: usize) -> usize {
        let length = self.path.len();
        // Writing to a String cannot fail.
        let _ = write!(self.path, "[{at}]");
        length
    }

    fn record(&mut self, key: &str) {
        if self.unknown.len() < MAX_STRICT_ERRORS || !self.builtin {
            let dot = if self.path.is_empty() { "" } else { "." };
            self.unknown.push(format!("{}{dot}{key}", self.path));
        }
    }
}
