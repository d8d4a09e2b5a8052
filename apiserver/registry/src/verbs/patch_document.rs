//! The document of a patch: read once a request, with the fields that it states twice.

use apimachinery::json::{self, Decoded, Duplicates};
use apimachinery::{StatusError, patch};
use serde_json::Value;

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
                let document = read_map(bytes, CHECKED)?;
                return if document.value.is_null() { Err(invalid()) } else { Ok(document) };
            }
            let value = json::decode(bytes, Duplicates::Last).map_err(|_| invalid()).and_then(in_range)?.value;
            let patches = value.is_object() || value.is_array();
            if patches { Ok(Document { value, strict_errors: Vec::new() }) } else { Err(invalid()) }
        }
        Patch::Strategic(bytes) => read_map(bytes, ""),
        Patch::Json(bytes) => {
            let Decoded { value, repeated, .. } = decode(bytes, if checked { CHECKED } else { "" })?;
            let mut strict_errors = Vec::new();
            if checked {
                strict_errors.extend(repeated.into_iter().map(|error| format!("json patch {error}")));
                strict_errors.extend(patch::json::check(&value)?);
            }
            Ok(Document { value, strict_errors })
        }
        Patch::Apply(body) => Ok(Document { value: body.value.clone(), strict_errors: body.strict_errors.clone() }),
    }
}

/// What errors begin with where field validation decodes the patch first.
const CHECKED: &str = "error decoding patch: ";

/// A patch that upstream's decoder reads into a map.
fn read_map(bytes: &[u8], words: &str) -> Result<Document, StatusError> {
    let Decoded { value, repeated, .. } = decode(bytes, words)?;
    if value.is_object() || value.is_null() {
        return Ok(Document { value, strict_errors: repeated });
    }
    let of = json::type_word(&value);
    Err(StatusError::bad_request(format!(
        "{words}json: cannot unmarshal {of} into Go value of type map[string]interface {{}}"
    )))
}

/// The value, and each field that is there more than once; the last one counts.
fn decode(bytes: &[u8], words: &str) -> Result<Decoded, StatusError> {
    json::decode(bytes, Duplicates::Last).map_err(|error| StatusError::bad_request(format!("{words}{error}"))).and_then(
        |decoded| {
            in_range(decoded).map_err(|error| {
                let message = format!("{words}{}", error.message());
                error.with_message(message)
            })
        },
    )
}

/// Refuses a number that no float64 holds.
fn in_range(decoded: Decoded) -> Result<Decoded, StatusError> {
    match &decoded.out_of_range {
        Some(number) => Err(StatusError::bad_request(json::out_of_range(number))),
        None => Ok(decoded),
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
                "{\"a\":1e400}",
                "error decoding patch: json: cannot unmarshal number 1e400 into Go value of type float64".into(),
                Some("json: cannot unmarshal number 1e400 into Go value of type float64"),
            ),
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
