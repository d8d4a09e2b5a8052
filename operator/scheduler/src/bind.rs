//! What the scheduler writes: an App's placements through /status, a Pod's node through pods/binding.

use crds::app::{self, Placement};
use crds::{App, GROUP};
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// The scheduler's name among field managers.
const FIELD_MANAGER: &str = "scheduler";

/// Writes where an App's replicas go. The write names the version of the App that was looked at, so that what was
/// decided upon something older is refused (409) rather than stored.
pub async fn placements(
    client: &Client,
    app: &App,
    placements: &[Placement],
    scheduled: &Condition,
) -> kube::Result<App> {
    let namespace = app.namespace().unwrap_or_default();
    let patch = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "App",
        "metadata": {
            "name": app.metadata.name,
            "namespace": namespace,
            "uid": app.metadata.uid,
            "resourceVersion": app.metadata.resource_version,
        },
        "status": {
            "placements": placements,
            "nodes": app::node_names(placements),
            "conditions": [scheduled],
        },
    });
    Api::<App>::namespaced(client.clone(), &namespace)
        .patch_status(&app.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch))
        .await
}

/// Binds a Pod to a node.
pub async fn pod(client: &Client, pod: &Pod, node: &str) -> kube::Result<()> {
    let namespace = pod.namespace().unwrap_or_default();
    let name = pod.name_any();
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.clone()),
            uid: pod.metadata.uid.clone(),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Node".into()),
            name: Some(node.to_owned()),
            ..ObjectReference::default()
        },
    };
    // The answer is a Status, whatever the request carried.
    Api::<Pod>::namespaced(client.clone(), &namespace)
        .create_subresource::<_, serde_json::Value>("binding", &name, &PostParams::default(), &binding)
        .await
        .map(|_| ())
}

/// Says on a Pod that no node can hold it.
pub async fn pod_unschedulable(client: &Client, pod: &Pod, message: &str, now: &str) -> kube::Result<()> {
    let patch = json!({
        "metadata": {"uid": pod.metadata.uid},
        "status": {"conditions": [{
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": now,
            "observedGeneration": pod.metadata.generation,
        }]},
    });
    Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default())
        .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch))
        .await
        .map(|_| ())
}
