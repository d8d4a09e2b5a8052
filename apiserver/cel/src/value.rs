//! Values at run time. What comes from an object stays where it is and is looked at through its declaration.

mod list;
mod map;

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use crate::decl_type::{DeclKind, DeclType, ListType, ObjectType};
use crate::functions::Opaque;
use crate::functions::time::{Moment, parse_date, parse_date_time, parse_format_duration};
use crate::interpreter::Error;
use crate::types::Type;

pub(crate) use list::List;
pub(crate) use map::Map;

/// The time that Go calls zero, 0001-01-01T00:00:00Z.
const ZERO_TIME: i64 = -62_135_596_800;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Text<'a>),
    Bytes(Arc<[u8]>),
    /// In nanoseconds.
    Duration(i64),
    Timestamp(Moment),
    List(List<'a>),
    Map(Map<'a>),
    Object(&'a JsonMap<String, Json>, &'a ObjectType),
    Optional(Option<Arc<Value<'a>>>),
    Type(Type),
    Opaque(Arc<Opaque>),
}

/// A string, of an object or made.
#[derive(Clone, Debug)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Made(Arc<str>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'a> Value<'a> {
    /// A string that was made.
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Made(text.into()))
    }

    /// A list that was made.
    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Self::List(List::Made(Arc::new(items), &ListType::Atomic))
    }

    /// A library's value.
    pub(crate) fn opaque(opaque: Opaque) -> Self {
        Self::Opaque(Arc::new(opaque))
    }

    /// A JSON value as its declaration has it seen.
    pub(crate) fn of_json(json: &'a Json, of: &'a DeclType) -> Result<Self, Error> {
        let expected = |what: &str| Error::new(format!("invalid data, expected {what}, got {}", go_type(json)));
        let shaped = |what: &str, name: &str| {
            Error::new(format!("invalid data, expected {what} for the provided schema with type={name}"))
        };
        let unreadable = |text: &str, what: &str| Error::new(format!("Invalid {what} {text}"));
        Ok(match (&of.kind, json) {
            (_, Json::Null) if of.nullable => Self::Null,
            (_, Json::Null) => return Err(Error::new("invalid data, got null for schema with nullable=false")),
            (DeclKind::Bool, Json::Bool(value)) => Self::Bool(*value),
            (DeclKind::Int | DeclKind::IntOrString, Json::Number(number)) if number.is_i64() => {
                Self::Int(number.as_i64().unwrap_or_default())
            }
            (DeclKind::Double, Json::Number(number)) => Self::Double(number.as_f64().ok_or_else(|| expected("float"))?),
            (DeclKind::String | DeclKind::IntOrString, Json::String(text)) => Self::String(Text::Borrowed(text)),
            (DeclKind::Bytes, Json::String(text)) => {
                use base64::Engine as _;
                let engine = base64::engine::general_purpose::STANDARD;
                Self::Bytes(engine.decode(text).map_err(|_| unreadable(text, "byte formatted string"))?.into())
            }
            (DeclKind::Duration, Json::String(text)) => {
                Self::Duration(parse_format_duration(text).ok_or_else(|| unreadable(text, "duration"))?)
            }
            (DeclKind::Date, Json::String(text)) => {
                Self::Timestamp(parse_date(text).ok_or_else(|| unreadable(text, "date formatted string"))?)
            }
            (DeclKind::DateTime, Json::String(text)) => {
                Self::Timestamp(parse_date_time(text).ok_or_else(|| unreadable(text, "date-time formatted string"))?)
            }
            (DeclKind::List(element, list_type), Json::Array(items)) => {
                Self::List(List::Json(items, element, list_type))
            }
            (DeclKind::Map(value), Json::Object(entries)) => Self::Map(Map::Json(entries, value)),
            (DeclKind::Object(object), Json::Object(entries)) => Self::Object(entries, object),
            (DeclKind::IntOrString, _) => {
                return Err(Error::new("invalid data, expected XIntOrString value to be either a string or integer"));
            }
            (DeclKind::Bool, _) => return Err(expected("bool")),
            (DeclKind::Int, _) => return Err(expected("int")),
            (DeclKind::Double, _) => return Err(expected("float")),
            (DeclKind::List(..), _) => return Err(shaped("an array", "array")),
            (DeclKind::Map(_) | DeclKind::Object(_), _) => return Err(shaped("a map", "object")),
            _ => return Err(expected("string")),
        })
    }

    /// Its type, as far as a value tells it.
    pub(crate) fn type_of(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Duration(_) => Type::Duration,
            Self::Timestamp(_) => Type::Timestamp,
            Self::List(_) => Type::list(Type::Dyn),
            Self::Map(_) | Self::Object(..) => Type::map(Type::Dyn, Type::Dyn),
            Self::Optional(_) => Type::optional(Type::Dyn),
            Self::Type(_) => Type::Meta(None),
            Self::Opaque(opaque) => Type::Opaque(opaque.type_name(), Vec::new()),
        }
    }

    /// Its size where costs are reckoned: characters, bytes, elements, entries; 1 for all else.
    pub(crate) fn cost_size(&self) -> u64 {
        match self {
            Self::String(text) => text.chars().count() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(list) => list.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Object(object, _) => object.len() as u64,
            Self::Optional(Some(value)) => value.cost_size(),
            Self::Opaque(opaque) => opaque.cost_size(),
            _ => 1,
        }
    }

    /// Whether the two are equal: numbers by their value whatever their type, and values of different types never.
    pub(crate) fn equals(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Int(_) | Self::Uint(_) | Self::Double(_), Value::Int(_) | Value::Uint(_) | Value::Double(_)) => {
                compare_numbers(self, other) == Some(Ordering::Equal)
            }
            (Self::String(a), Value::String(b)) => **a == **b,
            (Self::Bytes(a), Value::Bytes(b)) => a == b,
            (Self::Duration(a), Value::Duration(b)) => a == b,
            (Self::Timestamp(a), Value::Timestamp(b)) => **a == **b,
            (Self::List(a), Value::List(b)) => a.equals(b),
            (Self::Map(a), Value::Map(b)) => {
                let Ok(entries) = a.entries() else { return false };
                a.len() == b.len()
                    && entries.iter().all(|(key, value)| b.get(key).is_some_and(|b| b.is_ok_and(|b| value.equals(&b))))
            }
            (Self::Object(a, of), Value::Object(b, to)) => of.name() == to.name() && same_objects(a, b, of),
            (Self::Optional(a), Value::Optional(b)) => match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => a.equals(b),
                _ => false,
            },
            (Self::Type(a), Value::Type(b)) => a.name() == b.name(),
            (Self::Opaque(a), Value::Opaque(b)) => a.equals(b),
            _ => false,
        }
    }

    /// Which of the two comes first; `None` if they have no order between them.
    pub(crate) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Self::String(a), Value::String(b)) => Some((**a).cmp(&**b)),
            (Self::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Value::Timestamp(b)) => Some((**a).cmp(&**b)),
            _ => compare_numbers(self, other),
        }
    }

    /// Whether it is a number, two of which are comparable whatever they are.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int(_) | Self::Uint(_) | Self::Double(_))
    }

    /// Whether it is the zero of its type.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(value) => !value,
            Self::Int(value) => *value == 0,
            Self::Uint(value) => *value == 0,
            Self::Double(value) => *value == 0.0,
            Self::String(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Duration(nanos) => *nanos == 0,
            Self::Timestamp(time) => time.as_second() == ZERO_TIME && time.subsec_nanosecond() == 0,
            Self::List(list) => list.len() == 0,
            Self::Map(map) => map.len() == 0,
            Self::Optional(value) => value.is_none(),
            _ => false,
        }
    }
}

/// As upstream: fields are compared as they are declared, others as JSON if both have them. A null is not there.
fn same_objects(a: &JsonMap<String, Json>, b: &JsonMap<String, Json>, of: &ObjectType) -> bool {
    let given = |object: &JsonMap<String, Json>, key: &str| object.get(key).is_some_and(|value| !value.is_null());
    a.len() == b.len()
        && a.iter().all(|(key, ours)| {
            let Some(field) = of.fields().find(|field| field.name == *key) else {
                return b.get(key).is_none_or(|theirs| ours == theirs);
            };
            match (given(a, key), given(b, key)) {
                (true, true) => match (Value::of_json(ours, &field.decl), Value::of_json(&b[key], &field.decl)) {
                    (Ok(ours), Ok(theirs)) => ours.equals(&theirs),
                    _ => false,
                },
                (ours, theirs) => ours == theirs,
            }
        })
}

/// What Go calls the type of a JSON value.
fn go_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "<nil>",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_i64() => "int64",
        Json::Number(_) => "float64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    }
}

fn compare_numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Int(a), Value::Double(b)) => compare_whole(i128::from(*a), *b),
        (Value::Uint(a), Value::Double(b)) => compare_whole(i128::from(*a), *b),
        (Value::Double(_), _) => compare_numbers(b, a).map(Ordering::reverse),
        _ => None,
    }
}

fn compare_whole(a: i128, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    if b.abs() >= 2f64.powi(100) {
        return Some(if b > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    Some(match a.cmp(&(b.trunc() as i128)) {
        Ordering::Equal => 0.0f64.partial_cmp(&b.fract())?,
        other => other,
    })
}
