//! Pods on the node, and the claims of what they mount.

use apimachinery::ObjectExt as _;
use apimachinery::quote::quoted;
use authorization::node::{Kind, MIRROR, referenced};
use serde_json::Value;

use super::{Request, Verdict, list, text};
use crate::Operation;

fn node_of_pod(pod: &Value) -> &str {
    text(&pod["spec"], "nodeName")
}

impl Request<'_> {
    pub(super) async fn pod(&self) -> Verdict {
        let node = self.node;
        match self.asked.operation {
            Operation::Create => self.mirror_pod().await,
            Operation::Delete => {
                let pod = self.existing_pod(&self.asked.name).await?;
                if node_of_pod(&pod) == node {
                    return Ok(());
                }
                self.refuse(format!("node \"{node}\" can only delete pods with spec.nodeName set to itself"))
            }
            operation => self.refuse(format!(
                "unexpected operation \"{}\", node \"{node}\" can only create and delete mirror pods",
                operation.as_str()
            )),
        }
    }

    /// A pod that the node runs because of a file: it is shown, and gives the node nothing.
    async fn mirror_pod(&self) -> Verdict {
        let (node, pod) = (self.node, self.object());
        if pod.annotation(MIRROR).is_none() {
            let words =
                format!("pod does not have \"{MIRROR}\" annotation, node \"{node}\" can only create mirror pods");
            return self.refuse(words);
        }
        let only = |what: &str| self.refuse(format!("node \"{node}\" can only create pods with {what} set to itself"));
        if node_of_pod(pod) != node {
            return only("spec.nodeName");
        }
        let owner = match list(&pod["metadata"], "ownerReferences") {
            [] => return only("an owner reference"),
            [owner] => owner,
            _ => return only("a single owner reference"),
        };
        if (text(owner, "apiVersion"), text(owner, "kind"), text(owner, "name")) != ("v1", "Node", node) {
            return only("an owner reference");
        }
        if owner["controller"] != true {
            return only("a controller owner reference");
        }
        if owner["blockOwnerDeletion"] == true {
            return self.refuse(format!("node \"{node}\" must not set blockOwnerDeletion on an owner reference"));
        }
        let known = self.get("nodes", "node", "", node).await?;
        let uid = text(owner, "uid");
        if known.uid() != uid {
            return self.refuse(format!("node {node} UID mismatch: expected {uid} got {}", known.uid()));
        }
        let kinds: Vec<Kind> = referenced(pod).collect();
        let projects_bundles = list(&pod["spec"], "volumes")
            .iter()
            .flat_map(|volume| list(&volume["projected"], "sources"))
            .any(|source| source["clusterTrustBundle"].is_object());
        let claims = !list(&pod["spec"], "resourceClaims").is_empty() || kinds.contains(&Kind::ResourceClaim);
        for (refers, what) in [
            (kinds.contains(&Kind::ServiceAccount), "a service account"),
            (kinds.contains(&Kind::Secret), "secrets"),
            (kinds.contains(&Kind::ConfigMap), "configmaps"),
            (projects_bundles, "clustertrustbundles"),
            (kinds.contains(&Kind::PersistentVolumeClaim), "persistentvolumeclaims"),
            (claims, "resourceclaims"),
        ] {
            if refers {
                return self.refuse(format!("node \"{node}\" can not create pods that reference {what}"));
            }
        }
        Ok(())
    }

    pub(super) fn pod_status(&self) -> Verdict {
        let (node, pod, old) = (self.node, self.object(), self.old());
        if !self.is(Operation::Update) {
            return self.refuse(format!("unexpected operation {}", quoted(self.asked.operation.as_str())));
        }
        if node_of_pod(old) != node {
            let words = format!("node \"{node}\" can only update pod status for pods with spec.nodeName set to itself");
            return self.refuse(words);
        }
        if pod.labels().filter(|labels| !labels.is_empty()) != old.labels().filter(|labels| !labels.is_empty()) {
            return self.refuse(format!("node \"{node}\" cannot update labels through pod status"));
        }
        if list(&pod["status"], "resourceClaimStatuses") != list(&old["status"], "resourceClaimStatuses") {
            // Upstream's word.
            return self.refuse(format!("node \"{node}\" cannot update resource claim statues"));
        }
        Ok(())
    }

    pub(super) async fn pod_eviction(&self) -> Verdict {
        if !self.is(Operation::Create) {
            return self.refuse(format!("unexpected operation {}", self.asked.operation.as_str()));
        }
        let name = if self.asked.name.is_empty() { self.object().name() } else { &self.asked.name };
        if name.is_empty() {
            return self.refuse("could not determine pod from request data");
        }
        let pod = self.existing_pod(name).await?;
        if node_of_pod(&pod) == self.node {
            return Ok(());
        }
        self.refuse(format!("node {} can only evict pods with spec.nodeName set to itself", self.node))
    }

    /// A node tells how large the volume of a claim has become, and nothing else.
    pub(super) fn claim_status(&self) -> Verdict {
        if !self.is(Operation::Update) {
            return self.refuse(format!("unexpected operation {}", quoted(self.asked.operation.as_str())));
        }
        let without = |claim: &Value| {
            let mut claim = claim.clone();
            for field in ["resourceVersion", "managedFields"] {
                claim.metadata_mut().remove(field);
            }
            if let Some(status) = claim.get_mut("status").and_then(Value::as_object_mut) {
                for field in ["capacity", "conditions", "allocatedResourceStatuses", "allocatedResources"] {
                    status.remove(field);
                }
            }
            claim
        };
        let (old, new) = (without(self.old()), without(self.object()));
        if old == new {
            return Ok(());
        }
        let shown = |claim: &Value| serde_json::to_string_pretty(claim).unwrap_or_default();
        self.refuse(format!(
            "node \"{}\" is not allowed to update fields other than status.quantity and status.conditions: {}",
            self.node,
            apimachinery::diff::unified(&shown(&old), &shown(&new))
        ))
    }
}
