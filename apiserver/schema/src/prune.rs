//! Dropping the fields that a schema does not have.

use std::fmt;

use serde_json::{Map, Value};

use crate::decode::MAX_STRICT_ERRORS;
use crate::node::{Additional, Kind, Node};

/// Fields that every object has; the decoder checks them, not the schema.
pub(crate) const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops unknown fields; what was dropped comes back as strict decoding words it. Of a custom resource (`resource`) the
/// names are sorted, and the root's apiVersion, kind and metadata are let be.
pub(crate) fn prune(root: &Node, value: &mut Value, resource: bool) -> Vec<String> {
    let mut walk = Walk { builtin: !resource, unknown: Vec::new() };
    walk.root(root, value, resource);
    if resource {
        walk.unknown.sort_unstable();
    }
    walk.unknown.into_iter().map(|path| format!("unknown field \"{path}\"")).collect()
}

/// Drops what a default has and its schema does not; with `resource` the default is a whole object.
pub(crate) fn prune_default(node: &Node, value: &mut Value, resource: bool) {
    Walk { builtin: false, unknown: Vec::new() }.root(node, value, resource);
}

/// Where a value is. Written out only where something is told of it, which is seldom.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, key) => f.write_str(key),
            Self::Field(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

struct Walk {
    builtin: bool,
    unknown: Vec<String>,
}

impl Walk {
    fn root(&mut self, node: &Node, value: &mut Value, resource: bool) {
        match value {
            Value::Object(object) if resource => self.object(node, object, true, &Place::Root),
            value => self.value(Some(node), value, &Place::Root),
        }
    }

    fn value(&mut self, node: Option<&Node>, value: &mut Value, place: &Place<'_>) {
        let node = node.map(Node::resolve);
        match value {
            Value::Object(object) => match node {
                Some(node) if self.builtin && node.kind != Kind::Object => {}
                Some(node) => self.object(node, object, node.embedded_resource, place),
                None => {
                    for (key, _) in std::mem::take(object) {
                        self.record(place, &key);
                    }
                }
            },
            Value::Array(list) => {
                let items = node.and_then(|n| n.items.as_deref());
                if node.is_some_and(|n| n.preserve_unknown) {
                    self.preserved_items(items, list, place);
                    return;
                }
                // A built-in list without an item schema is raw JSON.
                if self.builtin && items.is_none() {
                    return;
                }
                for (at, item) in list.iter_mut().enumerate() {
                    self.value(items, item, &Place::Item(place, at));
                }
            }
            _ => {}
        }
    }

    /// A list that preserves unknown fields passes that on to its items.
    fn preserved_items(&mut self, items: Option<&Node>, list: &mut [Value], place: &Place<'_>) {
        let Some(items) = items else { return };
        for (at, item) in list.iter_mut().enumerate() {
            let place = Place::Item(place, at);
            match item {
                Value::Object(object) => self.known_fields(items, object, items.embedded_resource, &place),
                Value::Array(list) => self.preserved_items(items.items.as_deref(), list, &place),
                _ => {}
            }
        }
    }

    fn object(&mut self, node: &Node, object: &mut Map<String, Value>, resource: bool, place: &Place<'_>) {
        if node.preserve_unknown {
            self.known_fields(node, object, resource, place);
            return;
        }
        let known = |key: &str| (resource && META_FIELDS.contains(&key)) || node.property(key).is_some();
        // Nearly always all are known: then this is cheaper than to take the map apart.
        if matches!(node.additional, Additional::None) && !object.keys().all(|key| known(key)) {
            object.retain(|key, _| {
                let known = known(key);
                // The root's own are not told of, even where they go.
                let meta = matches!(place, Place::Root) && !self.builtin && META_FIELDS.contains(&key.as_str());
                if !known && !meta {
                    self.record(place, key);
                }
                known
            });
        }
        self.known_fields(node, object, resource, place);
    }

    fn known_fields(&mut self, node: &Node, object: &mut Map<String, Value>, resource: bool, place: &Place<'_>) {
        // Only in objects and lists there may be something unknown.
        for (key, value) in object.iter_mut().filter(|(_, value)| value.is_object() || value.is_array()) {
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
            self.value(child, value, &Place::Field(place, key));
        }
    }

    fn record(&mut self, place: &Place<'_>, key: &str) {
        if self.unknown.len() < MAX_STRICT_ERRORS || !self.builtin {
            self.unknown.push(Place::Field(place, key).to_string());
        }
    }
}
