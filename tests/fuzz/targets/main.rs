//! What holds for every input. A target is one function: bytes in, a panic if a promise is broken. `FUZZ_TARGET` names it.
#![no_main]

mod apply;
mod credentials;
mod encodings;
mod patches;
mod requests;
mod schemas;
mod selectors;

use std::sync::OnceLock;

use apimachinery::json::{self, Duplicates};
use schema::Schema;
use serde_json::Value;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("apply", apply::apply),
    ("cel", schemas::cel),
    ("certificate_request", credentials::certificate_request),
    ("certificate_subject", credentials::certificate_subject),
    ("continue_token", requests::continue_token),
    ("credential_headers", credentials::credential_headers),
    ("custom_resource", schemas::custom_resource),
    ("decode", schemas::decode),
    ("field_selector", selectors::field_selector),
    ("json", encodings::json),
    ("json_patch", patches::json_patch),
    ("jsonpath", requests::jsonpath),
    ("label_selector", selectors::label_selector),
    ("managed_fields", apply::managed_fields),
    ("merge_patch", patches::merge_patch),
    ("protobuf", encodings::protobuf),
    ("quantity", encodings::quantity),
    ("strategic_patch", patches::strategic_patch),
    ("token", credentials::token),
    ("yaml", encodings::yaml),
];

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!("FUZZ_TARGET={name} is none of {}", names.join(" "));
    };
    *target
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.get_or_init(chosen)(data));

/// The parts of an input that holds several, separated by a zero byte, which no JSON text has.
fn parts<const N: usize>(data: &[u8]) -> Option<[&[u8]; N]> {
    data.split(|byte| *byte == 0).collect::<Vec<_>>().try_into().ok()
}

fn value(data: &[u8]) -> Option<Value> {
    json::decode(data, Duplicates::Last).ok().map(|decoded| decoded.value)
}

fn kind(name: &str) -> Schema {
    let (group, version) = if name == "Deployment" { ("apps", "v1") } else { ("", "v1") };
    let gvk = apimachinery::GroupVersionKind::new(group, version, name);
    schema::builtin().kind(&gvk).expect("a built-in kind")
}
