//! The v2 document as gnostic's protobuf message, which clients of Go ask for: title and definitions. Field numbers are
//! those of gnostic's `OpenAPIv2.proto`.

use serde_json::{Map, Value};

use crate::yaml;

/// A protobuf message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            // The low seven bits, with the mark that more follow.
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: Option<&Value>) {
        if let Some(text) = text.and_then(Value::as_str).filter(|text| !text.is_empty()) {
            self.bytes(field, text.as_bytes());
        }
    }

    fn integer(&mut self, field: u64, number: Option<&Value>) {
        if let Some(number) = number.and_then(Value::as_u64).filter(|number| *number > 0) {
            self.varint(field << 3);
            self.varint(number);
        }
    }

    fn double(&mut self, field: u64, number: Option<&Value>) {
        if let Some(number) = number.and_then(Value::as_f64) {
            self.varint(field << 3 | 1);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn message(&mut self, field: u64, message: Message) {
        self.bytes(field, &message.0);
    }
}

/// The document up to its definitions, which take so many bytes.
pub(super) fn head(version: &str, definitions: usize) -> Vec<u8> {
    let mut document = Message::default();
    document.bytes(1, b"2.0");
    let mut info = Message::default();
    info.bytes(1, b"Kubernetes");
    info.bytes(2, version.as_bytes());
    document.message(2, info);
    document.message(8, Message::default());
    document.varint(9 << 3 | 2);
    document.varint(definitions as u64);
    document.0
}

/// Some of the definitions.
pub(super) fn definitions(definitions: &Map<String, Value>) -> Vec<u8> {
    named(definitions).0
}

/// A message of named schemas (`Definitions`, `Properties`).
fn named(schemas: &Map<String, Value>) -> Message {
    let mut message = Message::default();
    for (name, value) in schemas {
        let mut entry = Message::default();
        entry.bytes(1, name.as_bytes());
        entry.message(2, schema(value));
        message.message(1, entry);
    }
    message
}

fn schema(value: &Value) -> Message {
    let mut message = Message::default();
    let Some(map) = value.as_object() else { return message };
    message.text(1, map.get("$ref"));
    message.text(2, map.get("format"));
    message.text(4, map.get("description"));
    if let Some(default) = map.get("default") {
        message.message(5, any(default));
    }
    message.double(7, map.get("maximum"));
    message.double(9, map.get("minimum"));
    message.integer(11, map.get("maxLength"));
    message.integer(12, map.get("minLength"));
    message.text(13, map.get("pattern"));
    message.integer(14, map.get("maxItems"));
    message.integer(15, map.get("minItems"));
    for required in map.get("required").and_then(Value::as_array).into_iter().flatten() {
        message.text(19, Some(required));
    }
    for value in map.get("enum").and_then(Value::as_array).into_iter().flatten() {
        message.message(20, any(value));
    }
    match map.get("additionalProperties") {
        Some(Value::Bool(allowed)) => {
            let mut item = Message::default();
            item.varint(2 << 3);
            item.varint(u64::from(*allowed));
            message.message(21, item);
        }
        Some(value) => {
            let mut item = Message::default();
            item.message(1, schema(value));
            message.message(21, item);
        }
        None => {}
    }
    if let Some(kind) = map.get("type") {
        let mut item = Message::default();
        item.text(1, Some(kind));
        message.message(22, item);
    }
    if let Some(items) = map.get("items") {
        let mut item = Message::default();
        item.message(1, schema(items));
        message.message(23, item);
    }
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        message.message(25, named(properties));
    }
    for (name, value) in map.iter().filter(|(name, _)| name.starts_with("x-")) {
        let mut entry = Message::default();
        entry.bytes(1, name.as_bytes());
        entry.message(2, any(value));
        message.message(31, entry);
    }
    message
}

/// A value as YAML text.
fn any(value: &Value) -> Message {
    let mut message = Message::default();
    message.bytes(2, yaml::to_string(value).as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_the_message_that_gnostic_reads() {
        let value = json!({"a.B": {"type": "object", "properties": {"c": {"$ref": "#/definitions/d"}}}});
        let mut expected = Vec::new();
        expected.extend_from_slice(b"\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00");
        let property = b"\x0a\x01c\x12\x11\x0a\x0f#/definitions/d";
        let mut schema = b"\xb2\x01\x08\x0a\x06object\xca\x01".to_vec();
        schema.push(property.len() as u8 + 2);
        schema.extend_from_slice(&[0x0a, property.len() as u8]);
        schema.extend_from_slice(property);
        let mut entry = b"\x0a\x03a.B\x12".to_vec();
        entry.push(schema.len() as u8);
        entry.extend_from_slice(&schema);
        expected.extend_from_slice(&[0x4a, entry.len() as u8 + 2, 0x0a, entry.len() as u8]);
        expected.extend_from_slice(&entry);
        let definitions = definitions(value.as_object().unwrap());
        assert_eq!([head("v1", definitions.len()), definitions].concat(), expected);
    }
}
