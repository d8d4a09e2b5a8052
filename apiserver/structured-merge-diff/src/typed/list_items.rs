//! The names of the items of associative lists and sets.

use serde_json::Value;

use crate::fieldpath::{KeyField, PathElement};
use crate::schema::{ElementRelationship, List, Schema};
use crate::value::Quoted;

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
