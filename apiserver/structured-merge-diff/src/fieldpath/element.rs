//! One step of a path.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::value;

/// How to choose a child of a container. Cheap to clone: what it holds is shared.
///
/// The order is upstream's: field names, then keys, then values, then indexes.
#[derive(Clone, Debug)]
pub enum PathElement {
    /// A field of a map or struct.
    Field(Arc<str>),
    /// The element of an associative list whose key fields have these values; sorted by name.
    Key(Arc<[KeyField]>),
    /// The element of a set that is this scalar.
    Value(Arc<Value>),
    /// The element of an atomic list at this position.
    Index(i64),
}

/// A key field of an associative list's element, with its value.
#[derive(Clone, Debug)]
pub struct KeyField {
    /// The field's name.
    pub name: Arc<str>,
    /// The field's value.
    pub value: Value,
}

impl PathElement {
    /// A field of a map.
    pub fn field(name: impl Into<Arc<str>>) -> Self {
        Self::Field(name.into())
    }

    /// The element of an associative list with these key fields, in any order.
    pub fn key<N: Into<Arc<str>>, V: Into<Value>>(fields: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::from_key_fields(fields.into_iter().map(|(n, v)| KeyField { name: n.into(), value: v.into() }).collect())
    }

    pub(crate) fn from_key_fields(mut fields: Vec<KeyField>) -> Self {
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        Self::Key(fields.into())
    }

    /// The element of a set.
    pub fn value(value: impl Into<Value>) -> Self {
        Self::Value(Arc::new(value.into()))
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl From<&str> for PathElement {
    /// A field of a map.
    fn from(name: &str) -> Self {
        Self::field(name)
    }
}

impl From<i64> for PathElement {
    /// An element of a list by position.
    fn from(index: i64) -> Self {
        Self::Index(index)
    }
}

impl Ord for PathElement {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) if Arc::ptr_eq(a, b) => Ordering::Equal,
            (Self::Field(a), Self::Field(b)) => a.cmp(b),
            (Self::Key(a), Self::Key(b)) => a.cmp(b),
            (Self::Value(a), Self::Value(b)) => value::compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for PathElement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for PathElement {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for PathElement {}

impl Ord for KeyField {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name).then_with(|| value::compare(&self.value, &other.value))
    }
}

impl PartialOrd for KeyField {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for KeyField {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for KeyField {}

/// `.field`, `[key="value",port=80]`, `[="value"]` or `[0]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                f.write_str("[")?;
                for (i, field) in fields.iter().enumerate() {
                    let separator = if i > 0 { "," } else { "" };
                    write!(f, "{separator}{}={}", field.name, Plain(&field.value))?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", Plain(value)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A value in a path: strings quoted, containers without their own quotes.
struct Plain<'a>(&'a Value);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("null"),
            Value::String(s) => write!(f, "{}", value::Quoted(s)),
            Value::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if i > 0 { "," } else { "" }, Plain(item))?;
                }
                f.write_str("]")
            }
            Value::Object(map) => map.iter().try_for_each(|(k, v)| write!(f, "{k}={}", Plain(v))),
            scalar => write!(f, "{}", value::Display(scalar)),
        }
    }
}
