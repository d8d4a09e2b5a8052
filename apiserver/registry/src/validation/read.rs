//! Reading optional fields of a JSON value as Go reads a struct: what is absent, null or of another type is the zero value.

use serde_json::{Map, Value};

/// A field that is set.
pub(crate) fn present<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    value.get(field).filter(|value| !value.is_null())
}

/// A text that is set, which may be empty.
pub(crate) fn optional_text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// A text, empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    optional_text(value, field).unwrap_or_default()
}

/// A whole number that is set.
pub(crate) fn optional_number(value: &Value, field: &str) -> Option<i64> {
    value.get(field).and_then(Value::as_i64)
}

/// A whole number, 0 where there is none.
pub(crate) fn number(value: &Value, field: &str) -> i64 {
    optional_number(value, field).unwrap_or(0)
}

/// A flag that is set.
pub(crate) fn optional_flag(value: &Value, field: &str) -> Option<bool> {
    value.get(field).and_then(Value::as_bool)
}

/// A flag, false where there is none.
pub(crate) fn flag(value: &Value, field: &str) -> bool {
    optional_flag(value, field).unwrap_or(false)
}

/// A list, empty where there is none.
pub(crate) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a list.
pub(crate) fn texts<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    list(value, field).iter().map(|item| item.as_str().unwrap_or_default())
}

/// A map that is set.
pub(crate) fn map<'a>(value: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    value.get(field).and_then(Value::as_object)
}

/// The entries of a map, by key.
pub(crate) fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    map(value, field).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// An annotation.
pub(crate) fn annotation<'a>(metadata: &'a Value, key: &str) -> Option<&'a str> {
    metadata.get("annotations").and_then(|annotations| annotations.get(key)).and_then(Value::as_str)
}
