//! What managers own, in the form in which the server holds an object that it read from the store: `fieldsV1` of an entry of
//! `metadata.managedFields` is the JSON text that was stored, as a string (upstream's typed objects hold its bytes). Such a set is
//! mostly written back as it was read; as a tree of maps it would cost more than the rest of the object.
//!
//! Nobody else sees this form: [`expand`] an object before it leaves the server otherwise than as JSON, and [`refuse_texts`] of
//! what comes from a client, for whom a string is a string.

use std::sync::Arc;

use serde_json::Value;

use crate::ObjectExt;
use crate::json::{self, SyntaxError};

const FIELD: &str = "fieldsV1";

/// Reads an object of the server's own as [`json::parse`] does, its field sets as texts. One that has another form than sets are
/// written in (space, values that are no objects) is read as it is.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(bytes: &[u8]) -> Result<Value, SyntaxError> {
    json::parse_but_field_sets(bytes)
}

/// Whether any of an object's field sets is a text.
pub fn are_texts(object: &Value) -> bool {
    object.managed_fields().iter().any(|entry| entry.get(FIELD).is_some_and(Value::is_string))
}

/// Brings an object's field sets from texts into the form in which everybody else has them.
pub fn expand(object: &mut Value) {
    each_text(object, |text| json::parse(text.as_bytes()).unwrap_or_default());
}

/// The object with its field sets [expanded](expand); a copy only if they are texts.
pub fn expanded(object: &Arc<Value>) -> Arc<Value> {
    let mut object = object.clone();
    if are_texts(&object) {
        expand(Arc::make_mut(&mut object));
    }
    object
}

/// Makes of each string that a client sent for a field set something that is none, either.
pub fn refuse_texts(object: &mut Value) {
    each_text(object, |text| Value::Array(vec![text.into()]));
}

/// Whether two values of an entry's `fieldsV1` are the same, each in either form.
pub fn are_same(one: &Value, other: &Value) -> bool {
    let is_text_of = |text: &str, tree: &Value| json::parse(text.as_bytes()).is_ok_and(|set| set == *tree);
    match (one, other) {
        (Value::String(text), tree @ Value::Object(_)) | (tree @ Value::Object(_), Value::String(text)) => {
            is_text_of(text, tree)
        }
        _ => one == other,
    }
}

fn each_text(object: &mut Value, replace: impl Fn(&str) -> Value) {
    // Not to make metadata where there is none.
    if !are_texts(object) {
        return;
    }
    let entries = object.metadata_mut().get_mut("managedFields").and_then(Value::as_array_mut);
    for set in entries.into_iter().flatten().filter_map(|entry| entry.get_mut(FIELD)) {
        if let Value::String(text) = set {
            *set = replace(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(set: &str) -> String {
        format!(r#"{{"kind":"A","metadata":{{"managedFields":[{{"manager":"m","fieldsV1":{set}}},{{}}],"name":"n"}}}}"#)
    }

    #[test]
    fn sets_are_read_as_texts_and_come_out_as_they_were() {
        for set in [
            "{}",
            r#"{"f:a":{}}"#,
            r#"{"f:a":{".":{},"f:b":{}},"f:c":{}}"#,
            r#"{"f:a":{"k:{\"name\":\"x\"}":{".":{}},"v:\"\u00e9\\é\"":{}}}"#,
        ] {
            let text = object(set);
            let whole = json::parse(text.as_bytes()).unwrap();
            let read = Arc::new(parse(text.as_bytes()).unwrap());
            assert!(are_texts(&read), "{set}");
            assert_eq!(read["metadata"]["managedFields"][0]["fieldsV1"], set);
            assert_eq!(*expanded(&read), whole, "{set}");
            let (one, other) = (&read.managed_fields()[0], &whole.managed_fields()[0]);
            assert!(are_same(&one["fieldsV1"], &other["fieldsV1"]) && !are_same(&one["fieldsV1"], &json!({"f:z": {}})));
            let mut read = Arc::unwrap_or_clone(read);
            expand(&mut read);
            assert_eq!(read, whole, "{set}");
        }
    }

    #[test]
    fn what_is_no_plain_set_is_read_as_everywhere_else() {
        let deep = |depth: usize| format!("{}{{}}{}", r#"{"f:a":"#.repeat(depth), "}".repeat(depth));
        for set in [
            r#"{"f:a": {}}"#,
            r#"{"f:a":null}"#,
            r#"{"f:a":{},"f:b":[]}"#,
            r#"{"f:a":{"f:b":1}}"#,
            r#""{}""#,
            "null",
            "[{}]",
            r#"{"\ud800":{}, "a":{}}"#,
        ] {
            let text = object(set);
            assert_eq!(parse(text.as_bytes()), json::parse(text.as_bytes()), "{set}");
        }
        for broken in [
            r#"{"f:a":{}"#,
            r#"{"f:a"}"#,
            r#"{"f:a\x":{}}"#,
            r#"{"f:a":{},}"#,
            r#"{"\u12":{}}"#,
            "{\"\u{1}\":{}}",
            "{,}",
        ] {
            let text = object(broken);
            let want = json::parse(text.as_bytes()).unwrap_err();
            assert_eq!(parse(text.as_bytes()), Err(want), "{broken}");
        }
        let too_deep = object(&deep(30_000));
        assert_eq!(parse(too_deep.as_bytes()), json::parse(too_deep.as_bytes()));
        let deep = object(&deep(9_000));
        assert!(are_texts(&parse(deep.as_bytes()).unwrap()));
    }

    #[test]
    fn only_field_sets_are_texts() {
        let elsewhere = r#"{"fieldsV1":{},"metadata":{"fieldsV1":{},"managedFields":{"a":{"fieldsV1":{}}},
            "a":[{"fieldsV1":{}}]},"spec":{"managedFields":[{"fieldsV1":{}}]}}"#;
        assert_eq!(parse(elsewhere.as_bytes()), json::parse(elsewhere.as_bytes()));
    }

    #[test]
    fn a_string_of_a_client_is_no_set() {
        let mut sent = json!({"metadata": {"managedFields": [{"fieldsV1": "{}"}, {"fieldsV1": {}}, 7]}});
        refuse_texts(&mut sent);
        assert_eq!(sent, json!({"metadata": {"managedFields": [{"fieldsV1": ["{}"]}, {"fieldsV1": {}}, 7]}}));
        let mut other = json!("no object");
        refuse_texts(&mut other);
        assert_eq!(other, "no object");
    }
}
