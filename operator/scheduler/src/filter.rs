//! Filters: which nodes may hold a replica or a Pod, and why others may not, in upstream's words. Pure.

use std::collections::BTreeMap;

use crds::taint::{self, Stay, tolerates};
use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration};
use k8s_openapi::jiff::Timestamp;

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

/// Whether a replica that is on the node already may stay: cordons and NoSchedule taints do not drive it away.
pub fn may_stay(node: &NodeInfo, wants: &Wants<'_>, now: Timestamp) -> Stay {
    if selected(node, wants) { taint::may_stay(&node.taints, wants.tolerations, now) } else { Stay::No }
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
