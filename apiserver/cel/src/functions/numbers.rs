//! Arithmetic, order, and conversions between the plain types.

use std::cmp::Ordering;

use jiff::SignedDuration;

use super::{Opaque, conversion, text_format, time};
use crate::interpreter::{Error, Result};
use crate::value::Value;

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    match (function, values) {
        ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) => order(function, a, b),
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(function, a, b),
        ("-_", [Value::Int(value)]) => Some(value.checked_neg().map(Value::Int).ok_or_else(int_overflow)),
        ("-_", [Value::Double(value)]) => Some(Ok(Value::Double(-value))),
        ("int", [value]) => Some(to_int(value)),
        ("uint", [value]) => Some(to_uint(value)),
        ("double", [value]) => Some(to_double(value)),
        ("bool", [value]) => Some(to_bool(value)),
        ("string", [value]) => Some(to_string(value)),
        ("bytes", [Value::String(text)]) => Some(Ok(Value::Bytes(text.as_bytes().into()))),
        ("bytes", [value @ Value::Bytes(_)]) => Some(Ok(value.clone())),
        _ => None,
    }
}

fn int_overflow() -> Error {
    Error::new("integer overflow")
}

fn order<'a>(function: &str, a: &Value<'a>, b: &Value<'a>) -> Option<Result<Value<'a>>> {
    let comparable = a.is_number() && b.is_number() || a.compare(b).is_some();
    if !comparable {
        return None;
    }
    let Some(found) = a.compare(b) else {
        return Some(Err(Error::new("NaN values cannot be ordered")));
    };
    Some(Ok(Value::Bool(match function {
        "_<_" => found == Ordering::Less,
        "_<=_" => found != Ordering::Greater,
        "_>_" => found == Ordering::Greater,
        _ => found != Ordering::Less,
    })))
}

fn arithmetic<'a>(function: &str, a: &Value<'a>, b: &Value<'a>) -> Option<Result<Value<'a>>> {
    let ints = |found: Option<i64>| found.map(Value::Int).ok_or_else(int_overflow);
    let zero = |what: &str| Err(Error::new(format!("{what} by zero")));
    Some(match (function, a, b) {
        ("_+_", Value::Int(a), Value::Int(b)) => ints(a.checked_add(*b)),
        ("_-_", Value::Int(a), Value::Int(b)) => ints(a.checked_sub(*b)),
        ("_*_", Value::Int(a), Value::Int(b)) => ints(a.checked_mul(*b)),
        ("_/_", Value::Int(_), Value::Int(0)) | ("_/_", Value::Uint(_), Value::Uint(0)) => zero("division"),
        ("_%_", Value::Int(_), Value::Int(0)) | ("_%_", Value::Uint(_), Value::Uint(0)) => zero("modulus"),
        ("_/_", Value::Int(a), Value::Int(b)) => ints(a.checked_div(*b)),
        ("_%_", Value::Int(a), Value::Int(b)) => ints(a.checked_rem(*b)),
        (_, Value::Uint(a), Value::Uint(b)) => {
            let found = match function {
                "_+_" => a.checked_add(*b),
                "_-_" => a.checked_sub(*b),
                "_*_" => a.checked_mul(*b),
                "_/_" => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            found.map(Value::Uint).ok_or_else(|| Error::new("unsigned integer overflow"))
        }
        (_, Value::Double(a), Value::Double(b)) if function != "_%_" => Ok(Value::Double(match function {
            "_+_" => a + b,
            "_-_" => a - b,
            "_*_" => a * b,
            _ => a / b,
        })),
        ("_+_", Value::String(a), Value::String(b)) => Ok(Value::text([&**a, &**b].concat())),
        ("_+_", Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([&**a, &**b].concat().into())),
        ("_+_", Value::List(a), Value::List(b)) => a.clone().join(b).map(Value::List),
        ("_+_", Value::Duration(a), Value::Duration(b)) => durations(a.checked_add(*b)),
        ("_-_", Value::Duration(a), Value::Duration(b)) => durations(a.checked_sub(*b)),
        ("_+_", Value::Timestamp(at), Value::Duration(by)) | ("_+_", Value::Duration(by), Value::Timestamp(at)) => {
            shifted(*at, *by)
        }
        ("_-_", Value::Timestamp(at), Value::Duration(by)) => match by.checked_neg() {
            Some(by) => shifted(*at, by),
            None => Err(Error::new("duration overflow")),
        },
        ("_-_", Value::Timestamp(a), Value::Timestamp(b)) => {
            durations(i64::try_from(a.duration_since(**b).as_nanos()).ok())
        }
        _ => return None,
    })
}

fn durations<'a>(nanos: Option<i64>) -> Result<Value<'a>> {
    nanos.map(Value::Duration).ok_or_else(|| Error::new("duration overflow"))
}

fn shifted<'a>(at: time::Moment, by: i64) -> Result<Value<'a>> {
    let found = at.moved(SignedDuration::from_nanos(by));
    found.filter(|at| time::in_range(**at)).map(Value::Timestamp).ok_or_else(|| Error::new("timestamp overflow"))
}

fn to_int<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    match value {
        Value::Int(value) => Ok(Value::Int(*value)),
        Value::Uint(value) => i64::try_from(*value).map(Value::Int).map_err(|_| int_overflow()),
        Value::Double(value) if value.is_finite() && value.abs() < 9_223_372_036_854_775_807.0 => {
            Ok(Value::Int(value.trunc() as i64))
        }
        Value::Double(_) => Err(int_overflow()),
        Value::Duration(nanos) => Ok(Value::Int(*nanos)),
        Value::Timestamp(at) => Ok(Value::Int(at.as_second())),
        Value::String(text) => go_int(text).map(Value::Int).ok_or_else(|| conversion("string", "int")),
        _ => Err(Error::no_overload()),
    }
}

/// An integer as Go parses it: a plus sign is taken, spaces are not.
fn go_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn to_uint<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    let overflow = || Error::new("unsigned integer overflow");
    match value {
        Value::Uint(value) => Ok(Value::Uint(*value)),
        Value::Int(value) => u64::try_from(*value).map(Value::Uint).map_err(|_| overflow()),
        Value::Double(value) if *value >= 0.0 && *value < 18_446_744_073_709_551_615.0 => {
            Ok(Value::Uint(value.trunc() as u64))
        }
        Value::Double(_) => Err(overflow()),
        Value::String(text) if text.starts_with('+') => Err(conversion("string", "uint")),
        Value::String(text) => text.parse().map(Value::Uint).map_err(|_| conversion("string", "uint")),
        _ => Err(Error::no_overload()),
    }
}

fn to_double<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    match value {
        Value::Double(value) => Ok(Value::Double(*value)),
        Value::Int(value) => Ok(Value::Double(*value as f64)),
        Value::Uint(value) => Ok(Value::Double(*value as f64)),
        Value::String(text) => match text.parse::<f64>() {
            Ok(value)
                if value.is_finite()
                    || text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with(['i', 'n']) =>
            {
                Ok(Value::Double(value))
            }
            _ => Err(conversion("string", "double")),
        },
        _ => Err(Error::no_overload()),
    }
}

fn to_bool<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) => match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(conversion("string", "bool")),
        },
        _ => Err(Error::no_overload()),
    }
}

fn to_string<'a>(value: &Value<'a>) -> Result<Value<'a>> {
    match value {
        Value::String(_) => Ok(value.clone()),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::text(text)),
            Err(_) => Err(Error::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Double(_)
        | Value::Duration(_)
        | Value::Timestamp(_) => Ok(Value::text(text_format::plain(value))),
        Value::Opaque(opaque) => match &**opaque {
            Opaque::Address(address) => Ok(Value::text(address.to_string())),
            Opaque::Network(network) => Ok(Value::text(network.to_string())),
            _ => Err(Error::no_overload()),
        },
        _ => Err(Error::no_overload()),
    }
}
