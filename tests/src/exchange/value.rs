//! A JSON value as a person wrote it or a server sent it: keys in their order, numbers as their text.

use std::cmp::Ordering;

/// Any JSON value. Two are equal when they mean the same: the order of keys does not matter, and neither does the way
/// in which a number is written (`1`, `1.0` and `1e0` are equal).
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as its text.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// A map.
    Object(Object),
}

/// A JSON object; its keys are unique and stay in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct Object(Vec<(String, Value)>);

impl Value {
    /// The number `n`.
    pub fn number(n: impl std::fmt::Display) -> Self {
        Self::Number(n.to_string())
    }

    /// Its text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Itself as a map, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Its elements, if it is a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The member `key`, if it is a map that has one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_object()?.get(key)
    }

    /// The part at a JSON pointer (`/metadata/name`, `/items/0`). A negative index counts from the end; slashes at the
    /// ends do not matter.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        segments(pointer).iter().try_fold(self, |value, segment| match value {
            Self::Object(object) => object.get(segment),
            Self::Array(items) => {
                let at: isize = segment.parse().ok()?;
                items.get(if at < 0 { items.len().checked_sub(at.unsigned_abs())? } else { at.unsigned_abs() })
            }
            _ => None,
        })
    }
}

/// The unescaped segments of a JSON pointer; none of the empty pointer.
pub(super) fn segments(pointer: &str) -> Vec<String> {
    let inner = pointer.trim_matches('/');
    if inner.is_empty() {
        return Vec::new();
    }
    inner.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

impl Object {
    /// The member `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets a member: in its place if it is there, else last.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) {
        let key = key.into();
        match self.get_mut(&key) {
            Some(place) => *place = value,
            None => self.0.push((key, value)),
        }
    }

    /// The members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The values in order, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The members by key, in the order of their code points.
    pub fn sorted(&self) -> Vec<(&str, &Value)> {
        let mut members: Vec<_> = self.iter().collect();
        members.sort_by(|a, b| a.0.cmp(b.0));
        members
    }
}

/// Of members with the same key the last counts, in the place of the first.
impl FromIterator<(String, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        let mut places = std::collections::HashMap::new();
        let mut object = Vec::<(String, Value)>::new();
        for (key, value) in members {
            match places.get(&key) {
                Some(&at) => {
                    let place: &mut (String, Value) = &mut object[at];
                    place.1 = value;
                }
                None => {
                    places.insert(key.clone(), object.len());
                    object.push((key, value));
                }
            }
        }
        Self(object)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.sorted() == other.sorted()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b || same_number(a, b),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Integers compare exactly, fractions as binary64, one of each exactly.
fn same_number(a: &str, b: &str) -> bool {
    let integer = |text: &str| text.parse::<i128>().ok();
    let float = |text: &str| text.parse::<f64>().ok();
    let exact = |n: i128, f: f64| f.fract() == 0.0 && f.abs() < 1e38 && f as i128 == n;
    let is_integer = |text: &str| !text.contains(['.', 'e', 'E']);
    match (is_integer(a), is_integer(b)) {
        (true, true) => integer(a).is_some_and(|n| Some(n) == integer(b)),
        (false, false) => float(a).zip(float(b)).is_some_and(|(a, b)| a.partial_cmp(&b) == Some(Ordering::Equal)),
        (true, false) => integer(a).zip(float(b)).is_some_and(|(n, f)| exact(n, f)),
        (false, true) => integer(b).zip(float(a)).is_some_and(|(n, f)| exact(n, f)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::json;

    #[test]
    fn values_are_equal_when_they_mean_the_same() {
        let equal = [
            ("1", "1.0"),
            ("1", "1e0"),
            ("0", "-0"),
            ("0.1", "0.1000000000000000055"),
            ("100", "1E+2"),
            ("99999999999999999999999999999999999999999999", "99999999999999999999999999999999999999999999"),
            (r#"{"a":1,"b":[{}]}"#, r#"{"b":[{}],"a":1.0}"#),
            (r#""\u00e9""#, "\"é\""),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ];
        for (a, b) in equal {
            assert_eq!(json(a).unwrap(), json(b).unwrap(), "{a} and {b}");
        }
        let different = [
            ("1", "\"1\""),
            ("1", "true"),
            ("null", "{}"),
            ("[1,2]", "[2,1]"),
            ("9007199254740993", "9007199254740992.0"),
            ("9007199254740993", "9007199254740992"),
            (r#"{"a":null}"#, "{}"),
        ];
        for (a, b) in different {
            assert_ne!(json(a).unwrap(), json(b).unwrap(), "{a} and {b}");
        }
    }

    #[test]
    fn a_pointer_reaches_members_elements_and_escaped_keys() {
        let value = json(r#"{"items":[{"x/y":{"~":7}},8],"":9}"#).unwrap();
        let cases = [
            ("/items/0/x~1y/~0", Some("7")),
            ("/items/1", Some("8")),
            ("/items/-1", Some("8")),
            ("/items/-3", None),
            ("/items/2", None),
            ("/items/x", None),
            ("/items/1/x", None),
            ("/none", None),
        ];
        for (pointer, expected) in cases {
            assert_eq!(value.pointer(pointer), expected.map(|n| json(n).unwrap()).as_ref(), "{pointer}");
        }
        assert_eq!(value.pointer(""), Some(&value));
    }
}
