//! The Pod garbage collector: Pods whose node is gone can be confirmed by nobody, so they are deleted at once; so are
//! Pods that were deleted before they had a node.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::Recorder;
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};

use crate::informers::{Informers, PODS_BY_NODE};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Pods worked on at once.
const CONCURRENT: usize = 16;

/// What is to be done with a Pod. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// It goes if a live read finds no such node.
    GoesWithNode,
    /// It was deleted before it had a node.
    Goes,
}

fn verdict(pod: &Pod, node_is_known: impl FnOnce(&str) -> bool) -> Verdict {
    match pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).filter(|node| !node.is_empty()) {
        Some(node) if node_is_known(node) => Verdict::Keep,
        Some(_) => Verdict::GoesWithNode,
        None if pod.metadata.deletion_timestamp.is_some() => Verdict::Goes,
        None => Verdict::Keep,
    }
}

struct Controller {
    client: Client,
    recorder: Recorder,
    nodes: Store<Node>,
    pods: Store<Pod>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("pod_garbage_collector"));
    let (nodes, pods) = (informers.nodes().store(), informers.pods().store());
    informers.nodes().on_change({
        let (queue, pods) = (queue.clone(), pods.clone());
        move |change| {
            if let Change::Deleted(node) = change {
                for pod in pods.by_index(PODS_BY_NODE, &node.name_any()) {
                    queue.add(ObjectKey::of(&*pod));
                }
            }
        }
    });
    informers.pods().on_change({
        let (queue, nodes) = (queue.clone(), nodes.clone());
        move |change| {
            if let Change::Applied { new, .. } = change
                && verdict(new, |node| nodes.contains(&ObjectKey::new("", node))) != Verdict::Keep
            {
                queue.add(ObjectKey::of(&**new));
            }
        }
    });
    let controller =
        Arc::new(Controller { client: context.client.clone(), recorder: context.recorder.clone(), nodes, pods });
    async move {
        controller.nodes.synced().await;
        controller.pods.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.collect(key).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

impl Controller {
    async fn collect(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(pod) = self.pods.get(&key) else { return Ok(Outcome::Done) };
        match verdict(&pod, |node| self.nodes.contains(&ObjectKey::new("", node))) {
            Verdict::Keep => return Ok(Outcome::Done),
            Verdict::GoesWithNode => {
                // The cache of nodes may be behind that of Pods.
                let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
                if Api::<Node>::all(self.client.clone()).get_metadata_opt(node).await?.is_some() {
                    return Ok(Outcome::Done);
                }
            }
            Verdict::Goes => (),
        }
        let parameters = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match Api::<Pod>::namespaced(self.client.clone(), &key.namespace).delete(&key.name, &parameters).await {
            Ok(_) => {
                let note = format!("PodGC: deleted Pod {key}: its node is gone");
                self.recorder.normal(pod.object_ref(&()), "NodeGone", "Deleting", note);
                Ok(Outcome::Done)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_go_when_nobody_can_confirm_their_end() {
        for (name, pod, expected) in [
            ("running", json!({"metadata": {}, "spec": {"nodeName": "known", "containers": []}}), Verdict::Keep),
            (
                "its node is gone",
                json!({"metadata": {}, "spec": {"nodeName": "gone", "containers": []}}),
                Verdict::GoesWithNode,
            ),
            ("waits for a node", json!({"metadata": {}, "spec": {"containers": []}}), Verdict::Keep),
            (
                "deleted before it had one",
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": []}}),
                Verdict::Goes,
            ),
        ] {
            let pod: Pod = serde_json::from_value(pod).unwrap();
            assert_eq!(verdict(&pod, |node| node == "known"), expected, "{name}");
        }
    }
}
