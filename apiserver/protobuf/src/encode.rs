//! From JSON to a kind's message, written as Go writes it: values that are no pointers always, pointers when set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::error::EncodeError;
use crate::timestamp;
use crate::wire::Writer;
use schema::types::{Cardinality, Field, Message, Shape, Table, Type};

/// As deep as the parser of objects reads.
const MAX_DEPTH: usize = 127;

type Object = Map<String, Value>;

/// Writes messages, each from its last field to its first.
pub(crate) struct Encoder {
    table: &'static Table,
    pub writer: Writer,
}

impl Encoder {
    pub fn new(table: &'static Table, writer: Writer) -> Encoder {
        Encoder { table, writer }
    }

    /// The fields of an object; none stands for one with nothing set.
    pub fn message(&mut self, message: &Message, object: Option<&Object>, depth: usize) -> Result<(), EncodeError> {
        if depth > MAX_DEPTH {
            return Err(EncodeError::TooDeep);
        }
        for field in message.in_wire_order().rev() {
            if let (true, Type::Message(index)) = (field.inline, field.kind) {
                let mark = self.writer.len();
                self.message(self.table.message(index), object, depth)?;
                self.writer.header(field.number, mark);
                continue;
            }
            let value = object.and_then(|object| object.get(field.name)).filter(|value| !value.is_null());
            self.field(field, value, depth).map_err(|error| error.inside(field.name))?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: Option<&Value>, depth: usize) -> Result<(), EncodeError> {
        match (field.cardinality, value) {
            (Cardinality::Singular, None) if field.pointer || field.kind == Type::Bytes => Ok(()),
            (Cardinality::Singular, value) => self.value(field.number, field.kind, value, depth + 1),
            (_, None) => Ok(()),
            (Cardinality::Repeated, Some(Value::Array(items))) => {
                for (index, item) in items.iter().enumerate().rev() {
                    self.value(field.number, field.kind, Some(item), depth + 2)
                        .map_err(|error| error.inside(&format!("[{index}]")))?;
                }
                Ok(())
            }
            (Cardinality::Map, Some(Value::Object(entries))) => {
                for (key, value) in entries.iter().rev() {
                    let mark = self.writer.len();
                    if field.kind != Type::Bytes || !value.is_null() {
                        self.value(2, field.kind, Some(value), depth + 2)
                            .map_err(|error| error.inside(&format!("[{key}]")))?;
                    }
                    self.writer.bytes_field(1, key.as_bytes());
                    self.writer.header(field.number, mark);
                }
                Ok(())
            }
            (Cardinality::Repeated, Some(other)) => Err(wrong_type("array", other)),
            (Cardinality::Map, Some(other)) => Err(wrong_type("object", other)),
        }
    }

    /// One value with its header; none and `null` stand for the zero value.
    fn value(&mut self, number: u32, kind: Type, value: Option<&Value>, depth: usize) -> Result<(), EncodeError> {
        let value = value.filter(|value| !value.is_null());
        match kind {
            Type::String => self.writer.bytes_field(number, string(value)?.as_bytes()),
            Type::Bytes => self.writer.bytes_field(number, &bytes(string(value)?)?),
            Type::Bool => self.writer.varint_field(number, u64::from(boolean(value)?)),
            Type::Int32 => {
                let integer = integer(value)?;
                i32::try_from(integer).map_err(|_| invalid(format!("{integer} is out of the range of int32")))?;
                self.writer.varint_field(number, integer as u64);
            }
            Type::Int64 => self.writer.varint_field(number, integer(value)? as u64),
            Type::Double => {
                let double = match value {
                    None => 0.0,
                    Some(value) => value.as_f64().ok_or_else(|| wrong_type("number", value))?,
                };
                self.writer.bytes(&double.to_le_bytes());
                self.writer.tag(number, 1);
            }
            _ => {
                let mark = self.writer.len();
                match kind {
                    Type::Time => self.time(string(value)?, false)?,
                    Type::MicroTime => self.time(string(value)?, true)?,
                    Type::Quantity => self.quantity(value)?,
                    Type::IntOrString => self.int_or_string(value)?,
                    Type::Raw => self.raw(value)?,
                    Type::Fields => match value {
                        // As the server has it, see `apimachinery::field_sets`.
                        Some(Value::String(text)) => self.writer.bytes_field(1, text.as_bytes()),
                        value => self.raw(value)?,
                    },
                    Type::Message(index) => self.shaped(self.table.message(index), value, depth)?,
                    Type::String | Type::Bytes | Type::Bool | Type::Int32 | Type::Int64 | Type::Double => {}
                }
                self.writer.header(number, mark);
            }
        }
        Ok(())
    }

    fn time(&mut self, text: &str, micro: bool) -> Result<(), EncodeError> {
        if text.is_empty() {
            return Ok(());
        }
        if let Some((seconds, nanos)) = timestamp::parse(text, micro).map_err(invalid)? {
            self.writer.varint_field(2, nanos as u64);
            self.writer.varint_field(1, seconds as u64);
        }
        Ok(())
    }

    fn quantity(&mut self, value: Option<&Value>) -> Result<(), EncodeError> {
        match value {
            None => self.writer.bytes_field(1, b"0"),
            Some(Value::String(text)) => self.writer.bytes_field(1, text.as_bytes()),
            Some(Value::Number(number)) => self.writer.bytes_field(1, number.to_string().as_bytes()),
            Some(other) => return Err(wrong_type("quantity", other)),
        }
        Ok(())
    }

    fn int_or_string(&mut self, value: Option<&Value>) -> Result<(), EncodeError> {
        let (kind, number, text) = match value {
            Some(Value::String(text)) => (1, 0, text.as_str()),
            Some(Value::Number(_)) | None => (0, integer(value)?, ""),
            Some(other) => return Err(wrong_type("integer or string", other)),
        };
        i32::try_from(number).map_err(|_| invalid(format!("{number} is out of the range of int32")))?;
        self.writer.bytes_field(3, text.as_bytes());
        self.writer.varint_field(2, number as u64);
        self.writer.varint_field(1, kind);
        Ok(())
    }

    fn raw(&mut self, value: Option<&Value>) -> Result<(), EncodeError> {
        if let Some(value) = value {
            let json = serde_json::to_vec(value).map_err(|error| invalid(error.to_string()))?;
            self.writer.bytes_field(1, &json);
        }
        Ok(())
    }

    fn shaped(&mut self, message: &Message, value: Option<&Value>, depth: usize) -> Result<(), EncodeError> {
        // A union or list is no level of the JSON: its content stands where it stands.
        let outside = depth.saturating_sub(1);
        let mut set = |name: &str, value| match message.field_named(name) {
            Some(field) => self.field(field, value, outside),
            None => Ok(()),
        };
        match (message.shape, value) {
            (Shape::Object, None) => self.message(message, None, depth),
            (Shape::Object, Some(Value::Object(object))) => self.message(message, Some(object), depth),
            (Shape::Items, value) => set("items", value),
            (Shape::SchemaOrArray, Some(Value::Array(_))) => set("jSONSchemas", value),
            (Shape::SchemaOrStrings, Some(Value::Array(_))) => set("property", value),
            (Shape::SchemaOrBool, None | Some(Value::Bool(_))) => set("allows", value),
            (Shape::SchemaOrBool, value) => {
                set("schema", value)?;
                set("allows", Some(&Value::Bool(true)))
            }
            (Shape::SchemaOrArray | Shape::SchemaOrStrings, value) => set("schema", value),
            (Shape::Object, Some(other)) => Err(wrong_type("object", other)),
        }
    }
}

fn string(value: Option<&Value>) -> Result<&str, EncodeError> {
    match value {
        None => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong_type("string", other)),
    }
}

fn boolean(value: Option<&Value>) -> Result<bool, EncodeError> {
    match value {
        None => Ok(false),
        Some(Value::Bool(set)) => Ok(*set),
        Some(other) => Err(wrong_type("boolean", other)),
    }
}

fn integer(value: Option<&Value>) -> Result<i64, EncodeError> {
    let Some(value) = value else { return Ok(0) };
    value.as_i64().ok_or_else(|| match value {
        Value::Number(number) => invalid(format!("{number} is no integer of 64 bits")),
        other => wrong_type("integer", other),
    })
}

fn bytes(text: &str) -> Result<Vec<u8>, EncodeError> {
    let decoded = if text.contains(['\r', '\n']) {
        // Go's decoder passes over line ends.
        STANDARD.decode(text.replace(['\r', '\n'], ""))
    } else {
        STANDARD.decode(text)
    };
    decoded.map_err(|error| invalid(error.to_string()))
}

fn invalid(detail: String) -> EncodeError {
    EncodeError::Invalid { path: String::new(), detail }
}

pub(crate) fn wrong_type(expected: &'static str, found: &Value) -> EncodeError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    EncodeError::WrongType { path: String::new(), expected, found }
}
