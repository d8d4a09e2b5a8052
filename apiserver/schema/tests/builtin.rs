//! Promises of the built-in kinds' schemas that need no recordings.

// Tests may panic; this lint knows test functions, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use apimachinery::GroupVersionKind;
use apimachinery::patch::strategic;
use schema::{Schema, builtin};
use serde_json::{Value, json};
use structured_merge_diff::TypedValue;

fn kind(group: &str, version: &str, kind: &str) -> Schema {
    builtin()
        .kind(&GroupVersionKind::new(group, version, kind))
        .unwrap_or_else(|| panic!("no {group}/{version} {kind}"))
}

/// `data/` is whole: the code that reads it may rely on that.
#[test]
fn every_definition_is_readable() {
    let mut count = 0;
    for (name, raw) in builtin().definitions() {
        let definition: Value = serde_json::from_str(raw.get()).unwrap();
        for reference in references(&definition) {
            assert!(builtin().raw(&reference).is_some(), "{name} refers to {reference}, which is not there");
        }
        assert!(builtin().definition(name).is_some_and(|schema| schema.is_builtin()), "{name}");
        count += 1;
    }
    assert_eq!(count, builtin().definitions().len());
    assert!(builtin().kinds().count() > 100);
    let pod = GroupVersionKind::new("", "v1", "Pod");
    assert_eq!(builtin().definition_name(&pod), Some("io.k8s.api.core.v1.Pod"));
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == "$ref" => vec![text.rsplit('/').next().unwrap().to_owned()],
                other => references(other),
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn type_errors_are_in_the_words_of_gos_decoder() {
    let list = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
    for (object, want) in [
        (json!([]), "json: cannot unmarshal array into Go value of type v1.Pod"),
        (list(json!("x")), "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
        (
            list(json!({"containers": {}})),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            list(json!({"containers": [{"ports": [{"protocol": 1}]}]})),
            "json: cannot unmarshal number into Go struct field ContainerPort.spec.containers.ports.protocol of type v1.Protocol",
        ),
        (
            list(json!({"containers": [{"resources": {"limits": []}}]})),
            "json: cannot unmarshal array into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList",
        ),
        (
            list(json!({"containers": [{"resources": {"limits": {"cpu": "x"}}}], "nodeName": 1})),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ] {
        let mut object = object;
        let error = kind("", "v1", "Pod").check_types(&mut object).expect_err(want);
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn unknown_fields_are_named_and_dropped() {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "Spec": {},
        "metadata": {"name": "p", "Labels": {}, "annotations": {"any": "key"}},
        "spec": {"containers": [{"name": "a"}, {"name": "b", "imge": "x"}]},
    });
    let want = ["Spec", "metadata.Labels", "spec.containers[1].imge"].map(|f| format!("unknown field \"{f}\""));
    let mut decoded = pod.clone();
    assert_eq!(kind("", "v1", "Pod").decode(&mut decoded).unwrap(), want);
    assert_eq!(kind("", "v1", "Pod").prune(&mut pod), want);
    assert_eq!(pod, decoded);
    assert_eq!(pod["spec"]["containers"][1], json!({"name": "b"}));
}

#[test]
fn json_of_any_form_is_kept_as_it_is() {
    let mut revision = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "r"}, "revision": 1,
        "data": {"spec": {"anything": [1, {"x": null}]}},
    });
    let given = revision.clone();
    let schema = kind("apps", "v1", "ControllerRevision");
    assert_eq!(schema.decode(&mut revision).unwrap(), Vec::<String>::new());
    assert_eq!(schema.prune(&mut revision), Vec::<String>::new());
    schema.drop_empties(&mut revision);
    schema.apply_defaults(&mut revision);
    assert_eq!(revision["data"], given["data"]);
}

#[test]
fn schemas_within_crds_are_typed_but_not_strict() {
    let mut crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
            "type": "object", "unknown": 1, "default": {"kept": null},
            "additionalProperties": {"type": "string", "unknown": 1},
            "properties": {"a": {"items": {"type": "string", "nullable": null}}},
        }}}]},
    });
    let schema = kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let unknown = schema.decode(&mut crd).unwrap();
    assert_eq!(unknown, ["unknown field \"spec.versions[0].schema.openAPIV3Schema.unknown\""]);
    let open_api = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(open_api["additionalProperties"], json!({"type": "string"}));
    assert_eq!(open_api["properties"]["a"]["items"], json!({"type": "string"}));
    assert_eq!(open_api["default"], json!({"kept": null}));
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["additionalProperties"] = json!("x");
    assert_eq!(schema.check_types(&mut crd).unwrap_err().to_string(), "boolean or JSON schema expected");
}

#[test]
fn pointers_keep_zeros_and_values_lose_them() {
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {}, "generateName": ""},
        "spec": {"replicas": 0, "minReadySeconds": 0, "paused": false, "selector": {"matchLabels": {}},
                 "template": {"spec": {"containers": [{"name": "c", "args": [], "resources": {"limits": {}}}],
                              "hostNetwork": false, "automountServiceAccountToken": false}}},
    });
    let schema = kind("apps", "v1", "Deployment");
    schema.drop_empties(&mut deployment);
    schema.apply_defaults(&mut deployment);
    assert_eq!(
        deployment,
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"replicas": 0, "selector": {}, "strategy": {}, "template": {
                "metadata": {},
                "spec": {"containers": [{"name": "c", "resources": {}}], "automountServiceAccountToken": false},
            }},
            "status": {},
        })
    );
}

#[test]
fn strategic_patches_find_merge_keys_through_lists_and_references() {
    let pod =
        json!({"spec": {"containers": [{"name": "a", "image": "1", "ports": [{"containerPort": 80}]}, {"name": "b"}]}});
    let patch = json!({"spec": {"containers": [{"name": "a", "image": "2", "ports": [{"containerPort": 81}]}]}});
    let schema = kind("", "v1", "Pod");
    let patched = strategic::apply(pod, &patch, &schema.strategic()).unwrap();
    let containers = patched["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 2, "{patched}");
    let a = containers.iter().find(|c| c["name"] == "a").unwrap();
    assert_eq!(a["image"], "2");
    assert_eq!(a["ports"].as_array().map(Vec::len), Some(2), "{patched}");
}

#[test]
fn every_definition_has_a_merge_type_that_resolves() {
    for (name, _) in builtin().definitions() {
        let merge = builtin().definition(name).unwrap().merge_type();
        assert!(merge.schema.resolve(&merge.type_ref).is_some(), "{name}");
    }
    let (a, b) = (kind("", "v1", "Pod").merge_type(), kind("", "v1", "Pod").merge_type());
    assert!(a.schema.same(&b.schema), "a kind has one schema");
}

/// The key of a list item may come from a default: ports without protocol are TCP ports.
#[test]
fn merge_types_have_keys_and_their_defaults() {
    let merge = kind("", "v1", "Pod").merge_type();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]},
    });
    let typed = TypedValue::unvalidated(pod, &merge.schema, &merge.type_ref);
    let text = serde_json::to_string(&typed.to_field_set().unwrap()).unwrap();
    assert!(text.contains(r#"k:{\"containerPort\":80,\"protocol\":\"TCP\"}"#), "{text}");
}
