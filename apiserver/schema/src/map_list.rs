//! The former selves of items: in lists of type map, the old item with the same keys.

use std::collections::HashMap;

use serde_json::Value;

/// The items of an old list by their keys, read as far as they were asked for. As upstream, an item that lacks a key has no
/// former self, and of several with the same keys the first counts.
pub(crate) struct MapList<'a> {
    keys: &'a [Box<str>],
    items: std::slice::Iter<'a, Value>,
    read: HashMap<String, &'a Value>,
}

impl<'a> MapList<'a> {
    /// A list as it was; without keys, or where it was none, nothing is found in it.
    pub(crate) fn of(old: Option<&'a Value>, keys: &'a [Box<str>]) -> Self {
        let items = match old {
            Some(Value::Array(items)) if !keys.is_empty() => items.as_slice(),
            _ => &[],
        };
        Self { keys, items: items.iter(), read: HashMap::new() }
    }

    /// What `item` was.
    pub(crate) fn get(&mut self, item: &Value) -> Option<&'a Value> {
        if self.items.len() == 0 && self.read.is_empty() {
            return None;
        }
        let wanted = identity(self.keys, item)?;
        if let Some(found) = self.read.get(&wanted) {
            return Some(*found);
        }
        for old in self.items.by_ref() {
            let Some(identity) = identity(self.keys, old) else { continue };
            if identity == wanted {
                self.read.insert(identity, old);
                return Some(old);
            }
            self.read.entry(identity).or_insert(old);
        }
        None
    }
}

/// The values of the keys, which are scalars.
fn identity(keys: &[Box<str>], item: &Value) -> Option<String> {
    let mut identity = String::new();
    for key in keys {
        match item.get(&**key)? {
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
            scalar => identity.push_str(&scalar.to_string()),
        }
        identity.push('\0');
    }
    Some(identity)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_is_found_by_all_its_keys() {
        let old = json!([{"a": 1, "b": "x"}, {"a": 1, "b": "y", "v": 1}, {"a": 1, "b": "y", "v": 2}, {"a": 1}, 5]);
        let keys: [Box<str>; 2] = ["a".into(), "b".into()];
        let mut list = MapList::of(Some(&old), &keys);
        for (item, found) in [
            (json!({"b": "y", "a": 1}), Some(1)),
            (json!({"a": 1, "b": "x", "v": 3}), Some(0)),
            (json!({"a": 1}), None),
            (json!({"a": "1", "b": "x"}), None),
            (json!({"a": 1, "b": ["x"]}), None),
            (json!(5), None),
            (json!({"a": 1, "b": "y"}), Some(1)),
        ] {
            assert_eq!(list.get(&item), found.map(|at: usize| &old[at]), "{item}");
        }
    }
}
