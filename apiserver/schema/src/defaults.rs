//! Filling in what an object does not give.

use serde_json::{Map, Value};

use crate::node::{Additional, Emission, Kind, Node, Property};
use crate::parse::is_zero;

/// Upstream's defaulting of custom resources: nulls that may not be null go first (unless a default takes their
/// place), then every default whose parent is there is filled in, outer values before the inner ones that they may bring.
/// Says whether anything was changed.
pub(crate) fn custom(node: &Node, value: &mut Value) -> bool {
    let dropped = holds_null(value) && prune_nulls(node, value);
    fill(node, value) | dropped
}

/// Whether there is a null anywhere: seldom, and cheaper to see than what the schema says of each field.
fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().any(holds_null),
        Value::Array(list) => list.iter().any(holds_null),
        _ => false,
    }
}

fn is_wrong_null(node: &Node, value: &Value) -> bool {
    value.is_null() && !node.nullable
}

fn is_dropped_null(node: &Node, value: &Value) -> bool {
    is_wrong_null(node, value) && node.default.is_none()
}

/// The schema of a field.
fn child<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.property(key).map(|property| &property.node).or_else(|| node.additional())
}

/// Drops the null fields that are neither nullable nor have a default; says whether there were any.
fn prune_nulls(node: &Node, value: &mut Value) -> bool {
    let mut changed = false;
    match value {
        Value::Object(object) => {
            let mut some = false;
            for (key, value) in object.iter_mut() {
                match child(node, key) {
                    Some(child) if is_dropped_null(child, value) => some = true,
                    Some(child) => changed |= prune_nulls(child, value),
                    None => {}
                }
            }
            // Seldom: a map that loses nothing is not taken apart.
            if some {
                object.retain(|key, value| !child(node, key).is_some_and(|child| is_dropped_null(child, value)));
                changed = true;
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| changed |= prune_nulls(items, item));
            }
        }
        _ => {}
    }
    changed
}

/// The defaults alone, with which nulls stay that may not be null; says whether any was missing.
pub(crate) fn fill(node: &Node, value: &mut Value) -> bool {
    if !node.keywords.default {
        return false;
    }
    let mut changed = false;
    match value {
        Value::Object(object) => {
            for property in node.properties.iter() {
                let Some(default) = &property.node.default else { continue };
                match object.get_mut(&*property.name) {
                    None => {
                        object.insert(property.name.to_string(), default.clone());
                        changed = true;
                    }
                    Some(given) => changed |= replace_null(&property.node, given),
                }
            }
            for (key, value) in object {
                if let Some(property) = node.property(key) {
                    changed |= fill(&property.node, value);
                } else if let Additional::Of(values) = &node.additional {
                    changed |= replace_null(values, value) | fill(values, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| changed |= replace_null(items, item) | fill(items, item));
            }
        }
        _ => {}
    }
    changed
}

/// Puts the default in the place of a null that may not be there.
fn replace_null(node: &Node, value: &mut Value) -> bool {
    match &node.default {
        Some(default) if is_wrong_null(node, value) => {
            *value = default.clone();
            true
        }
        _ => false,
    }
}

/// Fills in the defaults that a built-in kind's schema publishes, and the zero values that Go always writes.
pub(crate) fn builtin(node: &Node, value: &mut Value) {
    let node = node.resolve();
    match value {
        Value::Object(object) if node.kind == Kind::Object => {
            if let Some(values) = node.additional() {
                object.values_mut().for_each(|value| builtin(values, value));
                return;
            }
            let fillable = |property: &&Property| {
                property.node.default.is_some() || matches!(property.emission, Emission::Always | Emission::Null)
            };
            for property in node.properties.iter().filter(fillable) {
                if let Some(filling) = missing(property.emission, &property.node, object.get(&*property.name)) {
                    object.insert(property.name.to_string(), filling);
                }
            }
            // Nothing is missing in a scalar.
            for (key, value) in object.iter_mut().filter(|(_, value)| value.is_object() || value.is_array()) {
                if let Some(property) = node.property(key) {
                    builtin(&property.node, value);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| builtin(items, item));
            }
        }
        _ => {}
    }
}

/// What to put in a field's place, if anything.
fn missing(emission: Emission, node: &Node, given: Option<&Value>) -> Option<Value> {
    // A field held by value does not tell its zero from not being given, and a zero default says no more than that it
    // is one.
    let by_value = matches!(emission, Emission::Omit | Emission::Always);
    if let Some(default) = &node.default
        && given.is_none_or(|v| v.is_null() || (by_value && is_zero(v)))
        && !(is_zero(default) && (by_value || node.reference.is_some()))
    {
        return Some(default.clone());
    }
    match (emission, given) {
        (Emission::Always, None) => Some(zero(node)),
        (Emission::Null, None) => Some(Value::Null),
        _ => None,
    }
}

/// How Go writes the zero of a type.
fn zero(node: &Node) -> Value {
    let node = node.resolve();
    match node.kind {
        Kind::Object if node.additional().is_none() => Value::Object(Map::new()),
        Kind::String => Value::String(String::new()),
        Kind::Integer | Kind::Number | Kind::IntOrString => 0.into(),
        Kind::Boolean => false.into(),
        Kind::Quantity => "0".into(),
        _ => Value::Null,
    }
}
