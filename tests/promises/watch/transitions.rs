//! Watches with a filter: what begins to match is added, what ceases to is deleted.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tests::watching::{Event, Watching};
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(
    an_object_that_begins_to_match_is_added_and_one_that_ceases_is_deleted_at_the_revision_of_the_change,
    a_resumed_filtered_watch_knows_what_matched_before,
    a_field_selector_follows_the_field,
);

fn with_client<F: Future<Output = ()>>(store: Store, test: impl FnOnce(Client) -> F) {
    // Nobody makes accounts for pods here.
    let plane = ControlPlane::start_with(Part::ApiServer, store, &["--disable-admission-plugins", "ServiceAccount"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { test(tests::kube_client(&plane.kubeconfig()).await).await });
}

/// Makes the object and moves it through the label groups; the revision after each step.
async fn move_through_groups(api: &Api<ConfigMap>, name: &str) -> Vec<u64> {
    let object: ConfigMap = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let mut revisions = vec![revision(&api.create(&PostParams::default(), &object).await.unwrap())];
    for group in [json!("a"), json!("a"), json!("b"), json!("a"), Value::Null, json!("a")] {
        let patch = json!({"metadata": {"labels": {"group": group}}, "data": {"value": revisions.len().to_string()}});
        let changed = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        revisions.push(revision(&changed));
    }
    api.delete(name, &DeleteParams::default()).await.unwrap();
    revisions
}

fn revision(object: &ConfigMap) -> u64 {
    object.resource_version().unwrap().parse().unwrap()
}

async fn present_revision(api: &Api<ConfigMap>) -> u64 {
    api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap().parse().unwrap()
}

/// `kind group value` of each event.
fn shown(told: &[Event]) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    told.iter().map(|event| format!("{} {} {}", event.kind, text(&event.group), text(&event.value))).collect()
}

/// What the watch of `group=a` is told of [`move_through_groups`]. A deletion by the filter shows the object as it was
/// when it still matched.
const TOLD: [&str; 6] = ["ADDED a 1", "MODIFIED a 2", "DELETED a 2", "ADDED a 4", "DELETED a 4", "ADDED a 6"];

fn an_object_that_begins_to_match_is_added_and_one_that_ceases_is_deleted_at_the_revision_of_the_change(store: Store) {
    with_client(store, |client| async move {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
        let start = present_revision(&api).await;
        let path = format!("/api/v1/namespaces/default/configmaps?labelSelector=group%3Da&resourceVersion={start}");
        let mut live = Watching::open(&client, &path).await.unwrap();
        let revisions = move_through_groups(&api, "one").await;
        let mut late = Watching::open(&client, &path).await.unwrap();
        for watch in [&mut live, &mut late] {
            let mut told = Vec::new();
            while told.len() < TOLD.len() + 1 {
                told.push(watch.next().await.expect("a watch without a time limit goes on"));
            }
            let deletion = told.pop().unwrap();
            assert_eq!(shown(&told), TOLD);
            let at: Vec<u64> = told.iter().map(|event| event.revision).collect();
            assert_eq!(at, revisions[1..], "each event at the revision of its change");
            assert_eq!(deletion.kind, "DELETED");
            assert!(deletion.revision > revisions[6], "{deletion:?}");
        }
    });
}

fn a_resumed_filtered_watch_knows_what_matched_before(store: Store) {
    with_client(store, |client| async move {
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
        let revisions = move_through_groups(&api, "one").await;
        for (at, revision) in revisions.iter().enumerate().skip(1) {
            let path = "/api/v1/namespaces/default/configmaps?labelSelector=group%3Da";
            let mut watch = Watching::open(&client, &format!("{path}&resourceVersion={revision}")).await.unwrap();
            let mut told = Vec::new();
            while told.len() < TOLD.len() - at {
                told.push(watch.next().await.expect("a watch without a time limit goes on"));
            }
            assert_eq!(shown(&told), TOLD[at..], "resumed after change {at}");
        }
    });
}

fn a_field_selector_follows_the_field(store: Store) {
    with_client(store, |client| async move {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), "default");
        let start = pods.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        let watch = |selector: &str| {
            let path = format!("/api/v1/namespaces/default/pods?fieldSelector={selector}&resourceVersion={start}");
            let client = client.clone();
            async move { Watching::open(&client, &path).await.unwrap() }
        };
        let mut pending = watch("status.phase%3DPending").await;
        let mut running = watch("status.phase%3DRunning").await;
        let mut unbound = watch("spec.nodeName%3D").await;
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}, "metadata": {"name": "p"}});
        let request = http::Request::post("/api/v1/namespaces/default/pods/p/binding");
        let request =
            request.header("content-type", "application/json").body(binding.to_string().into_bytes()).unwrap();
        client.request_text(request).await.unwrap();
        let status = json!({"status": {"phase": "Running"}});
        pods.patch_status("p", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        let mut kinds = Vec::new();
        for (watch, count) in [(&mut pending, 3), (&mut running, 1), (&mut unbound, 2)] {
            for _ in 0..count {
                kinds.push(watch.next().await.expect("a watch without a time limit goes on").kind);
            }
        }
        assert_eq!(kinds, ["ADDED", "MODIFIED", "DELETED", "ADDED", "ADDED", "DELETED"]);
        // A kind that has the field's name only by chance has none to select by.
        let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
        let refused = secrets.list(&ListParams::default().fields("status.phase=Running")).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 400), "{refused}");
    });
}
