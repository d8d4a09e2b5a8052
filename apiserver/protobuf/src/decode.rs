//! From a kind's message to the JSON that Go's encoding of the same object shows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use crate::envelope::{Envelope, MAGIC, content, text};
use crate::error::DecodeError;
use crate::timestamp;
use crate::wire::{Reader, Wire};
use schema::types::{Cardinality, Field, Message, Shape, Table, Type};

/// JSON of more levels cannot be read back by the parser of objects.
const MAX_DEPTH: usize = 127;

/// Two bytes of a message can become an object of many values; an object as large as the store takes has fewer than this.
const MAX_VALUES: usize = 250_000;

type Object = Map<String, Value>;

pub(crate) struct Decoder {
    table: &'static Table,
    values_left: usize,
}

impl Decoder {
    pub fn new(table: &'static Table) -> Decoder {
        Decoder { table, values_left: MAX_VALUES }
    }

    /// The object in an envelope, which takes the given apiVersion and kind where it names none.
    pub fn envelope(&mut self, bytes: &[u8], default: (&str, &str), depth: usize) -> Result<Value, DecodeError> {
        let envelope = Envelope::open(bytes)?;
        let api_version = if envelope.api_version.is_empty() { default.0 } else { envelope.api_version };
        let kind = if envelope.kind.is_empty() { default.1 } else { envelope.kind };
        if kind.is_empty() {
            return Err(DecodeError::MissingKind);
        }
        if api_version.is_empty() {
            return Err(DecodeError::MissingVersion);
        }
        let message = self
            .table
            .kind(api_version, kind)
            .ok_or_else(|| DecodeError::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() })?;
        let mut object = Object::new();
        self.message(message, envelope.raw, depth, &mut object)?;
        object.insert("apiVersion".into(), api_version.into());
        object.insert("kind".into(), kind.into());
        Ok(Value::Object(object))
    }

    /// Merges a message into an object of the given depth, and completes it.
    fn message(&mut self, message: &Message, bytes: &[u8], depth: usize, into: &mut Object) -> Result<(), DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        self.fields(message, bytes, depth, into)?;
        self.complete(message, into)
    }

    fn fields(&mut self, message: &Message, bytes: &[u8], depth: usize, into: &mut Object) -> Result<(), DecodeError> {
        let mut reader = Reader::new(message.name, bytes);
        while let Some((number, wire)) = reader.field()? {
            let Some(field) = message.field(number) else { continue };
            self.count()?;
            match (field.cardinality, field.kind) {
                (Cardinality::Repeated, _) => {
                    let item = self.value(field, wire, depth + 2)?;
                    match into.get_mut(field.name) {
                        Some(Value::Array(items)) => items.push(item),
                        _ => drop(into.insert(field.name.to_owned(), Value::Array(vec![item]))),
                    }
                }
                (Cardinality::Map, _) => {
                    let (key, value) = self.entry(field, content(field.name, wire)?, depth + 2)?;
                    match into.get_mut(field.name) {
                        Some(Value::Object(entries)) => drop(entries.insert(key, value)),
                        _ => {
                            let entries = Object::from_iter([(key, value)]);
                            into.insert(field.name.to_owned(), Value::Object(entries));
                        }
                    }
                }
                (Cardinality::Singular, Type::Message(index)) if field.inline => {
                    self.fields(self.table.message(index), content(message.name, wire)?, depth, into)?;
                }
                (Cardinality::Singular, Type::Message(index))
                    if self.table.message(index).shape == Shape::Object && into.contains_key(field.name) =>
                {
                    // A message sent in parts is the sum of them.
                    if let Some(Value::Object(object)) = into.get_mut(field.name) {
                        self.message(self.table.message(index), content(field.name, wire)?, depth + 1, object)?;
                    }
                }
                (Cardinality::Singular, _) => {
                    let value = self.value(field, wire, depth + 1)?;
                    if is_omitted(field, &value) {
                        into.remove(field.name);
                    } else {
                        into.insert(field.name.to_owned(), value);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the fields that Go's JSON shows although the message did not bring them.
    fn complete(&mut self, message: &Message, into: &mut Object) -> Result<(), DecodeError> {
        for field in &message.fields {
            if let (true, Type::Message(index)) = (field.inline, field.kind) {
                self.complete(self.table.message(index), into)?;
                continue;
            }
            let absent = field.pointer || field.cardinality != Cardinality::Singular || field.kind == Type::Bytes;
            if (absent && field.omit_empty) || into.contains_key(field.name) {
                continue;
            }
            let value = if absent { Value::Null } else { self.zero(field)? };
            if !is_omitted(field, &value) {
                self.count()?;
                into.insert(field.name.to_owned(), value);
            }
        }
        Ok(())
    }

    fn zero(&mut self, field: &Field) -> Result<Value, DecodeError> {
        Ok(match field.kind {
            Type::String => Value::String(String::new()),
            Type::Bool => Value::Bool(false),
            Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => 0.into(),
            Type::Quantity => "0".into(),
            Type::Bytes | Type::Time | Type::MicroTime | Type::Raw | Type::Fields => Value::Null,
            // Depth needs no count: no message holds itself but by pointers, lists and maps.
            Type::Message(index) => self.shaped(field, self.table.message(index), &[], 0)?,
        })
    }

    fn entry(&mut self, field: &Field, bytes: &[u8], depth: usize) -> Result<(String, Value), DecodeError> {
        let mut key = "";
        let mut value = None;
        let mut reader = Reader::new("entry", bytes);
        while let Some((number, wire)) = reader.field()? {
            match number {
                1 => key = text(field.name, content(field.name, wire)?)?,
                2 => value = Some(wire),
                _ => {}
            }
        }
        let value = match value {
            Some(wire) => self.value(field, wire, depth)?,
            None => self.zero(field)?,
        };
        Ok((key.to_owned(), value))
    }

    /// One value of a field's type, which would stand at the given depth if it were an object.
    fn value(&mut self, field: &Field, wire: Wire<'_>, depth: usize) -> Result<Value, DecodeError> {
        let name = field.name;
        let wrong = || DecodeError::WrongWireType { field: name, wire_type: wire.wire_type() };
        let varint = || if let Wire::Varint(value) = wire { Ok(value) } else { Err(wrong()) };
        Ok(match field.kind {
            Type::String => text(name, content(name, wire)?)?.into(),
            Type::Bytes => STANDARD.encode(content(name, wire)?).into(),
            Type::Bool => Value::Bool(varint()? != 0),
            Type::Int32 => (varint()? as i32).into(),
            Type::Int64 => (varint()? as i64).into(),
            Type::Double => match wire {
                Wire::Fixed64(bits) => double(name, f64::from_bits(bits))?,
                _ => return Err(wrong()),
            },
            Type::Time => time(name, content(name, wire)?, false)?,
            Type::MicroTime => time(name, content(name, wire)?, true)?,
            Type::Quantity => quantity(name, content(name, wire)?)?,
            Type::IntOrString => int_or_string(name, content(name, wire)?)?,
            Type::Raw | Type::Fields => self.raw(name, content(name, wire)?, depth)?,
            Type::Message(index) => self.shaped(field, self.table.message(index), content(name, wire)?, depth)?,
        })
    }

    /// A message in its JSON form.
    fn shaped(&mut self, field: &Field, message: &Message, bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
        let mut object = Object::new();
        if message.shape == Shape::Object {
            self.message(message, bytes, depth, &mut object)?;
            return Ok(Value::Object(object));
        }
        if depth > MAX_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        // The union or list itself is no level of the JSON.
        self.fields(message, bytes, depth.saturating_sub(1), &mut object)?;
        let mut take = |name| object.remove(name).filter(|value| !value.is_null());
        Ok(match message.shape {
            Shape::Items => take("items").unwrap_or_else(|| Value::Array(Vec::new())),
            Shape::SchemaOrArray => take("jSONSchemas").or_else(|| take("schema")).unwrap_or(Value::Null),
            Shape::SchemaOrBool => take("schema").or_else(|| take("allows")).unwrap_or(Value::Bool(false)),
            Shape::SchemaOrStrings => take("property").or_else(|| take("schema")).unwrap_or(Value::Null),
            Shape::Object => return Err(DecodeError::Invalid { field: field.name, detail: "no union".into() }),
        })
    }

    /// JSON inside a message, or another envelope.
    fn raw(&mut self, name: &'static str, bytes: &[u8], depth: usize) -> Result<Value, DecodeError> {
        let json = only_field(name, bytes)?;
        if json.is_empty() {
            return Ok(Value::Null);
        }
        if json.starts_with(MAGIC) {
            return self.envelope(json, ("", ""), depth);
        }
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| DecodeError::Invalid { field: name, detail: error.to_string() })?;
        if depth.saturating_sub(1) + levels(&value) > MAX_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        Ok(value)
    }

    fn count(&mut self) -> Result<(), DecodeError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(DecodeError::TooLarge)?;
        Ok(())
    }
}

/// Whether Go's JSON leaves this value of a singular field out.
fn is_omitted(field: &Field, value: &Value) -> bool {
    let empty = match value {
        Value::String(text) => text.is_empty(),
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    };
    match field.kind {
        Type::String | Type::Bool | Type::Int32 | Type::Int64 | Type::Double => {
            empty && field.omit_empty && !field.pointer
        }
        Type::Bytes => empty && field.omit_empty,
        // A pointer to no time, no JSON, no schema: Go shows null and reads that as no pointer.
        _ if value.is_null() && field.pointer => field.omit_empty,
        Type::Time | Type::MicroTime => value.is_null() && field.omit_zero,
        _ => false,
    }
}

fn double(field: &'static str, value: f64) -> Result<Value, DecodeError> {
    /// Below this every whole number is an exact integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        // Go shows whole numbers without a fraction.
        return Ok((value as i64).into());
    }
    let detail = || DecodeError::Invalid { field, detail: format!("json: unsupported value: {value}") };
    Number::from_f64(value).map(Value::Number).ok_or_else(detail)
}

fn time(field: &'static str, bytes: &[u8], micro: bool) -> Result<Value, DecodeError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = Reader::new("Timestamp", bytes);
    while let Some((number, wire)) = reader.field()? {
        match (number, wire) {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanos = value as i32,
            (1 | 2, other) => return Err(DecodeError::WrongWireType { field, wire_type: other.wire_type() }),
            _ => {}
        }
    }
    let shown = timestamp::format(seconds, nanos, micro).map_err(|detail| DecodeError::Invalid { field, detail })?;
    Ok(shown.map_or(Value::Null, Value::String))
}

fn quantity(field: &'static str, bytes: &[u8]) -> Result<Value, DecodeError> {
    Ok(match only_field(field, bytes)? {
        [] => "0".into(),
        bytes => text(field, bytes)?.into(),
    })
}

fn int_or_string(field: &'static str, bytes: &[u8]) -> Result<Value, DecodeError> {
    let (mut kind, mut number, mut string) = (0, 0, "");
    let mut reader = Reader::new("IntOrString", bytes);
    while let Some((tag, wire)) = reader.field()? {
        match (tag, wire) {
            (1, Wire::Varint(value)) => kind = value as i64,
            (2, Wire::Varint(value)) => number = value as i32,
            (3, Wire::Bytes(bytes)) => string = text(field, bytes)?,
            (1..=3, other) => return Err(DecodeError::WrongWireType { field, wire_type: other.wire_type() }),
            _ => {}
        }
    }
    match kind {
        0 => Ok(number.into()),
        1 => Ok(string.into()),
        _ => Err(DecodeError::Invalid { field, detail: "impossible IntOrString.Type".into() }),
    }
}

/// The bytes in field 1 of a message that has no other.
fn only_field<'a>(field: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let mut found: &[u8] = &[];
    let mut reader = Reader::new(field, bytes);
    while let Some((number, wire)) = reader.field()? {
        if number == 1 {
            found = content(field, wire)?;
        }
    }
    Ok(found)
}

/// How many levels of objects and arrays a value has.
fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}
