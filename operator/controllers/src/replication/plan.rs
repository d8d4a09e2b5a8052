//! What is to be done for a keeper of replicas, and what its status is to say. Pure.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::kind::ReplicaKeeper;
use super::rank;
use crate::pod_state;

/// The most Pods that are created or deleted at a time.
const BURST: usize = 500;
/// The condition of a keeper that cannot create or delete a Pod.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

/// What is seen.
#[derive(Debug)]
pub struct Observed<'a, K> {
    /// The keeper.
    pub keeper: &'a K,
    /// Its Pods that are neither ended nor on their way out.
    pub active: &'a [Arc<Pod>],
    /// How many of its Pods are on their way out.
    pub terminating: usize,
    /// The Pods of all keepers of the same controller: of all ReplicaSets of a Deployment.
    pub related: &'a [Arc<Pod>],
    /// The time.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// How many Pods to create.
    pub create: usize,
    /// The Pods to delete.
    pub delete: Vec<Arc<Pod>>,
}

/// What is to be done.
pub fn plan<K: ReplicaKeeper>(observed: &Observed<'_, K>) -> Plan {
    if observed.keeper.meta().deletion_timestamp.is_some() {
        return Plan::default();
    }
    let wanted = usize::try_from(observed.keeper.replicas()).unwrap_or(0);
    let active = observed.active.len();
    if active < wanted {
        return Plan { create: (wanted - active).min(BURST), delete: Vec::new() };
    }
    let surplus = (active - wanted).min(BURST);
    let delete = match surplus {
        0 => Vec::new(),
        _ => rank::to_delete(observed.active.to_vec(), observed.related, surplus, observed.now),
    };
    Plan { create: 0, delete }
}

/// The status after a plan was carried out, with what went wrong then; `None` when it is the one that is there.
pub fn status<K: ReplicaKeeper>(observed: &Observed<'_, K>, failure: Option<&str>) -> Option<ReplicaSetStatus> {
    let keeper = observed.keeper;
    let before = keeper.status();
    let count = |counts: &dyn Fn(&Pod) -> bool| {
        let count = observed.active.iter().filter(|pod| counts(pod)).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    // Zero is not written.
    let some = |count: i32| (count != 0).then_some(count);
    let labels = keeper.template().and_then(|of| of.metadata.as_ref()).and_then(|of| of.labels.clone());
    let fully_labeled = |pod: &Pod| {
        let of = pod.metadata.labels.as_ref();
        labels.iter().flatten().all(|(key, value)| of.and_then(|of| of.get(key)) == Some(value))
    };
    let status = ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: some(count(&fully_labeled)),
        ready_replicas: some(count(&pod_state::is_ready)),
        available_replicas: some(count(&|pod| pod_state::is_available(pod, keeper.min_ready_seconds(), observed.now))),
        terminating_replicas: K::REPORTS_TERMINATING.then(|| i32::try_from(observed.terminating).unwrap_or(i32::MAX)),
        observed_generation: keeper.meta().generation,
        conditions: conditions(observed, before.conditions.clone(), failure),
    };
    (status != before).then_some(status)
}

/// A failure is noted once, and taken away when all went well.
fn conditions<K: ReplicaKeeper>(
    observed: &Observed<'_, K>,
    before: Option<Vec<ReplicaSetCondition>>,
    failure: Option<&str>,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = before.unwrap_or_default();
    let noted = conditions.iter().any(|condition| condition.type_ == REPLICA_FAILURE);
    match failure {
        None => conditions.retain(|condition| condition.type_ != REPLICA_FAILURE),
        Some(_) if noted => (),
        Some(message) => {
            let (active, wanted) = (observed.active.len(), usize::try_from(observed.keeper.replicas()).unwrap_or(0));
            let reason = match active.cmp(&wanted) {
                std::cmp::Ordering::Less => Some("FailedCreate".to_owned()),
                std::cmp::Ordering::Greater => Some("FailedDelete".to_owned()),
                std::cmp::Ordering::Equal => None,
            };
            conditions.push(ReplicaSetCondition {
                type_: REPLICA_FAILURE.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(Time(observed.now)),
                reason,
                message: Some(message.to_owned()),
            });
        }
    }
    (!conditions.is_empty()).then_some(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::ReplicaSet;
    use k8s_openapi::api::core::v1::ReplicationController;
    use serde_json::{Value, json};

    fn keeper(replicas: i32, change: Value) -> Value {
        let mut keeper = json!({
            "metadata": {"name": "r", "namespace": "n", "uid": "u", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}},
                     "template": {"metadata": {"labels": {"app": "a", "v": "1"}}, "spec": {"containers": []}}},
        });
        for (pointer, value) in change.as_object().into_iter().flatten() {
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            keeper.pointer_mut(parent).unwrap()[last] = value.clone();
        }
        keeper
    }

    /// Pods written `name` with marks: `!` not ready, `~` without the label `v`.
    fn pods(text: &str) -> Vec<Arc<Pod>> {
        text.split_whitespace()
            .map(|name| {
                let labels = if name.contains('~') { json!({"app": "a"}) } else { json!({"app": "a", "v": "1"}) };
                let ready = if name.contains('!') { "False" } else { "True" };
                let pod = json!({
                    "metadata": {"name": name, "uid": name, "labels": labels},
                    "spec": {"nodeName": "n", "containers": []},
                    "status": {"phase": "Running", "conditions": [
                        {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
                });
                Arc::new(serde_json::from_value(pod).unwrap())
            })
            .collect()
    }

    fn observed<'a, K>(keeper: &'a K, active: &'a [Arc<Pod>]) -> Observed<'a, K> {
        let now = "2026-01-01T00:00:10Z".parse().unwrap();
        Observed { keeper, active, terminating: 1, related: &[], now }
    }

    #[test]
    fn pods_are_created_or_deleted_until_there_are_as_many_as_wanted() {
        for (name, replicas, change, active, create, delete) in [
            ("none yet", 2, json!({}), "", 2, ""),
            ("one is missing", 2, json!({}), "p", 1, ""),
            ("enough", 1, json!({}), "p", 0, ""),
            ("too many", 1, json!({}), "p q!", 0, "q!"),
            ("to nothing", 0, json!({}), "p q", 0, "p q"),
            ("more than at once", 2000, json!({}), "", 500, ""),
            ("it is going", 2, json!({"/metadata/deletionTimestamp": "2026-01-01T00:00:00Z"}), "", 0, ""),
        ] {
            let keeper: ReplicaSet = serde_json::from_value(keeper(replicas, change)).unwrap();
            let active = pods(active);
            let plan = plan(&observed(&keeper, &active));
            let deleted: Vec<&str> = plan.delete.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
            assert_eq!((plan.create, deleted.join(" ").as_str()), (create, delete), "{name}");
        }
    }

    #[test]
    fn the_status_tells_what_is_seen_and_is_written_once() {
        for (name, change, active, failure, expected) in [
            ("none", json!({}), "", None, json!({"replicas": 0, "observedGeneration": 1, "terminatingReplicas": 1})),
            (
                "some of each",
                json!({}),
                "p q! r~",
                None,
                json!({"replicas": 3, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
                       "observedGeneration": 1, "terminatingReplicas": 1}),
            ),
            (
                "not ready for long enough",
                json!({"/spec/minReadySeconds": 30}),
                "p",
                None,
                json!({"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1,
                       "observedGeneration": 1, "terminatingReplicas": 1}),
            ),
            (
                "refused",
                json!({}),
                "",
                Some("no"),
                json!({"replicas": 0, "observedGeneration": 1, "terminatingReplicas": 1, "conditions": [
                    {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no",
                     "lastTransitionTime": "2026-01-01T00:00:10Z"}]}),
            ),
        ] {
            let mut keeper: ReplicaSet = serde_json::from_value(keeper(1, change)).unwrap();
            let active = pods(active);
            let written = status(&observed(&keeper, &active), failure).unwrap();
            assert_eq!(serde_json::to_value(&written).unwrap(), expected, "{name}");
            keeper.set_status(written);
            assert_eq!(status(&observed(&keeper, &active), failure), None, "{name}: again");
            if failure.is_some() {
                assert_eq!(status(&observed(&keeper, &active), None).unwrap().conditions, None, "{name}: mended");
                assert_eq!(status(&observed(&keeper, &active), Some("else")), None, "{name}: noted once");
            }
        }
    }

    #[test]
    fn a_replication_controller_is_kept_as_a_replica_set_is() {
        let mut value = keeper(2, json!({}));
        value["spec"]["selector"] = json!({"app": "a"});
        let mut keeper: ReplicationController = serde_json::from_value(value).unwrap();
        let active = pods("p");
        let observed_now = observed(&keeper, &active);
        assert_eq!(plan(&observed_now).create, 1);
        let written = status(&observed_now, None).unwrap();
        keeper.set_status(written);
        let expected = json!({"replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
                              "observedGeneration": 1});
        assert_eq!(serde_json::to_value(&keeper.status).unwrap(), expected);
        assert_eq!(status(&observed(&keeper, &active), None), None);
    }
}
