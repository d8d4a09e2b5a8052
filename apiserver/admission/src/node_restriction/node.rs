//! A node's own object: what it may say of itself.

use std::collections::BTreeSet;

use apimachinery::ObjectExt as _;
use serde_json::{Map, Value};

use super::{Request, Verdict, list};
use crate::Operation;

/// The labels of Kubernetes that a node gives itself.
const OWN_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

impl Request<'_> {
    pub(super) fn node(&self) -> Verdict {
        let (name, node, old) = (self.node, self.object(), self.old());
        if self.asked.name != name {
            return self.refuse(format!("node \"{name}\" is not allowed to modify node \"{}\"", self.asked.name));
        }
        let source = |node: &Value| node.pointer("/spec/configSource").filter(|source| !source.is_null()).cloned();
        let forbidden = forbidden_changes(node.labels(), old.labels());
        match self.asked.operation {
            Operation::Create => {
                if source(node).is_some() {
                    return self
                        .refuse(format!("node \"{name}\" is not allowed to create pods with a non-nil configSource"));
                }
                if !forbidden.is_empty() {
                    let words =
                        format!("node \"{name}\" is not allowed to set the following labels: {}", joined(&forbidden));
                    return self.refuse(words);
                }
            }
            Operation::Update => {
                if source(node).is_some() && source(node) != source(old) {
                    let words =
                        format!("node \"{name}\" is not allowed to update configSource to a new non-nil configSource");
                    return self.refuse(words);
                }
                // Who could would choose which pods come to it.
                if list(&node["spec"], "taints") != list(&old["spec"], "taints") {
                    return self.refuse(format!("node \"{name}\" is not allowed to modify taints"));
                }
                if !forbidden.is_empty() {
                    return self.refuse(format!("is not allowed to modify labels: {}", joined(&forbidden)));
                }
            }
            Operation::Delete | Operation::Connect => {}
        }
        Ok(())
    }
}

fn joined(labels: &BTreeSet<&str>) -> String {
    labels.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The labels that differ and are not a node's to change.
fn forbidden_changes<'a>(
    new: Option<&'a Map<String, Value>>,
    old: Option<&'a Map<String, Value>>,
) -> BTreeSet<&'a str> {
    let changed = |from: Option<&'a Map<String, Value>>, to: Option<&'a Map<String, Value>>| {
        from.into_iter().flatten().filter(move |(key, value)| to.and_then(|to| to.get(*key)) != Some(*value))
    };
    changed(new, old).chain(changed(old, new)).map(|(key, _)| key.as_str()).filter(|key| is_forbidden(key)).collect()
}

fn is_forbidden(label: &str) -> bool {
    let namespace = label.split_once('/').map_or("", |(namespace, _)| namespace);
    let within = |domain: &str| {
        namespace == domain || namespace.strip_suffix(domain).is_some_and(|prefix| prefix.ends_with('.'))
    };
    if within("node-restriction.kubernetes.io") {
        return true;
    }
    let own = OWN_LABELS.contains(&label) || within("kubelet.kubernetes.io") || within("node.kubernetes.io");
    (within("kubernetes.io") || within("k8s.io")) && !own
}
