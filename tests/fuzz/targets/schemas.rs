//! Schemas, and the objects and expressions that are looked at through them.

use std::sync::{Arc, OnceLock};

use ::cel::{DeclType, PER_CALL_LIMIT, Program, Variables, Wanted};
use apimachinery::GroupVersionKind;
use apimachinery::field::{ErrorKind, Path};
use schema::Schema;
use serde_json::{Value, json};

use crate::{kind, parts, value};

/// Built-in objects: what the decoder let pass, it lets pass again and finds nothing more in it to mend.
pub fn decode(data: &[u8]) {
    let Some(sent) = value(data) else { return };
    for kind in [kind("Pod"), kind("Deployment")] {
        let mut object = sent.clone();
        if kind.decode(&mut object).is_ok() {
            let mut again = object.clone();
            assert_eq!(kind.decode(&mut again).map_err(|error| error.to_string()), Ok(Vec::new()), "{object}");
            assert_eq!(again, object);
            kind.drop_empties(&mut again);
            kind.apply_defaults(&mut again);
            kind.drop_stored_empties(&mut again);
        }
        let mut object = sent.clone();
        if kind.convert(&mut object).is_ok() {
            let mut again = object.clone();
            assert_eq!(kind.convert(&mut again).map_err(|error| error.to_string()), Ok(Vec::new()), "{object}");
            assert_eq!(again, object);
        }
    }
}

/// A definition's schema, an object and its older state. Pruning and defaults done twice are as done once; nothing is wrong with
/// what has not changed.
pub fn custom_resource(data: &[u8]) {
    let Some([schema, object, old]) = parts(data) else { return };
    let (Some(schema), Some(mut object)) = (value(schema), value(object)) else { return };
    let Some(schema) = decoded_schema(schema) else { return };
    let Ok(schema) = Schema::from_crd(&schema, &Path::new("schema")) else { return };
    if schema.decode(&mut object).is_err() {
        return;
    }
    assert_eq!(schema.prune(&mut object), Vec::<String>::new());
    schema.apply_defaults(&mut object);
    let mut again = object.clone();
    schema.apply_defaults(&mut again);
    assert_eq!(again, object);
    assert_eq!(schema.prune(&mut again), Vec::<String>::new());
    let path = Path::default();
    let _ = schema.validate_rules(&object, None, &schema.validate(&object, None, &path));
    // Of an item without the key that it must have nobody knows, upstream neither, which one it was.
    let wrong = schema.validate_keywords(&object, None, &path);
    if !wrong.iter().any(|error| error.kind == ErrorKind::Required) {
        assert_eq!(schema.validate_keywords(&object, Some(&object), &path), Vec::new(), "{object}");
    }
    if let Some(old) = value(old) {
        let _ = schema.validate_rules(&object, Some(&old), &schema.validate(&object, Some(&old), &path));
    }
}

/// The schema as a definition's decoder makes it.
fn decoded_schema(schema: Value) -> Option<Value> {
    let gvk = GroupVersionKind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let mut definition = json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}});
    let kind = schema::builtin().kind(&gvk)?;
    kind.decode(&mut definition).ok()?;
    kind.drop_empties(&mut definition);
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned()
}

/// An expression over an object with a field of each type. It costs no more than it may, and each time the same.
pub fn cel(data: &[u8]) {
    static DECLARED: OnceLock<(Variables, Value)> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (variables, object) = DECLARED.get_or_init(|| {
        let decl = DeclType::of_schema(&every_type(), "selfType", true).expect("a declaration");
        (Variables::default().with("self", &decl).with_optional("oldSelf", &Arc::clone(&decl)), one_of_each())
    });
    for wanted in [Wanted::Bool, Wanted::String] {
        let Ok(program) = Program::compile(text, variables, wanted) else { continue };
        let given = [("self", object)];
        match wanted {
            Wanted::Bool => assert_eq!(program.test(&given, PER_CALL_LIMIT), program.test(&given, PER_CALL_LIMIT)),
            Wanted::String => assert_eq!(program.text(&given, PER_CALL_LIMIT), program.text(&given, PER_CALL_LIMIT)),
        }
        let stopped = program.test(&given, 10);
        assert!(stopped.cost <= 10 || stopped.value.is_err(), "{text:?}: {stopped:?}");
    }
}

fn every_type() -> Value {
    let text = |format: &str| json!({"type": "string", "format": format, "maxLength": 64});
    json!({"type": "object", "properties": {
        "text": {"type": "string", "maxLength": 64},
        "bytes": text("byte"),
        "date": text("date"),
        "time": text("date-time"),
        "duration": text("duration"),
        "one": {"type": "string", "enum": ["a", "b"]},
        "int": {"type": "integer"},
        "number": {"type": "number"},
        "bool": {"type": "boolean"},
        "either": {"x-kubernetes-int-or-string": true},
        "none": {"type": "string", "nullable": true},
        "list": {"type": "array", "items": {"type": "integer"}, "maxItems": 8},
        "set": {"type": "array", "items": {"type": "string"}, "maxItems": 8, "x-kubernetes-list-type": "set"},
        "entries": {"type": "array", "maxItems": 8, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 8},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "embedded": {"type": "object", "x-kubernetes-embedded-resource": true},
        "for": {"type": "string"},
        "a-b": {"type": "string"},
    }})
}

fn one_of_each() -> Value {
    json!({
        "apiVersion": "a/v1", "kind": "K", "metadata": {"name": "n"},
        "text": "täxt", "bytes": "aGk=", "date": "2026-01-02", "time": "2026-01-02T03:04:05Z", "duration": "1h2m",
        "one": "a", "int": i64::MAX, "number": 1.5, "bool": true, "either": "1", "none": null,
        "list": [3, 1, 2], "set": ["b", "a"], "entries": [{"k": "x", "v": 1}, {"k": "y", "v": i64::MIN}],
        "map": {"a": "1", "b": "192.168.0.1"}, "open": {"deep": [1, "x", {"y": null}]},
        "embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}},
        "for": "word", "a-b": "dash",
    })
}
