//! The names of the items of associative lists and sets.

use std::cmp::Ordering;

use serde_json::Value;

use crate::fieldpath::{KeyField, PathElement};
use crate::schema::{ElementRelationship, List, Schema};
use crate::value::{self, Quoted};

/// The path element of a list's item.
///
/// # Errors
/// When the list's items have no names, or the item lacks what would name it.
pub(super) fn path_element(schema: &Schema, list: &List, item: &Value) -> Result<PathElement, String> {
    if list.element_relationship != ElementRelationship::Associative {
        return Err("invalid indexing of non-associative list".to_owned());
    }
    if list.keys.is_empty() { set_item(item) } else { keyed_item(schema, list, item) }
}

fn set_item(item: &Value) -> Result<PathElement, String> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
        Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
        Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
        scalar => Ok(PathElement::value(scalar.clone())),
    }
}

/// A key that is absent and has no default is left out: the item is another than one where it is set.
fn keyed_item(schema: &Schema, list: &List, item: &Value) -> Result<PathElement, String> {
    let Value::Object(map) = item else {
        return Err(match item {
            Value::Null => "associative list with keys may not have a null element".to_owned(),
            _ => "associative list with keys may not have non-map elements".to_owned(),
        });
    };
    let mut fields = Vec::with_capacity(list.keys.len());
    for key in list.keys.iter() {
        let value = match map.get(&**key) {
            Some(value) => Some(value),
            None => {
                key_default(schema, list, key).map_err(|err| format!("couldn't find default value for {key}: {err}"))?
            }
        };
        if let Some(value) = value {
            fields.push(KeyField { name: key.clone(), value: value.clone() });
        }
    }
    if fields.is_empty() {
        let keys: Vec<String> = list.keys.iter().map(|key| Quoted(key).to_string()).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] \
             (and doesn't have default values for any key fields)",
            keys.join(" ")
        ));
    }
    Ok(PathElement::from_key_fields(fields))
}

fn key_default<'a>(schema: &'a Schema, list: &'a List, key: &str) -> Result<Option<&'a Value>, &'static str> {
    let atom = schema.resolve(&list.element_type).ok_or("invalid elementType for list")?;
    let map = atom.map.as_ref().ok_or("associative list may not have non-map types")?;
    Ok(map.field(key).and_then(|field| field.default.as_ref()))
}

/// Whether both lists have items of the same names in the same order, each once. `false` where only [`path_element`] can tell.
pub(super) fn has_same_names(schema: &Schema, list: &List, left: &[Value], right: &[Value]) -> bool {
    /// In longer lists, looking for a name twice takes too long this way.
    const FEW: usize = 32;
    let name = |item| ItemName::of(schema, list, item);
    left.len() == right.len()
        && left.len() <= FEW
        && left.iter().zip(right).enumerate().all(|(at, (left_item, right_item))| {
            let (Some(left_name), Some(right_name)) = (name(left_item), name(right_item)) else { return false };
            left_name.is(&right_name)
                && left[..at].iter().all(|before| name(before).is_some_and(|before| !before.is(&left_name)))
        })
}

/// The most keys that a name is borrowed of.
const BORROWED_KEYS: usize = 4;

/// What [`path_element`] is of an item, borrowed from it: for comparisons, which need no name of their own.
#[derive(Clone, Copy)]
pub(super) enum ItemName<'a> {
    /// The key fields of an item in the order of the list's keys, which is that of their names.
    Key(&'a List, [Option<&'a Value>; BORROWED_KEYS]),
    /// An element of a set.
    Value(&'a Value),
}

impl<'a> ItemName<'a> {
    /// `None` for an item without a name, and where names are not so simple that they can be borrowed.
    pub(super) fn of(schema: &'a Schema, list: &'a List, item: &'a Value) -> Option<Self> {
        if list.element_relationship != ElementRelationship::Associative {
            return None;
        }
        match item {
            Value::Object(map) if !list.keys.is_empty() => {
                if list.keys.len() > BORROWED_KEYS || !list.keys.is_sorted() {
                    return None;
                }
                let mut values = [None; BORROWED_KEYS];
                for (value, key) in values.iter_mut().zip(list.keys.iter()) {
                    *value = match map.get(&**key) {
                        Some(given) => Some(given),
                        None => key_default(schema, list, key).ok()?,
                    };
                }
                values.iter().any(Option::is_some).then_some(Self::Key(list, values))
            }
            Value::Object(_) | Value::Array(_) | Value::Null => None,
            scalar => list.keys.is_empty().then_some(Self::Value(scalar)),
        }
    }

    /// Whether both, of one list, are the same name.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(_, a), Self::Key(_, b)) => a.iter().zip(b).all(|pair| match pair {
                (Some(a), Some(b)) => value::equals(a, b),
                (None, None) => true,
                _ => false,
            }),
            (Self::Value(a), Self::Value(b)) => value::equals(a, b),
            _ => false,
        }
    }

    /// The order of this name to a path element.
    pub(super) fn cmp_to(&self, element: &PathElement) -> Ordering {
        match (self, element) {
            (Self::Key(list, values), PathElement::Key(fields)) => {
                let own = list.keys.iter().zip(values).filter_map(|(name, value)| Some((name, (*value)?)));
                let mut fields = fields.iter();
                for (name, value) in own {
                    let Some(field) = fields.next() else { return Ordering::Greater };
                    let order = name.cmp(&field.name).then_with(|| value::compare(value, &field.value));
                    if order.is_ne() {
                        return order;
                    }
                }
                if fields.next().is_some() { Ordering::Less } else { Ordering::Equal }
            }
            (Self::Value(a), PathElement::Value(b)) => value::compare(a, b),
            // Field names come first, then keys, values and indexes.
            (_, PathElement::Field(_)) | (Self::Value(_), PathElement::Key(_)) => Ordering::Greater,
            _ => Ordering::Less,
        }
    }
}
