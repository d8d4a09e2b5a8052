//! Whether a value has the fields of a set, asked without making the set of its fields.

use serde_json::{Map as Object, Value};

use super::atom::{Kind, entry_types, kind_of};
use super::list_items::ItemName;
use crate::fieldpath::{PathElement, Set};
use crate::schema::{List, Map, Schema, TypeRef};
use crate::value;

/// Whether [`super::field_set::field_set`] is `set` once the members of `without` are taken out. `false` where only making it
/// can tell.
pub(super) fn has_fields(schema: &Schema, type_ref: &TypeRef, value: &Value, set: &Set, without: &Set) -> bool {
    Walker { schema }.below(Some(type_ref), value, set, without).is_some()
}

static NOTHING: Set = Set::EMPTY;

struct Walker<'a> {
    schema: &'a Schema,
}

impl Walker<'_> {
    /// Whether the value is a leaf, if what is below it are the fields of `set`.
    fn below(&self, type_ref: Option<&TypeRef>, value: &Value, set: &Set, without: &Set) -> Option<bool> {
        let is_leaf = match (kind_of(self.schema, type_ref, value).ok()?, value) {
            (Kind::Scalar(_), _) => true,
            (Kind::Map(map), _) if map.is_atomic() => true,
            (Kind::Map(map), Value::Object(entries)) => return self.map(map, entries, set, without).then_some(false),
            (Kind::List(list), _) if list.is_atomic() => true,
            (Kind::List(list), Value::Array(items)) => return self.list(list, items, set).then_some(false),
            _ => false,
        };
        set.is_bare().then_some(is_leaf)
    }

    fn map(&self, map: &Map, entries: &Object<String, Value>, set: &Set, without: &Set) -> bool {
        // The map, the members and the children are sorted by name: what is there comes in this order.
        let (mut members, mut children) = (set.members(), set.children_slice());
        for (key, value, type_ref, field) in entry_types(map, entries) {
            let is_named = |element: &PathElement| matches!(element, PathElement::Field(name) if **name == **key);
            let below = match children {
                [(element, below), rest @ ..] if is_named(element) => {
                    children = rest;
                    below
                }
                _ => &NOTHING,
            };
            let without_below = without.children_of_field(key).unwrap_or(&NOTHING);
            let Some(is_leaf) = self.below(type_ref, value, below, without_below) else { return false };
            let is_empty = value.is_null() || (value.is_object() && value::is_empty(value));
            if (is_leaf || is_empty || field.is_none()) && !without.has_field(key) {
                match members {
                    [element, rest @ ..] if is_named(element) => members = rest,
                    _ => return false,
                }
            }
        }
        members.is_empty() && children.is_empty()
    }

    fn list(&self, list: &List, items: &[Value], set: &Set) -> bool {
        let (members, children) = (set.members(), set.children_slice());
        let mut found = 0;
        // Each item has a member of its own: then none is named twice, if there are as many members.
        let mut taken = vec![false; members.len()];
        let mut parents = 0;
        for item in items {
            let Some(name) = ItemName::of(self.schema, list, item) else { return false };
            let place = |element: &PathElement| name.cmp_to(element).reverse();
            let Ok(at) = members.binary_search_by(place) else { return false };
            if std::mem::replace(&mut taken[at], true) {
                return false;
            }
            found += 1;
            let below = match children.binary_search_by(|(element, _)| place(element)) {
                Ok(at) => {
                    parents += 1;
                    &*children[at].1
                }
                Err(_) => &NOTHING,
            };
            if self.below(Some(&list.element_type), item, below, &NOTHING).is_none() {
                return false;
            }
        }
        found == members.len() && parents == children.len()
    }
}
