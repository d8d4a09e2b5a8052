//! Bodies in Kubernetes' protobuf encoding, which Go's typed clients send for built-in kinds (kubectl's `create`,
//! controller-runtime): four bytes `k8s\0`, then an envelope with the kind and the object's message. They become the JSON
//! value that the same object would have been sent as; zero values that Go's encoder always writes are the schema's to
//! drop.
//!
//! `data/protobuf.txt` holds the messages: a line each, with its name and `number:mark field:type` for its fields. Marks:
//! `*` repeated, `%` a map from strings, `^` its fields belong to the message around it. Types: `s` string, `x` bytes,
//! `b` bool, `i` integer, `d` double, or the number of a line.

use std::collections::HashMap;
use std::sync::LazyLock;

use apimachinery::gvk::GroupVersionKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

const MESSAGES: &str = include_str!("../../data/protobuf.txt");
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Nesting beyond this is refused (no kind comes near it).
const MAX_DEPTH: usize = 100;

/// Lines of the data by message name; a line is parsed when its message is met.
static INDEX: LazyLock<(Vec<&str>, HashMap<&str, usize>)> = LazyLock::new(|| {
    let lines: Vec<&str> = MESSAGES.lines().collect();
    let index = lines.iter().enumerate().map(|(at, line)| (line.split(' ').next().unwrap_or_default(), at)).collect();
    (lines, index)
});

/// Decodes a body. What its envelope leaves out of the kind is taken from `expected`.
pub(super) fn decode(bytes: &[u8], expected: &GroupVersionKind) -> Result<Value, String> {
    let Some(envelope) = bytes.strip_prefix(MAGIC) else {
        return Err("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".to_owned());
    };
    let mut raw: &[u8] = &[];
    let (mut api_version, mut kind) = (String::new(), String::new());
    for field in Reader(envelope) {
        match field? {
            (1, Wire::Bytes(type_meta)) => {
                for field in Reader(type_meta) {
                    match field? {
                        (1, Wire::Bytes(text)) => api_version = utf8(text)?,
                        (2, Wire::Bytes(text)) => kind = utf8(text)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    if api_version.is_empty() {
        api_version = expected.group_version().to_string();
    }
    if kind.is_empty() {
        kind.clone_from(&expected.kind);
    }
    let gvk = match api_version.split_once('/') {
        Some((group, version)) => GroupVersionKind { group: group.into(), version: version.into(), kind: kind.clone() },
        None => GroupVersionKind { group: String::new(), version: api_version.clone(), kind: kind.clone() },
    };
    let message = schema::builtin().definition_name(&gvk).and_then(|name| INDEX.1.get(name));
    let Some(&message) = message else {
        return Err(format!("no kind \"{kind}\" is registered for version \"{api_version}\""));
    };
    let mut object = Map::new();
    read(message, raw, &mut object, 0)?;
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "proto: invalid UTF-8 in a string".to_owned())
}

/// A field as the wire shows it.
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u64, Wire<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or_else(|| "unexpected EOF".to_owned()))
    }
}

/// A field of a message.
struct Field<'a> {
    mark: Option<char>,
    name: &'a str,
    kind: &'a str,
}

/// The field of this number in a line.
fn field_of(line: &str, number: u64) -> Option<Field<'_>> {
    line.split(' ').skip(1).find_map(|field| {
        let mut parts = field.split(':');
        let known: u64 = parts.next()?.parse().ok()?;
        if known != number {
            return None;
        }
        let marked = parts.next()?;
        let mark = marked.chars().next().filter(|mark| matches!(mark, '*' | '%' | '^'));
        let name = if mark.is_some() { &marked[1..] } else { marked };
        Some(Field { mark, name, kind: parts.next()? })
    })
}

/// Reads a message's fields into an object. Unknown ones (of a newer client) are left out, as Go's decoder does.
fn read(message: usize, bytes: &[u8], object: &mut Map<String, Value>, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("exceeded max depth".to_owned());
    }
    let Some(line) = INDEX.0.get(message) else { return Ok(()) };
    for wire in Reader(bytes) {
        let (number, wire) = wire?;
        let Some(field) = field_of(line, number) else { continue };
        match field.mark {
            Some('^') => {
                if let (Ok(inner), Wire::Bytes(bytes)) = (field.kind.parse(), wire) {
                    read(inner, bytes, object, depth + 1)?;
                }
            }
            Some('%') => {
                let Wire::Bytes(entry) = wire else { continue };
                let (mut key, mut value) = (String::new(), None);
                for part in Reader(entry) {
                    match part? {
                        (1, Wire::Bytes(text)) => key = utf8(text)?,
                        (2, wire) => value = Some(scalar(field.kind, wire, depth)?),
                        _ => {}
                    }
                }
                let value = match value {
                    Some(value) => value,
                    None => zero(field.kind, depth)?,
                };
                let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
            }
            Some(_) => {
                let value = scalar(field.kind, wire, depth)?;
                if let Value::Array(list) = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(value);
                }
            }
            None => {
                let value = scalar(field.kind, wire, depth)?;
                object.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// The value of a map entry that was not written, because it is zero.
fn zero(kind: &str, depth: usize) -> Result<Value, String> {
    match kind {
        "s" | "x" => Ok("".into()),
        "b" => Ok(false.into()),
        "i" | "d" => Ok(0.into()),
        _ => scalar(kind, Wire::Bytes(&[]), depth),
    }
}

// Integers are two's complement on the wire.
#[allow(clippy::cast_possible_wrap)]
fn scalar(kind: &str, wire: Wire<'_>, depth: usize) -> Result<Value, String> {
    let mismatch = || "proto: wrong wireType for a field".to_owned();
    Ok(match (kind, wire) {
        ("s", Wire::Bytes(text)) => utf8(text)?.into(),
        ("x", Wire::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        ("b", Wire::Varint(number)) => (number != 0).into(),
        ("i", Wire::Varint(number)) => (number as i64).into(),
        ("d", Wire::Fixed64(bits)) => f64::from_bits(bits).into(),
        ("d", Wire::Fixed32(bits)) => f64::from(f32::from_bits(bits)).into(),
        (kind, Wire::Bytes(bytes)) => {
            let message: usize = kind.parse().map_err(|_| mismatch())?;
            message_value(message, bytes, depth)?
        }
        _ => return Err(mismatch()),
    })
}

/// The JSON of a message; the types that Go encodes in a form of their own have it here too.
fn message_value(message: usize, bytes: &[u8], depth: usize) -> Result<Value, String> {
    let name = INDEX.0.get(message).and_then(|line| line.split(' ').next()).unwrap_or_default();
    let mut object = Map::new();
    read(message, bytes, &mut object, depth + 1)?;
    let integer =
        |object: &Map<String, Value>, field: &str| object.get(field).and_then(Value::as_i64).unwrap_or_default();
    let short = name.rsplit('.').next().unwrap_or_default();
    Ok(match short {
        "Quantity" => object.remove("string").unwrap_or_else(|| "0".into()),
        "IntOrString" if integer(&object, "type") == 0 => integer(&object, "intVal").into(),
        "IntOrString" => object.remove("strVal").unwrap_or_else(|| "".into()),
        // Go's zero time is written as no fields or as the year 1: null in JSON.
        "Time" | "MicroTime" => time(integer(&object, "seconds"), integer(&object, "nanos"), short == "MicroTime"),
        "Duration" if name.ends_with("meta.v1.Duration") => duration(integer(&object, "duration")),
        "FieldsV1" | "RawExtension" | "JSON" => embedded(&object)?,
        "ExtraValue" | "Verbs" => object.remove("items").unwrap_or_else(|| Value::Array(Vec::new())),
        "JSONSchemaPropsOrArray" => {
            object.remove("schema").or_else(|| object.remove("jSONSchemas")).unwrap_or_default()
        }
        "JSONSchemaPropsOrBool" => match object.remove("schema") {
            Some(schema) => schema,
            None => object.remove("allows").unwrap_or_else(|| false.into()),
        },
        "JSONSchemaPropsOrStringArray" => {
            object.remove("schema").or_else(|| object.remove("property")).unwrap_or_default()
        }
        _ => Value::Object(object),
    })
}

/// JSON that travels as bytes.
fn embedded(object: &Map<String, Value>) -> Result<Value, String> {
    let encoded = object.values().next().and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|_| super::go_json::explain(&bytes).unwrap_or_else(|| "invalid JSON".to_owned()))
}

fn time(seconds: i64, nanos: i64, micro: bool) -> Value {
    /// Go's `time.Time{}`.
    const ZERO: i64 = -62_135_596_800;
    if (seconds == 0 && nanos == 0) || seconds == ZERO {
        return Value::Null;
    }
    let Ok(nanos) = i32::try_from(nanos) else { return Value::Null };
    match Timestamp::new(seconds, nanos) {
        Ok(time) if micro => apimachinery::time::format_micro_time(time).into(),
        Ok(time) => apimachinery::time::format_time(time).into(),
        Err(_) => Value::Null,
    }
}

/// A Go duration in whole and fractional seconds, which Go reads as well as its own spelling.
fn duration(nanos: i64) -> Value {
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let fraction =
        if fraction == 0 { String::new() } else { format!(".{fraction:09}").trim_end_matches('0').to_owned() };
    format!("{sign}{seconds}{fraction}s").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A length-delimited field.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, raw)].concat()
    }

    fn pod() -> GroupVersionKind {
        GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() }
    }

    #[test]
    fn a_message_becomes_the_json_of_the_same_object() {
        let metadata = [field(1, b"a"), field(11, &[field(1, b"k"), field(2, b"v")].concat())].concat();
        // A volume's source is inlined in JSON: emptyDir (2 of VolumeSource) with sizeLimit (2), a quantity.
        let volume = [field(1, b"v"), field(2, &field(2, &field(2, &field(1, b"1Gi"))))].concat();
        // A probe's handler too: httpGet (2) with port (2), an int-or-string.
        let port = [0x08, 0x00, 0x10, 0x50];
        let probe = field(1, &field(2, &field(2, &port)));
        let container = [field(1, b"c"), field(2, b"img"), field(11, &probe)].concat();
        let spec = [field(1, &volume), field(2, &container)].concat();
        let raw = [field(1, &metadata), field(2, &spec)].concat();
        assert_eq!(
            decode(&body("v1", "Pod", &raw), &pod()).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "a", "labels": {"k": "v"}},
                "spec": {
                    "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
                    "containers": [{"name": "c", "image": "img", "readinessProbe": {"httpGet": {"port": 80}}}],
                },
            })
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let broken = [MAGIC.to_vec(), vec![0x0a, 0x7f]].concat();
        for bytes in [&b"{}"[..], b"", &broken, &body("v1", "Nope", b""), &body("v1", "Pod", &[0x0a, 0x09, 0x01])] {
            assert!(decode(bytes, &pod()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn every_line_of_the_data_can_be_read() {
        for line in &INDEX.0 {
            for part in line.split(' ').skip(1) {
                let number = part.split(':').next().unwrap().parse().unwrap();
                let field = field_of(line, number).unwrap_or_else(|| panic!("{line}"));
                let known = matches!(field.kind, "s" | "x" | "b" | "i" | "d")
                    || field.kind.parse::<usize>().is_ok_and(|at| at < INDEX.0.len());
                assert!(known, "{line}: {part}");
            }
        }
    }
}
