//! `ConversionReview`: what is asked of a conversion webhook, and what its answer may change.

use apimachinery::field::Path;
use apimachinery::quote::{go_type, quoted};
use apimachinery::validation;
use apimachinery::{ObjectExt, aggregate};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Fields of metadata that a webhook may change.
const CHANGEABLE: [&str; 2] = ["labels", "annotations"];

/// The version of the review that the webhook takes and we speak.
pub(super) fn version(accepted: &[String]) -> Option<&'static str> {
    accepted.iter().find_map(|version| match version.as_str() {
        "v1" => Some("v1"),
        "v1beta1" => Some("v1beta1"),
        _ => None,
    })
}

/// The request's body.
pub(super) fn encode(version: &str, uid: &str, desired: &str, objects: &[&Value]) -> Bytes {
    let review = json!({
        "kind": "ConversionReview",
        "apiVersion": format!("apiextensions.k8s.io/{version}"),
        "request": { "uid": uid, "desiredAPIVersion": desired, "objects": objects },
    });
    review.to_string().into()
}

/// The converted objects of an answer; the error is upstream's.
pub(super) fn decode(body: &[u8], version: &str, uid: &str) -> Result<Vec<Value>, String> {
    let mut review: Value = apimachinery::json::parse(body).map_err(|error| error.to_string())?;
    let wanted = format!("apiextensions.k8s.io/{version}");
    if review.api_version() != wanted || review.kind() != "ConversionReview" {
        let gvk = |api_version: &str, kind: &str| format!("{}, Kind={kind}", group_version(api_version));
        return Err(format!(
            "expected webhook response of {}, got {}",
            gvk(&wanted, "ConversionReview"),
            gvk(review.api_version(), review.kind())
        ));
    }
    let Some(response) = review.get_mut("response").filter(|response| response.is_object()) else {
        return Err("no response provided".to_owned());
    };
    let text = |pointer: &str| response.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    // The first version of the review did not ask for the uid.
    if version == "v1" && text("/uid") != uid {
        return Err(format!("expected response.uid={}, got {}", quoted(uid), quoted(text("/uid"))));
    }
    match (text("/result/status"), text("/result/message")) {
        ("Success", _) => {}
        (status, "") => return Err(format!("response.result.status was '{status}', not 'Success'")),
        (_, message) => return Err(message.to_owned()),
    }
    match response.get_mut("convertedObjects").map(Value::take) {
        Some(Value::Array(objects)) => Ok(objects),
        _ => Ok(Vec::new()),
    }
}

/// An apiVersion as Go prints a group and version: the core group's begins with a slash.
fn group_version(api_version: &str) -> String {
    if api_version.contains('/') { api_version.to_owned() } else { format!("/{api_version}") }
}

/// Why an answer is no conversion of `original` to the version `desired`, of which the rest of upstream's message depends.
pub(super) enum Invalid {
    /// "invalid object at index 0".
    Type(String),
    /// "invalid object".
    Object(String),
    /// "invalid metadata".
    Metadata(String),
}

/// Takes an answer for `original`: it is of the same identity, and has the original's metadata but for labels and annotations.
pub(super) fn accept(original: &Value, mut converted: Value, desired: &str) -> Result<Value, Invalid> {
    let got = group_version(converted.api_version());
    if got != desired {
        return Err(Invalid::Type(format!("invalid groupVersion (expected {desired}, received {got})")));
    }
    let kinds = (original.kind(), converted.kind());
    if kinds.0 != kinds.1 {
        return Err(Invalid::Type(format!("invalid kind (expected {}, received {})", kinds.0, kinds.1)));
    }
    for (words, was, is) in [
        ("name", original.name(), converted.name()),
        ("namespace", original.namespace(), converted.namespace()),
        ("UID", original.uid(), converted.uid()),
    ] {
        if was != is {
            return Err(Invalid::Object(format!("must have the same {words}: {was} != {is}")));
        }
    }
    restore(original, &mut converted).map_err(Invalid::Metadata)?;
    Ok(converted)
}

fn restore(original: &Value, converted: &mut Value) -> Result<(), String> {
    let of_type = |value: &Value| go_type(value).go;
    let mut answered = match converted.get_mut("metadata").map(Value::take) {
        None => return Err("missing metadata in converted object".to_owned()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(format!("invalid metadata of type {} in converted object", of_type(&other))),
    };
    let mut metadata: Map<String, Value> = original.metadata().cloned().unwrap_or_default();
    for name in CHANGEABLE {
        let map = match answered.remove(name) {
            None | Some(Value::Null) => {
                metadata.remove(name);
                continue;
            }
            Some(Value::Object(map)) => map,
            Some(other) => {
                return Err(format!("invalid metadata.{name} of type {} in converted object", of_type(&other)));
            }
        };
        if let Some((key, value)) = map.iter().find(|(_, value)| !value.is_string()) {
            let got = of_type(value);
            return Err(format!("metadata.{name}[{key}] must be a string, but is {got} in converted object"));
        }
        let map = Value::Object(map);
        if metadata.get(name) != Some(&map) {
            let errors = match name {
                "labels" => validation::validate_labels(&map, &Path::new("metadata").child("labels")),
                // Upstream's path.
                _ => validation::validate_annotations(&map, &Path::new("metadata").child("annotation")),
            };
            if !errors.is_empty() {
                return Err(aggregate(errors.iter().map(ToString::to_string)));
            }
        }
        metadata.insert(name.to_owned(), map);
    }
    if let Some(fields) = converted.as_object_mut() {
        fields.insert("metadata".to_owned(), metadata.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(response: Value) -> Vec<u8> {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn an_answer_that_is_none_is_told_in_upstream_s_words() {
        for (body, want) in [
            (answer(json!(null)), "no response provided"),
            (answer(json!({"uid": "b"})), r#"expected response.uid="a", got "b""#),
            (answer(json!({"uid": "a"})), "response.result.status was '', not 'Success'"),
            (answer(json!({"uid": "a", "result": {"status": "Failure", "message": "no"}})), "no"),
            (
                br#"{"apiVersion":"v1","kind":"Status"}"#.to_vec(),
                "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /v1, Kind=Status",
            ),
        ] {
            assert_eq!(decode(&body, "v1", "a").unwrap_err(), want);
        }
        let good = answer(json!({"uid": "a", "result": {"status": "Success"}, "convertedObjects": [1]}));
        assert_eq!(decode(&good, "v1", "a").unwrap(), [json!(1)]);
    }

    #[test]
    fn of_metadata_a_webhook_changes_labels_and_annotations_alone() {
        let original = json!({"apiVersion": "e.com/v1", "kind": "W", "metadata": {"name": "a", "uid": "u",
            "labels": {"a": "1"}, "annotations": {"x": "y"}, "generation": 3, "finalizers": ["e.com/f"]}, "spec": {"host": "h"}});
        let converted = json!({"apiVersion": "e.com/v2", "kind": "W", "metadata": {"name": "a", "uid": "u",
            "labels": {"b": "2"}, "generation": 9}, "spec": {"hostPort": "h:1"}});
        let accepted = accept(&original, converted.clone(), "e.com/v2").ok().unwrap();
        assert_eq!(
            accepted["metadata"],
            json!({"name": "a", "uid": "u", "labels": {"b": "2"}, "generation": 3, "finalizers": ["e.com/f"]})
        );
        for (pointer, value, want) in [
            ("/apiVersion", json!("e.com/v1"), "invalid groupVersion (expected e.com/v2, received e.com/v1)"),
            ("/kind", json!("X"), "invalid kind (expected W, received X)"),
            ("/metadata/name", json!("b"), "must have the same name: a != b"),
            ("/metadata/uid", json!(""), "must have the same UID: u != "),
            ("/metadata/labels", json!([]), "invalid metadata.labels of type []interface {} in converted object"),
            ("/metadata/labels/b", json!(1), "metadata.labels[b] must be a string, but is int64 in converted object"),
        ] {
            let mut wrong = converted.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            let (Invalid::Type(got) | Invalid::Object(got) | Invalid::Metadata(got)) =
                accept(&original, wrong, "e.com/v2").err().unwrap();
            assert_eq!(got, want);
        }
        let mut wrong = converted;
        wrong["metadata"]["labels"] = json!({"not a label": "x"});
        assert!(matches!(accept(&original, wrong, "e.com/v2"), Err(Invalid::Metadata(_))));
    }
}
