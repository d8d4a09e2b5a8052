//! kubectl as people write with it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(
    apply_changes_what_changed_and_removes_what_was_taken_out,
    server_side_apply_tracks_owners_and_reports_conflicts,
    every_kind_of_patch_is_applied,
    label_annotate_edit_replace_and_scale_change_objects,
    diff_and_dry_run_change_nothing,
    delete_cascades_and_waits,
    wait_sees_a_condition_come_true,
    custom_resources_are_served_as_soon_as_their_definition_is_established,
);

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "nginx:1", env: [{name: A, value: "1"}, {name: B, value: "2"}]}
      - {name: side, image: "busybox:1"}
"#;

fn apply_changes_what_changed_and_removes_what_was_taken_out(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    assert_eq!(kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).trim(), "deployment.apps/web created");
    assert_eq!(kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT).trim(), "deployment.apps/web unchanged");
    let before = kubectl.json(&["get", "deployment", "web"]);
    let changed = DEPLOYMENT.replace("nginx:1", "nginx:2").replace(r#", {name: B, value: "2"}"#, "");
    assert_eq!(kubectl.run_with(&["apply", "-f", "-"], &changed).trim(), "deployment.apps/web configured");
    let after = kubectl.json(&["get", "deployment", "web"]);
    let containers = &after["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], "nginx:2");
    assert_eq!(containers[0]["env"], json!([{"name": "A", "value": "1"}]));
    assert_eq!(containers[1]["image"], "busybox:1");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(
        (before["metadata"]["generation"].as_i64(), after["metadata"]["generation"].as_i64()),
        (Some(1), Some(2))
    );
    let refused = kubectl.refused(&["apply", "-f", "-"], &DEPLOYMENT.replace("replicas: 1", "replicas: many"));
    assert!(refused.contains("unrecognized type: int32"), "{refused}");
    let refused = kubectl.refused(&["apply", "-f", "-"], &DEPLOYMENT.replace("replicas: 1", "replicaz: 1"));
    assert!(refused.contains(r#"unknown field "spec.replicaz""#), "{refused}");
}

fn server_side_apply_tracks_owners_and_reports_conflicts(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let apply = |manager: &str, value: &str, more: &[&str]| {
        let object = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shared}}\ndata: {{k: {value}, {manager}: mine}}\n"
        );
        let arguments = [&["apply", "--server-side", "--field-manager", manager, "-f", "-"], more].concat();
        kubectl.attempt_with(&arguments, &object)
    };
    assert!(apply("a", "one", &[]).is_ok_and(|out| out.contains("configmap/shared serverside-applied")));
    assert!(apply("b", "one", &[]).is_ok(), "the same value is no conflict");
    let conflict = apply("b", "two", &[]).unwrap_err();
    assert!(conflict.contains(r#"conflict with "a": .data.k"#), "{conflict}");
    apply("b", "two", &["--force-conflicts"]).unwrap();
    let object = kubectl.json(&["get", "cm", "shared", "--show-managed-fields"]);
    assert_eq!(object["data"], json!({"k": "two", "a": "mine", "b": "mine"}));
    let owners: Vec<&str> = object["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["fieldsV1"]["f:data"]["f:k"].is_object())
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    assert_eq!(owners, ["b"], "{object}");
    kubectl.run_with(&["apply", "--server-side", "-f", "-"], DEPLOYMENT);
    assert_eq!(
        kubectl.run_with(&["apply", "--server-side", "-f", "-"], DEPLOYMENT).trim(),
        "deployment.apps/web serverside-applied"
    );
}

fn every_kind_of_patch_is_applied(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(&["create", "-f", "-"], DEPLOYMENT);
    let patch = |kind: &str, patch: &str| kubectl.run(&["patch", "deployment", "web", "--type", kind, "-p", patch]);
    patch("strategic", r#"{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox:2"}]}}}}"#);
    let images = "jsonpath={.spec.template.spec.containers[*].image}";
    assert_eq!(kubectl.run(&["get", "deployment", "web", "-o", images]), "nginx:1 busybox:2");
    patch("merge", r#"{"metadata":{"labels":{"x":"y"}},"spec":{"replicas":2}}"#);
    patch(
        "json",
        r#"[{"op":"test","path":"/spec/replicas","value":2},{"op":"replace","path":"/spec/replicas","value":3}]"#,
    );
    let object = kubectl.json(&["get", "deployment", "web"]);
    assert_eq!((&object["spec"]["replicas"], &object["metadata"]["labels"]["x"]), (&json!(3), &json!("y")));
    kubectl.run(&[
        "patch",
        "deployment",
        "web",
        "--subresource",
        "status",
        "--type",
        "merge",
        "-p",
        r#"{"status":{"replicas":3}}"#,
    ]);
    let object = kubectl.json(&["get", "deployment", "web"]);
    assert_eq!(object["status"]["replicas"], 3);
    let refused = kubectl.refused(
        &["patch", "deployment", "web", "--type", "json", "-p", r#"[{"op":"test","path":"/spec/replicas","value":9}]"#],
        "",
    );
    assert!(refused.contains("the server rejected our request due to an error in our request"), "{refused}");
}

fn label_annotate_edit_replace_and_scale_change_objects(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(&["create", "-f", "-"], DEPLOYMENT);
    kubectl.run(&["label", "deployment", "web", "tier=front"]);
    let refused = kubectl.refused(&["label", "deployment", "web", "tier=back"], "");
    assert!(refused.contains("--overwrite"), "{refused}");
    kubectl.run(&["annotate", "deployment", "web", "note=first"]);
    kubectl.run(&["scale", "deployment", "web", "--replicas=4"]);

    let editor = plane.data_dir().join("editor");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/nginx:1/nginx:edited/' \"$1\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let edited = kubectl.command(&["edit", "deployment", "web"]).env("KUBE_EDITOR", &editor).output().unwrap();
    assert!(edited.status.success(), "{}", String::from_utf8_lossy(&edited.stderr));

    let mut object = kubectl.json(&["get", "deployment", "web"]);
    assert_eq!(object["metadata"]["labels"]["tier"], "front");
    assert_eq!(object["metadata"]["annotations"]["note"], "first");
    assert_eq!(object["spec"]["replicas"], 4);
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["image"], "nginx:edited");

    object["spec"]["replicas"] = json!(5);
    kubectl.run_with(&["replace", "-f", "-"], &object.to_string());
    let stale = kubectl.refused(&["replace", "-f", "-"], &object.to_string());
    assert!(stale.contains("the object has been modified"), "{stale}");
    assert_eq!(kubectl.run(&["get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"]), "5");
}

fn diff_and_dry_run_change_nothing(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    let out = kubectl.run(&["create", "configmap", "ghost", "--from-literal=a=b", "--dry-run=server", "-o", "json"]);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(object["metadata"]["uid"].is_string(), "the answer is complete: {out}");
    assert!(kubectl.refused(&["get", "configmap", "ghost"], "").contains("NotFound"));

    kubectl.run_with(&["apply", "-f", "-"], DEPLOYMENT);
    let version = || kubectl.run(&["get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}"]);
    let before = version();
    let same = kubectl.output(&["diff", "-f", "-"], DEPLOYMENT);
    assert_eq!((same.status.code(), String::from_utf8_lossy(&same.stdout).as_ref()), (Some(0), ""), "no difference");
    let diff = kubectl.output(&["diff", "-f", "-"], &DEPLOYMENT.replace("nginx:1", "nginx:2"));
    let text = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert_eq!(diff.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&diff.stderr));
    assert!(text.lines().any(|line| line.starts_with('+') && line.contains("nginx:2")), "{text}");
    kubectl.run(&["delete", "deployment", "web", "--dry-run=server"]);
    assert_eq!(version(), before);
}

fn delete_cascades_and_waits(store: Store) {
    let plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    let owner = |name: &str| {
        kubectl.run(&["create", "configmap", name]);
        kubectl.run(&["get", "configmap", name, "-o", "jsonpath={.metadata.uid}"])
    };
    let dependent = |name: &str, owner: &str, uid: &str| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": true}]}});
        kubectl.run_with(&["create", "-f", "-"], &object.to_string());
    };
    for (policy, survives) in [("background", false), ("foreground", false), ("orphan", true)] {
        let uid = owner(policy);
        let child = format!("{policy}-child");
        dependent(&child, policy, &uid);
        kubectl.run(&["delete", "configmap", policy, &format!("--cascade={policy}")]);
        assert!(kubectl.refused(&["get", "configmap", policy], "").contains("NotFound"), "{policy}");
        if survives {
            let object = kubectl.json(&["get", "configmap", &child]);
            assert_eq!(object["metadata"].get("ownerReferences"), None, "{object}");
        } else {
            kubectl.run(&["wait", "--for=delete", &format!("configmap/{child}"), "--timeout=60s"]);
        }
    }
    kubectl.run(&["create", "namespace", "full"]);
    kubectl.run(&["create", "configmap", "inside", "--namespace", "full"]);
    kubectl.run(&["delete", "namespace", "full"]);
    assert!(kubectl.refused(&["get", "namespace", "full"], "").contains("NotFound"));
    assert!(kubectl.refused(&["create", "configmap", "late", "--namespace", "full"], "").contains("not found"));
}

fn wait_sees_a_condition_come_true(store: Store) {
    let plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    let out = kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);
    assert_eq!(out.trim(), "app.coxswain.dev/web condition met");
}

fn custom_resources_are_served_as_soon_as_their_definition_is_established(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run_with(
        &["apply", "-f", "-"],
        r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, shortNames: [bt]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Oars, type: integer, jsonPath: .spec.oars}]
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [oars]
            properties: {oars: {type: integer, minimum: 1}, name: {type: string, default: unnamed}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"#,
    );
    kubectl.run(&["wait", "--for=condition=Established", "crd/boats.example.com", "--timeout=60s"]);
    let boat = "{apiVersion: example.com/v1, kind: Boat, metadata: {name: eight}, spec: {oars: 8}}";
    kubectl.run_with(&["apply", "-f", "-"], boat);
    let table = kubectl.run(&["get", "bt"]);
    assert_eq!(table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), ["NAME", "OARS"], "{table}");
    assert_eq!(kubectl.run(&["get", "boat", "eight", "-o", "jsonpath={.spec.name}"]), "unnamed");
    let refused = kubectl.refused(&["apply", "-f", "-"], &boat.replace('8', "0"));
    assert!(refused.contains("spec.oars in body should be greater than or equal to 1"), "{refused}");
    assert!(kubectl.run(&["explain", "boat.spec"]).contains("oars"));
    kubectl.run(&["delete", "crd", "boats.example.com"]);
    let gone = kubectl.refused(&["get", "--raw", "/apis/example.com/v1/boats"], "");
    assert!(gone.contains("could not find the requested resource"), "{gone}");
}
