//! The Pod garbage collector. It ends what nobody else will end: Pods bound to a node that is no more, Pods that were
//! deleted before they had a node, Pods that are being deleted on a node that is out of service, and of the Pods that have
//! ended the oldest when there are too many.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::informers::{Informers, PODS_BY_NODE};

/// How long a node may be missing before its Pods are taken for orphans: it may register anew.
const QUARANTINE: Duration = Duration::from_secs(40);
/// How long other Pods are left to those whose they are.
const PERIOD: Duration = Duration::from_secs(20);
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Tasks worked on at once.
const CONCURRENT: usize = 16;
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Task {
    /// A node that Pods are bound to and that is not known.
    Node(String),
    /// A Pod that is being deleted and may have nobody to end it.
    Pod(ObjectKey),
    /// How many Pods have ended.
    Ended,
}

struct Controller {
    client: Client,
    nodes: Store<Node>,
    pods: Store<Pod>,
    /// How many Pods that have ended are kept; 0 keeps all.
    threshold: usize,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    threshold: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<Task>::new(LONGEST_WAIT, context.metrics.queue("pod_garbage_collector"));
    let (nodes, pods) = (informers.nodes().store(), informers.pods().store());
    informers.nodes().on_change({
        let (queue, pods) = (queue.clone(), pods.clone());
        move |change| {
            let name = change.object().name_any();
            match change {
                Change::Deleted(_) if !pods.by_index(PODS_BY_NODE, &name).is_empty() => {
                    queue.add_after(Task::Node(name), QUARANTINE);
                }
                Change::Applied { new, .. } if is_out_of_service(new) => {
                    for pod in pods.by_index(PODS_BY_NODE, &name).iter().filter(|pod| is_being_deleted(pod)) {
                        queue.add_after(Task::Pod(ObjectKey::of(&**pod)), PERIOD);
                    }
                }
                _ => (),
            }
        }
    });
    informers.pods().on_change({
        let (queue, nodes) = (queue.clone(), nodes.clone());
        move |change| {
            let Change::Applied { old, new } = change else { return };
            let node = node_of(new);
            if !node.is_empty() && !nodes.contains(&ObjectKey::new("", node)) {
                queue.add_after(Task::Node(node.to_owned()), QUARANTINE);
            }
            if is_being_deleted(new) && has_nobody(new, &nodes) {
                queue.add_after(Task::Pod(ObjectKey::of(&**new)), PERIOD);
            }
            if threshold > 0 && has_ended(new) && !old.is_some_and(|old| has_ended(old)) {
                queue.add_after(Task::Ended, PERIOD);
            }
        }
    });
    let controller = Arc::new(Controller { client: context.client.clone(), nodes, pods, threshold });
    async move {
        controller.nodes.synced().await;
        controller.pods.synced().await;
        let work = |task| {
            let controller = controller.clone();
            async move { controller.collect(task).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

fn node_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn is_being_deleted(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether a Pod counts among those that have ended.
fn has_ended(pod: &Pod) -> bool {
    !matches!(phase(pod), "Pending" | "Running" | "Unknown")
}

/// Whether nobody can end a Pod that is being deleted: it has no node, or one that is out of service.
fn has_nobody(pod: &Pod, nodes: &Store<Node>) -> bool {
    match node_of(pod) {
        "" => true,
        node => nodes.get(&ObjectKey::new("", node)).is_some_and(|node| is_out_of_service(&node)),
    }
}

/// Whether somebody said that a node is off, and it is not ready.
fn is_out_of_service(node: &Node) -> bool {
    let tainted = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    !ready && tainted.iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

/// Of the Pods that have ended those that are too many: the evicted first, then the oldest. Pure.
fn too_many(pods: Vec<Arc<Pod>>, threshold: usize) -> Vec<Arc<Pod>> {
    let mut ended: Vec<Arc<Pod>> = pods.into_iter().filter(|pod| has_ended(pod)).collect();
    let surplus = ended.len().saturating_sub(threshold);
    if surplus == 0 {
        return Vec::new();
    }
    ended.sort_by_cached_key(|pod| {
        let reason = pod.status.as_ref().and_then(|status| status.reason.as_deref());
        let evicted = phase(pod) == "Failed" && reason == Some("Evicted");
        (!evicted, pod.metadata.creation_timestamp.as_ref().map(|time| time.0), pod.name_any())
    });
    ended.truncate(surplus);
    ended
}

impl Controller {
    async fn collect(&self, task: Task) -> kube::Result<Outcome> {
        match task {
            Task::Node(name) => {
                if self.nodes.contains(&ObjectKey::new("", name.as_str())) {
                    return Ok(Outcome::Done);
                }
                let orphans = self.pods.by_index(PODS_BY_NODE, &name);
                // The cache of nodes may be behind that of Pods.
                if orphans.is_empty() || Api::<Node>::all(self.client.clone()).get_metadata_opt(&name).await?.is_some()
                {
                    return Ok(Outcome::Done);
                }
                for pod in orphans {
                    self.end(&pod, true).await?;
                }
            }
            Task::Pod(key) => {
                if let Some(pod) = self.pods.get(&key)
                    && is_being_deleted(&pod)
                    && has_nobody(&pod, &self.nodes)
                {
                    self.end(&pod, false).await?;
                }
            }
            Task::Ended => {
                for pod in too_many(self.pods.list(), self.threshold) {
                    self.end(&pod, false).await?;
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// Marks a Pod as failed unless it has ended, and removes it.
    async fn end(&self, pod: &Pod, orphan: bool) -> kube::Result<()> {
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        tracing::info!(pod = format!("{namespace}/{name}"), orphan, "nobody else will end it");
        if !matches!(phase(pod), "Succeeded" | "Failed") {
            let patch = Patch::Strategic(failed(pod, orphan, Timestamp::now()));
            match api.patch_status(&name, &PatchParams::default(), &patch).await {
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
                patched => drop(patched?),
            }
        }
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match api.delete(&name, &parameters).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

/// What is written to the status of a Pod that ends here. Pure.
fn failed(pod: &Pod, orphan: bool, now: Timestamp) -> serde_json::Value {
    let generation = pod.metadata.generation;
    let mut status = json!({"phase": "Failed", "observedGeneration": generation});
    if orphan {
        status["conditions"] = json!([{
            "type": "DisruptionTarget",
            "status": "True",
            "observedGeneration": generation,
            "lastProbeTime": null,
            "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
        }]);
    }
    json!({"metadata": {"uid": pod.metadata.uid}, "status": status})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, phase: &str, reason: &str, second: i64) -> Arc<Pod> {
        let created = Timestamp::from_second(second).unwrap().to_string();
        let pod = json!({
            "metadata": {"name": name, "creationTimestamp": created},
            "status": {"phase": phase, "reason": reason},
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn of_too_many_pods_that_ended_the_evicted_and_the_oldest_go() {
        let pods = vec![
            pod("young", "Succeeded", "", 30),
            pod("old", "Failed", "", 10),
            pod("evicted", "Failed", "Evicted", 20),
            pod("runs", "Running", "", 0),
        ];
        for (threshold, expected) in
            [(3, vec![]), (2, vec!["evicted"]), (1, vec!["evicted", "old"]), (0, vec!["evicted", "old", "young"])]
        {
            let gone: Vec<String> = too_many(pods.clone(), threshold).iter().map(|pod| pod.name_any()).collect();
            assert_eq!(gone, expected, "{threshold} are kept");
        }
    }

    #[test]
    fn a_node_is_out_of_service_when_it_is_said_to_be_and_not_ready() {
        for (taint, ready, expected) in
            [(OUT_OF_SERVICE, "False", true), (OUT_OF_SERVICE, "True", false), ("other", "Unknown", false)]
        {
            let node: Node = serde_json::from_value(json!({
                "metadata": {"name": "n"},
                "spec": {"taints": [{"key": taint, "effect": "NoExecute"}]},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            }))
            .unwrap();
            assert_eq!(is_out_of_service(&node), expected, "{taint}, ready {ready}");
        }
    }

    #[test]
    fn an_orphan_says_why_it_failed() {
        let pod = pod("p", "Running", "", 0);
        assert_eq!(failed(&pod, true, Timestamp::UNIX_EPOCH)["status"]["conditions"][0]["reason"], "DeletionByPodGC");
        assert!(failed(&pod, false, Timestamp::UNIX_EPOCH)["status"].get("conditions").is_none());
    }
}
