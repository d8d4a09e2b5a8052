//! Which part of an old object a part of the new one was, and whether it changed, as upstream's ratcheting sees it.

use serde_json::Value;

use crate::map_list::MapList;
use crate::node::{ListType, Node};

/// A value, what it was before, and the schema of both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correlated<'a> {
    node: &'a Node,
    new: &'a Value,
    old: &'a Value,
}

impl<'a> Correlated<'a> {
    /// A whole object.
    pub fn of(node: &'a Node, new: &'a Value, old: &'a Value) -> Self {
        Self { node, new, old }
    }

    /// The value of a field; `None` if there was or is none, or the schema does not say what it is.
    pub fn field(self, name: &str) -> Option<Self> {
        let node = match self.node.property(name) {
            Some(property) => &property.node,
            None => self.node.additional()?,
        };
        Some(Self { node, new: self.new.get(name)?, old: self.old.get(name)? })
    }

    /// The items.
    pub fn items(self) -> Items<'a> {
        let keys = if self.node.list_type() == ListType::Map { self.node.list_map_keys() } else { &[] };
        Items { node: self.node.items.as_deref(), before: MapList::of(Some(self.old), keys) }
    }

    /// Whether the value is as it was. The order of a list that is a map does not count; what the schema does not say anything
    /// of is not known to be the same.
    pub fn is_unchanged(self) -> bool {
        match (self.new, self.old) {
            (Value::Array(new), Value::Array(old)) if self.node.list_type() == ListType::Map => {
                let mut items = self.items();
                new.len() == old.len() && new.iter().all(|item| items.get(item).is_some_and(Self::is_unchanged))
            }
            (Value::Object(new), Value::Object(old)) => {
                new.len() == old.len() && new.keys().all(|name| self.field(name).is_some_and(Self::is_unchanged))
            }
            (new, old) => new == old,
        }
    }
}

/// The items of a list, and what they were.
pub(crate) struct Items<'a> {
    node: Option<&'a Node>,
    before: MapList<'a>,
}

impl<'a> Items<'a> {
    /// An item of the new list. Of a list that is a map alone it is known which it was.
    pub fn get(&mut self, item: &'a Value) -> Option<Correlated<'a>> {
        Some(Correlated { node: self.node?, new: item, old: self.before.get(item)? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse;

    #[test]
    fn what_the_schema_knows_is_compared_by_its_rules() {
        let node = parse::custom(&json!({"type": "object", "properties": {
            "a": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"k": {"type": "string"}}},
            "l": {"type": "array", "items": {"type": "integer"}},
            "m": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {
                "type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
            "o": {"type": "object", "additionalProperties": {"type": "integer", "nullable": true}},
            "p": {"type": "object", "additionalProperties": true}}}));
        for (new, old, same) in [
            (json!({"a": {"k": "x"}}), json!({"a": {"k": "x"}}), true),
            (json!({"a": {"unknown": 1}}), json!({"a": {"unknown": 1}}), false),
            (json!({"unknown": 1}), json!({"unknown": 1}), false),
            (json!({"a": {}}), json!({"a": {}}), true),
            (json!({"l": [1, 2]}), json!({"l": [1, 2]}), true),
            (json!({"l": [2, 1]}), json!({"l": [1, 2]}), false),
            (json!({"m": [{"k": "b"}, {"k": "a", "v": 1}]}), json!({"m": [{"k": "a", "v": 1}, {"k": "b"}]}), true),
            (json!({"m": [{"k": "a", "v": 2}]}), json!({"m": [{"k": "a", "v": 1}]}), false),
            (json!({"m": [{"v": 1}]}), json!({"m": [{"v": 1}]}), false),
            (json!({"m": []}), json!({"m": []}), true),
            (json!({"o": {"a": 1, "b": null}}), json!({"o": {"a": 1, "b": null}}), true),
            (json!({"o": {"a": null}}), json!({"o": {"b": null}}), false),
            (json!({"p": {"a": 1}}), json!({"p": {"a": 1}}), false),
            (json!({"o": []}), json!({"o": {}}), false),
        ] {
            assert_eq!(Correlated::of(&node, &new, &old).is_unchanged(), same, "{new} {old}");
        }
    }
}
