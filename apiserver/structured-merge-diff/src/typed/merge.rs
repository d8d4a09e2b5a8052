//! Merging what is said of a value into it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::atom::{Kind, Shape, entry_type, resolve};
use super::list_items::path_element;
use super::sides::{check_scalar_sides, zip_entries};
use super::validate::Duplicates;
use crate::fieldpath::PathElement;
use crate::schema::{List, Map, Schema, TypeRef};

pub(super) fn merge(schema: &Schema, type_ref: &TypeRef, lhs: &Value, rhs: &Value) -> Result<Value, ValidationErrors> {
    let merged = Walker { schema }.merge(Some(type_ref), Some(lhs), Some(rhs))?;
    Ok(merged.unwrap_or(Value::Null))
}

struct Walker<'a> {
    schema: &'a Schema,
}

type Merged = Result<Option<Value>, ValidationErrors>;

/// Leaves are the right side's, where it has them.
fn leaf(lhs: Option<&Value>, rhs: Option<&Value>) -> Merged {
    Ok(rhs.or(lhs).cloned())
}

impl Walker<'_> {
    fn merge(&self, type_ref: Option<&TypeRef>, lhs: Option<&Value>, rhs: Option<&Value>) -> Merged {
        let Some(said) = rhs else {
            // Nothing is said of it, so it stays as it is.
            return Ok(lhs.cloned());
        };
        let atom = resolve(self.schema, type_ref)?;
        // Where the two sides have different forms, the right one's decides.
        match Shape::of(atom, Some(said)).kind(type_ref)? {
            Kind::Scalar(scalar) => check_scalar_sides(scalar, lhs, rhs).and_then(|()| leaf(lhs, rhs)),
            Kind::List(list) => {
                let left = lhs.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let right = said.as_array().map_or(&[][..], Vec::as_slice);
                if list.is_atomic() || (left.is_empty() && right.is_empty()) {
                    return leaf(lhs, rhs);
                }
                self.list(list, left, right)
            }
            Kind::Map(map) => {
                let (left, right) = (lhs.and_then(Value::as_object), said.as_object());
                let is_empty = |side: Option<&Object<String, Value>>| side.is_none_or(Object::is_empty);
                if map.is_atomic() || (is_empty(left) && is_empty(right)) {
                    return leaf(lhs, rhs);
                }
                self.map(map, left, right)
            }
        }
    }

    fn map(&self, map: &Map, left: Option<&Object<String, Value>>, right: Option<&Object<String, Value>>) -> Merged {
        let mut merged = Vec::with_capacity(left.map_or(0, Object::len).max(right.map_or(0, Object::len)));
        let mut errors = ValidationErrors::new();
        for (key, left, right) in zip_entries(left, right) {
            match self.merge(entry_type(map, key).0, left, right) {
                Ok(value) => merged.extend(value.map(|value| (key.clone(), value))),
                Err(below) => errors.extend_under(&format_args!(".{key}"), below),
            }
        }
        errors.into_result()?;
        // A map that is made of sorted entries at once is made without a search.
        Ok((!merged.is_empty()).then(|| Value::Object(merged.into_iter().collect())))
    }

    /// Items come in the order of the left side, until the right side has its say: items of both sides come in the
    /// right one's order, and those of the left side alone stay near their old neighbours.
    fn list(&self, list: &List, left: &[Value], right: &[Value]) -> Merged {
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
                Ok(item) => item,
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
        Ok((!merged.is_empty()).then_some(Value::Array(merged)))
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
