//! The queue of Apps and Pods to be placed, and what puts them there.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::{App, condition};
use k8s_openapi::api::core::v1::{Node, Pod};
use runtime::{Change, ObjectKey, WorkQueue, metrics::QueueMetrics};

use crate::snapshot::{NodeInfo, app_of};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What is to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// An App's replicas.
    App(ObjectKey),
    /// A Pod without a node.
    Pod(ObjectKey),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(key) => write!(f, "app {key}"),
            Self::Pod(key) => write!(f, "pod {key}"),
        }
    }
}

/// The queue. What found no place waits aside until something changes that may give it one. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    /// Items that are to be tried now.
    pub active: WorkQueue<Item>,
    unschedulable: Arc<Mutex<HashSet<Item>>>,
    scheduler_name: Arc<str>,
}

impl Queue {
    /// An empty queue of what asks for the scheduler of a name.
    pub fn new(scheduler_name: &str, metrics: QueueMetrics) -> Self {
        Self {
            active: WorkQueue::new(LONGEST_WAIT, metrics),
            unschedulable: Arc::default(),
            scheduler_name: scheduler_name.into(),
        }
    }

    fn aside(&self) -> std::sync::MutexGuard<'_, HashSet<Item>> {
        self.unschedulable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item aside that has no place. It is put there before the cluster is looked at: what changes while its
    /// place is sought would wake nobody otherwise.
    pub fn put_aside(&self, item: Item) {
        self.aside().insert(item);
    }

    /// Takes an item back that found a place.
    pub fn take_back(&self, item: &Item) {
        self.aside().remove(item);
    }

    /// Tries again what found no place.
    pub fn wake(&self) {
        for item in self.aside().drain() {
            self.active.add(item);
        }
    }

    /// What a change of an App means.
    pub fn app_changed(&self, change: &Change<'_, App>) {
        let item = Item::App(ObjectKey::of(&**change.object()));
        match change {
            Change::Applied { old, new } => {
                if old.is_none_or(|old| concerns_scheduling(old, new)) {
                    self.active.add(item);
                }
                // Replicas given up make room.
                if old.is_some_and(|old| old.placements() != new.placements()) {
                    self.wake();
                }
            }
            Change::Deleted(_) => {
                self.aside().remove(&item);
                self.wake();
            }
        }
    }

    /// What a change of a Pod means.
    pub fn pod_changed(&self, change: &Change<'_, Pod>) {
        let pod = change.object();
        let item = Item::Pod(ObjectKey::of(&**pod));
        match change {
            Change::Applied { .. } if self.is_to_be_bound(pod) => self.active.add(item),
            Change::Applied { old: Some(old), new } if !has_ended(old) && has_ended(new) => self.wake(),
            Change::Applied { .. } => (),
            Change::Deleted(pod) => {
                self.aside().remove(&item);
                if node_of(pod).is_some() {
                    self.wake();
                }
            }
        }
    }

    /// Whether a Pod waits for this scheduler to give it a node.
    pub fn is_to_be_bound(&self, pod: &Pod) -> bool {
        let Some(spec) = &pod.spec else { return false };
        node_of(pod).is_none()
            && pod.metadata.deletion_timestamp.is_none()
            && !has_ended(pod)
            && spec.scheduling_gates.as_ref().is_none_or(Vec::is_empty)
            && spec.scheduler_name.as_deref().unwrap_or("default-scheduler") == &*self.scheduler_name
            && app_of(pod).is_none()
    }

    /// What a change of a node means; `apps` are all that are known.
    pub fn node_changed(&self, change: &Change<'_, Node>, apps: impl FnOnce() -> Vec<Arc<App>>) {
        if let Change::Applied { old: Some(old), new } = change
            && same_for_scheduling(&NodeInfo::new(old), &NodeInfo::new(new))
        {
            return;
        }
        let name = change.object().metadata.name.as_deref().unwrap_or_default();
        for app in apps() {
            if app.placements().iter().any(|placement| placement.node == name) {
                self.active.add(Item::App(ObjectKey::of(&*app)));
            }
        }
        self.wake();
    }
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

fn has_ended(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

fn concerns_scheduling(old: &App, new: &App) -> bool {
    let verdict = |app: &App| {
        [condition::SCHEDULED, condition::ADMISSION_APPROVED].map(|type_| {
            condition::find(app.conditions(), type_).map(|found| (found.status.clone(), found.observed_generation))
        })
    };
    old.metadata.uid != new.metadata.uid
        || old.metadata.generation != new.metadata.generation
        || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        || old.placements() != new.placements()
        || verdict(old) != verdict(new)
}

fn same_for_scheduling(old: &NodeInfo, new: &NodeInfo) -> bool {
    old.labels == new.labels
        && old.taints == new.taints
        && old.unschedulable == new.unschedulable
        && old.ready == new.ready
        && old.allocatable == new.allocatable
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::Metrics;
    use serde_json::{Value, json};

    fn queue() -> Queue {
        Queue::new("default-scheduler", Metrics::default().queue("scheduler"))
    }

    fn queued(queue: &Queue) -> Option<Item> {
        use futures::FutureExt;
        let item = Box::pin(queue.active.next()).now_or_never()?;
        queue.active.done(&item);
        Some(item)
    }

    fn node(conditions: Value) -> Arc<Node> {
        Arc::new(
            serde_json::from_value(json!({"metadata": {"name": "a"}, "status": {"conditions": conditions}})).unwrap(),
        )
    }

    #[test]
    fn a_heartbeat_wakes_nobody_and_readiness_does() {
        let queue = queue();
        let waiting = Item::App(ObjectKey::new("default", "web"));
        queue.put_aside(waiting.clone());
        let ready = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]);
        let later = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:05:00Z"}]);
        let unready = json!([{"type": "Ready", "status": "Unknown"}]);
        let (ready, later, unready) = (node(ready), node(later), node(unready));
        queue.node_changed(&Change::Applied { old: Some(&ready), new: &later }, Vec::new);
        assert_eq!(queued(&queue), None);
        queue.node_changed(&Change::Applied { old: Some(&unready), new: &ready }, Vec::new);
        assert_eq!(queued(&queue), Some(waiting));
    }

    #[test]
    fn only_pods_that_ask_for_this_scheduler_and_have_no_node_are_bound() {
        let queue = queue();
        for (name, pod, expected) in [
            ("bare", json!({"spec": {"containers": []}}), true),
            ("named", json!({"spec": {"containers": [], "schedulerName": "default-scheduler"}}), true),
            ("another's", json!({"spec": {"containers": [], "schedulerName": "mine"}}), false),
            ("bound", json!({"spec": {"containers": [], "nodeName": "a"}}), false),
            ("gated", json!({"spec": {"containers": [], "schedulingGates": [{"name": "g"}]}}), false),
            (
                "going",
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": []}}),
                false,
            ),
        ] {
            let mut pod = pod;
            pod.as_object_mut().unwrap().entry("metadata").or_insert(json!({}));
            let pod: Pod = serde_json::from_value(pod).unwrap();
            assert_eq!(queue.is_to_be_bound(&pod), expected, "{name}");
        }
    }
}
