//! Lists of type set and map: no item, or no item's keys, twice.

use std::collections::HashMap;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::{Map, Value};

use crate::node::{ListType, Node};

pub(super) fn validate(root: &Node, value: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    visit(root, value, &mut path.clone(), &mut errors);
    errors
}

fn visit(node: &Node, value: &Value, path: &mut Path, errors: &mut ErrorList) {
    if !node.keywords.unique_items {
        return;
    }
    match value {
        Value::Object(object) => {
            if let Some(values) = node.additional() {
                for (key, value) in object {
                    let mark = path.enter_key(key);
                    visit(values, value, path, errors);
                    path.leave(mark);
                }
            }
            for (key, value) in object {
                if let Some(property) = node.property(key) {
                    let mark = path.enter(key);
                    visit(&property.node, value, path, errors);
                    path.leave(mark);
                }
            }
        }
        Value::Array(list) => {
            match node.list_type() {
                ListType::Set => {
                    let repeated = repeated(list.iter().map(Value::to_string));
                    errors.extend(repeated.into_iter().map(|at| Error::duplicate(&path.index(at), list[at].clone())));
                }
                ListType::Map => keyed(node.list_map_keys(), list, path, errors),
                ListType::Atomic | ListType::Unset => {}
            }
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

fn keyed(keys: &[Box<str>], list: &[Value], path: &Path, errors: &mut ErrorList) {
    if let Some(at) = list.iter().position(|item| !item.is_null() && !item.is_object()) {
        errors.push(Error::invalid(
            &path.index(at),
            list[at].clone(),
            "must be an object for an array of list-type map",
        ));
        return;
    }
    // Keys that an item does not give are not part of its identity.
    let identity = |item: &Value| -> Map<String, Value> {
        keys.iter().filter_map(|key| Some((key.to_string(), item.get(&**key)?.clone()))).collect()
    };
    let identities: Vec<Value> = list.iter().map(|item| Value::Object(identity(item))).collect();
    for at in repeated(identities.iter().map(Value::to_string)) {
        errors.push(Error::duplicate(&path.index(at), identities[at].clone()));
    }
}

/// The positions of the second appearances.
fn repeated(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut positions = Vec::new();
    for (at, text) in texts.enumerate() {
        let times = seen.entry(text).or_default();
        *times += 1;
        if *times == 2 {
            positions.push(at);
        }
    }
    positions
}
