//! Bodies in Kubernetes' protobuf encoding, which Go's typed clients send for built-in kinds. They become the JSON value
//! that Go would have sent for the same object, and take its path from there.

use apimachinery::gvk::{GroupVersion, GroupVersionKind};
use apimachinery::status::StatusError;
use protobuf_encoding::DecodeError;
use serde_json::Value;

/// Decodes an object; what its envelope leaves out of apiVersion and kind is taken from `expected`.
pub(super) fn object(bytes: &[u8], expected: &GroupVersionKind) -> Result<Value, StatusError> {
    let (version, wanted) = (expected.group_version(), &expected.kind);
    protobuf_encoding::decode_with_default(bytes, &version.to_string(), wanted).map_err(|error| {
        let error = words(&error);
        match protobuf_encoding::type_of(bytes) {
            Ok((api_version, kind)) if !kind.is_empty() => {
                let sent = api_version.parse().ok().filter(|_| !api_version.is_empty()).unwrap_or(version);
                refused(kind, &sent, wanted, &error)
            }
            _ => StatusError::bad_request(format!(
                "the object provided is unrecognized (must be of type {wanted}): {error} ({})",
                super::summary(bytes)
            )),
        }
    })
}

fn refused(kind: &str, version: &GroupVersion, wanted: &str, error: &str) -> StatusError {
    let version = apimachinery::quote::quoted(&version.version);
    StatusError::bad_request(format!("{kind} in version {version} cannot be handled as a {wanted}: {error}"))
}

/// Decodes the options of a delete.
pub(super) fn delete_options(bytes: &[u8]) -> Result<Value, StatusError> {
    protobuf_encoding::decode_with_default(bytes, "v1", "DeleteOptions")
        .map_err(|error| StatusError::bad_request(error.to_string()))
}

/// What is wrong, and for a kind that nobody knows who does not know it.
fn words(error: &DecodeError) -> String {
    match error {
        DecodeError::UnknownKind { .. } => format!("{error} in scheme \"pkg/api/legacyscheme/scheme.go:30\""),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> GroupVersionKind {
        GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() }
    }

    #[test]
    fn a_body_is_what_its_json_would_have_been() {
        let sent = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" },
            "spec": { "containers": [{ "name": "c", "image": "i" }] },
        });
        let value = object(&protobuf_encoding::encode(&sent).unwrap(), &pod()).unwrap();
        assert_eq!(value["spec"]["containers"][0]["image"], "i", "{value}");
        let bare = protobuf_encoding::encode(&json!({ "apiVersion": "v1", "kind": "Pod" })).unwrap();
        let value = object(&bare, &pod()).unwrap();
        assert_eq!(value["spec"]["containers"], Value::Null, "Go's JSON has a null here: {value}");
        let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 });
        let options = delete_options(&protobuf_encoding::encode(&options).unwrap()).unwrap();
        assert_eq!(options["gracePeriodSeconds"], 0, "{options}");
    }

    #[test]
    fn broken_bodies_are_refused_in_upstreams_words() {
        let envelope = |api_version: &str, kind: &str, raw: &[u8]| {
            let field = |tag: u8, bytes: &[u8]| [&[tag, bytes.len() as u8], bytes].concat();
            let meta = [field(0x0a, api_version.as_bytes()), field(0x12, kind.as_bytes())].concat();
            [b"k8s\0".to_vec(), field(0x0a, &meta), field(0x12, raw)].concat()
        };
        let cases = [
            (
                b"{}".to_vec(),
                "the object provided is unrecognized (must be of type Pod): provided data does not appear to be a \
                 protobuf message, expected prefix [107 56 115 0] ({})",
            ),
            (
                b"k8s\0\x0a".to_vec(),
                "the object provided is unrecognized (must be of type Pod): unexpected EOF (6b3873000a)",
            ),
            (envelope("v1", "Pod", &[0x0a, 0x7f]), "Pod in version \"v1\" cannot be handled as a Pod: unexpected EOF"),
            (
                envelope("apps/v1", "Gadget", &[]),
                "Gadget in version \"v1\" cannot be handled as a Pod: no kind \"Gadget\" is registered for version \
                 \"apps/v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            ),
        ];
        for (body, message) in cases {
            assert_eq!(object(&body, &pod()).unwrap_err().to_string(), message, "{body:?}");
        }
    }
}
