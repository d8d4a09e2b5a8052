//! The order of an object's keys in upstream's JSON.

use apimachinery::json::Verbatim;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use structured_merge_diff::PathElement;

use super::names::Names;
use super::table::{Cardinality, Field, Message, Shape, Type, table};

/// A value serialised with the keys of its objects as Go declares their fields; keys that no field has come after them,
/// sorted, as all keys do where there is no type. Field sets that are [texts](apimachinery::field_sets) are written as they are.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    value: &'a Value,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Of(Type),
    /// No type is known of what leads to field sets, by these fields.
    Towards(&'static [&'static str]),
    Untyped,
}

/// The fields that lead to the field sets of an object.
const TO_FIELD_SETS: &[&str] = &["metadata", "managedFields", "fieldsV1"];

impl From<Option<Type>> for Kind {
    fn from(kind: Option<Type>) -> Self {
        kind.map_or(Self::Untyped, Self::Of)
    }
}

impl<'a> Declared<'a> {
    /// An object of the kind that it says it is.
    pub fn object(value: &'a Value) -> Self {
        let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = table().kind_index(text("apiVersion"), text("kind")).map(Type::Message);
        Self { value, kind: kind.map_or(Kind::Towards(TO_FIELD_SETS), Kind::Of) }
    }

    pub(crate) fn message(index: usize, value: &'a Value) -> Self {
        Self { value, kind: Kind::Of(Type::Message(index)) }
    }

    pub(super) fn typed(value: &'a Value, kind: Option<Type>) -> Self {
        Self { value, kind: kind.into() }
    }

    pub(crate) fn field_set(value: &'a Value) -> Self {
        Self { value, kind: Kind::Of(Type::Fields) }
    }

    /// A value of a versioned type by its package and name: `meta.v1`, `ObjectMeta`.
    pub fn of(package: &str, name: &str, value: &'a Value) -> Self {
        Self { value, kind: table().index_of(package, name).map(Type::Message).into() }
    }
}

impl Serialize for Declared<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind {
            Kind::Of(Type::Message(index)) => of_message(table().message(index), self.value, serializer),
            Kind::Of(Type::Fields) => of_field_set(self.value, serializer),
            Kind::Towards(fields) => towards(fields, self.value, serializer),
            Kind::Of(_) | Kind::Untyped => self.value.serialize(serializer),
        }
    }
}

/// A value of no type that is known, in which `fields` lead to field sets.
fn towards<S: Serializer>(fields: &'static [&'static str], value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match (value, fields) {
        (Value::String(text), []) => Verbatim(text).serialize(serializer),
        (Value::Array(items), [_, ..]) => {
            serializer.collect_seq(items.iter().map(|value| Declared { value, kind: Kind::Towards(fields) }))
        }
        (Value::Object(object), [next, rest @ ..]) => serializer.collect_map(object.iter().map(|(key, value)| {
            let kind = if key == next { Kind::Towards(rest) } else { Kind::Untyped };
            (key, Declared { value, kind })
        })),
        _ => value.serialize(serializer),
    }
}

/// The value of a field: one or many of its type.
pub(super) struct OfField<'a> {
    pub field: Option<&'static Field>,
    pub value: &'a Value,
}

impl Serialize for OfField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(field) = self.field.filter(|field| matches!(field.kind, Type::Message(_) | Type::Fields)) else {
            return self.value.serialize(serializer);
        };
        let one = |value| Declared { value, kind: Kind::Of(field.kind) };
        match (field.cardinality, self.value) {
            (Cardinality::Repeated, Value::Array(items)) => serializer.collect_seq(items.iter().map(one)),
            (Cardinality::Map, Value::Object(entries)) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, one(value))))
            }
            _ => one(self.value).serialize(serializer),
        }
    }
}

fn of_message<S: Serializer>(message: &'static Message, value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    let kind_of = |name: &str| message.field_named(name).map(|field| field.kind);
    match (message.shape, value) {
        (Shape::Object, Value::Object(object)) => of_object(message, object, serializer),
        (Shape::Items | Shape::SchemaOrArray, Value::Array(items)) => {
            let kind = kind_of("items").or_else(|| kind_of("schema"));
            let mut sequence = serializer.serialize_seq(Some(items.len()))?;
            for value in items {
                sequence.serialize_element(&Declared::typed(value, kind))?;
            }
            sequence.end()
        }
        (Shape::SchemaOrArray | Shape::SchemaOrBool | Shape::SchemaOrStrings, Value::Object(_)) => {
            Declared::typed(value, kind_of("schema")).serialize(serializer)
        }
        _ => value.serialize(serializer),
    }
}

fn of_object<S: Serializer>(
    message: &'static Message,
    object: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut names = message.names().ascending();
    // The entries that fields have, which of them has each place, and the others.
    let mut entries = Vec::with_capacity(object.len().min(Names::MOST));
    let (mut taken, mut entry_at) = (0_u64, [0_u8; Names::MOST]);
    let mut others = Vec::new();
    for (key, value) in object {
        match (names.find(key), u8::try_from(entries.len())) {
            (Some(name), Ok(at)) => {
                taken |= 1 << name.place;
                entry_at[usize::from(name.place)] = at;
                entries.push((key, OfField { field: name.field, value }));
            }
            _ => others.push((key, value)),
        }
    }
    let mut map = serializer.serialize_map(Some(object.len()))?;
    while taken != 0 {
        let (key, value) = &entries[usize::from(entry_at[taken.trailing_zeros() as usize])];
        map.serialize_entry(key, value)?;
        taken &= taken - 1;
    }
    for (key, value) in others {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

/// A FieldsV1, whose keys are written in the order of the path elements they spell.
fn of_field_set<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    let set = match value {
        Value::Object(set) => set,
        Value::String(text) => return Verbatim(text).serialize(serializer),
        _ => return value.serialize(serializer),
    };
    let of = Declared::field_set;
    if set.keys().all(|key| sorts_as_spelt(key)) {
        return serializer.collect_map(set.iter().map(|(key, value)| (key, of(value))));
    }
    let mut entries: Vec<(&String, &Value)> = set.iter().collect();
    entries.sort_by_cached_key(|(key, _)| Place::of(key));
    serializer.collect_map(entries.into_iter().map(|(key, value)| (key, of(value))))
}

/// Whether a key of a FieldsV1 is among others of which this holds where its text is: `.`, names, and then strings, which
/// have nothing in them that sorts before the quote behind them.
fn sorts_as_spelt(key: &str) -> bool {
    let quotes = match key.as_bytes() {
        [b'.'] | [b'f', b':', ..] => return true,
        [b'k', b':', b'{', b'"', .., b'"', b'}'] => 4,
        [b'v', b':', b'"', .., b'"'] => 2,
        _ => return false,
    };
    key.bytes().filter(|&byte| byte == b'"').count() == quotes
        && !key.bytes().any(|byte| matches!(byte, b' ' | b'!' | b'\\'))
}

/// The place of a key in a FieldsV1: `.`, names, keys of list items, values, positions; keys and values by what they say.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Itself,
    Element(PathElement),
    /// What is no path element comes last.
    Unknown,
}

impl Place {
    fn of(key: &str) -> Self {
        match key {
            "." => Self::Itself,
            _ => key.parse().map_or(Self::Unknown, Self::Element),
        }
    }
}
