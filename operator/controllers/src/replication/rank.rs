//! Which Pods go first when there are too many.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use crate::pod_state;

/// What a person may set on a Pod so that it goes later than one of a lower cost.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` Pods that go first: unassigned before assigned; Pending, then Unknown, then Running; not ready before
/// ready; of lower deletion cost; with more Pods of `related` on the same node; ready for a shorter time; with more
/// restarts; younger. Times count by their order of magnitude, so that among Pods of about the same age chance, that
/// is the uid, decides.
pub fn to_delete(mut pods: Vec<Arc<Pod>>, related: &[Arc<Pod>], count: usize, now: Timestamp) -> Vec<Arc<Pod>> {
    if count >= pods.len() {
        return pods;
    }
    let mut on_node: HashMap<&str, usize> = HashMap::new();
    for pod in related.iter().filter(|pod| pod_state::is_active(pod)) {
        *on_node.entry(node(pod)).or_default() += 1;
    }
    pods.sort_by_cached_key(|pod| {
        let neighbours = on_node.get(node(pod)).copied().unwrap_or(0);
        let (restarts, sidecar_restarts) = restarts(pod);
        (
            (!node(pod).is_empty(), phase_order(pod), pod_state::is_ready(pod), deletion_cost(pod)),
            (Reverse(neighbours), magnitude(pod_state::ready_since(pod), now)),
            (Reverse(restarts), Reverse(sidecar_restarts)),
            magnitude(pod.metadata.creation_timestamp.as_ref().map(|time| time.0), now),
            pod.metadata.uid.clone(),
        )
    });
    pods.truncate(count);
    pods
}

fn node(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn phase_order(pod: &Pod) -> u8 {
    match pod_state::phase(pod) {
        "Running" => 2,
        "Unknown" => 1,
        _ => 0,
    }
}

/// A cost is a 32 bit number without a plus sign or leading zeros; anything else counts as none.
fn deletion_cost(pod: &Pod) -> i32 {
    let text = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DELETION_COST));
    text.and_then(|text| text.parse::<i32>().ok().filter(|cost| cost.to_string() == *text)).unwrap_or(0)
}

/// The logarithm of the time since then: absent first, younger before older.
fn magnitude(since: Option<Timestamp>, now: Timestamp) -> Option<u32> {
    let elapsed = u128::try_from(now.duration_since(since?).as_nanos()).unwrap_or(0);
    Some(elapsed.checked_ilog2().map_or(0, |log| log + 1))
}

/// The most restarts of a container, and of a restartable init container.
fn restarts(pod: &Pod) -> (i32, i32) {
    let Some(status) = &pod.status else { return (0, 0) };
    let most = |statuses: &Option<Vec<k8s_openapi::api::core::v1::ContainerStatus>>, counts: &dyn Fn(&str) -> bool| {
        statuses.iter().flatten().filter(|of| counts(&of.name)).map(|of| of.restart_count).max().unwrap_or(0)
    };
    let inits = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let is_sidecar =
        |name: &str| inits.iter().any(|init| init.name == name && init.restart_policy.as_deref() == Some("Always"));
    (most(&status.container_statuses, &|_| true), most(&status.init_container_statuses, &is_sidecar))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(name: &str, change: Value) -> Arc<Pod> {
        let mut pod = json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "n", "containers": []},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        });
        for (pointer, value) in change.as_object().into_iter().flatten() {
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            pod.pointer_mut(parent).unwrap()[last] = value.clone();
        }
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn the_pod_that_is_missed_least_goes_first() {
        let later = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z"}]);
        let cost = |cost: &str| json!({"/metadata/annotations": {DELETION_COST: cost}});
        for (name, first, second) in [
            ("not assigned", json!({"/spec/nodeName": ""}), json!({"/status/phase": "Pending"})),
            ("pending", json!({"/status/phase": "Pending"}), json!({"/status/phase": "Unknown"})),
            ("not ready", json!({"/status/conditions": []}), cost("-5")),
            ("cheaper", cost("-5"), json!({})),
            ("a cost that is none", json!({}), cost("+5")),
            ("on a node with more of its like", json!({}), json!({"/spec/nodeName": "alone"})),
            ("ready for a shorter time", json!({"/status/conditions": later}), json!({})),
            (
                "with more restarts",
                json!({"/status/containerStatuses": [{"name": "c", "restartCount": 3, "ready": true, "image": "", "imageID": ""}]}),
                json!({}),
            ),
            ("younger", json!({"/metadata/creationTimestamp": "2026-01-01T12:00:00Z"}), json!({})),
            ("of the lower uid", json!({}), json!({})),
        ] {
            let pods = [pod("a", first), pod("b", second)];
            let related = [pods.as_slice(), &[pod("c", json!({}))]].concat();
            for order in [[0, 1], [1, 0]] {
                let now = "2026-01-01T12:00:01Z".parse().unwrap();
                // The one of no cost is told from the other by its uid.
                let gone = to_delete(order.map(|index| pods[index].clone()).to_vec(), &related, 1, now);
                assert_eq!(gone[0].metadata.name.as_deref(), Some("a"), "{name}");
            }
        }
    }
}
