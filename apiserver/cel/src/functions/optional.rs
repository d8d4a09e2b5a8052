//! Optional values, and what macros build maps with.

use std::sync::Arc;

use crate::ast::operator;
use crate::interpreter::{Error, Result};
use crate::value::{Map, Value};

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    Some(match (function, values) {
        ("optional.of", [value]) => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        ("optional.ofNonZeroValue", [value]) => {
            Ok(Value::Optional((!value.is_zero()).then(|| Arc::new(value.clone()))))
        }
        ("optional.none", []) => Ok(Value::Optional(None)),
        ("hasValue", [Value::Optional(value)]) => Ok(Value::Bool(value.is_some())),
        ("value", [Value::Optional(Some(value))]) => Ok((**value).clone()),
        ("value", [Value::Optional(None)]) => Err(Error::new("optional.none() dereference")),
        (operator::MAP_INSERT, [Value::Map(map), key, value]) => insert(map, vec![(key.clone(), value.clone())]),
        (operator::MAP_INSERT, [Value::Map(map), Value::Map(other)]) => {
            other.entries().and_then(|entries| insert(map, entries))
        }
        _ => return None,
    })
}

fn insert<'a>(map: &Map<'a>, entries: Vec<(Value<'a>, Value<'a>)>) -> Result<Value<'a>> {
    inserted(map.clone().with(entries)?)
}

/// The map that a loop has made, or why there is none.
pub(crate) fn inserted<'a>(map: Result<Map<'a>, Value<'a>>) -> Result<Value<'a>> {
    match map {
        Ok(map) => Ok(Value::Map(map)),
        Err(key) => Err(Error::new(format!("insert failed: key {} already exists", super::shown(&key)))),
    }
}
