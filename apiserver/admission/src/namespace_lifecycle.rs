//! `NamespaceLifecycle`: nothing is created in a namespace that is missing or on its way out, and the namespaces the
//! system lives in are not deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use apimachinery::StatusError;
use apimachinery::gvk::{GroupResource, GroupVersionResource};
use apimachinery::status::StatusCause;
use async_trait::async_trait;
use serde_json::Value;

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// The namespaces that are never deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];
/// How long a namespace that was deleted through this server is looked up afresh, because the cache may be behind.
const LOOK_UP_AFRESH: Duration = Duration::from_secs(30);

/// The plugin.
pub struct NamespaceLifecycle {
    lister: Arc<dyn Lister>,
    namespaces: GroupVersionResource,
    deleted: Mutex<HashMap<String, Instant>>,
}

impl NamespaceLifecycle {
    /// Reads namespaces through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        let namespaces = GroupVersionResource::new("", "v1", "namespaces");
        Self { lister, namespaces, deleted: Mutex::new(HashMap::new()) }
    }

    fn note_deleted(&self, name: &str) {
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.retain(|_, at| at.elapsed() < LOOK_UP_AFRESH);
        deleted.insert(name.to_owned(), Instant::now());
    }

    fn was_deleted(&self, name: &str) -> bool {
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.get(name).is_some_and(|at| at.elapsed() < LOOK_UP_AFRESH)
    }

    async fn namespace(&self, name: &str) -> Result<Arc<Value>, StatusError> {
        let cached = self.lister.get(&self.namespaces, "", name).await?;
        match cached {
            Some(namespace) if is_terminating(&namespace) || !self.was_deleted(name) => Ok(namespace),
            // The cache may not have seen it yet, or not its end.
            _ => {
                let fresh = self.lister.get_fresh(&self.namespaces, "", name).await?;
                fresh.ok_or_else(|| StatusError::not_found(&GroupResource::new("", "namespaces"), name))
            }
        }
    }
}

#[async_trait]
impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn handles(&self, operation: Operation) -> bool {
        matches!(operation, Operation::Create | Operation::Delete)
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        let of_namespace = attributes.kind.group.is_empty() && attributes.kind.kind == "Namespace";
        if attributes.operation == Operation::Delete {
            if of_namespace && IMMORTAL.contains(&attributes.name.as_str()) {
                return Err(attributes.forbidden("this namespace may not be deleted"));
            }
            if of_namespace && !attributes.dry_run {
                self.note_deleted(&attributes.name);
            }
            return Ok(());
        }
        // Who may ask about a namespace must not learn from this whether it exists.
        let is_review = attributes.resource.resource == "localsubjectaccessreviews"
            && attributes.resource.group == "authorization.k8s.io";
        if of_namespace || attributes.namespace.is_empty() || is_review {
            return Ok(());
        }
        let name = &attributes.namespace;
        if !is_terminating(&*self.namespace(name).await?) {
            return Ok(());
        }
        let words = format!("unable to create new content in namespace {name} because it is being terminated");
        let cause = StatusCause::new(
            "NamespaceTerminating",
            format!("namespace {name} is being terminated"),
            "metadata.namespace",
        );
        Err(attributes.forbidden(&words).with_cause(cause))
    }
}

fn is_terminating(namespace: &Value) -> bool {
    let phase = namespace.get("status").and_then(|status| status.get("phase"));
    phase.and_then(Value::as_str) == Some("Terminating")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, attributes};
    use serde_json::json;

    fn plugin() -> NamespaceLifecycle {
        NamespaceLifecycle::new(Arc::new(Fixed::new([
            ("namespaces", json!({"metadata": {"name": "live"}, "status": {"phase": "Active"}})),
            ("namespaces", json!({"metadata": {"name": "going"}, "status": {"phase": "Terminating"}})),
        ])))
    }

    async fn admit(mut attributes: Attributes) -> Result<(), StatusError> {
        plugin().admit(&mut attributes, &Context::new()).await
    }

    #[tokio::test]
    async fn nothing_is_created_where_there_is_no_namespace_or_one_that_goes() {
        assert!(admit(attributes(Operation::Create, "secrets", "live", "s")).await.is_ok());
        let error = admit(attributes(Operation::Create, "secrets", "none", "s")).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (404, "namespaces \"none\" not found"));
        let error = admit(attributes(Operation::Create, "secrets", "going", "s")).await.unwrap_err();
        assert_eq!(
            error.message(),
            "secrets \"s\" is forbidden: unable to create new content in namespace going because it is being terminated"
        );
        assert!(error.has_cause("NamespaceTerminating"));
    }

    #[tokio::test]
    async fn the_system_s_namespaces_stay() {
        let mut of = attributes(Operation::Delete, "namespaces", "", "kube-system");
        of.kind.kind = "Namespace".into();
        let error = admit(of).await.unwrap_err();
        assert_eq!(error.message(), "namespaces \"kube-system\" is forbidden: this namespace may not be deleted");
    }
}
