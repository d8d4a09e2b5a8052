//! Values at run time. What comes from an object stays where it is and is looked at through its declaration.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map as JsonMap, Value as Json};

use crate::decl_type::{DeclKind, DeclType, ListType, ObjectType};
use crate::functions::Opaque;
use crate::functions::time::{parse_date, parse_date_time, parse_format_duration};
use crate::interpreter::Error;
use crate::types::Type;

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
    Timestamp(Timestamp),
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

/// A list, of an object or made.
#[derive(Clone, Debug)]
pub(crate) enum List<'a> {
    Json(&'a [Json], &'a DeclType, &'a ListType),
    Made(Arc<Vec<Value<'a>>>),
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(items, ..) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<Result<Value<'a>, Error>> {
        match self {
            Self::Json(items, of, _) => items.get(at).map(|item| Value::of_json(item, of)),
            Self::Made(items) => items.get(at).cloned().map(Ok),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, Error>> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// All elements.
    pub(crate) fn to_vec(&self) -> Result<Vec<Value<'a>>, Error> {
        self.iter().collect()
    }

    fn list_type(&self) -> &'a ListType {
        match self {
            Self::Json(_, _, list_type) => list_type,
            Self::Made(_) => &ListType::Atomic,
        }
    }

    pub(crate) fn contains(&self, wanted: &Value<'_>) -> Result<bool, Error> {
        for item in self.iter() {
            if item?.equals(wanted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The two joined, as the left one's kind of list joins: a set takes only what it has not, a map list replaces the
    /// items of the same keys.
    pub(crate) fn join(&self, other: &List<'a>) -> Result<List<'a>, Error> {
        let mut items = self.to_vec()?;
        match self.list_type() {
            ListType::Atomic => items.extend(other.to_vec()?),
            ListType::Set => {
                for item in other.iter() {
                    let item = item?;
                    if !items.iter().any(|known| known.equals(&item)) {
                        items.push(item);
                    }
                }
            }
            ListType::Map(keys) => {
                for item in other.iter() {
                    let item = item?;
                    match items.iter_mut().find(|known| same_keys(known, &item, keys)) {
                        Some(known) => *known = item,
                        None => items.push(item),
                    }
                }
            }
        }
        Ok(List::Made(Arc::new(items)))
    }

    fn equals(&self, other: &List<'_>) -> bool {
        if self.len() != other.len() {
            return false;
        }
        let (Ok(ours), Ok(theirs)) = (self.to_vec(), other.to_vec()) else { return false };
        match self.list_type() {
            ListType::Atomic => ours.iter().zip(&theirs).all(|(a, b)| a.equals(b)),
            ListType::Set => ours.iter().all(|a| theirs.iter().any(|b| a.equals(b))),
            ListType::Map(keys) => ours.iter().all(|a| theirs.iter().any(|b| same_keys(a, b, keys) && a.equals(b))),
        }
    }
}

fn same_keys(a: &Value<'_>, b: &Value<'_>, keys: &[String]) -> bool {
    match (a, b) {
        (Value::Object(a, _), Value::Object(b, _)) => keys.iter().all(|key| a.get(key) == b.get(key)),
        _ => false,
    }
}

/// A map, of an object or made.
#[derive(Clone, Debug)]
pub(crate) enum Map<'a> {
    Json(&'a JsonMap<String, Json>, &'a DeclType),
    Made(Arc<Vec<(Value<'a>, Value<'a>)>>),
}

impl<'a> Map<'a> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Json(entries, _) => entries.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    pub(crate) fn get(&self, key: &Value<'_>) -> Option<Result<Value<'a>, Error>> {
        match (self, key) {
            (Self::Json(entries, of), Value::String(key)) => entries.get(&**key).map(|value| Value::of_json(value, of)),
            (Self::Json(..), _) => None,
            (Self::Made(entries), key) => {
                entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| Ok(value.clone()))
            }
        }
    }

    pub(crate) fn keys(&self) -> Vec<Value<'a>> {
        match self {
            Self::Json(entries, _) => entries.keys().map(|key| Value::String(Text::Borrowed(key))).collect(),
            Self::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    pub(crate) fn entries(&self) -> Result<Vec<(Value<'a>, Value<'a>)>, Error> {
        match self {
            Self::Json(entries, of) => entries
                .iter()
                .map(|(key, value)| Ok((Value::String(Text::Borrowed(key)), Value::of_json(value, of)?)))
                .collect(),
            Self::Made(entries) => Ok(entries.to_vec()),
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
        Self::List(List::Made(Arc::new(items)))
    }

    /// A library's value.
    pub(crate) fn opaque(opaque: Opaque) -> Self {
        Self::Opaque(Arc::new(opaque))
    }

    /// A JSON value as its declaration has it seen.
    pub(crate) fn of_json(json: &'a Json, of: &'a DeclType) -> Result<Self, Error> {
        let invalid = || Error::new("invalid data");
        Ok(match (&of.kind, json) {
            (_, Json::Null) => Self::Null,
            (DeclKind::Bool, Json::Bool(value)) => Self::Bool(*value),
            (DeclKind::Int, Json::Number(number)) => Self::Int(whole(number).ok_or_else(invalid)?),
            (DeclKind::Double, Json::Number(number)) => Self::Double(number.as_f64().ok_or_else(invalid)?),
            (DeclKind::IntOrString, Json::Number(number)) => match whole(number) {
                Some(int) => Self::Int(int),
                None => Self::Double(number.as_f64().ok_or_else(invalid)?),
            },
            (DeclKind::String | DeclKind::IntOrString, Json::String(text)) => Self::String(Text::Borrowed(text)),
            (DeclKind::Bytes, Json::String(text)) => {
                use base64::Engine as _;
                let engine = base64::engine::general_purpose::STANDARD;
                Self::Bytes(engine.decode(text).map_err(|_| invalid())?.into())
            }
            (DeclKind::Duration, Json::String(text)) => {
                let message = || Error::new(format!("invalid duration {text}"));
                Self::Duration(parse_format_duration(text).ok_or_else(message)?)
            }
            (DeclKind::Date, Json::String(text)) => Self::Timestamp(parse_date(text).ok_or_else(invalid)?),
            (DeclKind::DateTime, Json::String(text)) => Self::Timestamp(parse_date_time(text).ok_or_else(invalid)?),
            (DeclKind::List(element, list_type), Json::Array(items)) => {
                Self::List(List::Json(items, element, list_type))
            }
            (DeclKind::Map(value), Json::Object(entries)) => Self::Map(Map::Json(entries, value)),
            (DeclKind::Object(object), Json::Object(entries)) => Self::Object(entries, object),
            _ => return Err(invalid()),
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
            (Self::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Self::List(a), Value::List(b)) => a.equals(b),
            (Self::Map(a), Value::Map(b)) => {
                let Ok(entries) = a.entries() else { return false };
                a.len() == b.len()
                    && entries.iter().all(|(key, value)| b.get(key).is_some_and(|b| b.is_ok_and(|b| value.equals(&b))))
            }
            (Self::Object(a, of), Value::Object(b, to)) => {
                of.name() == to.name()
                    && of.fields().all(|field| match (a.get(&field.name), b.get(&field.name)) {
                        (None, None) => true,
                        (Some(x), Some(y)) => match (Value::of_json(x, &field.decl), Value::of_json(y, &field.decl)) {
                            (Ok(x), Ok(y)) => x.equals(&y),
                            _ => false,
                        },
                        _ => false,
                    })
            }
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
            (Self::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
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
            Self::List(list) => list.len() == 0,
            Self::Map(map) => map.len() == 0,
            Self::Optional(value) => value.is_none(),
            _ => false,
        }
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 9.3e18).then_some(float as i64)
    })
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
