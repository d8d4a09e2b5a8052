//! What Go's `omitempty` leaves out of a built-in object.
//!
//! OpenAPI does not tell a field held by value from a pointer: `replicas: 0` stays (a pointer), `hostNetwork: false`
//! goes (a value). The rule: a field whose schema publishes a zero default, or which is required, is always written;
//! another scalar, list or map is dropped when it is empty; what refers to another definition is dropped when absent
//! only. `data/fields.json` names the fields for which that rule is wrong, as read off upstream's types at the
//! version of `data/schemas.json` (`keep`: a pointer; `omit`; `always`; `null`: a pointer without omitempty).

use serde_json::Value;

use crate::builtin::{OBJECT_META, builtin as builtins};
use crate::node::{Emission, Kind, Node};
use crate::parse::is_zero;

/// Drops the empty fields that Go would not write. Empty lists and maps that are always written stay.
pub(crate) fn drop_empties(node: &Node, value: &mut Value) {
    drop(node, value, false);
}

/// The same of an object to be stored: upstream's store has no empty lists and maps, so that those that are always written
/// become null.
pub(crate) fn drop_stored_empties(node: &Node, value: &mut Value) {
    drop(node, value, true);
}

fn drop(node: &Node, value: &mut Value, stored: bool) {
    let node = node.resolve();
    match value {
        Value::Object(object) if node.kind == Kind::Object => {
            if let Some(values) = node.additional() {
                object.values_mut().for_each(|value| drop(values, value, stored));
                return;
            }
            let is_left_out = |key: &str, value: &Value| {
                node.property(key).is_some_and(|property| match property.emission {
                    Emission::Keep => value.is_null(),
                    Emission::Omit => is_zero(value),
                    Emission::Always | Emission::Null => false,
                })
            };
            let mut some = false;
            for (key, value) in object.iter_mut() {
                // What holds nothing and is not empty stays, whatever it is.
                if !(value.is_object() || value.is_array() || is_zero(value)) {
                    continue;
                }
                let Some(property) = node.property(key) else { continue };
                drop(&property.node, value, stored);
                if stored && property.emission == Emission::Always && is_zero(value) && is_list_or_map(&property.node) {
                    *value = Value::Null;
                }
                some |= is_left_out(key, value);
            }
            // A map that loses nothing is not taken apart.
            if some {
                object.retain(|key, value| !is_left_out(key, value));
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| drop(items, item, stored));
            }
        }
        _ => {}
    }
}

fn is_list_or_map(node: &Node) -> bool {
    node.reference.is_none() && (node.kind == Kind::Array || node.additional().is_some())
}

/// The same for the metadata of a custom resource.
pub(crate) fn drop_metadata_empties(value: &mut Value) {
    if let Some(metadata) = value.get_mut("metadata")
        && let Some(id) = builtins().id(OBJECT_META)
    {
        drop_empties(builtins().node(id), metadata);
    }
}
