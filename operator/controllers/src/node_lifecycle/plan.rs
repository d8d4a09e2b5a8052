//! What a node's conditions and taints are to be. Pure.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// Conditions that a kubelet reports, and that nobody knows any more when it is silent.
const REPORTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// Taints that follow from conditions: type, status, key, whether it also drives Pods away.
const BY_CONDITION: [(&str, &str, &str, bool); 6] = [
    ("Ready", "False", "node.kubernetes.io/not-ready", true),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable", true),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure", false),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure", false),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure", false),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", false),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// What is to be done for a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Conditions to write: the node has been silent for too long.
    pub conditions: Option<Vec<NodeCondition>>,
    /// Taints to write, when they differ from those that are there.
    pub taints: Option<Vec<Taint>>,
    /// When to look again, if nothing is heard before.
    pub again: Option<Duration>,
}

/// What is to be done for a node that has been silent this long.
pub fn plan(node: &Node, silent: Duration, grace_period: Duration, now: Timestamp) -> Plan {
    let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
    let known = node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let mut conditions = known.clone();
    if silent >= grace_period {
        for type_ in REPORTED {
            match conditions.iter_mut().find(|condition| condition.type_ == type_) {
                Some(condition) if condition.status != "Unknown" => {
                    condition.status = "Unknown".into();
                    condition.reason = Some("NodeStatusUnknown".into());
                    condition.message = Some("Kubelet stopped posting node status.".into());
                    condition.last_transition_time = Some(now.clone());
                }
                Some(_) => (),
                None => conditions.push(NodeCondition {
                    type_: type_.into(),
                    status: "Unknown".into(),
                    reason: Some("NodeStatusNeverUpdated".into()),
                    message: Some("Kubelet never posted node status.".into()),
                    last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                    last_transition_time: Some(now.clone()),
                }),
            }
        }
    }
    Plan {
        taints: taints(node, &conditions, &now),
        conditions: (conditions != known).then_some(conditions),
        again: (silent < grace_period).then(|| grace_period - silent),
    }
}

fn taints(node: &Node, conditions: &[NodeCondition], now: &Time) -> Option<Vec<Taint>> {
    let spec = node.spec.as_ref();
    let before = spec.and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for (type_, status, key, drives_away) in BY_CONDITION {
        if conditions.iter().any(|condition| condition.type_ == type_ && condition.status == status) {
            wanted.push((key, "NoSchedule"));
            if drives_away {
                wanted.push((key, "NoExecute"));
            }
        }
    }
    if spec.and_then(|spec| spec.unschedulable) == Some(true) {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    let is_ours = |taint: &Taint| {
        let keys = BY_CONDITION.iter().map(|(_, _, key, _)| *key).chain([UNSCHEDULABLE]);
        // NoExecute taints of other conditions may be someone else's.
        let executes = taint.key == BY_CONDITION[0].2 || taint.key == BY_CONDITION[1].2;
        keys.into_iter().any(|key| key == taint.key)
            && (taint.effect == "NoSchedule" || (taint.effect == "NoExecute" && executes))
    };
    let is_wanted = |taint: &Taint| wanted.iter().any(|(key, effect)| taint.key == *key && taint.effect == *effect);
    let mut taints: Vec<Taint> = before.iter().filter(|taint| !is_ours(taint) || is_wanted(taint)).cloned().collect();
    for (key, effect) in wanted {
        if !taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
            taints.push(Taint { key: key.into(), effect: effect.into(), value: None, time_added: Some(now.clone()) });
        }
    }
    (taints != before).then_some(taints)
}

/// Whether a node's condition Ready has another status than True.
pub fn is_unready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    !conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(ready: &str, spec: Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n"}, "spec": spec,
            "status": {"conditions": [{"type": "Ready", "status": ready}, {"type": "MemoryPressure", "status": "False"}]},
        }))
        .unwrap()
    }

    fn planned(node: &Node, silent: u64) -> Plan {
        plan(node, Duration::from_secs(silent), Duration::from_secs(40), Timestamp::UNIX_EPOCH)
    }

    fn keys(taints: Option<Vec<Taint>>) -> Option<Vec<String>> {
        let short = |taint: Taint| format!("{}:{}", taint.key.trim_start_matches("node.kubernetes.io/"), taint.effect);
        taints.map(|taints| taints.into_iter().map(short).collect())
    }

    #[test]
    fn a_node_that_is_heard_is_left_alone_until_it_may_be_silent_too_long() {
        let plan = planned(&node("True", json!({})), 15);
        assert_eq!(plan, Plan { again: Some(Duration::from_secs(25)), ..Plan::default() });
    }

    #[test]
    fn a_silent_node_is_unknown_and_unreachable() {
        let plan = planned(&node("True", json!({})), 40);
        let conditions = plan.conditions.unwrap();
        let told: Vec<_> =
            conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_deref().unwrap())).collect();
        assert_eq!(
            told,
            [
                ("Ready", "Unknown", "NodeStatusUnknown"),
                ("MemoryPressure", "Unknown", "NodeStatusUnknown"),
                ("DiskPressure", "Unknown", "NodeStatusNeverUpdated"),
                ("PIDPressure", "Unknown", "NodeStatusNeverUpdated"),
            ]
        );
        assert_eq!(keys(plan.taints).unwrap(), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
        assert_eq!(plan.again, None);
    }

    #[test]
    fn taints_follow_conditions_and_others_taints_stay() {
        let taint = |key: &str, effect: &str| json!({"key": key, "effect": effect});
        let unreachable = [
            taint("node.kubernetes.io/unreachable", "NoSchedule"),
            taint("node.kubernetes.io/unreachable", "NoExecute"),
        ];
        let theirs = taint("dedicated", "NoExecute");
        for (name, node, expected) in [
            (
                "ready again",
                node("True", json!({"taints": [unreachable[0], unreachable[1], theirs]})),
                Some(vec!["dedicated:NoExecute"]),
            ),
            ("still unreachable", node("Unknown", json!({"taints": unreachable})), None),
            (
                "says it is not ready",
                node("False", json!({})),
                Some(vec!["not-ready:NoSchedule", "not-ready:NoExecute"]),
            ),
            ("cordoned", node("True", json!({"unschedulable": true})), Some(vec!["unschedulable:NoSchedule"])),
            ("uncordoned", node("True", json!({"taints": [taint(UNSCHEDULABLE, "NoSchedule")]})), Some(vec![])),
        ] {
            let expected = expected.map(|keys| keys.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(keys(planned(&node, 0).taints), expected, "{name}");
        }
    }
}
