//! Taking fields out of a value, or all but some.

use serde_json::{Map as Object, Value};

use super::TypedValue;
use super::atom::{Kind, entry_type, kind_of};
use super::list_items::path_element;
use crate::fieldpath::{PathElement, Set};
use crate::schema::{Schema, TypeRef};

/// Whether an extracted list item brings its key fields along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFields {
    /// Only what the set names.
    AsNamed,
    /// The key fields of each item on the way too.
    Append,
}

/// The value without the items. Containers that are atomic, were empty or become empty turn into null.
pub(super) fn remove(schema: &Schema, type_ref: &TypeRef, value: Value, items: &Set) -> Value {
    remove_below(schema, Some(type_ref), value, items)
}

fn remove_below(schema: &Schema, type_ref: Option<&TypeRef>, value: Value, items: &Set) -> Value {
    let Ok(kind) = kind_of(schema, type_ref, &value) else { return Value::Null };
    match (kind, value) {
        (Kind::Scalar(_), scalar) => scalar,
        (Kind::List(list), Value::Array(mut values)) if !list.is_atomic() => {
            values.retain_mut(|item| {
                let Ok(element) = path_element(schema, list, item) else { return true };
                if items.has_member(&element) {
                    return false;
                }
                if let Some(below) = items.children_of(&element) {
                    *item = remove_below(schema, Some(&list.element_type), item.take(), below);
                }
                true
            });
            if values.is_empty() { Value::Null } else { Value::Array(values) }
        }
        (Kind::Map(map), Value::Object(mut entries)) if !map.is_atomic() => {
            entries.retain(|key, value| {
                if items.has_field(key) {
                    return false;
                }
                if let Some(below) = items.children_of_field(key) {
                    *value = remove_below(schema, entry_type(map, key).0, value.take(), below);
                }
                true
            });
            if entries.is_empty() { Value::Null } else { Value::Object(entries) }
        }
        _ => Value::Null,
    }
}

/// The value with nothing but the items. Empty and atomic containers stay as they are.
pub(super) fn extract(typed: &TypedValue, items: &Set, key_fields: KeyFields) -> Value {
    let with_keys;
    let items = match key_fields {
        KeyFields::AsNamed => items,
        KeyFields::Append => {
            with_keys = items.union(&key_fields_of(typed, items));
            &with_keys
        }
    };
    extract_below(&typed.schema, Some(&typed.type_ref), &typed.value, items)
}

/// The key fields of the list items on the way to each item the value has.
fn key_fields_of(typed: &TypedValue, items: &Set) -> Set {
    let mut keys = Set::new();
    let Ok(fields) = typed.to_field_set() else { return keys };
    items.for_each(|path| {
        if !fields.has(path) {
            return;
        }
        for (i, element) in path.iter().enumerate() {
            let PathElement::Key(key) = element else { continue };
            for field in key.iter() {
                let mut key_path = path[..=i].to_vec();
                key_path.push(PathElement::Field(field.name.clone()));
                keys.insert(&key_path);
            }
        }
    });
    keys
}

fn extract_below(schema: &Schema, type_ref: Option<&TypeRef>, value: &Value, items: &Set) -> Value {
    let Ok(kind) = kind_of(schema, type_ref, value) else { return Value::Null };
    match (kind, value) {
        (Kind::Scalar(_), scalar) => scalar.clone(),
        (Kind::List(list), Value::Array(values)) => {
            if values.is_empty() || list.is_atomic() {
                return value.clone();
            }
            let kept: Vec<Value> = values
                .iter()
                .filter_map(|item| {
                    let element = path_element(schema, list, item).ok()?;
                    match items.children_of(&element) {
                        Some(below) => Some(extract_below(schema, Some(&list.element_type), item, below)),
                        None => items.has_member(&element).then(|| item.clone()),
                    }
                })
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        (Kind::Map(map), Value::Object(entries)) => {
            if entries.is_empty() || map.is_atomic() {
                return value.clone();
            }
            let mut kept = Object::new();
            for (key, value) in entries {
                // Upstream looks below a field that is named itself with the set that names it.
                let below = if items.has_field(key) { Some(items) } else { items.children_of_field(key) };
                if let Some(below) = below {
                    kept.insert(key.clone(), extract_below(schema, entry_type(map, key).0, value, below));
                }
            }
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        _ => Value::Null,
    }
}
