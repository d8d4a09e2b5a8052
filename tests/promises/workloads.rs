//! Deployments, ReplicaSets, ReplicationControllers and Jobs, as kubectl makes and follows them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{ControlPlane, Kubectl, Part, Store, eventually, on_each_store};

on_each_store!(
    a_deployment_becomes_available_and_rolls_out_a_new_image,
    a_rollout_is_undone_by_the_replica_set_it_came_from,
    a_deployment_is_scaled_up_and_down_and_paused,
    recreate_ends_the_old_pods_first,
    a_lost_pod_is_replaced_and_a_matching_one_adopted,
    a_replication_controller_keeps_its_pods,
    a_job_completes_and_its_pods_are_counted_once,
    an_indexed_job_succeeds_at_each_index,
    a_job_that_fails_too_often_says_so,
    deleting_an_owner_takes_its_pods_along,
);

fn start(store: Store) -> (ControlPlane, Kubectl) {
    let plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    (plane, kubectl)
}

fn deploy(kubectl: &Kubectl, replicas: u32) {
    kubectl.run(&["create", "deployment", "web", "--image=nginx:1", &format!("--replicas={replicas}")]);
    rolled_out(kubectl);
}

fn rolled_out(kubectl: &Kubectl) {
    kubectl.run(&["rollout", "status", "deployment/web", "--timeout=60s"]);
}

/// The live Pods of a selector: name and image.
fn pods(kubectl: &Kubectl, selector: &str) -> BTreeSet<(String, String)> {
    let list = kubectl.json(&["get", "pods", "-l", selector]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let live = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let items = list["items"].as_array().into_iter().flatten().filter(live);
    items.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["spec"]["containers"][0]["image"]))).collect()
}

fn have_pods(kubectl: &Kubectl, selector: &str, count: usize) -> BTreeSet<(String, String)> {
    eventually(&format!("{selector} selects {count} Pods"), || {
        let pods = pods(kubectl, selector);
        if pods.len() == count { Ok(pods) } else { Err(format!("{pods:?}")) }
    })
}

fn is_true(object: &Value, type_: &str, reason: &str) {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions
        .into_iter()
        .flatten()
        .any(|of| of["type"] == type_ && of["status"] == "True" && of["reason"] == reason);
    assert!(found, "{type_} is not True for {reason}: {:#}", object["status"]);
}

fn a_deployment_becomes_available_and_rolls_out_a_new_image(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 3);
    kubectl.run(&["wait", "deployment/web", "--for=condition=Available", "--timeout=60s"]);
    let before = kubectl.json(&["get", "deployment", "web"]);
    is_true(&before, "Available", "MinimumReplicasAvailable");
    is_true(&before, "Progressing", "NewReplicaSetAvailable");
    kubectl.run(&["set", "image", "deployment/web", "nginx=nginx:2"]);
    rolled_out(&kubectl);
    let pods = have_pods(&kubectl, "app=web", 3);
    assert!(pods.iter().all(|(_, image)| image == "nginx:2"), "{pods:?}");
    let sets = kubectl.json(&["get", "replicasets", "-l", "app=web"]);
    let mut revisions: Vec<(String, i64)> = sets["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|set| {
            let revision = &set["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
            (revision.as_str().unwrap_or_default().to_owned(), set["spec"]["replicas"].as_i64().unwrap_or(-1))
        })
        .collect();
    revisions.sort();
    assert_eq!(revisions, [("1".to_owned(), 0), ("2".to_owned(), 3)]);
    let events = kubectl.run(&["describe", "deployment", "web"]);
    assert!(events.contains("ScalingReplicaSet") && events.contains("from 0 to 3"), "{events}");
}

fn a_rollout_is_undone_by_the_replica_set_it_came_from(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 2);
    let first = kubectl.run(&["get", "replicasets", "-l", "app=web", "-o", "name"]);
    kubectl.run(&["set", "image", "deployment/web", "nginx=nginx:2"]);
    rolled_out(&kubectl);
    kubectl.run(&["rollout", "undo", "deployment/web"]);
    rolled_out(&kubectl);
    let pods = have_pods(&kubectl, "app=web", 2);
    assert!(pods.iter().all(|(_, image)| image == "nginx:1"), "{pods:?}");
    let set = kubectl.json(&["get", first.trim()]);
    let annotations = &set["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3", "{annotations}");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1", "{annotations}");
    assert_eq!(kubectl.run(&["get", "replicasets", "-o", "name"]).lines().count(), 2, "no third one");
}

fn a_deployment_is_scaled_up_and_down_and_paused(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 2);
    let before = have_pods(&kubectl, "app=web", 2);
    kubectl.run(&["scale", "deployment/web", "--replicas=5"]);
    rolled_out(&kubectl);
    let more = have_pods(&kubectl, "app=web", 5);
    assert!(before.is_subset(&more), "those that ran go on: {before:?} {more:?}");
    kubectl.run(&["rollout", "pause", "deployment/web"]);
    kubectl.run(&["set", "image", "deployment/web", "nginx=nginx:2"]);
    kubectl.run(&["scale", "deployment/web", "--replicas=3"]);
    let fewer = have_pods(&kubectl, "app=web", 3);
    assert!(fewer.is_subset(&more), "a paused one is scaled, not rolled: {fewer:?}");
    kubectl.run(&["rollout", "resume", "deployment/web"]);
    rolled_out(&kubectl);
    let pods = have_pods(&kubectl, "app=web", 3);
    assert!(pods.iter().all(|(_, image)| image == "nginx:2"), "{pods:?}");
    kubectl.run(&["scale", "deployment/web", "--replicas=0"]);
    have_pods(&kubectl, "app=web", 0);
}

fn recreate_ends_the_old_pods_first(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 2);
    let recreate = r#"{"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}}"#;
    kubectl.run(&["patch", "deployment", "web", "--type=merge", "-p", recreate]);
    kubectl.run(&["set", "image", "deployment/web", "nginx=nginx:2"]);
    rolled_out(&kubectl);
    let pods = have_pods(&kubectl, "app=web", 2);
    assert!(pods.iter().all(|(_, image)| image == "nginx:2"), "{pods:?}");
    let events = kubectl.run(&["describe", "deployment", "web"]);
    let down = events.find("from 2 to 0").unwrap_or_else(|| panic!("{events}"));
    assert!(events[down..].contains("from 0 to 2"), "old ones went first: {events}");
}

fn a_lost_pod_is_replaced_and_a_matching_one_adopted(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 2);
    let before = have_pods(&kubectl, "app=web", 2);
    let lost = &before.iter().next().unwrap().0;
    kubectl.run(&["delete", "pod", lost]);
    let after = eventually("another took its place", || {
        let pods = pods(&kubectl, "app=web");
        if pods.len() == 2 && !pods.iter().any(|(name, _)| name == lost) { Ok(pods) } else { Err(format!("{pods:?}")) }
    });
    // One that its owner loses sight of is replaced; it comes back when it is seen again.
    let (name, _) = after.iter().next().unwrap();
    let hash = kubectl.json(&["get", "pod", name])["metadata"]["labels"]["pod-template-hash"].clone();
    kubectl.run(&["label", "pod", name, "pod-template-hash-"]);
    eventually("it was released", || {
        let owners = kubectl.json(&["get", "pod", name])["metadata"]["ownerReferences"].clone();
        if owners.is_null() { Ok(()) } else { Err(owners.to_string()) }
    });
    kubectl.run(&["label", "pod", name, &format!("pod-template-hash={}", hash.as_str().unwrap())]);
    have_pods(&kubectl, "app=web", 2);
}

fn a_replication_controller_keeps_its_pods(store: Store) {
    let (_plane, kubectl) = start(store);
    let controller = json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"},
        "spec": {"replicas": 2, "selector": {"app": "rc"}, "template": {
            "metadata": {"labels": {"app": "rc"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    });
    kubectl.run_with(&["create", "-f", "-"], &controller.to_string());
    have_pods(&kubectl, "app=rc", 2);
    eventually("all are ready", || {
        let status = kubectl.json(&["get", "replicationcontroller", "rc"])["status"].clone();
        if status["readyReplicas"] == 2 && status["availableReplicas"] == 2 { Ok(()) } else { Err(status.to_string()) }
    });
    kubectl.run(&["scale", "rc/rc", "--replicas=1"]);
    have_pods(&kubectl, "app=rc", 1);
}

fn a_job_completes_and_its_pods_are_counted_once(store: Store) {
    let (_plane, kubectl) = start(store);
    kubectl.run_with(&["create", "-f", "-"], &job(&json!({}), &json!({})));
    kubectl.run(&["wait", "job/j", "--for=condition=Complete", "--timeout=60s"]);
    let job = kubectl.json(&["get", "job", "j"]);
    is_true(&job, "SuccessCriteriaMet", "CompletionsReached");
    is_true(&job, "Complete", "CompletionsReached");
    let status = &job["status"];
    assert_eq!((&status["succeeded"], &status["failed"]), (&json!(1), &Value::Null), "{status}");
    assert_eq!(status["uncountedTerminatedPods"], json!({}), "{status}");
    assert!(status["startTime"].is_string() && status["completionTime"].is_string(), "{status}");
    let pod = &kubectl.json(&["get", "pods", "-l", "app=j"])["items"][0];
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert!(pod["metadata"]["finalizers"].is_null(), "{}", pod["metadata"]);
}

fn job(spec: &Value, annotations: &Value) -> String {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"manualSelector": true, "selector": {"matchLabels": {"app": "j"}}, "template": {
            "metadata": {"labels": {"app": "j"}, "annotations": annotations},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}},
    });
    job["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    job.to_string()
}

fn an_indexed_job_succeeds_at_each_index(store: Store) {
    let (_plane, kubectl) = start(store);
    let spec = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 2});
    kubectl.run_with(&["create", "-f", "-"], &job(&spec, &json!({})));
    kubectl.run(&["wait", "job/j", "--for=condition=Complete", "--timeout=60s"]);
    let status = &kubectl.json(&["get", "job", "j"])["status"];
    assert_eq!((&status["completedIndexes"], &status["succeeded"]), (&json!("0-3"), &json!(4)), "{status}");
    let names = kubectl.run(&["get", "pods", "-l", "app=j", "-o", "jsonpath={.items[*].spec.hostname}"]);
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["j-0", "j-1", "j-2", "j-3"]);
}

fn a_job_that_fails_too_often_says_so(store: Store) {
    let (_plane, kubectl) = start(store);
    let failing = json!({"coxswain.dev/simulated-run-seconds": "0", "coxswain.dev/simulated-exit-code": "1"});
    kubectl.run_with(&["create", "-f", "-"], &job(&json!({"backoffLimit": 0}), &failing));
    kubectl.run(&["wait", "job/j", "--for=condition=Failed", "--timeout=60s"]);
    let job = kubectl.json(&["get", "job", "j"]);
    is_true(&job, "FailureTarget", "BackoffLimitExceeded");
    is_true(&job, "Failed", "BackoffLimitExceeded");
    assert_eq!(job["status"]["failed"], 1, "{}", job["status"]);
}

fn deleting_an_owner_takes_its_pods_along(store: Store) {
    let (_plane, kubectl) = start(store);
    deploy(&kubectl, 2);
    let lasting = json!({"coxswain.dev/simulated-run-seconds": "3600"});
    kubectl.run_with(&["create", "-f", "-"], &job(&json!({}), &lasting));
    have_pods(&kubectl, "app=j", 1);
    kubectl.run(&["delete", "deployment", "web"]);
    kubectl.run(&["delete", "job", "j"]);
    eventually("nothing is left", || match kubectl.run(&["get", "pods,replicasets", "-o", "name"]) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
}
