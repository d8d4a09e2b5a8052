//! Placing an App's replicas: keep what still fits, give up what is too many, find places for what is missing. Pure.

use std::collections::BTreeMap;

use crds::app::{Placement, Policy};
use crds::taint::Stay;
use k8s_openapi::jiff::Timestamp;

use crate::filter::{self, Wants};
use crate::score;
use crate::snapshot::Snapshot;

/// Where the replicas go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Replicas by node, ordered by the node's name.
    pub placements: Vec<Placement>,
    /// How many replicas have no place.
    pub unplaced: i32,
    /// Why, when some have none.
    pub message: String,
    /// When a replica that may stay for a time has to go, unless something changes before.
    pub until: Option<Timestamp>,
}

/// Places `replicas` of what `wants` says, of which `placed` have places. The snapshot must not count them.
pub fn place(
    mut snapshot: Snapshot,
    placed: &[Placement],
    replicas: i32,
    policy: Policy,
    wants: &Wants<'_>,
    now: Timestamp,
) -> Plan {
    let mut count: BTreeMap<String, i32> = BTreeMap::new();
    let mut until: Option<Timestamp> = None;
    for placement in placed {
        let Some(node) = snapshot.nodes.iter().find(|node| node.name == placement.node) else { continue };
        match filter::may_stay(node, wants, now) {
            Stay::No => continue,
            Stay::Until(end) => until = Some(until.map_or(end, |until| until.min(end))),
            Stay::Yes => (),
        }
        let fits = i32::try_from(node.room(&wants.requests)).unwrap_or(i32::MAX).min(placement.replicas);
        if fits > 0 {
            *count.entry(placement.node.clone()).or_default() += fits;
        }
    }
    let mut total: i64 = count.values().copied().map(i64::from).sum();
    while total > i64::from(replicas.max(0)) {
        let Some(node) = count
            .iter()
            .min_by_key(|(node, replicas)| score::rank_to_give_up(node, **replicas, policy))
            .map(|(node, _)| node.clone())
        else {
            break;
        };
        if let Some(left) = count.get_mut(&node) {
            *left -= 1;
            if *left == 0 {
                count.remove(&node);
            }
        }
        total -= 1;
    }
    for node in &mut snapshot.nodes {
        if let Some(replicas) = count.get(&node.name) {
            node.requested.add(&wants.requests, i128::from(*replicas));
        }
    }
    while total < i64::from(replicas) {
        let best = snapshot
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| filter::reasons(node, wants).is_empty())
            .min_by_key(|(_, node)| {
                let already = count.get(&node.name).copied().unwrap_or(0);
                score::rank(node, &wants.requests, wants.tolerations, policy, already.into())
            })
            .map(|(index, _)| index);
        let Some(node) = best.and_then(|index| snapshot.nodes.get_mut(index)) else { break };
        node.requested.add(&wants.requests, 1);
        *count.entry(node.name.clone()).or_default() += 1;
        total += 1;
    }
    let unplaced = i32::try_from(i64::from(replicas) - total).unwrap_or(i32::MAX).max(0);
    let message = if unplaced > 0 { filter::explain(&snapshot.nodes, wants) } else { String::new() };
    let placements = count.into_iter().map(|(node, replicas)| Placement { node, replicas }).collect();
    Plan { placements, unplaced, message, until }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Amounts;
    use crate::snapshot::NodeInfo;
    use k8s_openapi::api::core::v1::Node;
    use serde_json::json;
    use std::sync::Arc;

    fn snapshot(nodes: &[(&str, &str)]) -> Snapshot {
        let nodes = nodes
            .iter()
            .map(|(name, cpu)| {
                let node: Node = serde_json::from_value(json!({
                    "metadata": {"name": name},
                    "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]},
                }))
                .unwrap();
                NodeInfo::new(&node)
            })
            .collect();
        Snapshot { nodes }
    }

    fn cpu(cpu: &str) -> Wants<'static> {
        let requests = Amounts::of(Some(&serde_json::from_value(json!({"cpu": cpu})).unwrap())).with_a_pod();
        Wants { requests, ..Wants::default() }
    }

    fn placements(text: &str) -> Vec<Placement> {
        text.split_whitespace()
            .map(|part| {
                let (node, replicas) = part.split_once(':').unwrap();
                Placement { node: node.into(), replicas: replicas.parse().unwrap() }
            })
            .collect()
    }

    #[test]
    fn replicas_are_placed_by_policy_and_stay_where_they_still_fit() {
        let three = [("a", "4"), ("b", "4"), ("c", "4")];
        for (name, nodes, before, replicas, policy, wants, after, unplaced) in [
            ("spread", &three[..], "", 3, Policy::Spread, cpu("1"), "a:1 b:1 c:1", 0),
            ("spread unevenly", &three, "", 5, Policy::Spread, cpu("1"), "a:2 b:2 c:1", 0),
            ("pack", &three, "", 5, Policy::BinPack, cpu("1"), "a:4 b:1", 0),
            ("grow keeps", &three, "c:1", 3, Policy::Spread, cpu("1"), "a:1 b:1 c:1", 0),
            ("grow packs on", &three, "c:1", 3, Policy::BinPack, cpu("1"), "c:3", 0),
            ("shrink evens out", &three, "a:3 b:1 c:1", 3, Policy::Spread, cpu("1"), "a:1 b:1 c:1", 0),
            ("shrink empties", &three, "a:4 b:1", 4, Policy::BinPack, cpu("1"), "a:4", 0),
            ("to zero", &three, "a:1 b:1", 0, Policy::Spread, cpu("1"), "", 0),
            ("node gone", &three[..2], "a:1 b:1 c:1", 3, Policy::Spread, cpu("1"), "a:2 b:1", 0),
            ("no room", &three, "", 4, Policy::Spread, cpu("3"), "a:1 b:1 c:1", 1),
            ("grown replicas", &three, "a:3", 3, Policy::Spread, cpu("2"), "a:2 b:1", 0),
            ("nothing asked for", &three, "", 2, Policy::Spread, cpu("0"), "a:1 b:1", 0),
            ("no nodes", &[][..], "", 2, Policy::Spread, cpu("1"), "", 2),
        ] {
            let plan = place(snapshot(nodes), &placements(before), replicas, policy, &wants, Timestamp::UNIX_EPOCH);
            assert_eq!((plan.placements, plan.unplaced), (placements(after), unplaced), "{name}");
        }
    }

    #[test]
    fn a_cordoned_node_keeps_its_replicas_and_gets_no_more() {
        let mut snapshot = snapshot(&[("a", "4"), ("b", "4")]);
        snapshot.nodes[0].unschedulable = true;
        let plan = place(snapshot, &placements("a:2"), 5, Policy::Spread, &cpu("1"), Timestamp::UNIX_EPOCH);
        assert_eq!(plan.placements, placements("a:2 b:3"));
    }

    #[test]
    fn the_message_says_what_is_missing() {
        let plan = place(snapshot(&[("a", "1"), ("b", "1")]), &[], 1, Policy::Spread, &cpu("2"), Timestamp::UNIX_EPOCH);
        assert_eq!(plan.message, "0/2 nodes are available: 2 Insufficient cpu.");
    }

    #[test]
    fn what_other_apps_and_pods_take_is_taken_once() {
        let app = |uid: &str, placed: &str| -> Arc<crds::App> {
            Arc::new(
                serde_json::from_value(json!({
                    "metadata": {"name": uid, "namespace": "default", "uid": uid},
                    "spec": {"image": "i", "resources": {"cpu": "1"}},
                    "status": {"placements": placements(placed)},
                }))
                .unwrap(),
            )
        };
        let pod = |owner: Option<&str>, node: &str| {
            let owners = owner.map(|uid| json!([{"apiVersion": "coxswain.dev/v1", "kind": "App", "name": uid, "uid": uid, "controller": true}]));
            let pod = serde_json::from_value(json!({
                "metadata": {"name": "p", "ownerReferences": owners},
                "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
            }))
            .unwrap();
            (Arc::new(pod), None)
        };
        let node: Node = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
        let taken = |pods: Vec<(Arc<_>, Option<String>)>, except| {
            let apps = vec![app("x", "a:3"), app("y", "a:1")];
            Snapshot::new(&[Arc::new(node.clone())], pods, apps, except).nodes[0].requested.get("cpu")
        };
        assert_eq!(taken(vec![], None), 4000, "placed, not there yet");
        assert_eq!(taken(vec![pod(Some("x"), "a"), pod(Some("x"), "a")], None), 4000, "two of three are there");
        assert_eq!(taken(vec![pod(None, "a")], None), 5000, "a bare Pod");
        assert_eq!(taken(vec![pod(Some("x"), "a")], Some("x")), 1000, "what is being placed is left out");
    }
}
