//! The garbage collector: deletes dependents whose owners are gone, in the background, in the foreground, or orphans
//! them, as upstream's. It never deletes on doubt: an owner is absent only when a live read says so, the object is read
//! live before it goes, and its deletion names the uid and version that were read.

mod graph;
mod monitors;
mod plan;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::discovery::ApiResource;
use kube::{Api, Client};
use runtime::events::CoreRecorder;
use runtime::{Context, Error, Outcome, WorkQueue};
use serde_json::json;

use graph::{Coordinates, FOREGROUND, ORPHAN, Object, Task};
use monitors::Monitors;
use plan::{Dependents, Owner, Verdict};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long the first look at every resource may hold up the work.
const SYNC_DEADLINE: Duration = Duration::from_secs(30);
/// How many absent owners are remembered.
const REMEMBERED: usize = 10_000;

struct Collector {
    client: Client,
    recorder: CoreRecorder,
    monitors: Arc<Monitors>,
    /// Owners that a live read did not find, as seen from a namespace; a uid never comes back.
    absent: Mutex<HashSet<[String; 5]>>,
}

/// The future collects for as long as it is polled.
pub fn controller(context: &Context, concurrency: usize) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<Task>::new(LONGEST_WAIT, context.metrics.queue("garbage_collector"));
    let monitors = Monitors::new(context.client.clone(), queue.clone());
    let collector = Arc::new(Collector {
        client: context.client.clone(),
        recorder: context.recorder.core("garbage-collector-controller"),
        monitors: monitors.clone(),
        absent: Mutex::default(),
    });
    async move {
        let following = monitors.clone().follow_discovery();
        let working = async {
            let synced = async {
                while !monitors.synced() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(SYNC_DEADLINE, synced).await.is_err() {
                tracing::warn!("not every resource could be listed; the garbage collector starts without");
            }
            let work = |task| {
                let collector = collector.clone();
                async move { collector.attempt(task).await }
            };
            queue.process(concurrency, work).await;
        };
        tokio::join!(following, working);
        Ok(())
    }
}

/// Why something is left alone for now.
#[derive(Debug, thiserror::Error)]
enum Doubt {
    #[error("{}", runtime::error::brief(.0))]
    Api(#[from] kube::Error),
    #[error("the owner's kind {kind} of {api_version} is not served")]
    UnknownKind { api_version: String, kind: String },
}

impl Collector {
    async fn attempt(&self, task: Task) -> Result<Outcome, Doubt> {
        let outcome = match task {
            Task::AttemptToDelete(uid) => self.attempt_to_delete(&uid).await,
            Task::AttemptToOrphan(uid) => self.attempt_to_orphan(&uid).await,
            Task::TellOfOwner { dependent, owner } => {
                self.tell_of_owner(&dependent, &owner);
                Ok(Outcome::Done)
            }
        };
        match outcome {
            // It may be served again, or never: no news each time.
            Err(doubt @ Doubt::UnknownKind { .. }) => {
                tracing::debug!(%doubt, "left alone");
                Ok(Outcome::Retry)
            }
            outcome => outcome,
        }
    }

    fn object(&self, uid: &str) -> Option<Object> {
        self.monitors.graph.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    fn api(&self, at: &Coordinates) -> Api<DynamicObject> {
        api(&self.client, &at.resource, &at.namespace)
    }

    /// The object as it is stored now; none when it is gone or another has its name.
    async fn read(&self, uid: &str, at: &Coordinates) -> kube::Result<Option<ObjectMeta>> {
        let found = self.api(at).get_metadata_opt(&at.name).await?;
        Ok(found.map(|found| found.metadata).filter(|meta| meta.uid.as_deref() == Some(uid)))
    }

    async fn attempt_to_delete(&self, uid: &str) -> Result<Outcome, Doubt> {
        let Some(object) = self.object(uid) else { return Ok(Outcome::Done) };
        if object.deleting_dependents {
            return self.finish_foreground(uid, &object).await;
        }
        if object.deleting || object.owners.is_empty() {
            return Ok(Outcome::Done);
        }
        let Some(meta) = self.read(uid, &object.at).await? else { return Ok(Outcome::Done) };
        if meta.deletion_timestamp.is_some() {
            return Ok(Outcome::Done);
        }
        let mut owners = Vec::new();
        for owner in meta.owner_references.iter().flatten() {
            match self.look_up(owner, &object.at).await? {
                Some(state) => owners.push((owner.clone(), state)),
                None => return Ok(Outcome::Done),
            }
        }
        let dependents = self.dependents(uid);
        let outcome = match plan::verdict(&meta, &owners, dependents) {
            Verdict::Keep => return Ok(Outcome::Done),
            Verdict::Unblock(unblocked) => {
                settle(self.patch(&object.at, &meta, json!({"ownerReferences": unblocked})).await)?;
                return Ok(Outcome::Retry); // it is deleted upon its new version
            }
            Verdict::KeepWith(left) => self.patch(&object.at, &meta, json!({"ownerReferences": left})).await,
            Verdict::Delete(policy) => {
                tracing::debug!(
                    kind = object.at.resource.kind,
                    name = object.at.name,
                    ?policy,
                    "deleting: no owner is left"
                );
                let parameters = DeleteParams {
                    propagation_policy: Some(policy),
                    preconditions: Some(Preconditions {
                        uid: meta.uid.clone(),
                        resource_version: meta.resource_version.clone(),
                    }),
                    ..DeleteParams::default()
                };
                self.api(&object.at).delete(&object.at.name, &parameters).await.map(|_| ())
            }
        };
        settle(outcome)
    }

    fn dependents(&self, uid: &str) -> Dependents {
        let graph = self.monitors.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |uid: String| graph.get(&uid).is_some_and(|dependent| dependent.deleting_dependents);
        if graph.dependents_of(uid).any(waits) {
            Dependents::SomeWait
        } else if graph.dependents_of(uid).next().is_some() {
            Dependents::Some
        } else {
            Dependents::None
        }
    }

    /// Tells of an owner that is not where the object is.
    fn tell_of_owner(&self, dependent: &str, owner: &str) {
        let Some(object) = self.object(dependent) else { return };
        let Some(of) = object.owners.iter().find(|found| found.uid == owner) else { return };
        let (kind, namespace) = (format!("{}/{}", of.api_version, of.kind), &object.at.namespace);
        let message = format!(
            "ownerRef [{kind}, namespace: {namespace}, name: {}, uid: {owner}] does not exist in namespace \"{namespace}\"",
            of.name
        );
        self.recorder.warning(reference(dependent, &object.at), "OwnerRefInvalidNamespace", message);
    }

    /// What is known of an owner; none when the reference can never be right.
    async fn look_up(&self, owner: &OwnerReference, at: &Coordinates) -> Result<Option<Owner>, Doubt> {
        let known = self.object(&owner.uid).filter(|known| {
            known.at.name == owner.name
                && known.at.resource.kind == owner.kind
                && (known.at.namespace.is_empty() || known.at.namespace == at.namespace)
        });
        if let Some(known) = known {
            return Ok(Some(if known.deleting_dependents { Owner::WaitsForDependents } else { Owner::Solid }));
        }
        let seen_from = [&owner.uid, &owner.api_version, &owner.kind, &owner.name, &at.namespace].map(String::clone);
        if self.absent.lock().unwrap_or_else(PoisonError::into_inner).contains(&seen_from) {
            return Ok(Some(Owner::Absent));
        }
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(served) = self.monitors.served(group, &owner.kind) else {
            self.monitors.refresh();
            return Err(Doubt::UnknownKind { api_version: owner.api_version.clone(), kind: owner.kind.clone() });
        };
        if served.namespaced && at.namespace.is_empty() {
            return Ok(None); // told of when the owner is seen
        }
        let namespace = if served.namespaced { at.namespace.as_str() } else { "" };
        let found = match api(&self.client, &served.resource, namespace).get_metadata(&owner.name).await {
            Ok(found) => Some(found.metadata),
            Err(kube::Error::Api(status)) if is_absent(&status, &owner.name) => None,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                self.monitors.refresh();
                return Err(Doubt::UnknownKind { api_version: owner.api_version.clone(), kind: owner.kind.clone() });
            }
            Err(error) => return Err(error.into()),
        };
        match found.filter(|meta| meta.uid.as_deref() == Some(&owner.uid)) {
            None => {
                let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
                if absent.len() >= REMEMBERED {
                    absent.clear();
                }
                absent.insert(seen_from);
                Ok(Some(Owner::Absent))
            }
            Some(meta) => {
                let waits = meta.deletion_timestamp.is_some()
                    && meta.finalizers.iter().flatten().any(|finalizer| finalizer == FOREGROUND);
                Ok(Some(if waits { Owner::WaitsForDependents } else { Owner::Solid }))
            }
        }
    }

    /// Lets an object in foreground deletion go when nothing that blocks it is left.
    async fn finish_foreground(&self, uid: &str, object: &Object) -> Result<Outcome, Doubt> {
        let blocking = self.monitors.graph.lock().unwrap_or_else(PoisonError::into_inner).blocking_dependents(uid);
        if !blocking.is_empty() {
            for dependent in blocking {
                if self.object(&dependent).is_some_and(|dependent| !dependent.deleting) {
                    self.monitors.queue.add(Task::AttemptToDelete(dependent));
                }
            }
            return Ok(Outcome::Done);
        }
        if !self.monitors.synced() {
            return Ok(Outcome::Retry); // there may be dependents that are not known yet
        }
        self.remove_finalizer(uid, object, FOREGROUND).await
    }

    /// Takes an owner's reference off its dependents, then lets it go.
    async fn attempt_to_orphan(&self, uid: &str) -> Result<Outcome, Doubt> {
        let Some(object) = self.object(uid) else { return Ok(Outcome::Done) };
        if !self.monitors.synced() {
            return Ok(Outcome::Retry);
        }
        let dependents: Vec<(String, Object)> = {
            let graph = self.monitors.graph.lock().unwrap_or_else(PoisonError::into_inner);
            graph.dependents_of(uid).filter_map(|uid| graph.get(&uid).cloned().map(|object| (uid, object))).collect()
        };
        for (dependent, of) in dependents {
            let Some(meta) = self.read(&dependent, &of.at).await? else { continue };
            let owners = meta.owner_references.as_deref().unwrap_or_default();
            let left: Vec<&OwnerReference> = owners.iter().filter(|owner| owner.uid != uid).collect();
            if left.len() < owners.len()
                && settle(self.patch(&of.at, &meta, json!({"ownerReferences": left})).await)? == Outcome::Retry
            {
                return Ok(Outcome::Retry);
            }
        }
        self.remove_finalizer(uid, &object, ORPHAN).await
    }

    async fn remove_finalizer(&self, uid: &str, object: &Object, finalizer: &str) -> Result<Outcome, Doubt> {
        let Some(meta) = self.read(uid, &object.at).await? else { return Ok(Outcome::Done) };
        let finalizers = meta.finalizers.as_deref().unwrap_or_default();
        let left: Vec<&String> = finalizers.iter().filter(|found| *found != finalizer).collect();
        if left.len() == finalizers.len() {
            return Ok(Outcome::Done);
        }
        settle(self.patch(&object.at, &meta, json!({"finalizers": left})).await)
    }

    /// Changes metadata upon the version that was read.
    async fn patch(&self, at: &Coordinates, meta: &ObjectMeta, mut change: serde_json::Value) -> kube::Result<()> {
        change["uid"] = json!(meta.uid);
        change["resourceVersion"] = json!(meta.resource_version);
        let patch = Patch::Merge(json!({"metadata": change}));
        self.api(at).patch_metadata(&at.name, &PatchParams::default(), &patch).await.map(|_| ())
    }
}

/// Whether the server says that there is no object of that name. When the resource itself is not served any more, as
/// while a definition changes its versions, it answers 404 too, but names no object: that says nothing of the object.
fn is_absent(status: &kube::core::Status, name: &str) -> bool {
    status.code == 404 && status.details.as_ref().is_some_and(|details| details.name == name)
}

/// A write upon something that changed meanwhile is tried again; upon something that is gone it has nothing to do.
fn settle(outcome: kube::Result<()>) -> Result<Outcome, Doubt> {
    match outcome {
        Ok(()) => Ok(Outcome::Done),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Done),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Retry),
        Err(error) => Err(error.into()),
    }
}

fn api(client: &Client, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
    if namespace.is_empty() {
        Api::all_with(client.clone(), resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, resource)
    }
}

fn reference(uid: &str, at: &Coordinates) -> ObjectReference {
    ObjectReference {
        api_version: Some(at.resource.api_version.clone()),
        kind: Some(at.resource.kind.clone()),
        name: Some(at.name.clone()),
        namespace: Some(at.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_absent_only_when_the_answer_names_it() {
        for (name, status, expected) in [
            (
                "no such object",
                json!({"code": 404, "reason": "NotFound", "details": {"name": "x", "kind": "apps"}}),
                true,
            ),
            ("no such resource", json!({"code": 404, "reason": "NotFound", "message": "404 page not found"}), false),
            ("another's name", json!({"code": 404, "details": {"name": "namespace", "kind": "namespaces"}}), false),
            ("no such verb", json!({"code": 405, "details": {"name": "x"}}), false),
        ] {
            let status: kube::core::Status = serde_json::from_value(status).unwrap();
            assert_eq!(is_absent(&status, "x"), expected, "{name}");
        }
    }
}
