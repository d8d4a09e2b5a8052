//! Values as `json.Marshal` writes them from their Go types, zero values included.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::convert;
use super::internal::{Internal, Source, internals};
use super::order::Declared;
use super::table::{Cardinality, Field, Message, Shape, Type, table};

type Object = Map<String, Value>;

/// A value with its type; without a value the type's zero.
#[derive(Clone, Copy)]
pub(crate) struct Typed<'a> {
    value: Option<&'a Value>,
    form: Form<'a>,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    Pointer(&'a str),
    List(&'a str),
    Map(&'a str),
    Internal(&'static Internal),
    /// A field's: `internal` says which form the types in it have.
    Many {
        cardinality: Cardinality,
        kind: Type,
        internal: bool,
    },
    One {
        kind: Type,
        internal: bool,
    },
    /// No type is known.
    Plain,
}

impl<'a> Typed<'a> {
    /// A value of a type named as in Go.
    pub fn named(name: &'a str, value: &'a Value) -> Self {
        Self { value: Some(value).filter(|value| !value.is_null()), form: Form::named(name) }
    }

    fn field(kind: Type, cardinality: Cardinality, pointer: bool, internal: bool, value: Option<&'a Value>) -> Self {
        let value = value.filter(|value| !value.is_null());
        let form = match cardinality {
            Cardinality::Singular if pointer && value.is_none() => Form::Plain,
            Cardinality::Singular => Form::One { kind, internal },
            _ => Form::Many { cardinality, kind, internal },
        };
        Self { value, form }
    }
}

impl<'a> Form<'a> {
    fn named(name: &'a str) -> Self {
        if let Some(name) = name.strip_prefix('*') {
            return Self::Pointer(name);
        }
        if let Some(name) = name.strip_prefix("[]") {
            return Self::List(name);
        }
        if let Some(name) = name.strip_prefix("map[string]") {
            return Self::Map(name);
        }
        if let Some(internal) = internals().named(name) {
            return Self::Internal(internal);
        }
        let message = |name: &str| name.rsplit_once('.').and_then(|(package, name)| table().index_of(package, name));
        match Type::named(name, message) {
            Some(kind) => Self::One { kind, internal: false },
            None => Self::Plain,
        }
    }
}

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, form } = *self;
        match (form, value) {
            (Form::Pointer(_) | Form::List(_) | Form::Map(_) | Form::Many { .. } | Form::Plain, None) => {
                serializer.serialize_unit()
            }
            (Form::Pointer(name), Some(value)) => Self::named(name, value).serialize(serializer),
            (Form::List(name), Some(Value::Array(items))) => {
                serializer.collect_seq(items.iter().map(|item| Self::named(name, item)))
            }
            (Form::Map(name), Some(Value::Object(entries))) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, Self::named(name, value))))
            }
            (Form::Many { cardinality: Cardinality::Repeated, kind, internal }, Some(Value::Array(items))) => {
                serializer.collect_seq(items.iter().map(|item| one(kind, internal, item)))
            }
            (Form::Many { kind, internal, .. }, Some(Value::Object(entries))) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, one(kind, internal, value))))
            }
            (Form::Internal(internal), None | Some(Value::Object(_))) => {
                let mut map = serializer.serialize_map(None)?;
                internal_fields(internal, value.and_then(Value::as_object), &mut map)?;
                map.end()
            }
            (Form::One { kind: Type::Message(index), internal }, _) => of_message(index, internal, value, serializer),
            (Form::One { kind: Type::Fields, .. }, Some(value)) => Declared::field_set(value).serialize(serializer),
            (Form::One { kind, .. }, None) => zero(kind, serializer),
            (_, Some(value)) => value.serialize(serializer),
        }
    }
}

fn one(kind: Type, internal: bool, value: &Value) -> Typed<'_> {
    Typed::field(kind, Cardinality::Singular, false, internal, Some(value))
}

fn zero<S: Serializer>(kind: Type, serializer: S) -> Result<S::Ok, S::Error> {
    match kind {
        Type::String => serializer.serialize_str(""),
        Type::Quantity => serializer.serialize_str("0"),
        Type::Bool => serializer.serialize_bool(false),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => serializer.serialize_i32(0),
        Type::Bytes | Type::Time | Type::MicroTime | Type::Raw | Type::Fields | Type::Message(_) => {
            serializer.serialize_unit()
        }
    }
}

fn of_message<S: Serializer>(
    index: usize,
    internal: bool,
    value: Option<&Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let message = table().message(index);
    match (message.shape, value) {
        (Shape::Object, None | Some(Value::Object(_))) => {
            let object = value.and_then(Value::as_object);
            let mut map = serializer.serialize_map(None)?;
            match internals().of(index).filter(|_| internal) {
                Some(internal) => internal_fields(internal, object, &mut map)?,
                None => versioned_fields(message, object, &mut map)?,
            }
            map.end()
        }
        (Shape::SchemaOrArray | Shape::SchemaOrBool | Shape::SchemaOrStrings, _) if internal => {
            union(message, value, serializer)
        }
        (_, Some(value)) => Declared::message(index, value).serialize(serializer),
        (_, None) => serializer.serialize_unit(),
    }
}

/// The struct that a union is in the internal types.
fn union<S: Serializer>(message: &Message, value: Option<&Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let schema = message.field_named("schema").map_or(Type::Raw, |field| field.kind);
    let of_schema = |value: Option<&Value>| -> Option<Value> { value.filter(|value| value.is_object()).cloned() };
    let (given, list) = (of_schema(value), value.filter(|value| value.is_array()));
    let pointer = |value| Typed::field(schema, Cardinality::Singular, true, true, value);
    let mut map = serializer.serialize_map(None)?;
    match message.shape {
        Shape::SchemaOrBool => {
            let allows = given.is_some() || value.and_then(Value::as_bool).unwrap_or(false);
            map.serialize_entry("Allows", &allows)?;
            map.serialize_entry("Schema", &pointer(given.as_ref()))?;
        }
        Shape::SchemaOrArray => {
            map.serialize_entry("Schema", &pointer(given.as_ref()))?;
            map.serialize_entry("JSONSchemas", &Typed::field(schema, Cardinality::Repeated, false, true, list))?;
        }
        _ => {
            map.serialize_entry("Schema", &pointer(given.as_ref()))?;
            map.serialize_entry("Property", &list)?;
        }
    }
    map.end()
}

fn internal_fields<M: SerializeMap>(
    internal: &'static Internal,
    object: Option<&Object>,
    map: &mut M,
) -> Result<(), M::Error> {
    let converted = object.map(|object| convert::to_internal(&internal.name, object));
    let object = converted.as_deref();
    for field in &internal.fields {
        let get = |key: &str| object.and_then(|object| object.get(key));
        match (&field.source, field.kind) {
            (Source::Key(key), kind) => {
                let value = Typed::field(kind, field.cardinality, field.pointer, true, get(key));
                map.serialize_entry(field.name, &value)?;
            }
            (Source::Inline(key), Type::Message(index)) => {
                embedded_fields(index, get(key).and_then(Value::as_object), map)?;
            }
            (Source::Embedded, Type::Message(index)) => embedded_fields(index, object, map)?,
            (Source::Whole, Type::Message(index)) => {
                // The object has more fields than the type; they are not asked for.
                let whole = object.map(|object| Value::Object(object.clone()));
                map.serialize_entry(
                    field.name,
                    &Typed::field(Type::Message(index), Cardinality::Singular, false, true, whole.as_ref()),
                )?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn embedded_fields<M: SerializeMap>(index: usize, object: Option<&Object>, map: &mut M) -> Result<(), M::Error> {
    match internals().of(index) {
        Some(internal) => internal_fields(internal, object, map),
        None => versioned_fields(table().message(index), object, map),
    }
}

fn versioned_fields<M: SerializeMap>(
    message: &'static Message,
    object: Option<&Object>,
    map: &mut M,
) -> Result<(), M::Error> {
    for field in &message.fields {
        match field.kind {
            Type::Message(index) if field.inline => versioned_fields(table().message(index), object, map)?,
            _ => {
                let value = object.and_then(|object| object.get(field.name)).filter(|value| !value.is_null());
                if value.is_some() || is_written_empty(field) {
                    let value = Typed::field(field.kind, field.cardinality, field.pointer, false, value);
                    map.serialize_entry(field.name, &value)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether Go writes a field that has nothing: one without omitempty, or a struct, which is never empty.
fn is_written_empty(field: &Field) -> bool {
    let is_struct = matches!(field.kind, Type::Message(_) | Type::Time | Type::MicroTime | Type::Quantity)
        && field.cardinality == Cardinality::Singular
        && !field.pointer;
    !field.omit_zero && (!field.omit_empty || is_struct)
}
