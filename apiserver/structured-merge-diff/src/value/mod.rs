//! Equality, order and text of values as upstream defines them.
//!
//! Integers and floats are compared by number, so `1` and `1.0` are the same value; [`serde_json::Value`]'s own
//! equality tells them apart.

mod go;

pub(crate) use go::{Debug, Display, Quoted, type_name, write_json, write_json_string};

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// A number as upstream sees it: an integer when it fits 64 signed bits, else a float.
#[derive(Clone, Copy)]
pub(crate) enum Numeric {
    Int(i64),
    Float(f64),
}

impl Numeric {
    pub(crate) fn of(number: &Number) -> Self {
        match number.as_i64() {
            Some(i) => Self::Int(i),
            None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (a, b) => a.as_float().partial_cmp(&b.as_float()).unwrap_or(Ordering::Equal),
        }
    }

    fn as_float(self) -> f64 {
        match self {
            // Rounding is what upstream does when an integer meets a float.
            #[allow(clippy::cast_precision_loss)]
            Self::Int(i) => i as f64,
            Self::Float(f) => f,
        }
    }
}

/// Whether the two values are equal, numbers being compared by number.
pub fn equals(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Numeric::of(a).compare(Numeric::of(b)).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            // Both are sorted by key.
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && equals(a, b))
        }
        (a, b) => a == b,
    }
}

/// A total order over values of all types: numbers, strings, booleans, lists, maps, null.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Numeric::of(a).compare(Numeric::of(b)),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => compare_maps(a, b),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

/// Key by key in lexical order; where the keys part, the map that has run out is the lesser, else the one that has
/// the lesser key.
fn compare_maps(a: &Map<String, Value>, b: &Map<String, Value>) -> Ordering {
    let (mut left, mut right) = (a.iter(), b.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some((ka, a)), Some((kb, b))) => match ka.cmp(kb).then_with(|| compare(a, b)) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

/// Whether the value is null, an empty list or an empty map.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
