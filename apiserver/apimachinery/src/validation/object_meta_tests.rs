use serde_json::json;

use super::*;
use crate::validation::name_is_dns_subdomain;

fn at() -> Path {
    Path::new("metadata")
}

fn words(errors: ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn on_create(meta: Value) -> Vec<String> {
    words(validate_object_meta(&meta, true, name_is_dns_subdomain, &at()))
}

#[test]
fn metadata_is_checked_on_create() {
    let none: [&str; 0] = [];
    assert_eq!(
        on_create(json!({"name": "a", "namespace": "n", "labels": {"a": "b"}, "annotations": {"X/Y": "z"}})),
        none
    );
    for (meta, want) in [
        (json!({"namespace": "n"}), "metadata.name: Required value: name or generateName is required"),
        (json!({"name": "a"}), "metadata.namespace: Required value"),
        (json!({"name": "a", "namespace": "n.o"}), "metadata.namespace: Invalid value: \"n.o\": must not contain dots"),
        (
            json!({"name": "a", "namespace": "n", "generation": -1}),
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({"name": "a", "namespace": "n", "labels": {"": "b"}}),
            "metadata.labels: Invalid value: \"\": name part must be non-empty",
        ),
        (
            json!({"name": "a", "namespace": "n", "annotations": {"a": "b".repeat(262_144)}}),
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            json!({"name": "a", "namespace": "n", "finalizers": ["orphan", "foregroundDeletion"]}),
            "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion cannot be both set",
        ),
        (
            json!({"name": "a", "namespace": "n", "managedFields": [{"operation": "Patch"}]}),
            "metadata.managedFields[0].operation: Invalid value: \"Patch\": must be `Apply` or `Update`",
        ),
    ] {
        assert_eq!(on_create(meta)[0], want);
    }
    let generated = on_create(json!({"generateName": "Bad_", "name": "Bad_x", "namespace": "n"}));
    assert!(
        generated[0].starts_with("metadata.generateName: Invalid value: \"Bad_\": a lowercase RFC 1123"),
        "{generated:?}"
    );
    assert!(generated[1].starts_with("metadata.name: Invalid value: \"Bad_x\": a lowercase RFC 1123"), "{generated:?}");
    let cluster = validate_object_meta(&json!({"name": "a", "namespace": "n"}), false, name_is_dns_subdomain, &at());
    assert_eq!(words(cluster), ["metadata.namespace: Forbidden: not allowed on this type"]);
}

#[test]
fn metadata_is_checked_on_update() {
    let old = json!({"name": "a", "namespace": "n", "uid": "1", "resourceVersion": "1", "generation": 2,
                     "creationTimestamp": "2026-01-01T00:00:00Z"});
    let update = |changes: Value| {
        let mut new = old.clone();
        crate::patch::merge::apply(&mut new, &changes);
        words(validate_object_meta_update(&new, &old, &at()))
    };
    let none: [&str; 0] = [];
    assert_eq!(update(json!({"labels": {"a": "b"}, "generation": 3})), none);
    for (changes, want) in [
        (
            json!({"resourceVersion": null}),
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
        ),
        (json!({"generation": 1}), "metadata.generation: Invalid value: 1: must not be decremented"),
        (json!({"uid": "2"}), "metadata.uid: Invalid value: \"2\": field is immutable"),
        (json!({"name": "b"}), "metadata.name: Invalid value: \"b\": field is immutable"),
        (json!({"creationTimestamp": null}), "metadata.creationTimestamp: Invalid value: null: field is immutable"),
        (
            json!({"deletionGracePeriodSeconds": 9}),
            "metadata.deletionGracePeriodSeconds: Invalid value: 9: field is immutable",
        ),
    ] {
        assert_eq!(update(changes), [want]);
    }
    let mut deleted = old.clone();
    deleted["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    deleted["finalizers"] = json!(["ex.io/a"]);
    let mut new = deleted.clone();
    new["finalizers"] = json!(["ex.io/z", "ex.io/a", "ex.io/b"]);
    assert_eq!(
        words(validate_object_meta_update(&new, &deleted, &at())),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"ex.io/b\", \"ex.io/z\"}"
        ]
    );
}

#[test]
fn owner_references_are_checked() {
    let check = |owners: Value| words(validate_owner_references(&owners, &at().child("ownerReferences")));
    assert_eq!(
        check(json!([{"name": "x", "uid": "2"}])),
        [
            "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty",
            "metadata.ownerReferences.kind: Invalid value: \"\": must not be empty"
        ]
    );
    let owner = |name: &str, block: Option<bool>| {
        let mut owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": true});
        if let Some(block) = block {
            owner["blockOwnerDeletion"] = block.into();
        }
        owner
    };
    assert_eq!(
        check(json!([owner("owner-2", Some(true)), owner("owner-1", None)])),
        [
            r#"metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"ConfigMap","name":"owner-2","uid":"owner-2","controller":true,"blockOwnerDeletion":true},{"apiVersion":"v1","kind":"ConfigMap","name":"owner-1","uid":"owner-1","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for ConfigMap/owner-2 and ConfigMap/owner-1"#
        ]
    );
    assert_eq!(
        check(json!([{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1"}])),
        [
            r#"metadata.ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"1"}: /v1, Kind=Event is disallowed from being an owner"#
        ]
    );
}

#[test]
fn field_managers_are_printable_and_short() {
    let check = |manager: &str| words(validate_field_manager(manager, &Path::new("fieldManager")));
    assert_eq!(check(&"x".repeat(129)), ["fieldManager: Too long: may not be more than 128 bytes"]);
    assert_eq!(
        check("a\tb\u{a0}c"),
        [
            r#"fieldManager: Invalid value: "a\tb\u00a0c": invalid character U+0009 (at position 1)"#,
            r#"fieldManager: Invalid value: "a\tb\u00a0c": invalid character U+00A0 (at position 3)"#
        ]
    );
}

#[test]
fn an_empty_list_is_no_change_from_none() {
    let same = |a: Value, b: Value| validate_immutable_field(&a, &b, &at()).is_empty();
    assert!(same(json!(null), json!([])));
    assert!(same(json!({"a": {}}), json!({"b": null})));
    assert!(!same(json!({"a": 0}), json!({})));
    assert!(!same(json!([1]), json!([1, 2])));
}
