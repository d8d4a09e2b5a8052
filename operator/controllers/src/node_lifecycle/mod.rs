//! The life cycle of nodes: a node that is silent for too long is marked and tainted, and Pods that do not put up with
//! a node's taints are evicted.

mod plan;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::taint::{self, Stay};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::Recorder;
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;
use tokio::time::Instant;

use crate::informers::{Informers, PODS_BY_NODE};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Nodes, and Pods, worked on at once.
const CONCURRENT: usize = 8;

/// What was last heard of a node, and when by the own clock: its times are its own.
#[derive(Debug)]
struct LastHeard {
    renewed: Option<MicroTime>,
    reported: Option<String>,
    at: Instant,
}

impl Default for LastHeard {
    fn default() -> Self {
        Self { renewed: None, reported: None, at: Instant::now() }
    }
}

/// When each node was heard last. Cheap to clone.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<HashMap<String, LastHeard>>>);

impl Heard {
    fn nodes(&self) -> MutexGuard<'_, HashMap<String, LastHeard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewed(&self, name: &str, renewed: Option<MicroTime>) {
        let mut nodes = self.nodes();
        let heard = nodes.entry(name.to_owned()).or_default();
        if heard.renewed != renewed {
            (heard.renewed, heard.at) = (renewed, Instant::now());
        }
    }

    fn reported(&self, name: &str, reported: Option<String>) {
        let mut nodes = self.nodes();
        let heard = nodes.entry(name.to_owned()).or_default();
        if heard.reported != reported {
            (heard.reported, heard.at) = (reported, Instant::now());
        }
    }

    fn forget(&self, name: &str) {
        self.nodes().remove(name);
    }

    fn silent(&self, name: &str) -> Duration {
        self.nodes().get(name).map_or(Duration::ZERO, |heard| heard.at.elapsed())
    }
}

struct Controller {
    client: Client,
    recorder: Recorder,
    nodes: Store<Node>,
    pods: Store<Pod>,
    heard: Heard,
    grace_period: Duration,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    grace_period: Duration,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let nodes = WorkQueue::<String>::new(LONGEST_WAIT, context.metrics.queue("node_lifecycle"));
    let evictions = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("taint_eviction"));
    let heard = Heard::default();
    let (node_store, pod_store) = (informers.nodes().store(), informers.pods().store());
    informers.leases().on_change({
        let heard = heard.clone();
        move |change: Change<'_, Lease>| {
            if let Change::Applied { new, .. } = change {
                heard.renewed(&new.name_any(), new.spec.as_ref().and_then(|spec| spec.renew_time.clone()));
            }
        }
    });
    informers.nodes().on_change({
        let (heard, nodes, evictions, pods) = (heard.clone(), nodes.clone(), evictions.clone(), pod_store.clone());
        move |change| {
            let name = change.object().name_any();
            match change {
                Change::Applied { old, new } => {
                    heard.reported(&name, heartbeat(new));
                    nodes.add(name.clone());
                    if old.is_none_or(|old| taints(old) != taints(new)) && !taints(new).is_empty() {
                        for pod in pods.by_index(PODS_BY_NODE, &name) {
                            evictions.add(ObjectKey::of(&*pod));
                        }
                    }
                }
                Change::Deleted(_) => heard.forget(&name),
            }
        }
    });
    informers.pods().on_change({
        let (evictions, nodes) = (evictions.clone(), node_store.clone());
        move |change| {
            if let Change::Applied { old, new } = change
                && let Some(node) = node_of(new)
                && old.is_none_or(|old| node_of(old) != Some(node))
                && nodes.get(&ObjectKey::new("", node)).is_some_and(|node| !taints(&node).is_empty())
            {
                evictions.add(ObjectKey::of(&**new));
            }
        }
    });
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        recorder: context.recorder.clone(),
        nodes: node_store,
        pods: pod_store,
        heard,
        grace_period,
    });
    async move {
        controller.nodes.synced().await;
        controller.pods.synced().await;
        let check = |name| {
            let controller = controller.clone();
            async move { controller.check(name).await }
        };
        let evict = |key| {
            let controller = controller.clone();
            async move { controller.evict(key).await }
        };
        tokio::join!(nodes.process(CONCURRENT, check), evictions.process(CONCURRENT, evict));
        Ok(())
    }
}

fn taints(node: &Node) -> &[k8s_openapi::api::core::v1::Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// What a kubelet changes each time it reports.
fn heartbeat(node: &Node) -> Option<String> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
    ready.last_heartbeat_time.as_ref().map(|time| time.0.to_string())
}

impl Controller {
    async fn check(&self, name: String) -> kube::Result<Outcome> {
        let Some(node) = self.nodes.get(&ObjectKey::new("", name.as_str())) else { return Ok(Outcome::Done) };
        let mut plan = plan::plan(&node, self.heard.silent(&name), self.grace_period, Timestamp::now());
        if plan.conditions.is_some() {
            // It may be the watch that is silent: Pods are driven away, so this is not told from a cache.
            self.listen(&name).await?;
            plan = plan::plan(&node, self.heard.silent(&name), self.grace_period, Timestamp::now());
        }
        match self.apply(&node, &plan).await {
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Outcome::Retry),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Outcome::Done),
            applied => applied?,
        }
        // Renewals are noted as they come, and are not worth a look each: the next look is when the last one lapses.
        Ok(plan.again.map_or(Outcome::Done, Outcome::After))
    }

    /// Notes what a live read of the node's Lease tells.
    async fn listen(&self, name: &str) -> kube::Result<()> {
        let leases = Api::<Lease>::namespaced(self.client.clone(), "kube-node-lease");
        if let Some(renewed) = leases.get_opt(name).await?.and_then(|lease| lease.spec).and_then(|of| of.renew_time) {
            self.heard.renewed(name, Some(renewed));
        }
        Ok(())
    }

    async fn apply(&self, node: &Node, plan: &plan::Plan) -> kube::Result<()> {
        let api = Api::<Node>::all(self.client.clone());
        let name = node.name_any();
        let mut version = node.metadata.resource_version.clone();
        if let Some(conditions) = &plan.conditions {
            let patch = json!({
                "metadata": {"uid": node.metadata.uid, "resourceVersion": version},
                "status": {"conditions": conditions},
            });
            let written = api.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
            version = written.metadata.resource_version;
            tracing::warn!(node = name, "silent for too long, marked unknown");
            let note = format!("Node {name} status is now: NodeNotReady");
            self.recorder.warning(node.object_ref(&()), "NodeNotReady", "Monitoring", note);
        }
        if let Some(taints) = &plan.taints {
            let patch = json!({
                "metadata": {"uid": node.metadata.uid, "resourceVersion": version},
                "spec": {"taints": taints},
            });
            api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        if plan.conditions.is_some() || (plan.taints.is_some() && plan::is_unready(node)) {
            self.mark_pods(&name).await?;
        }
        Ok(())
    }

    /// Nobody knows whether Pods on a silent node are ready; they do not count as such.
    async fn mark_pods(&self, node: &str) -> kube::Result<()> {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        for pod in self.pods.by_index(PODS_BY_NODE, node) {
            let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
            if !conditions.into_iter().flatten().any(|found| found.type_ == "Ready" && found.status == "True") {
                continue;
            }
            let patch = json!({
                "metadata": {"uid": pod.metadata.uid},
                "status": {"conditions": [{
                    "type": "Ready", "status": "False", "reason": "NodeNotReady", "lastTransitionTime": now,
                }]},
            });
            let api = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
            match api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(patch)).await {
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => (),
                marked => drop(marked?),
            }
        }
        Ok(())
    }

    async fn evict(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(pod) = self.pods.get(&key) else { return Ok(Outcome::Done) };
        let node = node_of(&pod).and_then(|node| self.nodes.get(&ObjectKey::new("", node)));
        let Some(node) = node.filter(|_| pod.metadata.deletion_timestamp.is_none()) else { return Ok(Outcome::Done) };
        let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
        let now = Timestamp::now();
        match taint::may_stay(taints(&node), tolerations, now) {
            Stay::Yes => return Ok(Outcome::Done),
            Stay::Until(until) => {
                return Ok(Outcome::After(Duration::try_from(until.duration_since(now)).unwrap_or_default()));
            }
            Stay::No => (),
        }
        let parameters = DeleteParams {
            preconditions: Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match Api::<Pod>::namespaced(self.client.clone(), &key.namespace).delete(&key.name, &parameters).await {
            Ok(_) => {
                let note = format!("Marking for deletion Pod {key}");
                self.recorder.normal(pod.object_ref(&()), "TaintManagerEviction", "Evicting", note);
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
    use kube::client::Body;

    /// The controller over a server that answers each GET with a Lease that was renewed at second `renewed`.
    fn controller(renewed: u32) -> Controller {
        let answer = move |_: http::Request<Body>| {
            let lease = json!({"metadata": {"name": "n"}, "spec": {"renewTime": format!("2026-01-01T00:00:{renewed:02}.000000Z")}});
            std::future::ready(Ok::<_, std::io::Error>(http::Response::new(Body::from(lease.to_string().into_bytes()))))
        };
        let client = Client::new(tower::service_fn(answer), "default");
        let (recorder, _) = Recorder::new(client.clone(), "test");
        let mut informers = Informers::new(client.clone());
        let (nodes, pods) = (informers.nodes().store(), informers.pods().store());
        Controller { client, recorder, nodes, pods, heard: Heard::default(), grace_period: Duration::from_secs(50) }
    }

    fn renewed(second: u32) -> Option<MicroTime> {
        Some(MicroTime(format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_silent_only_when_its_lease_says_so_too() {
        for (live, silent) in [(1, 60), (2, 0)] {
            let controller = controller(live);
            controller.heard.renewed("n", renewed(1));
            tokio::time::advance(Duration::from_secs(60)).await;
            controller.listen("n").await.unwrap();
            assert_eq!(controller.heard.silent("n").as_secs(), silent, "the Lease was renewed at second {live}");
        }
    }
}
