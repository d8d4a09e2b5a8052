//! The fields of a value.

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::atom::{Kind, entry_types, kind_of};
use super::list_items::path_element;
use crate::fieldpath::{PathElement, Set};
use crate::schema::{List, Map, Schema, TypeRef};
use crate::value;

/// Every leaf, list item and map entry; struct fields only where they are leaves, null or empty.
pub(super) fn field_set(schema: &Schema, type_ref: &TypeRef, value: &Value) -> Result<Set, ValidationErrors> {
    let mut walker = Walker { schema, errors: ValidationErrors::new() };
    let mut set = Set::new();
    walker.collect(Some(type_ref), value, &mut set);
    walker.errors.into_result()?;
    Ok(set)
}

struct Walker<'a> {
    schema: &'a Schema,
    errors: ValidationErrors,
}

impl Walker<'_> {
    /// Adds what is below the value to `below`; answers whether the value is a leaf.
    fn collect(&mut self, type_ref: Option<&TypeRef>, value: &Value, below: &mut Set) -> bool {
        match (kind_of(self.schema, type_ref, value), value) {
            (Ok(Kind::Scalar(_)), _) => return true,
            (Ok(Kind::Map(map)), _) if map.is_atomic() => return true,
            (Ok(Kind::Map(map)), Value::Object(entries)) => self.map(map, entries, below),
            (Ok(Kind::List(list)), _) if list.is_atomic() => return true,
            (Ok(Kind::List(list)), Value::Array(items)) => self.list(list, items, below),
            (Ok(_), _) => {}
            (Err(errors), _) => self.errors.extend(errors),
        }
        false
    }

    fn map(&mut self, map: &Map, entries: &Object<String, Value>, set: &mut Set) {
        for (key, value, type_ref, field) in entry_types(map, entries) {
            let mut below = Set::new();
            let is_leaf = self.collect(type_ref, value, &mut below);
            let element = PathElement::Field(field.map_or_else(|| key.as_str().into(), |field| field.name.clone()));
            let is_empty = value.is_null() || (value.is_object() && value::is_empty(value));
            if is_leaf || is_empty || field.is_none() {
                set.insert_member(element.clone());
            }
            set.insert_children(element, below);
        }
    }

    /// Items that share a name are owned together, without what is below them. An item without a name, which
    /// removing all its fields leaves behind, is nobody's.
    fn list(&mut self, list: &List, items: &[Value], set: &mut Set) {
        let mut named: Vec<(PathElement, &Value)> =
            items.iter().filter_map(|item| Some((path_element(self.schema, list, item).ok()?, item))).collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        for same in named.chunk_by(|(a, _), (b, _)| a == b) {
            let (element, item) = &same[0];
            set.insert_member(element.clone());
            if same.len() == 1 {
                let mut below = Set::new();
                self.collect(Some(&list.element_type), item, &mut below);
                set.insert_children(element.clone(), below);
            }
        }
    }
}
