//! The namespace controller: empties a namespace that is being deleted, then lets it go.

mod content;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, Outcome, WorkQueue};

use crate::informers::Informers;
use plan::Found;

/// The finalizer in a namespace's spec that is this controller's.
const FINALIZER: &str = "kubernetes";
/// How long after its deletion a namespace is first looked at: another server may not know of it yet, and let something
/// in.
const SETTLES: Duration = Duration::from_secs(5);
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

struct Controller {
    namespaces: Api<Namespace>,
    client: Client,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<String>::new(LONGEST_WAIT, context.metrics.queue("namespace"));
    informers.namespaces().on_change({
        let queue = queue.clone();
        move |change| {
            if let Change::Applied { new, .. } = change
                && is_to_be_finalized(new)
            {
                queue.add_after(new.name_any(), SETTLES);
            }
        }
    });
    let client = context.client.clone();
    let controller = Arc::new(Controller { namespaces: Api::all(client.clone()), client });
    async move {
        let work = |name| {
            let controller = controller.clone();
            async move { controller.empty(name).await }
        };
        queue.process(concurrency, work).await;
        Ok(())
    }
}

/// Whether a namespace takes new objects.
pub fn is_active(namespace: &Namespace) -> bool {
    namespace.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Active")
}

/// Whether an object was refused because its namespace is being emptied: there is nothing left to do for it.
pub fn is_terminating(status: &kube::core::Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    causes.iter().any(|cause| cause.reason == "NamespaceTerminating")
}

fn is_to_be_finalized(namespace: &Namespace) -> bool {
    namespace.metadata.deletion_timestamp.is_some() && !finalizers(namespace).is_empty()
}

fn finalizers(namespace: &Namespace) -> &[String] {
    namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_deref()).unwrap_or_default()
}

impl Controller {
    async fn empty(&self, name: String) -> kube::Result<Outcome> {
        let Some(namespace) = self.namespaces.get_opt(&name).await? else { return Ok(Outcome::Done) };
        let Some(deleted_at) = namespace.metadata.deletion_timestamp.clone() else { return Ok(Outcome::Done) };
        if finalizers(&namespace).is_empty() {
            return Ok(Outcome::Done);
        }
        let found = content::delete(&self.client, &name, &deleted_at).await;
        let namespace = match self.write_conditions(namespace, &found).await? {
            Written::Gone => return Ok(Outcome::Done),
            Written::Changed => return Ok(Outcome::Retry),
            Written::Is(namespace) => *namespace,
        };
        if found.is_empty() {
            return self.finalize(namespace).await;
        }
        tracing::debug!(namespace = name, ?found, "not empty yet");
        if found.failed() || found.takes.is_zero() {
            return Ok(Outcome::Retry);
        }
        Ok(Outcome::After(found.takes / 2 + Duration::from_secs(1)))
    }

    async fn write_conditions(&self, mut namespace: Namespace, found: &Found) -> kube::Result<Written> {
        let before = namespace.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let Some(conditions) = plan::conditions(before, found, Timestamp::now()) else {
            return Ok(Written::Is(Box::new(namespace)));
        };
        namespace.status = Some(NamespaceStatus { conditions: Some(conditions), phase: Some("Terminating".into()) });
        let written = self.namespaces.replace_status(&namespace.name_any(), &PostParams::default(), &namespace).await;
        Written::of(written)
    }

    /// Takes this controller's finalizer off the spec; with the last one the namespace goes.
    async fn finalize(&self, mut namespace: Namespace) -> kube::Result<Outcome> {
        if !finalizers(&namespace).iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(Outcome::Done);
        }
        if let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
            finalizers.sort();
            finalizers.dedup();
        }
        let name = namespace.name_any();
        let written = self.namespaces.replace_subresource("finalize", &name, &PostParams::default(), &namespace).await;
        Ok(match Written::of(written)? {
            Written::Gone | Written::Is(_) => Outcome::Done,
            Written::Changed => Outcome::Retry,
        })
    }
}

/// What became of a write.
enum Written {
    /// It is done; the namespace as it is now.
    Is(Box<Namespace>),
    /// The namespace was changed by somebody else: everything is to be looked at anew.
    Changed,
    /// There is no namespace any more.
    Gone,
}

impl Written {
    fn of(written: kube::Result<Namespace>) -> kube::Result<Self> {
        match written {
            Ok(namespace) => Ok(Self::Is(Box::new(namespace))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Self::Gone),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Self::Changed),
            Err(error) => Err(error),
        }
    }
}
