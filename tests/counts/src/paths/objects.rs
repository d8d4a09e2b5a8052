//! What is done to one object: decode, default, validate, encode, patch, apply.

use std::hint::black_box;

use apimachinery::GroupVersionKind;
use apimachinery::field::Path;
use apimachinery::json::{self, Duplicates};
use apimachinery::patch::merge;
use apimachinery::selector::labels::Selector;
use schema::Schema;
use serde_json::{Value, json};
use storage::cacher::{KeyOrder, with_resource_version};
use structured_merge_diff::merge::ConvertError;
use structured_merge_diff::typed::Duplicates as Repeated;
use structured_merge_diff::{ApiVersion, Converter, ManagedFields, TypedValue, Updater};

const VALID: &str = "what is counted is valid";

/// A Deployment whose containers have some fifty fields.
fn deployment(image: &str) -> Value {
    let container = |at: usize| {
        json!({
            "name": format!("container-{at}"), "image": format!("registry.example.com/container:{image}"),
            "imagePullPolicy": "IfNotPresent", "command": ["/bin/serve", "--listen=:8080"], "workingDir": "/srv",
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        })
    };
    let labels = json!({"app": "counts"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "counted", "namespace": "default", "labels": labels},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": (0..5).map(container).collect::<Vec<_>>(), "volumes": [{"name": "data", "emptyDir": {}}]}}},
    })
}

fn kind() -> Schema {
    schema::builtin().kind(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("a built-in kind")
}

/// A definition's schema with what is common in them, and an object of about 1.6 KB.
fn custom() -> (Schema, Value) {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["mode"], "properties": {
        "mode": {"type": "string", "enum": ["Automatic", "Manual"]},
        "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
        "host": {"type": "string", "maxLength": 253, "pattern": "^[a-z0-9.-]+$"},
        "parts": {"type": "array", "maxItems": 32, "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "maxLength": 63}, "value": {"type": "string"},
            "weight": {"type": "integer", "default": 5}}}},
    }}}});
    let part = |at: usize| json!({"name": format!("part-{at:02}"), "value": "0123456789abcdef".repeat(3)});
    let object = json!({
        "apiVersion": "counts.example.com/v1", "kind": "Counted",
        "metadata": {"name": "counted", "namespace": "default", "labels": {"app": "counts", "group": "group-3"}},
        "spec": {"mode": "Manual", "host": "www.example.com", "parts": (0..16).map(part).collect::<Vec<_>>()},
    });
    (Schema::from_crd(&schema, &Path::new("schema")).expect(VALID), object)
}

pub fn decode_json() -> Box<dyn FnMut()> {
    let bytes = deployment("1").to_string();
    Box::new(move || {
        black_box(json::decode(black_box(bytes.as_bytes()), Duplicates::Last).expect(VALID));
    })
}

pub fn decode_protobuf() -> Box<dyn FnMut()> {
    let bytes = protobuf_encoding::encode(&deployment("1")).expect(VALID);
    Box::new(move || {
        black_box(protobuf_encoding::decode(black_box(&bytes)).expect(VALID));
    })
}

pub fn decode_custom() -> Box<dyn FnMut()> {
    let (schema, object) = custom();
    let bytes = object.to_string();
    Box::new(move || {
        let mut object = json::decode(black_box(bytes.as_bytes()), Duplicates::Last).expect(VALID).value;
        schema.decode(&mut object).expect(VALID);
        schema.prune(&mut object);
        schema.apply_defaults(&mut object);
        black_box(object);
    })
}

pub fn defaults() -> Box<dyn FnMut()> {
    let (kind, object) = (kind(), deployment("1"));
    Box::new(move || {
        let mut object = object.clone();
        kind.decode(&mut object).expect(VALID);
        kind.apply_defaults(&mut object);
        black_box(object);
    })
}

pub fn validate_custom() -> Box<dyn FnMut()> {
    let (schema, mut object) = custom();
    schema.apply_defaults(&mut object);
    Box::new(move || assert_eq!(schema.validate(black_box(&object), None, &Path::default()), Vec::new()))
}

pub fn encode_json() -> Box<dyn FnMut()> {
    let object = deployment("1");
    Box::new(move || {
        black_box(schema::types::to_vec(black_box(&object)));
    })
}

pub fn encode_protobuf() -> Box<dyn FnMut()> {
    let object = deployment("1");
    Box::new(move || {
        black_box(protobuf_encoding::encode(black_box(&object)).expect(VALID));
    })
}

pub fn stored_to_served() -> Box<dyn FnMut()> {
    let bytes = deployment("1").to_string();
    Box::new(move || {
        black_box(with_resource_version(black_box(bytes.as_bytes()), 1234, KeyOrder::Declared).expect(VALID));
    })
}

pub fn merge_patch() -> Box<dyn FnMut()> {
    let (_, object) = custom();
    Box::new(move || {
        let mut object = object.clone();
        merge::apply_bytes(&mut object, black_box(br#"{"spec":{"replicas":2,"host":null}}"#)).expect(VALID);
        black_box(object);
    })
}

pub fn match_labels() -> Box<dyn FnMut()> {
    let selector = Selector::parse("app=counts,group in (group-1,group-3),!gone,tier!=back").expect(VALID);
    let labels = [("app", "counts"), ("group", "group-3"), ("tier", "front")];
    Box::new(move || {
        for _ in 0..100 {
            let label = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
            assert!(black_box(&selector).matches(label));
        }
    })
}

pub fn apply_unchanged() -> Box<dyn FnMut()> {
    apply(deployment("1"))
}

pub fn apply_one_field() -> Box<dyn FnMut()> {
    apply(deployment("2"))
}

/// There is but one version.
struct Same;

impl Converter for Same {
    fn convert(&self, object: &TypedValue, _: &ApiVersion) -> Result<TypedValue, ConvertError> {
        Ok(object.clone())
    }
}

/// Applies `config` to what the same manager applied before.
fn apply(config: Value) -> Box<dyn FnMut()> {
    let types = kind().merge_type();
    let typed = |value: Value| TypedValue::new(value, &types.schema, &types.type_ref, Repeated::Reject).expect(VALID);
    let version = ApiVersion::from("apps/v1");
    let updater = Updater::new(Same);
    let (empty, first, config) = (typed(json!({})), typed(deployment("1")), typed(config));
    let applied = updater.apply(&empty, &first, &version, ManagedFields::new(), "me", false).expect("no conflict");
    let (live, managers) = (applied.0.unwrap_or(first), applied.1);
    Box::new(move || {
        black_box(updater.apply(&live, &config, &version, managers.clone(), "me", false).expect("no conflict"));
    })
}
