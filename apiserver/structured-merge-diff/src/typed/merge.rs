//! Merging what is said of a value into it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::atom::{Kind, Shape, ascending_entry_type, resolve};
use super::list_items::{has_same_names, path_element};
use super::sides::{check_scalar_sides, zip_entries};
use super::validate::Duplicates;
use crate::fieldpath::PathElement;
use crate::schema::{List, Map, Schema, TypeRef};

/// What comes of merging `rhs` into `lhs`; `None` if that is `lhs` itself.
pub(super) fn merge(
    schema: &Schema,
    type_ref: &TypeRef,
    lhs: &Value,
    rhs: &Value,
) -> Result<Option<Value>, ValidationErrors> {
    match (Walker { schema }).merge(Some(type_ref), Some(lhs), Some(rhs))? {
        Merged::Left => Ok(None),
        Merged::Other(merged) => Ok(Some(merged.unwrap_or(Value::Null))),
    }
}

struct Walker<'a> {
    schema: &'a Schema,
}

/// What comes of two sides. Nothing is copied before something is known to change.
enum Merged {
    /// The left side, which there is, as it is.
    Left,
    /// Another value, or none.
    Other(Option<Value>),
}

/// Leaves are the right side's, where it has them.
fn leaf(lhs: Option<&Value>, said: &Value) -> Merged {
    if lhs == Some(said) { Merged::Left } else { Merged::Other(Some(said.clone())) }
}

impl Walker<'_> {
    fn merge(
        &self,
        type_ref: Option<&TypeRef>,
        lhs: Option<&Value>,
        rhs: Option<&Value>,
    ) -> Result<Merged, ValidationErrors> {
        let Some(said) = rhs else {
            // Nothing is said of it, so it stays as it is.
            return Ok(if lhs.is_some() { Merged::Left } else { Merged::Other(None) });
        };
        let atom = resolve(self.schema, type_ref)?;
        // Where the two sides have different forms, the right one's decides.
        match Shape::of(atom, Some(said)).kind(type_ref)? {
            Kind::Scalar(scalar) => check_scalar_sides(scalar, lhs, rhs).map(|()| leaf(lhs, said)),
            Kind::List(list) => {
                let left = lhs.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let right = said.as_array().map_or(&[][..], Vec::as_slice);
                if list.is_atomic() || (left.is_empty() && right.is_empty()) {
                    return Ok(leaf(lhs, said));
                }
                self.list(list, left, right)
            }
            Kind::Map(map) => {
                let (left, right) = (lhs.and_then(Value::as_object), said.as_object());
                let is_empty = |side: Option<&Object<String, Value>>| side.is_none_or(Object::is_empty);
                if map.is_atomic() || (is_empty(left) && is_empty(right)) {
                    return Ok(leaf(lhs, said));
                }
                self.map(map, left, right)
            }
        }
    }

    fn map(
        &self,
        map: &Map,
        left: Option<&Object<String, Value>>,
        right: Option<&Object<String, Value>>,
    ) -> Result<Merged, ValidationErrors> {
        let mut changed: Vec<(&String, Option<Value>)> = Vec::new();
        let mut errors = ValidationErrors::new();
        let mut entry_type = ascending_entry_type(map);
        for (key, left, right) in zip_entries(left, right) {
            if right.is_none() {
                // Nothing is said of it.
                continue;
            }
            match self.merge(entry_type(key).0, left, right) {
                Ok(Merged::Left) => {}
                Ok(Merged::Other(value)) => changed.push((key, value)),
                Err(below) => errors.extend_under(&format_args!(".{key}"), below),
            }
        }
        errors.into_result()?;
        if changed.is_empty() {
            return Ok(Merged::Left);
        }
        // A map that is made of sorted entries at once is made without a search.
        let mut merged = Vec::with_capacity(left.map_or(0, Object::len) + changed.len());
        let mut changed = changed.into_iter().peekable();
        for (key, value) in left.into_iter().flatten() {
            let before = std::iter::from_fn(|| changed.next_if(|(other, _)| *other < key));
            merged.extend(before.filter_map(|(key, value)| Some((key.clone(), value?))));
            match changed.next_if(|(other, _)| *other == key) {
                Some((_, value)) => merged.extend(value.map(|value| (key.clone(), value))),
                None => merged.push((key.clone(), value.clone())),
            }
        }
        merged.extend(changed.filter_map(|(key, value)| Some((key.clone(), value?))));
        Ok(Merged::Other((!merged.is_empty()).then(|| Value::Object(merged.into_iter().collect()))))
    }

    fn list(&self, list: &List, left: &[Value], right: &[Value]) -> Result<Merged, ValidationErrors> {
        if has_same_names(self.schema, list, left, right) {
            self.pairs(list, left, right)
        } else {
            self.ordered(list, left, right)
        }
    }

    /// Lists of the same items in the same order.
    fn pairs(&self, list: &List, left: &[Value], right: &[Value]) -> Result<Merged, ValidationErrors> {
        let mut changed: Vec<(usize, Option<Value>)> = Vec::new();
        let mut errors = ValidationErrors::new();
        for (at, (left, right)) in left.iter().zip(right).enumerate() {
            match self.merge(Some(&list.element_type), Some(left), Some(right)) {
                Ok(Merged::Left) => {}
                Ok(Merged::Other(value)) => changed.push((at, value)),
                Err(below) => match path_element(self.schema, list, left) {
                    Ok(name) => errors.extend_under(&name, below),
                    Err(error) => errors.push(format!("element {at}: {error}")),
                },
            }
        }
        errors.into_result()?;
        if changed.is_empty() {
            return Ok(Merged::Left);
        }
        let mut merged = Vec::with_capacity(left.len());
        let mut changed = changed.into_iter().peekable();
        for (at, item) in left.iter().enumerate() {
            match changed.next_if(|(other, _)| *other == at) {
                Some((_, value)) => merged.extend(value),
                None => merged.push(item.clone()),
            }
        }
        Ok(Merged::Other((!merged.is_empty()).then_some(Value::Array(merged))))
    }

    /// Items come in the order of the left side, until the right side has its say: items of both sides come in the
    /// right one's order, and those of the left side alone stay near their old neighbours.
    fn ordered(&self, list: &List, left: &[Value], right: &[Value]) -> Result<Merged, ValidationErrors> {
        let mut errors = ValidationErrors::new();
        let rhs = self.index(list, right, Duplicates::Reject, &mut errors);
        let lhs = self.index(list, left, Duplicates::Allow, &mut errors);
        errors.into_result()?;
        let mut errors = ValidationErrors::new();
        let rhs_by_name = by_name(&rhs);
        let lhs_by_name = by_name(&lhs);

        let mut shared = rhs.iter().map(|(name, _)| name).filter(|name| lhs_by_name.contains_key(name));
        let mut next_shared = shared.next();
        let mut merged_names = BTreeSet::new();
        let mut merged = Vec::with_capacity(left.len().max(right.len()));
        let mut merge_item = |name: &PathElement| {
            let (l, r) = (lhs_by_name.get(name).copied(), rhs_by_name.get(name).copied());
            match self.merge(Some(&list.element_type), l, r) {
                Ok(Merged::Left) => l.cloned(),
                Ok(Merged::Other(item)) => item,
                Err(below) => {
                    errors.extend_under(name, below);
                    None
                }
            }
        };

        let (mut l, mut r) = (0, 0);
        while l < lhs.len() || r < rhs.len() {
            if let (Some((name, _)), Some((right_name, _))) = (lhs.get(l), rhs.get(r)) {
                if name == right_name {
                    merged_names.insert(name);
                    merged.extend(merge_item(name));
                    l += 1;
                    r += 1;
                    next_shared = shared.next();
                    continue;
                }
                if rhs_by_name.contains_key(name) && next_shared.is_some_and(|next| next != name) {
                    // Shared, and not the one whose turn it is: it comes when the right side has it.
                    l += 1;
                    continue;
                }
            }
            if let Some((name, item)) = lhs.get(l) {
                if !rhs_by_name.contains_key(name) {
                    merged.push(Value::clone(item));
                    l += 1;
                    continue;
                }
                if merged_names.contains(name) {
                    l += 1;
                }
            }
            if let Some((name, _)) = rhs.get(r) {
                merged_names.insert(name);
                merged.extend(merge_item(name));
                r += 1;
                if next_shared == Some(name) {
                    next_shared = shared.next();
                }
            }
        }
        errors.into_result()?;
        Ok(Merged::Other((!merged.is_empty()).then_some(Value::Array(merged))))
    }

    /// The items with their names, in order.
    fn index<'v>(
        &self,
        list: &List,
        items: &'v [Value],
        duplicates: Duplicates,
        errors: &mut ValidationErrors,
    ) -> Vec<(PathElement, &'v Value)> {
        let mut named: Vec<(PathElement, &Value)> = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            match path_element(self.schema, list, item) {
                Ok(name) => named.push((name, item)),
                Err(err) => errors.push(format!("element {i}: {err}")),
            }
        }
        if duplicates == Duplicates::Reject {
            let mut seen = BTreeSet::new();
            for (name, _) in &named {
                if !seen.insert(name) {
                    errors.push(format!("duplicate entries for key {name}"));
                }
            }
        }
        named
    }
}

/// The items by name. Items that share a name are not merged with: they count as null.
fn by_name<'v>(named: &'v [(PathElement, &'v Value)]) -> BTreeMap<&'v PathElement, &'v Value> {
    static NULL: Value = Value::Null;
    let mut items = BTreeMap::new();
    for (name, item) in named {
        items.entry(name).and_modify(|found| *found = &NULL).or_insert(*item);
    }
    items
}
