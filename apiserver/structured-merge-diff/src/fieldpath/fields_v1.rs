//! The FieldsV1 encoding of a set: a JSON object whose keys are path elements.
//!
//! `f:` is a field's name, `k:` the key fields of an associative list's element, `v:` a set's element and `i:` a
//! position; `.` says that the object's own path is a member too. An object that holds nothing is a member.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::map::Iter as Entries;
use serde_json::ser::{CharEscape, Formatter};
use serde_json::{Map as Object, Value};
use thiserror::Error;

use super::{KeyField, PathElement, Set};
use crate::value::{self, Numeric};

/// Why a path element cannot be read.
#[derive(Debug, Error)]
pub enum PathElementError {
    /// Shorter than a kind and a colon.
    #[error("key must be 2 characters long:")]
    TooShort,
    /// The second character is not a colon.
    #[error("missing colon: {0}")]
    MissingColon(String),
    /// A kind that is not known; a set ignores such elements, as a later version may have meant something by them.
    #[error("unknown path element type")]
    UnknownType,
    /// The value or the key fields are not JSON of the right form.
    #[error("{0}")]
    Json(serde_json::Error),
    /// The index is not a number.
    #[error("{0}")]
    Index(std::num::ParseIntError),
}

impl PathElement {
    /// Appends the element's serialised form: `f:spec`, `k:{"name":"a"}`, `v:1` or `i:0`.
    pub fn serialize_into(&self, out: &mut String) {
        match self {
            Self::Field(name) => {
                out.push_str("f:");
                out.push_str(name);
            }
            Self::Key(fields) => {
                out.push_str("k:{");
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    value::write_json_string(out, &field.name);
                    out.push(':');
                    value::write_json(out, &field.value);
                }
                out.push('}');
            }
            Self::Value(value) => {
                out.push_str("v:");
                value::write_json(out, value);
            }
            Self::Index(index) => {
                out.push_str("i:");
                out.push_str(&index.to_string());
            }
        }
    }
}

impl FromStr for PathElement {
    type Err = PathElementError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (Some(&kind), Some(&separator)) = (s.as_bytes().first(), s.as_bytes().get(1)) else {
            return Err(PathElementError::TooShort);
        };
        if separator != b':' {
            return Err(PathElementError::MissingColon(s.to_owned()));
        }
        // Both are bytes of ASCII when the kind is known, so the slice is at a boundary.
        let content = s.get(2..).unwrap_or_default();
        match kind {
            b'f' => Ok(Self::field(content)),
            b'v' => {
                let mut value = serde_json::from_str(content).map_err(PathElementError::Json)?;
                numbers_as_floats(&mut value);
                Ok(Self::Value(Arc::new(value)))
            }
            b'k' => {
                let fields: Option<Object<String, Value>> =
                    serde_json::from_str(content).map_err(PathElementError::Json)?;
                let fields = fields.unwrap_or_default().into_iter().map(|(name, mut value)| {
                    numbers_as_floats(&mut value);
                    KeyField { name: name.into(), value }
                });
                Ok(Self::from_key_fields(fields.collect()))
            }
            b'i' => content.parse().map(Self::Index).map_err(PathElementError::Index),
            _ => Err(PathElementError::UnknownType),
        }
    }
}

/// Upstream reads every number of a path element as a float, which shows where it prints them.
fn numbers_as_floats(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Numeric::Int(_) = Numeric::of(number)
                && let Some(float) = number.as_f64().and_then(serde_json::Number::from_f64)
            {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(numbers_as_floats),
        Value::Object(map) => map.values_mut().for_each(numbers_as_floats),
        _ => {}
    }
}

impl Set {
    /// The FieldsV1 JSON, with the keys in upstream's order.
    ///
    /// # Errors
    /// None that a set can cause; the signature is the encoder's.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(256);
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut out, UpstreamFormatter))?;
        Ok(out)
    }

    /// The FieldsV1 as a value.
    pub fn to_value(&self) -> Value {
        Node { set: self, is_member: false }.to_value()
    }

    /// Whether `fields` is what [`Set::to_value`] gives, asked without making it. `false` where the keys are in another order
    /// than what they spell: only reading can tell then.
    pub fn is_written_as(&self, fields: &Value) -> bool {
        fields.as_object().is_some_and(|fields| are_written_as(self, fields.iter(), &mut String::new()))
    }

    /// Reads FieldsV1; answers, too, whether [`Set::to_value`] gives the same value again.
    ///
    /// # Errors
    /// As of [`Set::from_json`].
    pub fn from_fields(fields: &Value) -> serde_json::Result<(Self, bool)> {
        // The whole object is no member, whatever it says of itself.
        let mut canonical = fields.get(".").is_none();
        match read_plain(fields, &mut canonical) {
            Some((set, _)) => Ok((set, canonical)),
            // What is out of the ordinary is left to the decoder, which has the words for it.
            None => Ok((Self::deserialize(fields)?, false)),
        }
    }

    /// Reads FieldsV1 JSON. Keys may come in any order.
    ///
    /// # Errors
    /// When the text is not JSON, or a key is not a path element. Elements of an unknown kind are ignored.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }
}

/// Compact, with control characters in the form upstream writes them.
struct UpstreamFormatter;

impl Formatter for UpstreamFormatter {
    fn write_char_escape<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> std::io::Result<()> {
        match escape {
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            other => serde_json::ser::CompactFormatter.write_char_escape(writer, other),
        }
    }
}

impl Serialize for Set {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Node { set: self, is_member: false }.serialize(serializer)
    }
}

/// A set that is below a path, and whether that path is a member.
struct Node<'a> {
    set: &'a Set,
    is_member: bool,
}

impl<'a> Node<'a> {
    /// Whether the node says of itself that it is a member: one with nothing below it need not.
    fn names_itself(&self) -> bool {
        self.is_member && !self.set.is_bare()
    }

    /// The nodes one step below, in order.
    fn steps(&self) -> impl Iterator<Item = (&'a PathElement, Node<'a>)> {
        static EMPTY: Set = Set::EMPTY;
        let mut members = self.set.members.iter().peekable();
        let mut children = self.set.children.iter().peekable();
        std::iter::from_fn(move || {
            let (element, below, is_member) = match (members.peek(), children.peek()) {
                (None, None) => return None,
                (Some(&member), None) => (member, None, true),
                (None, Some(&(child, set))) => (child, Some(set), false),
                (Some(&member), Some(&(child, set))) => match member.cmp(child) {
                    std::cmp::Ordering::Less => (member, None, true),
                    std::cmp::Ordering::Greater => (child, Some(set), false),
                    std::cmp::Ordering::Equal => (child, Some(set), true),
                },
            };
            if is_member {
                members.next();
            }
            if below.is_some() {
                children.next();
            }
            Some((element, Node { set: below.map_or(&EMPTY, |set| set), is_member }))
        })
    }

    fn to_value(&self) -> Value {
        let itself = self.names_itself().then(|| (".".to_owned(), Value::Object(Object::new())));
        let below = self.steps().map(|(element, node)| {
            let mut key = String::new();
            element.serialize_into(&mut key);
            (key, node.to_value())
        });
        Value::Object(itself.into_iter().chain(below).collect())
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static EMPTY: Set = Set::EMPTY;
        let mut map = serializer.serialize_map(None)?;
        if self.names_itself() {
            map.serialize_entry(".", &Node { set: &EMPTY, is_member: true })?;
        }
        let mut key = String::new();
        for (element, node) in self.steps() {
            key.clear();
            element.serialize_into(&mut key);
            map.serialize_entry(&key, &node)?;
        }
        map.end()
    }
}

/// Whether the entries below a path, but for that which says that the path itself is a member, are those of `set`. `room` is for
/// keys.
fn are_written_as(set: &Set, entries: Entries<'_>, room: &mut String) -> bool {
    let (mut members, mut children) = (set.members.iter(), set.children.iter());
    for (key, below) in entries {
        let Value::Object(below) = below else { return false };
        let mut entries = below.iter();
        let itself = entries.clone().next().filter(|(key, _)| *key == ".");
        if let Some((_, itself)) = itself {
            entries.next();
            if !itself.as_object().is_some_and(Object::is_empty) {
                return false;
            }
        }
        let member = if below.is_empty() || itself.is_some() { Some(members.next()) } else { None };
        let child = if below.is_empty() { None } else { Some(children.next()) };
        let (element, set) = match (member, child) {
            (Some(Some(member)), None) => (member, None),
            (None, Some(Some((element, set)))) => (element, Some(set)),
            (Some(Some(member)), Some(Some((element, set)))) if member == element => (member, Some(set)),
            _ => return false,
        };
        if !is_spelt(element, key, room) || set.is_some_and(|set| !are_written_as(set, entries, room)) {
            return false;
        }
    }
    members.next().is_none() && children.next().is_none()
}

/// Whether the element is written as `key`.
fn is_spelt(element: &PathElement, key: &str, room: &mut String) -> bool {
    match element {
        PathElement::Field(name) => key.strip_prefix("f:") == Some(name),
        _ => {
            room.clear();
            element.serialize_into(room);
            room == key
        }
    }
}

/// Reads an object into the set below a path and whether that path is a member. `None` for what is no object of path elements;
/// `canonical` becomes false where the same would be written otherwise.
fn read_plain(fields: &Value, canonical: &mut bool) -> Option<(Set, bool)> {
    let object = fields.as_object()?;
    let mut is_member = object.is_empty();
    if is_member {
        return Some((Set::new(), true));
    }
    let parents = object.values().filter(|below| below.as_object().is_some_and(|below| !below.is_empty())).count();
    let mut set = Set { members: Vec::with_capacity(object.len()), children: Vec::with_capacity(parents) };
    for (key, below) in object {
        if key == "." {
            is_member = true;
            // Of a node with nothing else it says what goes without saying.
            *canonical &= object.len() > 1 && below.as_object().is_some_and(Object::is_empty);
            continue;
        }
        let element = match plain_key(key) {
            Some(element) => element,
            None => {
                let element: PathElement = key.parse().ok()?;
                if !matches!(element, PathElement::Field(_)) {
                    let mut written = String::with_capacity(key.len());
                    element.serialize_into(&mut written);
                    *canonical &= written == *key;
                }
                element
            }
        };
        let (below, child_is_member) = read_plain(below, canonical)?;
        if child_is_member {
            set.insert_member(element.clone());
        }
        set.insert_children(element, below);
    }
    Some((set, is_member))
}

/// The element that `k:{"name":"value"}` spells, which most keys are like: with nothing in the texts that could be written
/// otherwise.
fn plain_key(key: &str) -> Option<PathElement> {
    let is_plain = |text: &str| {
        text.bytes().all(|byte| matches!(byte, 0x20..0x7f) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&'))
    };
    let (name, value) = key.strip_prefix("k:{\"")?.strip_suffix("\"}")?.split_once("\":\"")?;
    (is_plain(name) && is_plain(value)).then(|| PathElement::key([(name, value)]))
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(NodeSeed.deserialize(deserializer)?.0)
    }
}

/// Reads an object into the set below a path and whether that path is a member.
struct NodeSeed;

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = (Set, bool);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed {
    type Value = (Set, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of path elements")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok((Set::new(), true))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut set = Set::new();
        let mut is_member = false;
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if key == "." {
                is_member = true;
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let element: PathElement = match key.parse() {
                Ok(element) => element,
                Err(PathElementError::UnknownType) => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Err(err) => return Err(de::Error::custom(format_args!("parsing key as path element: {err}"))),
            };
            let (below, child_is_member) = map.next_value_seed(NodeSeed)?;
            if child_is_member {
                set.insert_member(element.clone());
            }
            set.insert_children(element, below);
        }
        let is_member = is_member || set.is_empty();
        Ok((set, is_member))
    }
}

/// A key, borrowed from the text where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path element")
            }

            fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }

            fn visit_string<E: de::Error>(self, key: String) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
