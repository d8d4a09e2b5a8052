//! What a node may do: read what its pods use, and write what is its own (upstream's `Node` mode).
//!
//! Some rules let a node write any object of a kind; that it writes its own alone is for the admission plugin
//! `NodeRestriction` to say, as upstream's.

mod graph;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use apimachinery::selector::fields::{Operator, Requirement};
use apimachinery::user::UserInfo;
use async_trait::async_trait;
use parking_lot::RwLock;
use serde_json::Value;

pub use graph::{Graph, Kind};

use crate::authorizer::{Attributes, Authorizer, Decision, Rules};
use crate::rbac::PolicyRule;

/// The group of every node.
pub const GROUP: &str = "system:nodes";
const USER_PREFIX: &str = "system:node:";
/// What a pod is marked with that a node made by itself.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
const LEASES: &str = "kube-node-lease";

/// Answers for nodes. Who follows pods and volumes writes to the same [`Graph`].
pub struct Node {
    /// What belongs to which node.
    pub graph: Arc<RwLock<Graph>>,
    /// What every node may do of the kinds that belong to nobody (`system:node`).
    pub rules: Vec<PolicyRule>,
}

/// The kinds of what a pod refers to, by whatever way: secrets, claims, its account…
pub fn referenced(pod: &Value) -> impl Iterator<Item = Kind> {
    graph::references_of_pod(pod).into_iter().map(|(kind, ..)| kind)
}

/// The node that a user is: `Some("")` is a node without a name.
pub fn node_of(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix(USER_PREFIX)?;
    user.is_in_group(GROUP).then_some(name)
}

fn refuse(reason: impl Into<String>) -> Decision {
    Decision::NoOpinion(reason.into())
}

#[async_trait]
impl Authorizer for Node {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let Some(node) = node_of(&attributes.user) else { return Decision::no_opinion() };
        if node.is_empty() {
            return refuse(format!("unknown node for user {}", apimachinery::quote::quoted(&attributes.user.name)));
        }
        if attributes.resource_request
            && let Some(decision) = self.of_its_own(node, attributes)
        {
            return decision;
        }
        let allowed = self.rules.iter().any(|rule| rule.allows(attributes));
        if allowed { Decision::allow() } else { Decision::no_opinion() }
    }

    async fn rules(&self, user: &UserInfo, _namespace: &str) -> Rules {
        match node_of(user) {
            Some(_) => Rules {
                incomplete: true,
                errors: vec!["node authorizer does not support user rule resolution".to_owned()],
                ..Rules::default()
            },
            None => Rules::default(),
        }
    }
}

impl Node {
    /// The answer for kinds of which a node may see but its own; `None` for others.
    fn of_its_own(&self, node: &str, asked: &Attributes) -> Option<Decision> {
        Some(match (asked.group.as_str(), asked.resource.as_str()) {
            ("", "secrets") => self.read(node, Kind::Secret, asked),
            ("", "configmaps") => self.read(node, Kind::ConfigMap, asked),
            ("", "persistentvolumeclaims") if asked.subresource == "status" => match asked.verb.as_str() {
                "update" | "patch" => self.used(node, Kind::PersistentVolumeClaim, asked),
                _ => refuse("can only get/update/patch this type"),
            },
            ("", "persistentvolumeclaims") => self.get(node, Kind::PersistentVolumeClaim, asked),
            ("", "persistentvolumes") => self.get(node, Kind::PersistentVolume, asked),
            ("resource.k8s.io", "resourceclaims") => self.get(node, Kind::ResourceClaim, asked),
            ("storage.k8s.io", "volumeattachments") => self.get(node, Kind::VolumeAttachment, asked),
            ("", "serviceaccounts") => self.service_account(node, asked),
            ("coordination.k8s.io", "leases") => lease(node, asked),
            ("storage.k8s.io", "csinodes") => csi_node(node, asked),
            ("resource.k8s.io", "resourceslices") => self.resource_slice(node, asked),
            ("", "nodes") => own_node(node, asked),
            ("", "pods") => self.pod(node, asked),
            _ => return None,
        })
    }

    fn used(&self, node: &str, kind: Kind, asked: &Attributes) -> Decision {
        if asked.name.is_empty() {
            return refuse("No Object name found");
        }
        if self.graph.read().is_used(node, kind, &asked.namespace, &asked.name) {
            return Decision::allow();
        }
        refuse(format!("no relationship found between node '{node}' and this object"))
    }

    fn get(&self, node: &str, kind: Kind, asked: &Attributes) -> Decision {
        if asked.verb != "get" {
            return refuse("can only get individual resources of this type");
        }
        if !asked.subresource.is_empty() {
            return refuse("cannot get subresource");
        }
        self.used(node, kind, asked)
    }

    fn read(&self, node: &str, kind: Kind, asked: &Attributes) -> Decision {
        if !matches!(asked.verb.as_str(), "get" | "list" | "watch") {
            return refuse("can only read resources of this type");
        }
        if !asked.subresource.is_empty() {
            return refuse("cannot read subresource");
        }
        if asked.namespace.is_empty() {
            return refuse("can only read namespaced object of this type");
        }
        self.used(node, kind, asked)
    }

    fn service_account(&self, node: &str, asked: &Attributes) -> Decision {
        if asked.verb == "get" && asked.subresource.is_empty() {
            return self.read(node, Kind::ServiceAccount, asked);
        }
        if asked.verb != "create" || asked.name.is_empty() {
            return refuse("can only create tokens for individual service accounts");
        }
        if asked.subresource != "token" {
            return refuse("can only create token subresource of serviceaccount");
        }
        self.used(node, Kind::ServiceAccount, asked)
    }

    fn resource_slice(&self, node: &str, asked: &Attributes) -> Decision {
        if !asked.subresource.is_empty() {
            return refuse("cannot authorize ResourceSlice subresources");
        }
        match asked.verb.as_str() {
            "create" => Decision::allow(),
            "get" | "update" | "patch" | "delete" => self.used(node, Kind::ResourceSlice, asked),
            "watch" | "list" | "deletecollection" if selects(asked, "spec.nodeName", node) => Decision::allow(),
            "watch" | "list" | "deletecollection" => {
                refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => refuse(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
        }
    }

    fn pod(&self, node: &str, asked: &Attributes) -> Decision {
        match (asked.subresource.as_str(), asked.verb.as_str()) {
            ("", "get") => self.get(node, Kind::Pod, asked),
            ("", "list" | "watch") if selects(asked, "spec.nodeName", node) => Decision::allow(),
            ("", "list" | "watch") if !asked.name.is_empty() => self.used(node, Kind::Pod, asked),
            ("", "list" | "watch") => refuse("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Decision::allow(),
            _ => Decision::no_opinion(),
        }
    }
}

/// Whether only objects with that value of a field are asked for.
fn selects(asked: &Attributes, field: &str, value: &str) -> bool {
    let wanted = |term: &Requirement| term.operator == Operator::Equals && term.field == field && term.value == value;
    asked.field_selector.iter().any(wanted)
}

fn lease(node: &str, asked: &Attributes) -> Decision {
    if !matches!(asked.verb.as_str(), "get" | "create" | "update" | "patch" | "delete") {
        return refuse("can only get, create, update, patch, or delete a node lease");
    }
    if asked.namespace != LEASES {
        return refuse(format!("can only access leases in the \"{LEASES}\" system namespace"));
    }
    if asked.verb != "create" && asked.name != node {
        return refuse("can only access node lease with the same name as the requesting node");
    }
    Decision::allow()
}

fn csi_node(node: &str, asked: &Attributes) -> Decision {
    if !matches!(asked.verb.as_str(), "get" | "create" | "update" | "patch" | "delete") {
        return refuse("can only get, create, update, patch, or delete a CSINode");
    }
    if !asked.subresource.is_empty() {
        return refuse("cannot authorize CSINode subresources");
    }
    if asked.verb != "create" && asked.name != node {
        return refuse("can only access CSINode with the same name as the requesting node");
    }
    Decision::allow()
}

fn own_node(node: &str, asked: &Attributes) -> Decision {
    match (asked.subresource.as_str(), asked.verb.as_str()) {
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Decision::allow(),
        ("", "get" | "list" | "watch") => match asked.name.as_str() {
            name if name == node => Decision::allow(),
            "" => refuse(format!("node '{node}' cannot read all nodes, only its own Node object")),
            other => refuse(format!("node '{node}' cannot read '{other}', only its own Node object")),
        },
        _ => Decision::no_opinion(),
    }
}
