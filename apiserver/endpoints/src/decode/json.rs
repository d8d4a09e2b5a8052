//! JSON bodies: decoded in one pass that also notices duplicate fields. What cannot be decoded is explained in the
//! words of Go's decoder, by a second and slower pass.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How a field that is given twice is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duplicates {
    /// Objects are merged, as Go decodes into a struct or map; else the last one counts (built-in kinds).
    Merge,
    /// The last one counts (custom resources).
    Last,
}

/// Decodes a body. Next to the value: `duplicate field "spec.a"` for each field that is there more than once, in the
/// order found. An `Err` is Go's message.
pub(super) fn decode(bytes: &[u8], duplicates: Duplicates) -> Result<(Value, Vec<String>), String> {
    read(bytes, duplicates).or_else(|error| match super::go_json::explain(bytes) {
        Some(words) => Err(words),
        // Go's scanner is content: it reads what is no Unicode as U+FFFD, where this one stops.
        None => read(&unicode(bytes), duplicates).map_err(|_| error.to_string()),
    })
}

/// The text with U+FFFD for bytes that are not UTF-8 and for halves of surrogate pairs.
fn unicode(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned().into_bytes();
    let mut out = Vec::with_capacity(text.len());
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut at = 0;
    while at < text.len() {
        let length = match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            // An escaped backslash is no beginning of an escape.
            (None, _) if text[at] == b'\\' => 2,
            (None, _) => 1,
        };
        out.extend_from_slice(text.get(at..at + length).unwrap_or(&text[at..]));
        at += length;
    }
    out
}

fn read(bytes: &[u8], duplicates: Duplicates) -> Result<(Value, Vec<String>), serde_json::Error> {
    let mut found = Found { path: String::new(), duplicates, errors: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let decoded = Seed(&mut found).deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    decoded.map(|value| (value, found.errors))
}

struct Found {
    path: String,
    duplicates: Duplicates,
    errors: Vec<String>,
}

struct Seed<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let found = self.0;
        let mut values = Vec::new();
        let length = found.path.len();
        loop {
            use fmt::Write;
            let _ = write!(found.path, "[{}]", values.len());
            let next = access.next_element_seed(Seed(found))?;
            found.path.truncate(length);
            match next {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let found = self.0;
        let mut map = Map::new();
        let length = found.path.len();
        while let Some(key) = access.next_key::<String>()? {
            if length > 0 {
                found.path.push('.');
            }
            found.path.push_str(&key);
            let value = access.next_value_seed(Seed(found))?;
            match map.get_mut(&key) {
                None => {
                    map.insert(key, value);
                }
                Some(before) => {
                    let error = format!("duplicate field \"{}\"", found.path);
                    if !found.errors.contains(&error) {
                        found.errors.push(error);
                    }
                    if found.duplicates == Duplicates::Merge {
                        merge(before, value);
                    } else {
                        *before = value;
                    }
                }
            }
            found.path.truncate(length);
        }
        Ok(Value::Object(map))
    }
}

fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            for (key, value) in value {
                match into.get_mut(&key) {
                    Some(before) => merge(before, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        // Go's decoder leaves a value alone when it reads null into it, unless it is a pointer, map or slice.
        (into, value) => *into = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn duplicate_fields_are_named_once_with_their_path() {
        let body = br#"{"a":{"b":1},"a":{"c":[{"d":1,"d":2}]},"e":1,"e":2,"e":3}"#;
        let (value, errors) = decode(body, Duplicates::Merge).unwrap();
        assert_eq!(value, json!({"a": {"b": 1, "c": [{"d": 2}]}, "e": 3}));
        assert_eq!(errors, ["duplicate field \"a.c[0].d\"", "duplicate field \"a\"", "duplicate field \"e\""]);
        let (value, _) = decode(body, Duplicates::Last).unwrap();
        assert_eq!(value, json!({"a": {"c": [{"d": 2}]}, "e": 3}));
    }

    #[test]
    fn what_is_no_unicode_is_read_as_go_reads_it() {
        for (body, text) in [
            (&br#"{"a":"\ud800"}"#[..], "\u{fffd}"),
            (br#"{"a":"\ud83d\ude00"}"#, "\u{1f600}"),
            (br#"{"a":"x\udc00\u0041\ud800"}"#, "x\u{fffd}A\u{fffd}"),
            (br#"{"a":"\\ud800\ud800"}"#, "\\ud800\u{fffd}"),
            (b"{\"a\":\"\xff\"}", "\u{fffd}"),
        ] {
            let (value, _) = decode(body, Duplicates::Last).unwrap_or_else(|e| panic!("{e}: {body:?}"));
            assert_eq!(value, json!({ "a": text }));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_in_gos_words() {
        for (body, words) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            (r#"{"a":1"#, "unexpected end of JSON input"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":1 "b"}"#, "invalid character '\"' after object key:value pair"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} {}", "invalid character '{' after top-level value"),
            ("metadata: x", "invalid character 'm' looking for beginning of value"),
            ("nul", "unexpected end of JSON input"),
            ("nulx", "invalid character 'x' in literal null (expecting 'l')"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1ex", "invalid character 'x' in exponent of numeric literal"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            (r#""\q""#, "invalid character 'q' in string escape code"),
            (r#""\u12x4""#, "invalid character 'x' in \\u hexadecimal character escape"),
            ("01", "invalid character '1' after top-level value"),
        ] {
            assert_eq!(decode(body.as_bytes(), Duplicates::Last).unwrap_err(), words, "{body:?}");
        }
    }
}
