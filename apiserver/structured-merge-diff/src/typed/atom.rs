//! Which of the forms a type allows a value takes.

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use crate::schema::{Atom, List, Map, Scalar, Schema, StructField, TypeRef};

/// The parts of an atom that may apply to a value.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    scalar: Option<Scalar>,
    list: Option<&'a List>,
    map: Option<&'a Map>,
}

/// The part of an atom that does apply.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Scalar(Scalar),
    List(&'a List),
    Map(&'a Map),
}

impl<'a> Shape<'a> {
    /// The one part of the atom that fits the value; all of them when none does (also for null, and for no value).
    pub(super) fn of(atom: &'a Atom, value: Option<&Value>) -> Self {
        let all = Self { scalar: atom.scalar, list: atom.list.as_deref(), map: atom.map.as_deref() };
        let none = Self { scalar: None, list: None, map: None };
        match value {
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) if all.scalar.is_some() => {
                Self { scalar: all.scalar, ..none }
            }
            Some(Value::Array(_)) if all.list.is_some() => Self { list: all.list, ..none },
            Some(Value::Object(_)) if all.map.is_some() => Self { map: all.map, ..none },
            _ => all,
        }
    }

    /// Whether both shapes, of the same atom, have the same parts.
    pub(super) fn same_parts(self, other: Self) -> bool {
        self.scalar.is_some() == other.scalar.is_some()
            && self.list.is_some() == other.list.is_some()
            && self.map.is_some() == other.map.is_some()
    }

    /// The part to go by: a map before a scalar before a list.
    pub(super) fn kind(self, type_ref: Option<&TypeRef>) -> Result<Kind<'a>, ValidationErrors> {
        let kind = self.map.map(Kind::Map).or(self.scalar.map(Kind::Scalar)).or(self.list.map(Kind::List));
        kind.ok_or_else(|| {
            ValidationErrors::of(match type_ref.and_then(TypeRef::name) {
                Some(name) => format!("schema error: invalid atom: named type: {name}"),
                None => "schema error: invalid atom: inlined".to_owned(),
            })
        })
    }
}

/// The atom a reference stands for; an undeclared type stands for the atom that allows nothing.
pub(super) fn resolve<'a>(schema: &'a Schema, type_ref: Option<&'a TypeRef>) -> Result<&'a Atom, ValidationErrors> {
    static NOTHING: Atom = Atom { scalar: None, list: None, map: None };
    match type_ref {
        None => Ok(&NOTHING),
        Some(type_ref) => schema
            .resolve(type_ref)
            .ok_or_else(|| ValidationErrors::of(format!("schema error: no type found matching: {type_ref}"))),
    }
}

/// The form the type gives this value.
pub(super) fn kind_of<'a>(
    schema: &'a Schema,
    type_ref: Option<&'a TypeRef>,
    value: &Value,
) -> Result<Kind<'a>, ValidationErrors> {
    Shape::of(resolve(schema, type_ref)?, Some(value)).kind(type_ref)
}

/// The type of the map's entry `key`, and the declared field it is, if it is one.
pub(super) fn entry_type<'a>(map: &'a Map, key: &str) -> (Option<&'a TypeRef>, Option<&'a StructField>) {
    of_field(map, map.field(key))
}

fn of_field<'a>(map: &'a Map, field: Option<&'a StructField>) -> (Option<&'a TypeRef>, Option<&'a StructField>) {
    match field {
        Some(field) => (Some(&field.type_ref), Some(field)),
        None => (map.element_type(), None),
    }
}

/// [`entry_type`] of keys that are asked for in ascending order.
pub(super) fn ascending_entry_type<'a>(
    map: &'a Map,
) -> impl FnMut(&str) -> (Option<&'a TypeRef>, Option<&'a StructField>) + use<'a> {
    let mut fields = map.ascending();
    move |key| of_field(map, fields.find(key))
}

/// The map's entries, each with its [`entry_type`].
pub(super) fn entry_types<'a>(
    map: &'a Map,
    entries: &'a Object<String, Value>,
) -> impl Iterator<Item = (&'a String, &'a Value, Option<&'a TypeRef>, Option<&'a StructField>)> {
    let mut entry_type = ascending_entry_type(map);
    entries.iter().map(move |(key, value)| {
        let (type_ref, field) = entry_type(key);
        (key, value, type_ref, field)
    })
}
