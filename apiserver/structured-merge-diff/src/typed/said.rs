//! Whether merging would change nothing.

use serde_json::Value;

use super::atom::{Kind, Shape, entry_types, resolve};
use super::list_items::ItemName;
use crate::schema::{List, Schema, TypeRef};
use crate::value;

/// Whether all that `said` states of a value is so already, down to the order of lists: merging it would give the value
/// itself. `false` where only merging can tell.
///
/// Both are valid for their type, `said` without duplicates.
pub(super) fn is_said(schema: &Schema, type_ref: Option<&TypeRef>, value: &Value, said: &Value) -> bool {
    let Ok(kind) = resolve(schema, type_ref).and_then(|atom| Shape::of(atom, Some(said)).kind(type_ref)) else {
        return false;
    };
    match (kind, value, said) {
        (Kind::List(list), Value::Array(items), Value::Array(said)) if !list.is_atomic() && !said.is_empty() => {
            items_are_said(schema, list, items, said)
        }
        (Kind::Map(map), Value::Object(entries), Value::Object(said)) if !map.is_atomic() && !said.is_empty() => {
            let mut entries = entries.iter();
            entry_types(map, said).all(|(key, said, type_ref, _)| {
                // Both are sorted.
                let found = entries.by_ref().find(|(name, _)| *name >= key).filter(|(name, _)| *name == key);
                found.is_some_and(|(_, value)| is_said(schema, type_ref, value, said))
            })
        }
        // Leaves. An empty container is none where the value is not empty.
        _ => value::equals(value, said),
    }
}

/// The items that are stated must be there in the order in which they are stated, and each once.
fn items_are_said(schema: &Schema, list: &List, items: &[Value], said: &[Value]) -> bool {
    let name = |item| ItemName::of(schema, list, item);
    let mut stated = said.iter();
    let mut next = stated.next();
    for item in items {
        let Some(item_name) = name(item) else { return false };
        match next {
            Some(wanted) if name(wanted).is_some_and(|wanted| wanted.is(&item_name)) => {
                if !is_said(schema, Some(&list.element_type), item, wanted) {
                    return false;
                }
                next = stated.next();
            }
            // Not stated, or not here: then it is found before or after where it should be.
            _ if said.iter().filter_map(name).any(|stated| stated.is(&item_name)) => return false,
            _ => {}
        }
    }
    next.is_none()
}
