//! The App kind with all operators: from `kubectl apply` to running replicas and back.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::{ControlPlane, Kubectl, Part, Store, eventually, on_each_store};

on_each_store!(
    an_app_becomes_available_and_spreads_over_three_nodes,
    scaling_adds_and_removes_replicas,
    replicas_move_when_their_node_is_deleted,
    drift_is_repaired,
    deleting_an_app_takes_its_pods_along,
    an_app_waits_for_those_it_depends_on,
    an_app_that_is_not_sound_is_refused_by_the_webhook,
    bare_pods_are_scheduled_and_run,
);

fn start(store: Store) -> (ControlPlane, Kubectl) {
    let plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    (plane, kubectl)
}

fn apply_web(kubectl: &Kubectl) {
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);
}

/// The node of each Pod that is not on its way out.
fn pods(kubectl: &Kubectl, app: &str) -> BTreeMap<String, String> {
    let list = kubectl.json(&["get", "pods", "-l", &format!("coxswain.dev/app={app}")]);
    let live = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(live)
        .map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["nodeName"])))
        .collect()
}

fn ready(kubectl: &Kubectl, app: &str, replicas: usize) -> BTreeMap<String, String> {
    eventually(&format!("{app} has {replicas} ready replicas"), || {
        let pods = pods(kubectl, app);
        let status = kubectl.json(&["get", "app", app])["status"].clone();
        let has = |field: &str| status[field].as_u64().unwrap_or(0) == replicas as u64;
        if pods.len() == replicas && has("readyReplicas") && has("replicas") {
            Ok(pods)
        } else {
            Err(format!("{pods:?}\n{status:#}"))
        }
    })
}

fn an_app_becomes_available_and_spreads_over_three_nodes(store: Store) {
    let (_plane, kubectl) = start(store);
    apply_web(&kubectl);
    let nodes: Vec<String> = ready(&kubectl, "web", 3).into_values().collect();
    let mut distinct = nodes.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct, ["node-1", "node-2", "node-3"], "{nodes:?}");
    let app = kubectl.json(&["get", "app", "web"]);
    for kind in ["AdmissionApproved", "Scheduled", "Available"] {
        let is_true = |c: &Value| c["type"] == kind && c["status"] == "True";
        assert!(app["status"]["conditions"].as_array().into_iter().flatten().any(is_true), "{kind}: {}", app["status"]);
    }
    let table = kubectl.run(&["get", "apps", "-o", "wide"]);
    for heading in ["DESIRED", "CURRENT", "READY", "AVAILABLE", "AGE", "POLICY", "NODES", "IMAGE"] {
        assert!(table.lines().next().unwrap().contains(heading), "{table}");
    }
    assert!(kubectl.run(&["get", "all"]).contains("app.coxswain.dev/web"));
}

fn scaling_adds_and_removes_replicas(store: Store) {
    let (_plane, kubectl) = start(store);
    apply_web(&kubectl);
    let before = ready(&kubectl, "web", 3);
    kubectl.run(&["scale", "app/web", "--replicas=7"]);
    let more = ready(&kubectl, "web", 7);
    assert!(
        before.iter().all(|(name, node)| more.get(name) == Some(node)),
        "those that ran go on: {before:?} {more:?}"
    );
    kubectl.run(&["scale", "app/web", "--replicas=1"]);
    ready(&kubectl, "web", 1);
    kubectl.run(&["scale", "app/web", "--replicas=0"]);
    ready(&kubectl, "web", 0);
}

fn replicas_move_when_their_node_is_deleted(store: Store) {
    let (_plane, kubectl) = start(store);
    apply_web(&kubectl);
    kubectl.run(&["delete", "node", "node-2"]);
    eventually("all replicas run on the nodes that are left", || {
        let pods = ready(&kubectl, "web", 3);
        if pods.values().all(|node| node != "node-2") { Ok(()) } else { Err(format!("{pods:?}")) }
    });
}

fn drift_is_repaired(store: Store) {
    let (_plane, kubectl) = start(store);
    apply_web(&kubectl);
    let before = ready(&kubectl, "web", 3);
    let victim = before.keys().next().unwrap().clone();
    let uid = kubectl.run(&["get", "pod", &victim, "-o", "jsonpath={.metadata.uid}"]);
    kubectl.run(&["delete", "pod", &victim]);
    ready(&kubectl, "web", 3);
    let uids = kubectl.run(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    assert!(!uids.contains(&uid), "another Pod took its place");

    let mut extra = kubectl.json(&["get", "pod", pods(&kubectl, "web").keys().next().unwrap()]);
    extra["metadata"]["name"] = "extra".into();
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        extra["metadata"].as_object_mut().unwrap().remove(field);
    }
    extra.as_object_mut().unwrap().remove("status");
    kubectl.run_with(&["create", "-f", "-"], &extra.to_string());
    ready(&kubectl, "web", 3);
}

fn deleting_an_app_takes_its_pods_along(store: Store) {
    let (_plane, kubectl) = start(store);
    apply_web(&kubectl);
    kubectl.run(&["delete", "app", "web"]);
    eventually("no Pod is left", || match kubectl.run(&["get", "pods", "-o", "name"]) {
        pods if pods.is_empty() => Ok(()),
        pods => Err(pods),
    });
}

fn an_app_waits_for_those_it_depends_on(store: Store) {
    let (_plane, kubectl) = start(store);
    let app = |name: &str, rest: &str| {
        format!("{{apiVersion: coxswain.dev/v1, kind: App, metadata: {{name: {name}}}, spec: {{image: 'a:1'{rest}}}}}")
    };
    kubectl.run_with(&["apply", "-f", "-"], &app("second", ", dependsOn: [first]"));
    eventually("it says what it waits for", || {
        let app = kubectl.json(&["get", "app", "second"]);
        let said = app["status"]["conditions"].to_string();
        if said.contains("first") { Ok(()) } else { Err(said) }
    });
    assert!(pods(&kubectl, "second").is_empty());
    kubectl.run_with(&["apply", "-f", "-"], &app("first", ""));
    kubectl.run(&["wait", "app/first", "app/second", "--for=condition=Available", "--timeout=60s"]);
}

fn an_app_that_is_not_sound_is_refused_by_the_webhook(store: Store) {
    let (_plane, kubectl) = start(store);
    let refused = kubectl.refused(
        &["apply", "-f", "-"],
        "{apiVersion: coxswain.dev/v1, kind: App, metadata: {name: bad}, spec: {image: 'a:1', dependsOn: [bad]}}",
    );
    assert!(refused.contains("spec.dependsOn[0]") && refused.contains("cannot depend on itself"), "{refused}");
    let refused = kubectl.refused(
        &["apply", "-f", "-"],
        "{apiVersion: coxswain.dev/v1, kind: App, metadata: {name: bad}, spec: {image: 'a:1', replicas: -1}}",
    );
    assert!(refused.contains("spec.replicas"), "{refused}");
    assert_eq!(kubectl.run(&["get", "apps", "-o", "name"]), "");
}

fn bare_pods_are_scheduled_and_run(store: Store) {
    let (_plane, kubectl) = start(store);
    kubectl.run(&["run", "lonely", "--image=busybox:1", "--restart=Never"]);
    kubectl.run(&["wait", "pod/lonely", "--for=condition=Ready", "--timeout=60s"]);
    let table = kubectl.run(&["get", "pod", "lonely", "-o", "wide"]);
    assert!(table.contains("Running") && table.contains("1/1") && table.contains("node-"), "{table}");
    kubectl.run(&["delete", "pod", "lonely"]);
}
