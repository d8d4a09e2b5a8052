//! The very bytes that kubectl 1.37 sent, against the JSON it prints for the same object.

#![allow(clippy::unwrap_used)]

use protobuf_encoding::{decode, encode, recognizes};
use serde_json::Value;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn cases() -> Vec<(String, Vec<u8>, Value)> {
    let data: Vec<Value> = serde_json::from_str(include_str!("data/kubectl.json")).unwrap();
    let text = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    data.iter().map(|case| (text(case, "command"), bytes(&text(case, "bytes")), case["object"].clone())).collect()
}

#[test]
fn what_kubectl_sends_is_read_as_the_json_it_prints() {
    for (command, bytes, object) in cases() {
        assert!(recognizes(&bytes));
        let decoded = decode(&bytes).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(decoded, object, "{command}\ndecoded {decoded:#}");
    }
}

#[test]
fn objects_are_written_byte_for_byte_as_kubectl_writes_them() {
    for (command, bytes, object) in cases() {
        let encoded = encode(&object).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(encoded.escape_ascii().to_string(), bytes.escape_ascii().to_string(), "{command}");
    }
}

#[test]
fn every_truncation_of_a_body_is_refused_or_shorter() {
    for (command, bytes, object) in cases() {
        for length in 0..bytes.len() {
            if let Ok(shorter) = decode(&bytes[..length]) {
                // The end of the content's encoding and media type may be missing: they are empty.
                assert!(shorter == object || length < bytes.len() - 4, "{command} cut to {length}");
            }
        }
    }
}
