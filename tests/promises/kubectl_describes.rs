//! kubectl as people ask it what is there and what could be.

use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(describe_tells_of_objects_and_their_events, explain_tells_of_fields_of_built_in_and_custom_kinds);

fn describe_tells_of_objects_and_their_events(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["create", "configmap", "one", "--from-literal=greeting=hello"]);
    let described = kubectl.run(&["describe", "configmap", "one"]);
    assert!(described.contains("greeting:\n----\nhello"), "{described}");
    let uid = kubectl.run(&["get", "cm", "one", "-o", "jsonpath={.metadata.uid}"]);
    kubectl.run_with(
        &["create", "-f", "-"],
        &format!(
            "apiVersion: v1
kind: Event
metadata: {{name: one.1, namespace: default}}
involvedObject: {{apiVersion: v1, kind: ConfigMap, name: one, namespace: default, uid: {uid}}}
reason: Greeted
message: said hello
type: Normal
source: {{component: tests}}
firstTimestamp: 2026-01-02T03:04:05Z
lastTimestamp: 2026-01-02T03:04:05Z
count: 1
"
        ),
    );
    let events = kubectl.run(&["events", "--for", "configmap/one"]);
    assert!(events.contains("Greeted") && events.contains("said hello"), "{events}");
    let same = kubectl.run(&["get", "events.events.k8s.io", "one.1", "-o", "jsonpath={.note}"]);
    assert_eq!(same, "said hello", "both event groups serve the same object");
    assert!(kubectl.run(&["describe", "namespace", "default"]).contains("Status:       Active"));
}

fn explain_tells_of_fields_of_built_in_and_custom_kinds(store: Store) {
    let plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    let pod = kubectl.run(&["explain", "pod.spec.containers"]);
    assert!(pod.contains("KIND:       Pod") && pod.contains("imagePullPolicy"), "{pod}");
    let app = kubectl.run(&["explain", "app.spec"]);
    assert!(app.contains("GROUP:      coxswain.dev") && app.contains("replicas") && app.contains("dependsOn"), "{app}");
    assert!(kubectl.run(&["explain", "app", "--recursive"]).contains("observedGeneration"));
}
