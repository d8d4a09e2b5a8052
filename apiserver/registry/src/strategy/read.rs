//! Typed looks into an object: what is absent or of another type is empty. The schema has refused wrong types before.

use serde_json::{Map, Value};

const NULL: &Value = &Value::Null;

/// A field's value; null if there is none.
pub(super) fn at<'a>(value: &'a Value, field: &str) -> &'a Value {
    value.get(field).unwrap_or(NULL)
}

/// The value at a JSON pointer; null if there is none.
pub(super) fn deep<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(NULL)
}

/// A text, empty if there is none.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    at(value, field).as_str().unwrap_or_default()
}

/// A number, if there is one.
pub(super) fn number(value: &Value, field: &str) -> Option<i64> {
    at(value, field).as_i64()
}

/// A number, 0 if there is none.
pub(super) fn number_or_zero(value: &Value, field: &str) -> i64 {
    number(value, field).unwrap_or(0)
}

/// Whether a field is true.
pub(super) fn flag(value: &Value, field: &str) -> bool {
    at(value, field).as_bool().unwrap_or(false)
}

/// A list, empty if there is none.
pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    at(value, field).as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A list's texts.
pub(super) fn texts<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + Clone {
    list(value, field).iter().map(|item| item.as_str().unwrap_or_default())
}

/// A map's keys and values.
pub(super) fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    at(value, field).as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Whether a field has a value other than null.
pub(super) fn has(value: &Value, field: &str) -> bool {
    !at(value, field).is_null()
}

/// The spec, to be changed.
pub(super) fn spec_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    object.get_mut("spec").and_then(Value::as_object_mut)
}

/// Whether two values mean the same: absent, null, empty lists and empty maps are one.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match (a, b) {
        (a, b) if is_empty(a) && is_empty(b) => true,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| same(value, b.get(key).unwrap_or(NULL)))
                && b.iter().all(|(key, value)| a.contains_key(key) || is_empty(value))
        }
        (a, b) => a == b,
    }
}
