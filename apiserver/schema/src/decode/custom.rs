//! What is typed of a custom resource when it is decoded: its metadata, and that of the objects within it.

use apimachinery::field;
use serde_json::{Map, Value};

use super::{DecodeError, Decoder, Unknown, integral_number};
use crate::builtin::{OBJECT_META, builtin as builtins};
use crate::empties;
use crate::node::Node;

/// Decodes the metadata of a custom resource, and of the objects embedded in it, in place.
pub(crate) fn custom(root: &Node, value: &mut Value, unknown: Unknown) -> Result<Vec<String>, DecodeError> {
    let Some(object) = value.as_object_mut() else { return Ok(Vec::new()) };
    let mut strict = Vec::new();
    if let Some(metadata) = object.get_mut("metadata") {
        strict = object_meta(metadata, unknown, "metadata")?;
    }
    embedded_value(root, value, unknown, &mut field::Path::default(), &mut strict)?;
    Ok(strict)
}

/// Decodes metadata where it stands alone: `place` prefixes the unknown fields.
fn object_meta(metadata: &mut Value, unknown: Unknown, place: &str) -> Result<Vec<String>, DecodeError> {
    let Some(id) = builtins().id(OBJECT_META) else { return Ok(Vec::new()) };
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
        return Ok(Vec::new());
    }
    let mut decoder = Decoder::new(unknown, place.to_owned());
    let node = builtins().node(id);
    let outcome = decoder.typed(node, Some(id), metadata, None);
    let strict = decoder.finish(outcome)?;
    empties::drop_empties(node, metadata);
    Ok(strict)
}

/// Checks the types of the metadata of the objects in a value, which with `resource` is itself such an object.
pub(crate) fn embedded_metadata(
    node: &Node,
    value: &mut Value,
    is_resource: bool,
    path: &field::Path,
) -> Result<(), field::Error> {
    let mut path = path.clone();
    let mut strict = Vec::new();
    let mut check = || {
        if let Value::Object(object) = value
            && is_resource
            && !node.embedded_resource
        {
            resource(object, Unknown::Keep, &mut path, &mut strict)?;
        }
        embedded_value(node, value, Unknown::Keep, &mut path, &mut strict)
    };
    match check() {
        Err(DecodeError::Field(error)) => Err(error),
        // Errors of metadata are those of a field.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Walks to the objects that have `x-kubernetes-embedded-resource`, and decodes their metadata.
fn embedded(
    node: &Node,
    object: &mut Map<String, Value>,
    unknown: Unknown,
    path: &mut field::Path,
    strict: &mut Vec<String>,
) -> Result<(), DecodeError> {
    if node.embedded_resource {
        resource(object, unknown, path, strict)?;
    }
    for (key, value) in object {
        let (child, mark) = match (node.property(key), node.additional()) {
            (Some(property), _) => (&property.node, path.enter(key)),
            (None, Some(values)) => (values, path.enter_key(key)),
            (None, None) => continue,
        };
        embedded_value(child, value, unknown, path, strict)?;
        path.leave(mark);
    }
    Ok(())
}

/// Decodes the metadata of one object.
fn resource(
    object: &mut Map<String, Value>,
    unknown: Unknown,
    path: &mut field::Path,
    strict: &mut Vec<String>,
) -> Result<(), DecodeError> {
    for key in ["apiVersion", "kind"] {
        if let Some(value) = object.get(key).filter(|v| !v.is_string()) {
            return Err(DecodeError::Field(field::Error::invalid(&path.child(key), value.clone(), "must be a string")));
        }
    }
    if let Some(metadata) = object.get_mut("metadata") {
        let place = path.child("metadata");
        let given = metadata.clone();
        let found = object_meta(metadata, unknown, place.as_str())
            .map_err(|error| DecodeError::Field(field::Error::invalid(&place, given, error.to_string())))?;
        strict.extend(found);
    }
    Ok(())
}

fn embedded_value(
    node: &Node,
    value: &mut Value,
    unknown: Unknown,
    path: &mut field::Path,
    strict: &mut Vec<String>,
) -> Result<(), DecodeError> {
    if !node.keywords.embedded_resource {
        return Ok(());
    }
    match (value, &node.items) {
        (Value::Object(object), _) => embedded(node, object, unknown, path, strict),
        (Value::Array(list), Some(items)) => {
            for (at, item) in list.iter_mut().enumerate() {
                let mark = path.enter_index(at);
                embedded_value(items, item, unknown, path, strict)?;
                path.leave(mark);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Brings the metadata of a stored custom resource, and of the objects embedded in it, into a form that can be read: what is
/// unknown or of another type is dropped. It was there before it was checked, or somebody else wrote it. Says whether anything
/// may have been changed.
pub(crate) fn repair(root: &Node, value: &mut Value) -> bool {
    let Some(object) = value.as_object_mut() else { return false };
    let mut changed = repair_resource(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && metadata.get("generation").is_none_or(|generation| generation.is_null() || generation == 0)
    {
        metadata.insert("generation".to_owned(), 1.into());
        changed = true;
    }
    repair_embedded(root, value) | changed
}

fn repair_embedded(node: &Node, value: &mut Value) -> bool {
    if !node.keywords.embedded_resource {
        return false;
    }
    let mut changed = false;
    match value {
        Value::Object(object) => {
            if node.embedded_resource {
                for key in ["apiVersion", "kind"] {
                    if object.get(key).is_some_and(|value| !value.is_string()) {
                        object.remove(key);
                        changed = true;
                    }
                }
                changed |= repair_resource(object);
            }
            for (key, value) in object {
                let child = node.property(key).map(|property| &property.node).or_else(|| node.additional());
                if let Some(child) = child {
                    changed |= repair_embedded(child, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| changed |= repair_embedded(items, item));
            }
        }
        _ => {}
    }
    changed
}

/// Repairs the metadata of one object, unless it is sound.
fn repair_resource(object: &mut Map<String, Value>) -> bool {
    let Some(metadata) = object.get_mut("metadata").filter(|metadata| !is_sound(metadata)) else { return false };
    let given = metadata.clone();
    if object_meta(metadata, Unknown::Drop, "").is_ok() {
        return true;
    }
    let Value::Object(given) = given else { return true };
    let readable = given.into_iter().filter_map(|(name, value)| {
        let mut field = Value::Object(Map::from_iter([(name, value)]));
        object_meta(&mut field, Unknown::Drop, "").ok()?;
        match field {
            Value::Object(field) => Some(field),
            _ => None,
        }
    });
    *metadata = Value::Object(readable.flatten().collect());
    true
}

/// Whether metadata is such as is written here. It nearly always is, and this costs less than to decode it.
fn is_sound(metadata: &Value) -> bool {
    let texts = |value: &Value| value.as_object().is_some_and(|map| map.values().all(Value::is_string));
    let objects = |value: &Value, sound: fn(&str, &Value) -> bool| {
        let items = value.as_array();
        items.is_some_and(|items| {
            items
                .iter()
                .all(|item| item.as_object().is_some_and(|item| item.iter().all(|(key, value)| sound(key, value))))
        })
    };
    metadata.as_object().is_some_and(|metadata| {
        metadata.iter().all(|(name, value)| match name.as_str() {
            "name" | "generateName" | "namespace" | "uid" | "resourceVersion" => value.is_string(),
            // Times are written in one form alone.
            "creationTimestamp" | "deletionTimestamp" => value.as_str().is_some_and(|time| time.len() == 20),
            "generation" | "deletionGracePeriodSeconds" => value.is_i64(),
            "labels" | "annotations" => texts(value),
            "finalizers" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            "ownerReferences" => objects(value, |key, value| match key {
                "apiVersion" | "kind" | "name" | "uid" => value.is_string(),
                "controller" | "blockOwnerDeletion" => value.is_boolean(),
                _ => false,
            }),
            "managedFields" => objects(value, |key, value| match key {
                "manager" | "operation" | "apiVersion" | "fieldsType" | "subresource" => value.is_string(),
                "time" => value.as_str().is_some_and(|time| time.len() == 20),
                "fieldsV1" => value.is_object() || value.is_string(),
                _ => false,
            }),
            _ => false,
        })
    })
}

/// Brings all numbers into the form that Go writes them in: until it is written, a whole float is none of the integers.
pub(crate) fn integral(value: &mut Value) {
    match value {
        Value::Number(number) => integral_number(number),
        Value::Array(list) => list.iter_mut().for_each(integral),
        Value::Object(object) => object.values_mut().for_each(integral),
        _ => {}
    }
}
