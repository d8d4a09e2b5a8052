//! What is wrong with definitions, new and changed, in upstream's words and order.

use apimachinery::field::ErrorList;

use super::*;

/// A definition with one version, and changes to it by JSON pointer; null takes away.
fn definition(changes: &[(&str, Value)]) -> Value {
    let definition = json!({
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "conversion": {"strategy": "None"},
            "versions": [version("v1")],
        },
        "status": {"storedVersions": ["v1"]},
    });
    changed(definition, changes)
}

fn version(name: &str) -> Value {
    json!({"name": name, "served": true, "storage": name == "v1", "schema": {"openAPIV3Schema": {"type": "object"}}})
}

fn changed(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
        match value {
            Value::Null => drop(parent.as_object_mut().unwrap().remove(field)),
            value => parent[field] = value.clone(),
        }
    }
    object
}

fn words(errors: &ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

fn of_new(object: &Value) -> Vec<String> {
    words(&super::of_new(object))
}

fn of_change(object: &Value, old: &Value) -> Vec<String> {
    words(&super::of_change(object, old))
}

fn established() -> (&'static str, Value) {
    ("/status/conditions", json!([{"type": "Established", "status": "True"}]))
}

#[test]
fn a_new_definition_is_refused_for_what_is_wrong_with_it() {
    let webhook = |client: Value| json!({"strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]}});
    for (changes, want) in [
        (vec![], vec![]),
        (
            vec![("/spec/group", json!("local"))],
            vec!["spec.group: Invalid value: \"local\": should be a domain with at least one dot"],
        ),
        (
            vec![("/spec/scope", json!("Global")), ("/spec/names/listKind", json!("Widget"))],
            vec![
                "spec.scope: Unsupported value: \"Global\": supported values: \"Cluster\", \"Namespaced\"",
                "spec.names.listKind: Invalid value: \"Widget\": kind and listKind may not be the same",
            ],
        ),
        (
            vec![("/spec/names", json!({}))],
            vec![
                "spec.names.plural: Required value",
                "spec.names.singular: Required value",
                "spec.names.kind: Required value",
                "spec.names.listKind: Required value",
            ],
        ),
        // What the versions have alike is the definition's.
        (
            vec![
                ("/spec/versions", json!([version("v1"), version("v2")])),
                ("/spec/versions/0/schema", Value::Null),
                ("/spec/versions/1/schema", Value::Null),
            ],
            vec![
                "spec.versions[0].schema.openAPIV3Schema: Required value",
                "spec.versions[1].schema.openAPIV3Schema: Required value",
            ],
        ),
        (
            vec![("/spec/versions/0/schema/openAPIV3Schema/type", json!("string"))],
            vec!["spec.validation.openAPIV3Schema.type: Invalid value: \"string\": must be object at the root"],
        ),
        (
            vec![
                ("/spec/versions", json!([version("v1"), version("v2")])),
                ("/spec/versions/1/schema/openAPIV3Schema/description", json!("another")),
                ("/spec/versions/1/schema/openAPIV3Schema/type", json!("string")),
            ],
            vec!["spec.versions[1].schema.openAPIV3Schema.type: Invalid value: \"string\": must be object at the root"],
        ),
        (
            vec![
                ("/spec/versions/0/subresources", json!({"status": {}, "scale": {"specReplicasPath": ".spec"}})),
                ("/spec/versions/0/schema/openAPIV3Schema/maxProperties", json!(3)),
            ],
            vec![
                "only [Description Type Format",
                "spec.subresources.scale.specReplicasPath: Invalid value: \".spec\": should be a json path under .spec",
                "spec.subresources.scale.statusReplicasPath: Required value",
            ],
        ),
        (
            vec![("/spec/versions/0/deprecationWarning", json!("old"))],
            vec![
                "spec.versions[0].deprecationWarning: Invalid value: \"old\": can only be set for deprecated versions",
            ],
        ),
        (
            vec![
                ("/spec/versions/0/deprecated", json!(true)),
                ("/spec/versions/0/deprecationWarning", json!("old\nwords")),
            ],
            vec![
                "spec.versions[0].deprecationWarning: Invalid value: \"old\\nwords\": must only contain printable UTF-8 characters; non-printable character found at index 3",
            ],
        ),
        (
            vec![(
                "/spec/versions/0/additionalPrinterColumns",
                json!([{"name": "a", "type": "int", "format": "x", "jsonPath": "a"}]),
            )],
            vec![
                "spec.additionalPrinterColumns[0].type: Invalid value: \"int\": must be one of boolean,date,integer,number,string",
                "spec.additionalPrinterColumns[0].format: Invalid value: \"x\": must be one of byte,date,date-time,double,float,int32,int64,password",
                "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"a\": must be a simple json path starting with .",
            ],
        ),
        (
            vec![("/spec/versions/0/selectableFields", json!([{"jsonPath": ".metadata.name"}, {"jsonPath": ".a[0]"}]))],
            vec![
                "spec.selectableFields[0].jsonPath: Invalid value: \".metadata.name\": is an invalid path: does not refer to a valid field",
                "spec.selectableFields[1].jsonPath: Invalid value: \".a[0]\": is an invalid path: does not refer to a valid field",
            ],
        ),
        (
            vec![("/spec/conversion", webhook(json!({"service": {"name": "n", "port": 443}, "caBundle": "eHg="})))],
            // Upstream takes the name for the namespace.
            vec!["spec.conversion.webhookClientConfig.service.name: Required value"],
        ),
        (
            vec![
                ("/spec/conversion", webhook(json!({"url": "https://h"}))),
                ("/spec/preserveUnknownFields", json!(true)),
            ],
            vec![
                "spec.conversion.strategy: Invalid value: \"Webhook\": must be None if spec.preserveUnknownFields is true",
                "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
            ],
        ),
        (
            vec![("/spec/group", json!("sigs.k8s.io"))],
            vec![
                "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111",
            ],
        ),
    ] {
        let got = of_new(&definition(&changes));
        let alike = got.len() == want.len() && got.iter().zip(&want).all(|(got, want)| got.contains(want));
        assert!(alike, "{changes:?}\n got {got:#?}\nwant {want:#?}");
    }
}

#[test]
fn versions_are_remembered_until_nothing_is_stored_in_them() {
    for (stored, want) in [
        (json!(["v1"]), vec![]),
        (json!([]), vec!["status.storedVersions: Invalid value: null: must have at least one stored version"]),
        (
            json!(["v2"]),
            vec![
                "status.storedVersions: Invalid value: [\"v2\"]: must have the storage version v1",
                "missing from spec.versions; v2 was previously a storage version",
            ],
        ),
        (
            json!(["v0", "v1"]),
            vec!["status.storedVersions[0]: Invalid value: \"v0\": missing from spec.versions; v0 was previously"],
        ),
    ] {
        let got = of_new(&definition(&[("/status/storedVersions", stored.clone())]));
        let alike = got.len() == want.len() && got.iter().zip(&want).all(|(got, want)| got.contains(want));
        assert!(alike, "{stored}: {got:#?}");
    }
}

#[test]
fn what_names_a_definition_never_changes_and_what_instances_are_stored_under_not_once_it_is_established() {
    let renamed = [
        ("/spec/group", json!("other.example.com")),
        ("/spec/names/plural", json!("gadgets")),
        ("/spec/names/kind", json!("Gadget")),
        ("/spec/scope", json!("Cluster")),
    ];
    let always = [
        "spec.group: Invalid value: \"other.example.com\": field is immutable",
        "spec.names.plural: Invalid value: \"gadgets\": field is immutable",
    ];
    let then = [
        "spec.scope: Invalid value: \"Cluster\": field is immutable",
        "spec.names.kind: Invalid value: \"Gadget\": field is immutable",
    ];
    assert_eq!(of_change(&definition(&renamed), &definition(&[])), always);
    let old = definition(&[established()]);
    assert_eq!(of_change(&changed(old.clone(), &renamed), &old), [&then[..], &always[..]].concat());
}

/// Each is refused in a new definition and in one that had nothing of it, and stays where it was.
#[test]
fn what_was_wrong_before_may_stay() {
    let preserving = ("/spec/preserveUnknownFields", json!(true));
    let schema = |schema: Value| ("/spec/versions/0/schema/openAPIV3Schema", schema);
    let items = |list_type: &str, items: Value| {
        schema(json!({"type": "object", "properties": {"l": {
            "type": "array", "x-kubernetes-list-type": list_type, "items": items}}}))
    };
    let many: Vec<Value> = (0..9).map(|at| json!({"jsonPath": format!(".f{at}")})).collect();
    let fields: serde_json::Map<String, Value> =
        (0..9).map(|at| (format!("f{at}"), json!({"type": "string"}))).collect();
    for (wrong, what) in [
        (vec![preserving.clone()], "cannot set to true"),
        (
            vec![preserving.clone(), schema(json!({"type": "object", "properties": {"a": {}}}))],
            "must not be empty for specified object fields",
        ),
        (vec![preserving.clone(), ("/spec/versions/0/schema", Value::Null)], "openAPIV3Schema: Required value"),
        (
            vec![preserving, schema(json!({"type": "object", "properties": {"a": {"type": "x"}}}))],
            "Unsupported value: \"x\"",
        ),
        (vec![items("set", json!({"type": "object"}))], "must be atomic as item"),
        (
            vec![items("set", json!({"type": "string", "nullable": true}))],
            "cannot be nullable when x-kubernetes-list-type is set",
        ),
        (
            vec![schema(json!({"type": "object", "properties": {"o": {"type": "object", "default": {"x": 1}}}}))],
            "must not have unknown fields",
        ),
        (
            vec![
                schema(json!({"type": "object", "properties": fields})),
                ("/spec/versions/0/selectableFields", json!(many)),
            ],
            "must have at most 8 items",
        ),
        (
            vec![(
                "/spec/conversion",
                json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://h"}, "conversionReviewVersions": ["v2"]}}),
            )],
            "must include at least one of v1, v1beta1",
        ),
        (
            vec![(
                "/spec/conversion",
                json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://h", "caBundle": "eHg="}, "conversionReviewVersions": ["v1"]}}),
            )],
            "",
        ),
        (vec![("/spec/group", json!("a.k8s.io"))], "protected groups must have approval annotation"),
    ] {
        let new = definition(&wrong);
        let refused = of_new(&new).join("; ");
        assert!(refused.contains(what), "{wrong:?}: {refused}");
        let old = changed(new.clone(), &[established()]);
        let noted = changed(old.clone(), &[("/metadata/labels", json!({"a": "b"}))]);
        assert_eq!(of_change(&noted, &old), [""; 0], "{wrong:?}");
        let group = new["spec"]["group"].clone();
        let before = definition(&[
            established(),
            ("/spec/group", group.clone()),
            ("/metadata/annotations", json!({"api-approved.kubernetes.io": "unapproved"})),
        ]);
        let refused = of_change(&old, &before).join("; ");
        let what = if what.is_empty() { "unable to parse bytes as PEM block" } else { what };
        assert!(refused.contains(what), "{wrong:?}: {refused}");
    }
}

#[test]
fn what_a_rule_costs_is_limited_again_when_its_schema_changes() {
    let dear = json!({"type": "object", "properties": {"l": {"type": "array", "items": {"type": "string"},
        "x-kubernetes-validations": [{"rule": "self.all(a, self.all(b, a == b))"}]}}});
    let old = definition(&[("/spec/versions/0/schema/openAPIV3Schema", dear), established()]);
    let limited = "estimated rule cost exceeds budget";
    assert!(of_new(&old).iter().any(|error| error.contains(limited)));
    let unchanged = of_change(&changed(old.clone(), &[("/spec/names/categories", json!(["all"]))]), &old);
    assert!(!unchanged.iter().any(|error| error.contains(limited)), "{unchanged:?}");
    let changed = changed(old.clone(), &[("/spec/versions/0/schema/openAPIV3Schema/description", json!("new"))]);
    assert!(of_change(&changed, &old).iter().any(|error| error.contains(limited)));
}

#[test]
fn a_definition_is_completed_as_upstream_completes_it() {
    let mut given = json!({"spec": {
        "names": {"kind": "Widget"}, "conversion": {"webhook": {"clientConfig": {"service": {"name": "n"}}}},
        "versions": [{"name": "v1"}, {"name": "v2", "storage": true}]}});
    Definition.apply_defaults(&mut given);
    assert_eq!(given["spec"]["names"], json!({"kind": "Widget", "singular": "widget", "listKind": "WidgetList"}));
    assert_eq!(given["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"], 443);
    assert_eq!(given["status"]["storedVersions"], json!(["v2"]));
    let mut kept =
        json!({"spec": {"versions": [{"name": "v2", "storage": true}]}, "status": {"storedVersions": ["v1"]}});
    Definition.apply_defaults(&mut kept);
    assert_eq!(kept["spec"]["conversion"], json!({"strategy": "None"}));
    assert_eq!(kept["status"]["storedVersions"], json!(["v1"]));
}
