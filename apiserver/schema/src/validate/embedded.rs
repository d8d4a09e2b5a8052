//! Objects within a custom resource (`x-kubernetes-embedded-resource`): their apiVersion, kind and metadata.

use apimachinery::GroupVersion;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{is_dns1035_label, name_is_path_segment, validate_object_meta};
use serde_json::{Map, Value};

use crate::node::Node;

pub(super) fn validate(root: &Node, value: &Value, path: &Path) -> ErrorList {
    validate_within(root, value, false, path)
}

/// With `resource_root` the value is itself such an object.
pub(super) fn validate_within(root: &Node, value: &Value, resource_root: bool, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if let Value::Object(object) = value
        && resource_root
        && !root.embedded_resource
    {
        resource(object, path, &mut errors);
    }
    visit(root, value, &mut path.clone(), &mut errors);
    errors
}

fn visit(node: &Node, value: &Value, path: &mut Path, errors: &mut ErrorList) {
    if !node.keywords.embedded_resource {
        return;
    }
    match value {
        Value::Object(object) => {
            if node.embedded_resource {
                resource(object, path, errors);
            }
            for (key, value) in object {
                let (child, mark) = match (node.property(key), node.additional()) {
                    (Some(property), _) => (&property.node, path.enter(key)),
                    (None, Some(values)) => (values, path.enter_key(key)),
                    (None, None) => continue,
                };
                visit(child, value, path, errors);
                path.leave(mark);
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for (at, item) in list.iter().enumerate() {
                    let mark = path.enter_index(at);
                    visit(items, item, path, errors);
                    path.leave(mark);
                }
            }
        }
        _ => {}
    }
}

fn resource(object: &Map<String, Value>, path: &Path, errors: &mut ErrorList) {
    for name in ["apiVersion", "kind"] {
        let at = path.child(name);
        match object.get(name) {
            None => errors.push(Error::required(&at, "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(Error::invalid(&at, text.as_str(), "must not be empty"));
            }
            Some(Value::String(text)) if name == "apiVersion" => {
                if let Err(error) = text.parse::<GroupVersion>() {
                    errors.push(Error::invalid(&at, text.as_str(), error.to_string()));
                }
            }
            Some(Value::String(text)) => {
                let wrong = is_dns1035_label(&text.to_lowercase());
                if !wrong.is_empty() {
                    let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
                    errors.push(Error::invalid(&at, text.as_str(), detail));
                }
            }
            Some(other) => errors.push(Error::invalid(&at, other.clone(), "must be a string")),
        }
    }
    let Some(metadata) = object.get("metadata").and_then(Value::as_object) else { return };
    let namespaced = metadata.get("namespace").and_then(Value::as_str).is_some_and(|n| !n.is_empty());
    let mut metadata = metadata.clone();
    // An embedded object need not have a name.
    if metadata.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        metadata.insert("name".to_owned(), "fakename".into());
    }
    let at = path.child("metadata");
    errors.extend(validate_object_meta(&Value::Object(metadata), namespaced, name_is_path_segment, &at));
}
