//! Kubernetes' quantities.

use std::cmp::Ordering;

use apimachinery::quantity::{Format, Quantity};

use super::Opaque;
use crate::interpreter::{Error, Result};
use crate::value::Value;

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    match (function, values) {
        ("quantity", [Value::String(text)]) => {
            let quantity = text.parse::<Quantity>().map_err(|error| Error::new(error.to_string()));
            return Some(quantity.map(|quantity| Value::opaque(Opaque::Quantity(quantity))));
        }
        ("isQuantity", [Value::String(text)]) => return Some(Ok(Value::Bool(text.parse::<Quantity>().is_ok()))),
        _ => {}
    }
    let [Value::Opaque(opaque), rest @ ..] = values else { return None };
    let Opaque::Quantity(quantity) = &**opaque else { return None };
    let other = match rest {
        [] => None,
        [Value::Int(int)] => Some(Quantity::new(*int, Format::DecimalSi)),
        [Value::Opaque(other)] => match &**other {
            Opaque::Quantity(other) => Some(other.clone()),
            _ => return None,
        },
        _ => return None,
    };
    Some(Ok(match (function, other) {
        ("sign", None) => Value::Int(i64::from(quantity.sign())),
        ("asApproximateFloat", None) => Value::Double(quantity.as_f64()),
        ("isInteger", None) => Value::Bool(quantity.as_i64().is_some()),
        ("asInteger", None) => match quantity.as_i64() {
            Some(int) => Value::Int(int),
            None => return Some(Err(Error::new("cannot convert value to integer"))),
        },
        ("add", Some(other)) => Value::opaque(Opaque::Quantity(quantity.add(&other))),
        ("sub", Some(other)) => Value::opaque(Opaque::Quantity(quantity.sub(&other))),
        ("isGreaterThan", Some(other)) => Value::Bool(compare(quantity, &other).is_gt()),
        ("isLessThan", Some(other)) => Value::Bool(compare(quantity, &other).is_lt()),
        ("compareTo", Some(other)) => Value::Int(compare(quantity, &other) as i64),
        _ => return None,
    }))
}

fn compare(a: &Quantity, b: &Quantity) -> Ordering {
    a.sub(b).sign().cmp(&0)
}
