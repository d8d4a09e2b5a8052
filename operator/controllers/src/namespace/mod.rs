//! The namespace controller: empties a namespace that is being deleted, then lets it go.

mod plan;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::{Api, Client, ResourceExt};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::discovery::{self, Served};
use crate::informers::Informers;
use plan::Found;

/// The finalizer in a namespace's spec that is this controller's.
const FINALIZER: &str = "kubernetes";
/// Resources of one namespace looked at together.
const CONCURRENT_RESOURCES: usize = 16;
/// The longest wait between two rounds over a namespace that does not become empty.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

struct Controller {
    client: Client,
    namespaces: Store<Namespace>,
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
                && is_to_be_emptied(new)
            {
                queue.add(new.name_any());
            }
        }
    });
    let controller =
        Arc::new(Controller { client: context.client.clone(), namespaces: informers.namespaces().store() });
    async move {
        let work = |name| {
            let controller = controller.clone();
            async move { controller.empty(name).await }
        };
        queue.process(concurrency, work).await;
        Ok(())
    }
}

fn is_to_be_emptied(namespace: &Namespace) -> bool {
    namespace.metadata.deletion_timestamp.is_some()
        && namespace
            .spec
            .as_ref()
            .and_then(|spec| spec.finalizers.as_ref())
            .is_some_and(|finalizers| finalizers.iter().any(|finalizer| finalizer == FINALIZER))
}

impl Controller {
    async fn empty(&self, name: String) -> kube::Result<Outcome> {
        let Some(namespace) = self.namespaces.get(&ObjectKey::new("", name.as_str())) else { return Ok(Outcome::Done) };
        if !is_to_be_emptied(&namespace) {
            return Ok(Outcome::Done);
        }
        let found = self.delete_content(&name).await;
        if found.is_empty() {
            return self.finalize(&namespace).await;
        }
        tracing::debug!(namespace = name, ?found, "not empty yet");
        self.write_conditions(&namespace, &found).await?;
        Ok(Outcome::Retry)
    }

    /// One round: what is there is told to go. The namespace is empty when a round finds nothing.
    async fn delete_content(&self, namespace: &str) -> Found {
        let served = match discovery::discover(&self.client).await {
            Ok(served) => served,
            Err(error) => return Found { discovery_failure: Some(error.to_string()), ..Found::default() },
        };
        let rounds: Vec<_> = served
            .into_iter()
            .filter(|of| of.namespaced && of.supports(&["list", "delete"]))
            .map(|of| self.delete_resource(of, namespace))
            .collect();
        let mut found = Found::default();
        let mut rounds = futures::stream::iter(rounds).buffer_unordered(CONCURRENT_RESOURCES);
        while let Some((name, outcome)) = rounds.next().await {
            match outcome {
                Ok(finalizers) => {
                    if !finalizers.is_empty() {
                        found.remaining.insert(name, finalizers.len());
                    }
                    for finalizer in finalizers.into_iter().flatten() {
                        *found.finalizers.entry(finalizer).or_default() += 1;
                    }
                }
                Err(error) => found.deletion_failures.push(format!("{name}: {error}")),
            }
        }
        found.deletion_failures.sort();
        found
    }

    /// Deletes what there is of a resource; tells the finalizers of each object found.
    async fn delete_resource(&self, of: Served, namespace: &str) -> (String, kube::Result<Vec<Vec<String>>>) {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &of.resource);
        let deleted = async {
            let list = match api.list_metadata(&ListParams::default()).await {
                // It is not served any more, or cannot be listed: upstream passes over both.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 405) => return Ok(Vec::new()),
                list => list?,
            };
            if list.items.is_empty() {
                return Ok(Vec::new());
            }
            let background =
                DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
            let going = list.items.iter().all(|item| item.metadata.deletion_timestamp.is_some());
            if going {
                // They have been told; telling them again changes nothing.
            } else if of.supports(&["deletecollection"]) {
                api.delete_collection(&background, &ListParams::default()).await?;
            } else {
                for item in &list.items {
                    match api.delete(&item.name_any(), &background).await {
                        Err(kube::Error::Api(status)) if status.code == 404 => (),
                        deleted => drop(deleted?),
                    }
                }
            }
            Ok(list.items.into_iter().map(|item| item.metadata.finalizers.unwrap_or_default()).collect())
        }
        .await;
        (of.name(), deleted)
    }

    async fn write_conditions(&self, namespace: &Namespace, found: &Found) -> kube::Result<()> {
        let before = namespace.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let Some(conditions) = plan::conditions(before, found, Timestamp::now()) else { return Ok(()) };
        let patch = json!({
            "metadata": {"uid": namespace.metadata.uid},
            "status": {"phase": "Terminating", "conditions": conditions},
        });
        let written = Api::<Namespace>::all(self.client.clone())
            .patch_status(&namespace.name_any(), &PatchParams::default(), &Patch::Strategic(patch))
            .await;
        match written {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            written => written.map(|_| ()),
        }
    }

    /// Takes this controller's finalizer off the spec; with the last one the namespace goes.
    async fn finalize(&self, namespace: &Namespace) -> kube::Result<Outcome> {
        let name = namespace.name_any();
        let mut finalized = namespace.clone();
        if let Some(finalizers) = finalized.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let api = Api::<Namespace>::all(self.client.clone());
        match api.replace_subresource("finalize", &name, &kube::api::PostParams::default(), &finalized).await {
            Ok(_) => (),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Outcome::Done),
            Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Outcome::Retry),
            Err(error) => return Err(error),
        }
        // A server may leave the removal of what has no finalizer left to a second deletion.
        let gone = DeleteParams {
            preconditions: Some(Preconditions { uid: namespace.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match api.get_metadata_opt(&name).await? {
            Some(left) if left.metadata.uid == namespace.metadata.uid && left.metadata.finalizers.is_none() => {
                match api.delete(&name, &gone).await {
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
                    deleted => deleted.map(|_| Outcome::Done),
                }
            }
            _ => Ok(Outcome::Done),
        }
    }
}
