//! `NodeRestriction`: a node writes its own object, its lease and its slices, the status of the pods that run on it, mirror
//! pods that refer to nothing, and asks for the tokens and certificates that are meant for it. The authorization mode
//! `Node` says which kinds a node may write; this plugin which objects.

mod node;
mod pod;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use apimachinery::gvk::{GroupResource, GroupVersionResource};
use apimachinery::quote::quoted;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use authorization::Authorizer;
use authorization::node::node_of;
use serde_json::Value;

use crate::certificates::{self, request};
use crate::{Attributes, Context, Lister, Operation, Plugin};

/// The plugin.
pub struct NodeRestriction {
    lister: Arc<dyn Lister>,
    authorizer: Arc<dyn Authorizer>,
}

/// A request of a node.
struct Request<'a> {
    plugin: &'a NodeRestriction,
    /// The node.
    node: &'a str,
    asked: &'a Attributes,
}

type Verdict = Result<(), StatusError>;

impl NodeRestriction {
    /// The plugin over `lister`; `authorizer` is asked for which audiences a node may have tokens besides those of its pods.
    pub fn new(lister: Arc<dyn Lister>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self { lister, authorizer }
    }
}

#[async_trait]
impl Plugin for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation != Operation::Connect
    }

    async fn admit(&self, asked: &mut Attributes, _context: &Context) -> Verdict {
        let Some(node) = node_of(&asked.user) else { return Ok(()) };
        if node.is_empty() {
            let words = format!("could not determine node from user {}", quoted(&asked.user.name));
            return Err(asked.forbidden(&words));
        }
        let request = Request { plugin: self, node, asked };
        let resource = (asked.resource.group.as_str(), asked.resource.resource.as_str());
        match (resource, asked.subresource.as_str()) {
            (("", "pods"), "") => request.pod().await,
            (("", "pods"), "status") => request.pod_status(),
            (("", "pods"), "eviction") => request.pod_eviction().await,
            (("", "pods"), other) => request.refuse(format!(
                "unexpected pod subresource {}, only 'status' and 'eviction' are allowed",
                quoted(other)
            )),
            (("", "nodes"), _) => request.node(),
            (("", "persistentvolumeclaims"), "status") => request.claim_status(),
            (("", "persistentvolumeclaims"), _) => request.refuse("may only update PVC status"),
            (("", "serviceaccounts"), "token") => request.token().await,
            (("coordination.k8s.io", "leases"), _) => request.lease(),
            (("storage.k8s.io", "csinodes"), _) => request.csi_node(),
            (("resource.k8s.io", "resourceslices"), _) => request.resource_slice(),
            (("certificates.k8s.io", "certificatesigningrequests"), _) => request.certificate(),
            _ => Ok(()),
        }
    }
}

impl Request<'_> {
    fn refuse(&self, words: impl AsRef<str>) -> Verdict {
        Err(self.asked.forbidden(words.as_ref()))
    }

    fn is(&self, operation: Operation) -> bool {
        self.asked.operation == operation
    }

    /// The object as it would be written; null for none.
    fn object(&self) -> &Value {
        self.asked.object.as_deref().unwrap_or(&Value::Null)
    }

    fn old(&self) -> &Value {
        self.asked.old_object.as_deref().unwrap_or(&Value::Null)
    }

    /// An object of the core group, `resource` and, for messages, `kind`.
    async fn get(&self, resource: &str, kind: &str, namespace: &str, name: &str) -> Result<Arc<Value>, StatusError> {
        let resource = GroupVersionResource::new("", "v1", resource);
        let found = self.plugin.lister.get(&resource, namespace, name).await;
        let found = found.map_err(|error| self.asked.forbidden(error.message()))?;
        found.ok_or_else(|| StatusError::not_found(&GroupResource::new("", kind), name))
    }

    async fn existing_pod(&self, name: &str) -> Result<Arc<Value>, StatusError> {
        self.get("pods", "pod", &self.asked.namespace, name).await
    }

    fn lease(&self) -> Verdict {
        const NAMESPACE: &str = "kube-node-lease";
        if self.asked.namespace != NAMESPACE {
            return self.refuse(format!("can only access leases in the \"{NAMESPACE}\" system namespace"));
        }
        self.of_its_name("can only access node lease with the same name as the requesting node")
    }

    fn csi_node(&self) -> Verdict {
        self.of_its_name("can only access CSINode with the same name as the requesting node")
    }

    fn of_its_name(&self, words: &str) -> Verdict {
        let name = if self.is(Operation::Create) { self.object().name() } else { &self.asked.name };
        if name == self.node { Ok(()) } else { self.refuse(words) }
    }

    fn resource_slice(&self) -> Verdict {
        let (slice, word) = match self.asked.operation {
            Operation::Create => (self.object(), "create"),
            Operation::Delete => (self.old(), "delete"),
            _ => return Ok(()),
        };
        if slice.pointer("/spec/nodeName").and_then(Value::as_str) == Some(self.node) {
            return Ok(());
        }
        self.refuse(format!("can only {word} ResourceSlice with the same NodeName as the requesting node"))
    }

    /// Who signs for nodes is asked for a node's own certificate alone.
    fn certificate(&self) -> Verdict {
        let signer = text(&self.object()["spec"], "signerName");
        let for_nodes = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];
        if !self.is(Operation::Create) || !for_nodes.contains(&signer) {
            return Ok(());
        }
        match request::subject(&certificates::pem_of(self.object())) {
            Err(error) => self.refuse(format!("unable to parse csr: {error}")),
            Ok(subject) if subject.common_name == format!("system:node:{}", self.node) => Ok(()),
            Ok(_) => self.refuse(format!("can only create a node CSR with CN=system:node:{}", self.node)),
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
