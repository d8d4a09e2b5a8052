//! Lists with the merge strategy: sets of scalars, and maps told apart by a key.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::order::{Order, interleave};
use super::{Field, Object, PATCH, TypeName, merge_map, no_merge_key, unknown_directive};
use crate::patch::PatchError;
use crate::quote::{go_type, go_value};

/// Merges a list's patch into the list. `deletes`: the patch lists scalars to delete.
///
/// The items of the patch come in the patch's order, the others in their own; where both were in the list before, its
/// order decides which comes first.
pub(super) fn merge(
    original: Vec<Value>,
    patch: &[Value],
    field: &Field<'_>,
    deletes: bool,
) -> Result<Vec<Value>, PatchError> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    if element_kind(&original, patch)? != ElementKind::Map {
        if deletes {
            let deleted: HashSet<&Value> = patch.iter().collect();
            return Ok(original.into_iter().filter(|item| !deleted.contains(item)).collect());
        }
        return merge_scalars(&original, patch, field.key());
    }
    if field.key().is_empty() {
        let kind = match field.schema.type_name() {
            TypeName::Struct(_) => "struct",
            TypeName::Kind(kind) => kind,
        };
        return Err(PatchError::Internal(format!("cannot merge lists without merge key for {kind}")));
    }
    merge_maps(original, patch, field)
}

fn merge_scalars(original: &[Value], patch: &[Value], merge_key: &str) -> Result<Vec<Value>, PatchError> {
    // A merge key where there are scalars is a fault of the schema; upstream fails on the first item.
    if let Some(first) = original.iter().chain(patch).next().filter(|_| !merge_key.is_empty()) {
        return Err(super::wrong_type("map[string]interface {}", first));
    }
    let mut seen = HashSet::new();
    let merged = original.iter().chain(patch).filter(|item| seen.insert(*item)).cloned().collect();
    interleave(merged, &Order::of_scalars(patch), &Order::of_scalars(original))
}

fn merge_maps(mut original: Vec<Value>, patch: &[Value], field: &Field<'_>) -> Result<Vec<Value>, PatchError> {
    let key = field.key();
    let mut deleted: HashSet<&Value> = HashSet::new();
    let mut replaces = false;
    let mut ordinary: Vec<&Value> = Vec::new();
    for item in patch {
        let Value::Object(map) = item else { continue };
        match map.get(PATCH) {
            None => ordinary.push(item),
            Some(directive) => match directive.as_str() {
                Some("delete") => {
                    deleted.insert(map.get(key).ok_or_else(|| no_merge_key(map, key))?);
                }
                Some("replace") => replaces = true,
                Some("merge") => {
                    let message = "merging lists cannot yet be specified in the patch";
                    return Err(PatchError::Internal(message.to_owned()));
                }
                _ => return Err(unknown_directive(directive, map)),
            },
        }
    }
    if replaces {
        let replaced: Vec<Value> = ordinary.into_iter().cloned().collect();
        check_merge_keys(&replaced, key)?;
        return Ok(replaced);
    }
    original.retain(|item| item.get(key).is_none_or(|value| !deleted.contains(value)));

    let live_order = Order::of_maps(&original, key)?;
    // Keys in the order of the patch: those of the live list first found win, as upstream's search does.
    let mut places: HashMap<Value, usize> = HashMap::with_capacity(original.len());
    for (i, item) in original.iter().enumerate() {
        if let Some(value) = item.get(key) {
            places.entry(value.clone()).or_insert(i);
        }
    }
    let mut merged = original;
    for item in &ordinary {
        let Value::Object(map) = item else { continue };
        let value = map.get(key).ok_or_else(|| no_merge_key(map, key))?;
        match places.get(value).and_then(|place| merged.get_mut(*place)) {
            Some(Value::Object(found)) => *found = merge_map(std::mem::take(found), map, &*field.schema)?,
            _ => {
                places.insert(value.clone(), merged.len());
                merged.push((*item).clone());
            }
        }
    }
    let patch_order = Order::of_maps(ordinary, key)?;
    check_merge_keys(&merged, key)?;
    interleave(merged, &patch_order, &live_order)
}

/// Every item must have its key.
pub(super) fn check_merge_keys(items: &[Value], key: &str) -> Result<(), PatchError> {
    for item in items {
        let map = as_object(item)?;
        if !map.contains_key(key) {
            return Err(no_merge_key(map, key));
        }
    }
    Ok(())
}

pub(super) fn as_object(item: &Value) -> Result<&Object, PatchError> {
    item.as_object().ok_or_else(|| super::wrong_type("map[string]interface {}", item))
}

/// The type of a list's items, as far as merging tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    /// Maps.
    Map,
    /// Scalars.
    Scalar,
}

/// The type that all items of both lists have.
pub(super) fn element_kind(original: &[Value], patch: &[Value]) -> Result<ElementKind, PatchError> {
    let mut items = original.iter().chain(patch);
    let Some(first) = items.next() else {
        return Err(PatchError::Internal("no elements in any of the given slices".to_owned()));
    };
    if first.is_array() {
        return Err(PatchError::Unprocessable("lists of lists are not supported".to_owned()));
    }
    let wanted = go_type(first).go;
    if items.any(|item| go_type(item).go != wanted) {
        let lists = [go_value(&Value::Array(original.to_vec())), go_value(&Value::Array(patch.to_vec()))].join(" ");
        return Err(PatchError::Internal(format!("list element types are not identical: [{lists}]")));
    }
    Ok(if first.is_object() { ElementKind::Map } else { ElementKind::Scalar })
}
