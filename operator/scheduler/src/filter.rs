//! Filters: which nodes may hold a replica or a Pod, and why others may not, in upstream's words. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::resources::{Amounts, PODS};
use crate::snapshot::NodeInfo;

/// What is to be placed.
#[derive(Clone, Debug, Default)]
pub struct Wants<'a> {
    /// What one replica takes.
    pub requests: Amounts,
    /// Labels the node must have.
    pub node_selector: Option<&'a BTreeMap<String, String>>,
    /// Terms of `requiredDuringSchedulingIgnoredDuringExecution`, of which one must match.
    pub affinity: Option<&'a [NodeSelectorTerm]>,
    /// Taints it puts up with.
    pub tolerations: &'a [Toleration],
}

/// Why a node cannot hold it: each reason in the words in which upstream counts nodes.
pub fn reasons(node: &NodeInfo, wants: &Wants<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if node.unschedulable && !wants.tolerations.iter().any(|toleration| tolerates(toleration, &cordon())) {
        reasons.push("node(s) were unschedulable".to_owned());
    } else if !node.ready {
        reasons.push("node(s) were not ready".to_owned());
    } else if untolerated(node, wants.tolerations).is_some() {
        reasons.push("node(s) had untolerated taint(s)".to_owned());
    } else if !selected(node, wants) {
        reasons.push("node(s) didn't match Pod's node affinity/selector".to_owned());
    } else {
        for (name, amount) in wants.requests.iter() {
            if amount > 0 && node.allocatable.get(name) - node.requested.get(name) < amount {
                reasons.push(if name == PODS { "Too many pods".to_owned() } else { format!("Insufficient {name}") });
            }
        }
    }
    reasons
}

/// Whether a replica that is on the node already may stay, and until when: cordons and NoSchedule taints do not drive
/// it away, a NoExecute taint it does not put up with does, at once or when its `tolerationSeconds` are over.
pub fn may_stay(node: &NodeInfo, wants: &Wants<'_>, now: Timestamp) -> Stay {
    if !selected(node, wants) {
        return Stay::No;
    }
    let mut until: Option<Timestamp> = None;
    for taint in node.taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let tolerations: Vec<&Toleration> =
            wants.tolerations.iter().filter(|toleration| tolerates(toleration, taint)).collect();
        if tolerations.is_empty() {
            return Stay::No;
        }
        // As upstream: the shortest of the tolerations that match counts.
        let Some(seconds) = tolerations.iter().filter_map(|toleration| toleration.toleration_seconds).min() else {
            continue;
        };
        let since = taint.time_added.as_ref().map_or(now, |time| time.0);
        let end = since.saturating_add(SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX);
        if end <= now {
            return Stay::No;
        }
        until = Some(until.map_or(end, |until| until.min(end)));
    }
    until.map_or(Stay::Yes, Stay::Until)
}

/// Whether a replica may stay where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It may.
    Yes,
    /// It may for a time.
    Until(Timestamp),
    /// It may not.
    No,
}

fn cordon() -> Taint {
    Taint { key: "node.kubernetes.io/unschedulable".into(), effect: "NoSchedule".into(), ..Taint::default() }
}

/// The first taint that keeps new Pods away and is not tolerated.
fn untolerated<'a>(node: &'a NodeInfo, tolerations: &[Toleration]) -> Option<&'a Taint> {
    node.taints
        .iter()
        .filter(|taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute")
        .find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

/// How many taints with effect PreferNoSchedule are not tolerated; fewer is better.
pub fn untolerated_preferences(node: &NodeInfo, tolerations: &[Toleration]) -> usize {
    let unwanted = |taint: &&Taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint));
    node.taints.iter().filter(|taint| taint.effect == "PreferNoSchedule").filter(unwanted).count()
}

/// Whether a toleration matches a taint, by upstream's rule.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let set = |value: &Option<String>| value.as_deref().filter(|value| !value.is_empty()).map(str::to_owned);
    if set(&toleration.effect).is_some_and(|effect| effect != taint.effect) {
        return false;
    }
    let key = set(&toleration.key);
    if key.as_deref().is_some_and(|key| key != taint.key) {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            key.is_some() && toleration.value.as_deref().unwrap_or("") == taint.value.as_deref().unwrap_or("")
        }
        Some(_) => false,
    }
}

fn selected(node: &NodeInfo, wants: &Wants<'_>) -> bool {
    let by_labels = wants
        .node_selector
        .is_none_or(|selector| selector.iter().all(|(key, value)| node.labels.get(key) == Some(value)));
    by_labels && wants.affinity.is_none_or(|terms| terms.iter().any(|term| term_matches(node, term)))
}

/// A term without requirements matches nothing.
fn term_matches(node: &NodeInfo, term: &NodeSelectorTerm) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    expressions.iter().all(|want| requirement_matches(want, node.labels.get(&want.key).map(String::as_str)))
        && fields.iter().all(|want| want.key == "metadata.name" && requirement_matches(want, Some(&node.name)))
}

fn requirement_matches(want: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = want.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|listed| listed == value));
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = || Some((number(value?)?, number(values.first()?)?));
    match want.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(|(value, bound)| value > bound),
        "Lt" => compared().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// What a person reads when not everything found a place: upstream's `0/3 nodes are available: …`.
pub fn explain(nodes: &[NodeInfo], wants: &Wants<'_>) -> String {
    if nodes.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in nodes.iter().flat_map(|node| reasons(node, wants)) {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counted: Vec<String> = counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    counted.sort();
    format!("0/{} nodes are available: {}.", nodes.len(), counted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(spec: serde_json::Value, labels: serde_json::Value) -> NodeInfo {
        NodeInfo::new(
            &serde_json::from_value(json!({
                "metadata": {"name": "n", "labels": labels}, "spec": spec,
                "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}, "conditions": [{"type": "Ready", "status": "True"}]},
            }))
            .unwrap(),
        )
    }

    fn amounts(value: serde_json::Value) -> Amounts {
        Amounts::of(Some(&serde_json::from_value(value).unwrap())).with_a_pod()
    }

    #[test]
    fn each_reason_is_named_as_upstream_names_it() {
        let taint = json!({"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]});
        let ssd: BTreeMap<String, String> = [("disk".to_owned(), "ssd".to_owned())].into();
        for (name, node, wants, expected) in [
            (
                "fits",
                node(json!({}), json!({})),
                Wants { requests: amounts(json!({"cpu": "4"})), ..Wants::default() },
                vec![],
            ),
            (
                "too large",
                node(json!({}), json!({})),
                Wants { requests: amounts(json!({"cpu": "5", "memory": "9Gi"})), ..Wants::default() },
                vec!["Insufficient cpu", "Insufficient memory"],
            ),
            (
                "unknown resource",
                node(json!({}), json!({})),
                Wants { requests: amounts(json!({"example.com/gpu": "1"})), ..Wants::default() },
                vec!["Insufficient example.com/gpu"],
            ),
            (
                "cordoned",
                node(json!({"unschedulable": true}), json!({})),
                Wants::default(),
                vec!["node(s) were unschedulable"],
            ),
            ("tainted", node(taint.clone(), json!({})), Wants::default(), vec!["node(s) had untolerated taint(s)"]),
            (
                "selector",
                node(json!({}), json!({"disk": "hdd"})),
                Wants { node_selector: Some(&ssd), ..Wants::default() },
                vec!["node(s) didn't match Pod's node affinity/selector"],
            ),
            (
                "selected",
                node(json!({}), json!({"disk": "ssd"})),
                Wants { node_selector: Some(&ssd), ..Wants::default() },
                vec![],
            ),
        ] {
            assert_eq!(reasons(&node, &wants), expected, "{name}");
        }
    }

    #[test]
    fn tolerations_match_by_key_value_and_effect() {
        let taint: Taint = serde_json::from_value(json!({"key": "k", "value": "v", "effect": "NoSchedule"})).unwrap();
        for (toleration, expected) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"key": "k", "value": "v"}), true),
            (json!({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}), true),
            (json!({"key": "k", "value": "other"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"value": "v"}), false),
        ] {
            let toleration: Toleration = serde_json::from_value(toleration).unwrap();
            assert_eq!(tolerates(&toleration, &taint), expected, "{toleration:?}");
        }
    }

    #[test]
    fn a_no_execute_taint_drives_away_at_once_or_after_the_tolerated_time() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let node = node(
            json!({"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "1970-01-01T00:01:40Z"}]}),
            json!({}),
        );
        let tolerations = |value: serde_json::Value| serde_json::from_value::<Vec<Toleration>>(value).unwrap();
        let stay =
            |tolerations: &[Toleration], now| may_stay(&node, &Wants { tolerations, ..Wants::default() }, at(now));
        assert_eq!(stay(&[], 100), Stay::No);
        assert_eq!(stay(&tolerations(json!([{"operator": "Exists"}])), 100), Stay::Yes);
        let sixty = tolerations(json!([{"operator": "Exists", "tolerationSeconds": 60}]));
        assert_eq!(stay(&sixty, 120), Stay::Until(at(160)));
        assert_eq!(stay(&sixty, 160), Stay::No);
    }

    #[test]
    fn affinity_terms_are_alternatives_of_requirements() {
        let node = node(json!({}), json!({"zone": "a", "cores": "8"}));
        for (terms, expected) in [
            (json!([{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}]), true),
            (
                json!([{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]),
                true,
            ),
            (json!([{"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["8"]}]}]), false),
            (
                json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}]}]),
                false,
            ),
            (json!([{}]), false),
        ] {
            let parsed: Vec<NodeSelectorTerm> = serde_json::from_value(terms.clone()).unwrap();
            let wants = Wants { affinity: Some(&parsed), ..Wants::default() };
            assert_eq!(reasons(&node, &wants).is_empty(), expected, "{terms}");
        }
    }

    #[test]
    fn the_explanation_counts_nodes_by_reason() {
        let wants = Wants { requests: amounts(json!({"cpu": "5"})), ..Wants::default() };
        let nodes =
            [node(json!({}), json!({})), node(json!({}), json!({})), node(json!({"unschedulable": true}), json!({}))];
        assert_eq!(
            explain(&nodes, &wants),
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu."
        );
        assert_eq!(explain(&[], &wants), "no nodes available to schedule pods");
    }
}
