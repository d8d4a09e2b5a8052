//! Whatever bytes come, decoding ends with an object or an error, and within bounds.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use protobuf_encoding::{DecodeError, decode, encode};
use serde_json::{Value, json};

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn message(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(content.len()), content].concat()
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [message(1, api_version.as_bytes()), message(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), message(1, &type_meta), message(2, raw)].concat()
}

fn pod(raw: &[u8]) -> Result<Value, DecodeError> {
    decode(&envelope("v1", "Pod", raw))
}

#[test]
fn what_is_no_envelope_is_refused_in_upstream_s_words() {
    for (bytes, words) in [
        (&b""[..], "empty data"),
        (b"{}", "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"),
        (b"k8s\0", "empty body"),
        (b"k8s\0\x12\x00", "Object 'Kind' is missing"),
        (b"k8s\0\x0a\x07\x12\x03Pod\x0a", "unexpected EOF"),
        (b"k8s\0\x0a\x05\x12\x03Pod", "Object 'apiVersion' is missing"),
        (b"k8s\0\x08\x01", "proto: wrong wireType = 0 for field typeMeta"),
    ] {
        assert_eq!(decode(bytes).unwrap_err().to_string(), words);
    }
    let unknown = decode(&envelope("example.com/v1", "Widget", b"")).unwrap_err();
    assert_eq!(unknown.to_string(), "no kind \"Widget\" is registered for version \"example.com/v1\"");
}

#[test]
fn fields_of_the_wrong_wire_type_are_named() {
    for (raw, words) in [
        (vec![0x08, 1], "proto: wrong wireType = 0 for field metadata"),
        (message(1, &[0x08, 1]), "proto: wrong wireType = 0 for field name"),
        (message(1, &message(7, b"")), "proto: wrong wireType = 2 for field generation"),
        (message(1, &message(1, &[0xff])), "proto: field name: invalid utf-8 sequence of 1 bytes from index 0"),
        (vec![0x0f], "proto: Pod: illegal tag 1 (wire type 7)"),
        (vec![0x00], "proto: Pod: illegal tag 0 (wire type 0)"),
        (vec![0x0a, 5], "unexpected EOF"),
    ] {
        assert_eq!(pod(&raw).unwrap_err().to_string(), words);
    }
}

#[test]
fn unknown_fields_are_passed_over_and_parts_of_a_message_add_up() {
    let unknown =
        [&[0xf8, 0x3f, 1, 0xf9, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0x3f, 0, 0, 0, 0, 0xfb, 0x3f, 0xfc, 0x3f][..]]
            .concat();
    let raw = [unknown, message(1, &message(1, b"a")), message(1, &message(3, b"n"))].concat();
    let object = decode(&envelope("v1", "ConfigMap", &raw)).unwrap();
    assert_eq!(object, json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}));
}

#[test]
fn a_time_or_json_that_is_sent_empty_is_none() {
    let managed = [&[0x8a, 0x01, 5][..], &message(1, b"m"), &message(7, b"")].concat();
    let metadata = [message(1, b"a"), message(9, b""), managed].concat();
    let object = pod(&message(1, &metadata)).unwrap();
    assert_eq!(object["metadata"], json!({"name": "a", "managedFields": [{"manager": "m"}]}));
    assert_eq!(decode(&encode(&object).unwrap()).unwrap(), object);
}

#[test]
fn nesting_is_bounded_and_what_is_let_through_can_be_read_again() {
    let nested = |levels: usize| {
        // JSONSchemaProps.not, field 28, in itself.
        let schema =
            (0..levels).fold(Vec::new(), |inner, _| [&[0xe2, 0x01][..], &varint(inner.len()), &inner].concat());
        let version = message(4, &message(1, &schema));
        envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", &message(2, &message(7, &version)))
    };
    let deepest = (1..200).rev().find(|&levels| decode(&nested(levels)).is_ok()).unwrap();
    assert!(deepest > 100, "{deepest}");
    let object = decode(&nested(deepest)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&object.to_string()).unwrap(), object);
    assert!(encode(&object).is_ok());
    assert_eq!(decode(&nested(deepest + 1)), Err(DecodeError::TooDeep));
    assert_eq!(decode(&nested(20_000)), Err(DecodeError::TooDeep));

    let json = format!("{}{}", "[".repeat(125), "]".repeat(125));
    let revision = |json: &str| envelope("apps/v1", "ControllerRevision", &message(2, &message(1, json.as_bytes())));
    let object = decode(&revision(&json)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&object.to_string()).unwrap(), object);
    assert_eq!(decode(&revision(&format!("[[{json}]]"))), Err(DecodeError::TooDeep));
    assert!(matches!(decode(&revision("{")), Err(DecodeError::Invalid { field: "data", .. })));
}

#[test]
fn envelopes_within_envelopes_are_bounded() {
    let list = |inner: &[u8]| envelope("v1", "List", &message(2, &message(1, inner)));
    let mut bytes = list(b"1");
    for _ in 0..200 {
        bytes = list(&bytes);
    }
    assert_eq!(decode(&bytes), Err(DecodeError::TooDeep));
}

#[test]
fn two_bytes_that_become_many_values_are_bounded() {
    let containers = [0x12, 0].repeat(200_000);
    assert_eq!(pod(&message(2, &containers)), Err(DecodeError::TooLarge));
}

fn starts() -> Vec<Vec<u8>> {
    let objects: Vec<Value> = serde_json::from_str(include_str!("data/objects.json")).unwrap();
    objects.iter().map(|object| encode(object).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_an_object_or_an_error(
        raw in proptest::collection::vec(any::<u8>(), 0..200),
        kind in proptest::sample::select(vec![
            ("v1", "Pod"), ("v1", "Event"), ("v1", "List"), ("v1", "Status"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ]),
    ) {
        let _ = decode(&raw);
        let _ = decode(&[b"k8s\0", &raw[..]].concat());
        if let Ok(object) = decode(&envelope(kind.0, kind.1, &raw)) {
            prop_assert!(serde_json::from_str::<Value>(&object.to_string()).is_ok());
        }
    }

    #[test]
    fn damaged_objects_end_in_an_object_or_an_error(
        start in proptest::sample::select(starts()),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = start;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(object) = decode(&bytes) {
            prop_assert!(serde_json::from_str::<Value>(&object.to_string()).is_ok());
            // What was read can be written, and then reads the same.
            if let Ok(encoded) = encode(&object) {
                prop_assert_eq!(decode(&encoded).unwrap(), object);
            }
        }
    }
}
