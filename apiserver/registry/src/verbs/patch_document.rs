//! The document of a patch: read once a request, with the fields that it states twice.

use std::fmt;

use apimachinery::StatusError;
use apimachinery::patch;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::options::{FieldValidation, Patch};

/// A patch as read.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub value: Value,
    /// Strict decoding errors of the patch itself.
    pub strict_errors: Vec<String>,
}

/// Reads a patch. With field validation upstream first decodes the document strictly, and says so in its errors.
///
/// # Errors
/// 400 for what is no such patch.
pub(super) fn read(patch: &Patch, validation: FieldValidation) -> Result<Document, StatusError> {
    let checked = validation != FieldValidation::Ignore;
    match patch {
        Patch::Merge(bytes) => {
            let invalid = || StatusError::bad_request("Invalid JSON Patch");
            if checked {
                let document = read_map(bytes, "error decoding patch: ")?;
                return if document.value.is_null() { Err(invalid()) } else { Ok(document) };
            }
            let (value, _) = decode(bytes).map_err(|_| invalid())?;
            let patches = value.is_object() || value.is_array();
            if patches { Ok(Document { value, strict_errors: Vec::new() }) } else { Err(invalid()) }
        }
        Patch::Strategic(bytes) => read_map(bytes, ""),
        Patch::Json(bytes) => {
            let (value, duplicates) = decode(bytes).map_err(|error| {
                let words = if checked { "error decoding patch: " } else { "" };
                StatusError::bad_request(format!("{words}{}", syntax_error(bytes, &error)))
            })?;
            let mut strict_errors = Vec::new();
            if checked {
                strict_errors.extend(duplicates.into_iter().map(|error| format!("json patch {error}")));
                strict_errors.extend(patch::json::check(&value)?);
            }
            Ok(Document { value, strict_errors })
        }
        Patch::Apply(body) => Ok(Document { value: body.value.clone(), strict_errors: body.strict_errors.clone() }),
    }
}

/// A patch that upstream's decoder reads into a map.
fn read_map(bytes: &[u8], words: &str) -> Result<Document, StatusError> {
    let (value, strict_errors) =
        decode(bytes).map_err(|error| StatusError::bad_request(format!("{words}{}", syntax_error(bytes, &error))))?;
    if value.is_object() || value.is_null() {
        return Ok(Document { value, strict_errors });
    }
    let of = json_type(&value);
    Err(StatusError::bad_request(format!(
        "{words}json: cannot unmarshal {of} into Go value of type map[string]interface {{}}"
    )))
}

/// Where JSON breaks off or goes wrong, in the words of Go's decoder.
fn syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let before: usize =
        bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = before + error.column().saturating_sub(1);
    let found = bytes.get(at).map_or(' ', |&byte| char::from(byte));
    let place = if error.to_string().starts_with("trailing") {
        "after top-level value"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{found}' {place}")
}

/// The JSON type of a value in Go's words.
pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The value, and `duplicate field "a.b"` for each field that is there more than once; the last one counts.
fn decode(bytes: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let mut found = Found { path: String::new(), errors: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Seed(&mut found).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, found.errors))
}

struct Found {
    path: String,
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
        Ok(value.into())
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
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        use fmt::Write;
        let found = self.0;
        let length = found.path.len();
        let mut items = Vec::new();
        loop {
            let _ = write!(found.path, "[{}]", items.len());
            let next = access.next_element_seed(Seed(found))?;
            found.path.truncate(length);
            match next {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let found = self.0;
        let length = found.path.len();
        let mut fields = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if length > 0 {
                found.path.push('.');
            }
            found.path.push_str(&name);
            let value = access.next_value_seed(Seed(found))?;
            if fields.insert(name, value).is_some() {
                let error = format!("duplicate field \"{}\"", found.path);
                if !found.errors.contains(&error) {
                    found.errors.push(error);
                }
            }
            found.path.truncate(length);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn merge(text: &'static str, validation: FieldValidation) -> Result<(Value, Vec<String>), String> {
        read(&Patch::Merge(Bytes::from_static(text.as_bytes())), validation)
            .map(|document| (document.value, document.strict_errors))
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_field_stated_twice_is_named_and_its_last_value_counts() {
        assert_eq!(
            merge(r#"{"m":{"l":{"c":"1","c":"2"}},"s":[{"a":1,"a":2}]}"#, FieldValidation::Warn),
            Ok((
                json!({"m": {"l": {"c": "2"}}, "s": [{"a": 2}]}),
                vec!["duplicate field \"m.l.c\"".into(), "duplicate field \"s[0].a\"".into()]
            ))
        );
        assert_eq!(
            merge(r#"{"m":{"a":1},"m":{"b":2}}"#, FieldValidation::Ignore),
            Ok((json!({"m": {"b": 2}}), Vec::new()))
        );
    }

    #[test]
    fn what_is_no_merge_patch_is_refused_in_the_words_of_the_decoder_that_sees_it_first() {
        let map = |of| {
            format!("error decoding patch: json: cannot unmarshal {of} into Go value of type map[string]interface {{}}")
        };
        let cases = [
            ("[]", map("array"), None),
            ("\"text\"", map("string"), Some("Invalid JSON Patch")),
            ("null", "Invalid JSON Patch".into(), Some("Invalid JSON Patch")),
            ("{\"metadata", "error decoding patch: unexpected end of JSON input".into(), Some("Invalid JSON Patch")),
            (
                "{} {}",
                "error decoding patch: invalid character '{' after top-level value".into(),
                Some("Invalid JSON Patch"),
            ),
        ];
        for (text, checked, unchecked) in cases {
            assert_eq!(merge(text, FieldValidation::Strict), Err(checked), "{text}");
            assert_eq!(merge(text, FieldValidation::Ignore).err().as_deref(), unchecked, "{text} without validation");
        }
    }
}
