//! Objects go to the wire form and come back as they were.

use protobuf_encoding::{
    EncodeError, ListEncoder, decode, decode_with_default, encode, encode_watch_event, supports, type_of,
};
use serde_json::{Value, json};

#[track_caller]
fn comes_back(object: &Value) {
    let name = format!("{} {}", object["apiVersion"], object["kind"]);
    let bytes = encode(object).unwrap_or_else(|error| panic!("{name}: {error}"));
    let decoded = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&decoded, object, "{name}\ncame back as {decoded:#}");
}

#[test]
fn recorded_objects_come_back_as_they_were() {
    let objects: Vec<Value> = serde_json::from_str(include_str!("data/objects.json")).unwrap();
    for object in objects {
        comes_back(&object);
    }
}

#[test]
fn forms_of_schemas_come_back_as_they_were() {
    let properties = json!({
        "array": {"type": "array", "items": {"type": "string"}},
        "tuple": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]},
        "closed": {"type": "object", "additionalProperties": false},
        "open": {"type": "object", "additionalProperties": true},
        "typed": {"type": "object", "additionalProperties": {"$ref": "#/x", "x-kubernetes-int-or-string": true}},
        "dependent": {"dependencies": {"a": ["b", "c"], "d": {"type": "null"}}},
        "values": {
            "default": {"deep": [1, 2.5, null, {"a": "b"}]},
            "enum": ["a", null, 1],
            "example": false,
            "maximum": 1, "minimum": -0.5, "multipleOf": 9007199254740994.0,
        },
        "rules": {
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "x-kubernetes-preserve-unknown-fields": true,
            "x-kubernetes-validations": [{"rule": "self > 0", "optionalOldSelf": false}],
        },
    });
    comes_back(&json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "xs.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "xs", "kind": "X"},
            "versions": [{
                "name": "v1", "served": true, "storage": false,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".a", "statusReplicasPath": ".b"}},
            }],
        },
        "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": null},
    }));
}

#[test]
fn special_values_come_back_as_they_were() {
    for object in [
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"a": "AAH/", "empty": "", "none": null}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"": ""}}, "binaryData": {"b": "/w=="}, "data": {"é": "ü"}}),
        json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "a"},
            "data": {"spec": {"template": null, "n": [1]}}, "revision": -1,
        }),
        json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": {},
            "status": {"authenticated": true, "user": {"username": "jane", "extra": {"a": ["b", ""], "none": []}}},
        }),
        json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "n"}, "involvedObject": {"kind": "Pod"},
            "source": {}, "firstTimestamp": null, "lastTimestamp": "2026-01-02T03:04:05Z",
            "eventTime": "1969-12-31T23:59:59.000001Z", "reportingComponent": "", "reportingInstance": "",
        }),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {},
            "spec": {"minAvailable": "50%", "maxUnavailable": -2147483648, "selector": {}},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
                "disruptedPods": {"p": "2026-01-02T03:04:05Z", "zero": null}},
        }),
        json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Foreground",
            "preconditions": {"uid": "u", "resourceVersion": "1"}, "dryRun": ["All"],
        }),
        json!({"apiVersion": "apps/v1", "kind": "CreateOptions", "fieldManager": "m"}),
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [{"apiVersion": "example.com/v1", "kind": "X"}]}),
        json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "message": "m", "reason": "Gone", "code": 410}),
        json!({"apiVersion": "v1", "kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
            {"name": "a", "singularName": "", "namespaced": true, "kind": "A", "verbs": ["get"]},
            {"name": "b", "singularName": "", "namespaced": false, "kind": "B", "verbs": null},
        ]}),
    ] {
        comes_back(&object);
    }
}

#[test]
fn absent_and_null_fields_are_go_s_zero_values() {
    let deployment =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"creationTimestamp": null, "name": "d"}});
    assert_eq!(
        decode(&encode(&deployment).unwrap()).unwrap(),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"selector": null, "strategy": {}, "template": {"metadata": {}, "spec": {"containers": null}}},
            "status": {},
        })
    );
}

#[test]
fn a_list_made_item_by_item_is_the_list_made_at_once() {
    let item = |name: &str| json!({"metadata": {"name": name}, "data": {"a": name.repeat(1000)}});
    let mut list = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "7", "continue": "c", "remainingItemCount": 3},
        "items": [item("a"), item("b")],
    });
    let mut encoder = ListEncoder::new("v1", "ConfigMapList").unwrap();
    for item in list["items"].as_array().unwrap() {
        encoder.push(item).unwrap();
    }
    assert_eq!(encoder.finish(&list["metadata"]).unwrap(), encode(&list).unwrap());
    comes_back(&list);

    let old = json!({"apiVersion": "meta.k8s.io/v1beta1", "kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"},
        "items": [{"metadata": {"name": "a"}}]});
    let mut encoder = ListEncoder::new("meta.k8s.io/v1beta1", "PartialObjectMetadataList").unwrap();
    encoder.push(&old["items"][0]).unwrap();
    assert_eq!(decode(&encoder.finish(&old["metadata"]).unwrap()).unwrap(), old);

    list["items"] = Value::Null;
    let encoder = ListEncoder::new("v1", "ConfigMapList").unwrap();
    assert_eq!(encoder.finish(&list["metadata"]).unwrap(), encode(&list).unwrap());
    assert!(ListEncoder::new("v1", "ConfigMap").is_err() && ListEncoder::new("example.com/v1", "XList").is_err());
}

#[test]
fn a_watch_event_is_a_bare_message_in_a_frame_and_its_object_an_envelope() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    let envelope = encode(&object).unwrap();
    let frame = encode_watch_event("ADDED", &object).unwrap();
    let message = &frame[4..];
    assert_eq!(frame[..4], (message.len() as u32).to_be_bytes());
    assert_eq!(message[..7], *b"\x0a\x05ADDED");
    let length = envelope.len() as u8;
    assert_eq!(message[7..11], [0x12, length + 2, 0x0a, length]);
    assert_eq!(message[11..], envelope);
    // In an envelope of its own the event shows its object.
    let mut enveloped = b"k8s\0\x0a\x10\x0a\x02v1\x12\x0aWatchEvent\x12".to_vec();
    enveloped.push(message.len() as u8);
    enveloped.extend_from_slice(message);
    let event = json!({"apiVersion": "v1", "kind": "WatchEvent", "type": "ADDED", "object": object});
    assert_eq!(decode(&enveloped).unwrap(), event);
}

#[test]
fn an_envelope_without_a_kind_takes_the_given_one() {
    let options = b"k8s\0\x12\x02\x08\x05";
    let expected = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 5});
    assert_eq!(decode_with_default(options, "v1", "DeleteOptions").unwrap(), expected);
    assert_eq!(decode(options).unwrap_err().to_string(), "Object 'Kind' is missing");
}

#[test]
fn the_type_of_an_envelope_is_told_without_reading_the_object() {
    let damaged = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x01\x07";
    assert_eq!(type_of(damaged), Ok(("v1", "Pod")));
    assert!(decode(damaged).is_err());
    assert_eq!(type_of(b"k8s\0\x12\x00"), Ok(("", "")));
}

#[test]
fn an_error_answer_is_byte_for_byte_upstream_s() {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "secrets \"nope\" not found",
        "reason": "NotFound", "details": {"name": "nope", "kind": "secrets"}, "code": 404,
    });
    let recorded = b"k8s\0\n\x0c\n\x02v1\x12\x06Status\x12O\n\x06\n\0\x12\0\x1a\0\x12\x07Failure\x1a\x18secrets \"nope\" not found\
        \"\x08NotFound*\x15\n\x04nope\x12\0\x1a\x07secrets(\x002\x000\x94\x03\x1a\0\"\0";
    assert_eq!(encode(&status).unwrap().escape_ascii().to_string(), recorded.escape_ascii().to_string());
}

#[test]
fn custom_resources_have_no_protobuf_form() {
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget"});
    assert!(!supports("example.com/v1", "Widget") && !supports("meta.k8s.io/v1", "Table"));
    assert!(supports("v1", "Pod") && supports("apps/v1", "DeploymentList") && supports("policy/v1", "Eviction"));
    let error = EncodeError::UnknownKind { api_version: "example.com/v1".into(), kind: "Widget".into() };
    assert_eq!(encode(&widget), Err(error));
}

#[test]
fn a_value_of_the_wrong_type_is_named_by_its_place() {
    let pod = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": spec});
    for (object, message) in [
        (
            pod(json!({"containers": [{"name": "a"}, {"name": 1}]})),
            "spec.containers[1].name: expected string, found number",
        ),
        (pod(json!({"containers": {}})), "spec.containers: expected array, found object"),
        (pod(json!({"nodeSelector": {"a": true}})), "spec.nodeSelector[a]: expected string, found boolean"),
        (pod(json!({"priority": 2147483648_u32})), "spec.priority: 2147483648 is out of the range of int32"),
        (pod(json!({"priority": 1.5})), "spec.priority: 1.5 is no integer of 64 bits"),
        (pod(json!("x")), "spec: expected object, found string"),
    ] {
        assert_eq!(encode(&object).unwrap_err().to_string(), message);
    }
}
