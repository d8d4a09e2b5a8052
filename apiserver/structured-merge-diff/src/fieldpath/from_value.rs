//! The set of every leaf of a value whose type is not known.

use serde_json::Value;

use super::{KeyField, PathElement, Set};

/// The fields taken for keys when a list's element has them.
const KEY_CANDIDATES: [&str; 3] = ["id", "key", "name"];

impl Set {
    /// Every leaf in the value. Elements of lists are named by their `id`, `key` and `name` fields where these are
    /// scalars, and by position otherwise.
    pub fn from_value(value: &Value) -> Self {
        let mut set = Self::new();
        collect(value, &mut set);
        set
    }
}

/// Adds what is below `value`; answers whether it is a leaf itself.
fn collect(value: &Value, set: &mut Set) -> bool {
    let mut add = |element: PathElement, child: &Value| {
        let mut below = Set::new();
        if collect(child, &mut below) {
            set.insert_member(element);
        } else {
            set.insert_children(element, below);
        }
    };
    match value {
        Value::Array(items) => {
            for (index, item) in (0..).zip(items) {
                add(guess_list_element(index, item), item);
            }
            false
        }
        Value::Object(map) => {
            for (key, child) in map {
                add(PathElement::field(key.as_str()), child);
            }
            false
        }
        _ => true,
    }
}

fn guess_list_element(index: i64, item: &Value) -> PathElement {
    let keys: Vec<KeyField> = KEY_CANDIDATES
        .iter()
        .filter_map(|name| Some((name, item.get(name)?)))
        .filter(|(_, value)| !(value.is_null() || value.is_object() || value.is_array()))
        .map(|(name, value)| KeyField { name: (*name).into(), value: value.clone() })
        .collect();
    if keys.is_empty() { PathElement::Index(index) } else { PathElement::from_key_fields(keys) }
}
