//! The order of a merged list: `$setElementOrder` before the patch's order before the live one.

use std::collections::HashMap;

use serde_json::Value;

use super::list::{self, ElementKind, as_object, check_merge_keys, element_kind};
use super::{Lookup, Object, PATCH, SET_ELEMENT_ORDER, directed_key, lookup, no_merge_key, wrong_type};
use crate::patch::PatchError;
use crate::quote::go_value;

/// The place of each item in a list, by its merge key or, for scalars, by itself.
pub(super) struct Order<'a> {
    key: Option<&'a str>,
    places: HashMap<Value, usize>,
}

impl<'a> Order<'a> {
    /// The order of a list of scalars.
    pub(super) fn of_scalars(list: &[Value]) -> Self {
        Self::new(list.iter().cloned(), None)
    }

    /// The order of a list of maps.
    ///
    /// # Errors
    /// An item is no map or has no key.
    pub(super) fn of_maps<'v>(list: impl IntoIterator<Item = &'v Value>, key: &'a str) -> Result<Self, PatchError> {
        let mut values = Vec::new();
        for item in list {
            let map = as_object(item)?;
            values.push(map.get(key).ok_or_else(|| no_merge_key(map, key))?.clone());
        }
        Ok(Self::new(values.into_iter(), Some(key)))
    }

    fn new(values: impl Iterator<Item = Value>, key: Option<&'a str>) -> Self {
        let mut places = HashMap::new();
        for (i, value) in values.enumerate() {
            places.entry(value).or_insert(i);
        }
        Self { key, places }
    }

    fn place(&self, item: &Value) -> Option<usize> {
        let value = match self.key {
            Some(key) => item.get(key)?,
            None => item,
        };
        self.places.get(value).copied()
    }
}

/// Orders a merged list: the items of `wanted` in that order, the others as in `live`; where the two meet, an item of
/// the others comes first if it did so in the live list.
pub(super) fn interleave(merged: Vec<Value>, wanted: &Order<'_>, live: &Order<'_>) -> Result<Vec<Value>, PatchError> {
    let (mut first, mut others): (Vec<_>, Vec<_>) = merged.into_iter().partition(|item| wanted.place(item).is_some());
    sort(&mut first, wanted);
    sort(&mut others, live);
    let mut ordered = Vec::with_capacity(first.len() + others.len());
    let mut others = others.into_iter().peekable();
    for item in first {
        let place = live.place(&item);
        while others.peek().and_then(|other| live.place(other)).is_some_and(|other| Some(other) < place) {
            ordered.extend(others.next());
        }
        ordered.push(item);
    }
    ordered.extend(others);
    Ok(ordered)
}

/// Puts items in an order. Upstream's comparison says "before" of anything the order does not have, which turns a
/// short list of such items round.
fn sort(items: &mut [Value], order: &Order<'_>) {
    const UPSTREAMS_BLOCK: usize = 20;
    let all_have_a_place = items.iter().all(|item| order.place(item).is_some());
    if all_have_a_place || items.len() > UPSTREAMS_BLOCK {
        items.sort_by_key(|item| order.place(item).unwrap_or(usize::MAX));
        return;
    }
    for i in 1..items.len() {
        let mut j = i;
        while j > 0 {
            let before = match (order.place(&items[j]), order.place(&items[j - 1])) {
                (Some(this), Some(previous)) => this < previous,
                _ => true,
            };
            if !before {
                break;
            }
            items.swap(j, j - 1);
            j -= 1;
        }
    }
}

/// Merges the list that a `$setElementOrder/name` directive is for, and orders it. Answers the list's name.
pub(super) fn merge_in_order<'a>(
    original: &mut Object,
    patch: &Object,
    directive: &'a str,
    order: &Value,
    schema: &dyn Lookup,
) -> Result<&'a str, PatchError> {
    const BAD_FORMAT: &str = "invalid patch format of setElementOrder list";
    let order = order.as_array().ok_or_else(|| wrong_type("[]interface {}", order))?;
    let name = directed_key(directive, SET_ELEMENT_ORDER, BAD_FORMAT)?;
    let as_list = |value: &Value| match value {
        Value::Array(list) => Ok(list.clone()),
        other => Err(wrong_type("[]interface {}", other)),
    };
    let live = original.get(name).map(as_list).transpose()?;
    let patched = patch.get(name).map(as_list).transpose()?;
    let field = lookup(schema, name)?;
    let key = field.key();
    check_order(patched.as_deref().unwrap_or_default(), order, key)?;

    let mut live_items = live.clone().unwrap_or_default();
    let merged = match (live, &patched) {
        (None, None) => return Ok(name),
        (Some(live), None) => live,
        (None, Some(patched)) => without_directives(patched),
        (Some(live), Some(patched)) if field.strategy.merge => {
            let merged = list::merge(live, patched, &field, false)?;
            // What the patch deleted is no longer in the live order.
            let deleted = patched.iter().filter(|item| item.get(PATCH).is_some()).filter_map(|item| item.get(key));
            for value in deleted {
                live_items.retain(|item| item.get(key) != Some(value));
            }
            merged
        }
        (Some(_), Some(patched)) => patched.clone(),
    };
    let kind = element_kind(&live_items, patched.as_deref().unwrap_or_default())?;
    let ordered = if kind == ElementKind::Map && !key.is_empty() {
        check_merge_keys(&merged, key)?;
        interleave(merged, &Order::of_maps(order, key)?, &Order::of_maps(&live_items, key)?)?
    } else {
        interleave(merged, &Order::of_scalars(order), &Order::of_scalars(&live_items))?
    };
    original.insert(name.to_owned(), Value::Array(ordered));
    Ok(name)
}

/// A list that has nothing to be merged into, without the objects that hold a directive; nulls stay.
fn without_directives(list: &[Value]) -> Vec<Value> {
    fn kept(value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) if map.contains_key(PATCH) => None,
            Value::Object(map) => {
                let kept = map.iter().filter_map(|(key, value)| kept(value).map(|value| (key.clone(), value)));
                Some(Value::Object(kept.collect()))
            }
            Value::Array(list) => Some(Value::Array(without_directives(list))),
            scalar => Some(scalar.clone()),
        }
    }
    list.iter().filter_map(kept).collect()
}

/// The items of a patch, deletions aside, must be among those of the order and come in that order.
fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut wanted = order.iter();
    for item in patch {
        if !key.is_empty() && as_object(item)?.get(PATCH).and_then(Value::as_str) == Some("delete") {
            continue;
        }
        if item.get(PATCH).is_some() {
            continue;
        }
        let mut found = false;
        for next in wanted.by_ref() {
            if have_same_key(item, next, key)? {
                found = true;
                break;
            }
        }
        if !found {
            return Err(PatchError::Internal(format!(
                "The order in patch list:\n{}\n doesn't match {SET_ELEMENT_ORDER} list:\n{}\n",
                go_value(&Value::Array(patch.to_vec())),
                go_value(&Value::Array(order.to_vec()))
            )));
        }
    }
    Ok(())
}

fn have_same_key(a: &Value, b: &Value, key: &str) -> Result<bool, PatchError> {
    if key.is_empty() {
        return Ok(a == b);
    }
    let (a, b) = (as_object(a)?, as_object(b)?);
    let (of_a, of_b) =
        (a.get(key).ok_or_else(|| no_merge_key(a, key))?, b.get(key).ok_or_else(|| no_merge_key(b, key))?);
    Ok(of_a == of_b)
}
