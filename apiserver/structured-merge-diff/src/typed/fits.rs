//! Whether a value is of its type, asked without a word on what is wrong with it.

use serde_json::Value;

use super::atom::{Kind, entry_types, kind_of};
use super::list_items::{ItemName, path_element};
use super::validate::{Duplicates, check_scalar};
use crate::schema::{DEDUCED_TYPE, ElementRelationship, List, Map, Schema, TypeRef};

/// Whether [`super::validate::validate`] finds nothing. `false` where only that can tell.
pub(super) fn fits(schema: &Schema, type_ref: Option<&TypeRef>, value: &Value, duplicates: Duplicates) -> bool {
    let Ok(kind) = kind_of(schema, type_ref, value) else { return false };
    match (kind, value) {
        (_, Value::Null) => true,
        (Kind::Scalar(scalar), _) => check_scalar(scalar, value, "").is_ok(),
        (Kind::List(list), Value::Array(items)) => {
            let element_type = Some(&list.element_type);
            has_names(schema, list, items, duplicates)
                && items.iter().all(|item| fits(schema, element_type, item, duplicates))
        }
        (Kind::Map(map), Value::Object(entries)) => {
            takes_anything(schema, map)
                || entry_types(map, entries)
                    .all(|(_, value, type_ref, _)| type_ref.is_some() && fits(schema, type_ref, value, duplicates))
        }
        (Kind::List(_) | Kind::Map(_), _) => false,
    }
}

/// Whether nothing in the map can be wrong: it declares nothing, and what is in it has its type from what it holds.
fn takes_anything(schema: &Schema, map: &Map) -> bool {
    let deduced = |element: &TypeRef| element.name() == Some(DEDUCED_TYPE) && schema.resolve(element).is_some();
    map.fields().is_empty() && map.element_type().is_some_and(deduced)
}

/// Whether each item of a list that names its items has a name, and, where it must, one of its own.
fn has_names(schema: &Schema, list: &List, items: &[Value], duplicates: Duplicates) -> bool {
    /// Longer lists are searched otherwise.
    const FEW: usize = 32;
    if list.element_relationship != ElementRelationship::Associative {
        return true;
    }
    if duplicates == Duplicates::Allow {
        return items.iter().all(|item| ItemName::of(schema, list, item).is_some());
    }
    if items.len() > FEW {
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match path_element(schema, list, item) {
                Ok(name) => names.push(name),
                Err(_) => return false,
            }
        }
        names.sort_unstable();
        return names.windows(2).all(|pair| pair[0] != pair[1]);
    }
    items.iter().enumerate().all(|(at, item)| {
        let Some(name) = ItemName::of(schema, list, item) else { return false };
        let before = items[..at].iter().filter_map(|item| ItemName::of(schema, list, item));
        before.into_iter().all(|other| !name.is(&other))
    })
}
