//! The App controller: keeps an App's Pods on the nodes that the scheduler chose, and its status true.

mod plan;
mod template;
mod unseen;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crds::taint::{self, Stay};
use crds::{App, GROUP, condition};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::Recorder;
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::informers::{Informers, PODS_BY_NAMESPACE, PODS_BY_OWNER};
use crate::namespace;
use plan::{Observed, Plan};
use unseen::Unseen;

/// The controller's name among field managers.
const FIELD_MANAGER: &str = "app-controller";
/// Calls that one App may have under way at once.
const CONCURRENT_CALLS: usize = 16;
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

struct Controller {
    client: Client,
    recorder: Recorder,
    apps: Store<App>,
    pods: Store<Pod>,
    nodes: Store<Node>,
    refused: Mutex<HashMap<ObjectKey, String>>,
    unseen: Arc<Unseen>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled, once they are filled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("app"));
    let (apps, pods, nodes) = (informers.apps().store(), informers.pods().store(), informers.nodes().store());
    informers.apps().on_change({
        let (queue, apps) = (queue.clone(), apps.clone());
        move |change| {
            let app = change.object();
            queue.add(ObjectKey::of(&**app));
            if availability_changed(&change) {
                let name = app.name_any();
                for dependent in apps.list() {
                    if dependent.namespace() == app.namespace() && dependent.spec.depends_on.contains(&name) {
                        queue.add(ObjectKey::of(&*dependent));
                    }
                }
            }
        }
    });
    let unseen = Arc::<Unseen>::default();
    informers.pods().on_change({
        let (queue, unseen) = (queue.clone(), unseen.clone());
        move |change| {
            if let (Some(app), Some(uid)) = (owner(change.object()), &change.object().metadata.uid) {
                unseen.seen(&app, uid);
            }
            if let Change::Applied { old: Some(old), .. } = &change {
                owner(old).into_iter().for_each(|key| queue.add(key));
            }
            owner(change.object()).into_iter().for_each(|key| queue.add(key));
        }
    });
    informers.nodes().on_change({
        let (queue, apps) = (queue.clone(), apps.clone());
        move |change| {
            let taints = |node: &Node| node.spec.as_ref().and_then(|spec| spec.taints.clone());
            if let Change::Applied { old: Some(old), new } = &change
                && taints(old) == taints(new)
            {
                return;
            }
            let name = change.object().name_any();
            for app in apps.list() {
                if app.placements().iter().any(|placement| placement.node == name) {
                    queue.add(ObjectKey::of(&*app));
                }
            }
        }
    });
    let controller = Controller {
        client: context.client.clone(),
        recorder: context.recorder.clone(),
        apps,
        pods,
        nodes,
        refused: Mutex::default(),
        unseen,
    };
    let controller = Arc::new(controller);
    async move {
        controller.apps.synced().await;
        controller.pods.synced().await;
        controller.nodes.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        queue.process(concurrency, work).await;
        Ok(())
    }
}

fn availability_changed(change: &Change<'_, App>) -> bool {
    let available = |app: &App| condition::is_true(app.conditions(), condition::AVAILABLE);
    match change {
        Change::Applied { old, new } => old.is_none_or(|old| available(old) != available(new)),
        Change::Deleted(_) => true,
    }
}

/// The App that controls a Pod.
fn owner(pod: &Pod) -> Option<ObjectKey> {
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    let is_app = owner.kind == App::kind(&()) && owner.api_version.split('/').next() == Some(GROUP);
    is_app.then(|| ObjectKey::new(pod.metadata.namespace.clone().unwrap_or_default(), owner.name.clone()))
}

impl Controller {
    fn refused(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectKey, String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(app) = self.apps.get(&key) else {
            self.refused().remove(&key);
            return Ok(Outcome::Done);
        };
        if let Some(wait) = self.unseen.wait(&key) {
            return Ok(Outcome::After(wait)); // or when they are seen, which is sooner
        }
        let plan = self.plan(&key, &app);
        let done = self.apply(&key, &app, plan).await?;
        Ok(if done { Outcome::Done } else { Outcome::Retry })
    }

    fn plan(&self, key: &ObjectKey, app: &App) -> Plan {
        let now = Timestamp::now();
        let uid = app.metadata.uid.as_deref().unwrap_or_default();
        let pods = self.pods.by_index(PODS_BY_OWNER, uid);
        let neighbours = self.pods.by_index(PODS_BY_NAMESPACE, &key.namespace);
        let waits_for = app
            .spec
            .depends_on
            .iter()
            .filter(|name| {
                let other = self.apps.get(&ObjectKey::new(key.namespace.as_str(), name.as_str()));
                !other.is_some_and(|other| condition::is_true(other.conditions(), condition::AVAILABLE))
            })
            .cloned()
            .collect();
        let is_unusable = |node: &&str| match self.nodes.get(&ObjectKey::new("", *node)) {
            None => true,
            Some(node) => {
                let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
                taint::may_stay(taints, &app.spec.tolerations, now) == Stay::No
            }
        };
        plan::plan(&Observed {
            app,
            unusable: app.placements().iter().map(|placement| placement.node.as_str()).filter(is_unusable).collect(),
            pods: &pods,
            taken: neighbours.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect(),
            waits_for,
            refused: self.refused().get(key).cloned(),
            now,
        })
    }

    /// Carries a plan out. False when the cache turned out to be behind, so that it is to be planned anew.
    async fn apply(&self, key: &ObjectKey, app: &Arc<App>, plan: Plan) -> kube::Result<bool> {
        let deletions: Vec<_> = plan.delete.iter().map(|delete| self.delete(app, delete)).collect();
        let mut outcomes: Vec<kube::Result<()>> =
            futures::stream::iter(deletions).buffered(CONCURRENT_CALLS).collect().await;
        let creations = plan.create_after(&outcomes.iter().map(Result::is_ok).collect::<Vec<_>>());
        let creations: Vec<_> = creations.map(|pod| self.create(key, app, pod)).collect();
        let created: Vec<kube::Result<()>> =
            futures::stream::iter(creations).buffer_unordered(CONCURRENT_CALLS).collect().await;
        let mut current = true;
        let mut refused = None;
        for outcome in created {
            match outcome {
                // The Pod is there: the cache has not seen it yet.
                Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => current = false,
                Err(kube::Error::Api(status)) if namespace::is_terminating(&status) => (), // the App goes with it
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 422) => {
                    refused = Some(status.message.clone());
                    outcomes.push(Err(kube::Error::Api(status)));
                }
                outcome => outcomes.push(outcome),
            }
        }
        if let Some(message) = &refused {
            self.recorder.warning(
                app.object_ref(&()),
                "FailedCreate",
                "Creating",
                format!("Error creating pod: {message}"),
            );
            current = false;
        }
        match refused {
            Some(message) => self.refused().insert(key.clone(), message),
            None if !plan.create.is_empty() => self.refused().remove(key),
            None => None,
        };
        if let Some(status) = plan.status {
            outcomes.push(self.write_status(app, &status).await);
        }
        outcomes.into_iter().collect::<kube::Result<()>>().map(|()| current)
    }

    async fn delete(&self, app: &App, delete: &plan::Delete) -> kube::Result<()> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &app.namespace().unwrap_or_default());
        let parameters = DeleteParams {
            // Where the node is gone nobody is left to end it with grace.
            grace_period_seconds: self.is_gone(&delete.node).await?.then_some(0),
            preconditions: Some(Preconditions { uid: Some(delete.uid.clone()), resource_version: None }),
            ..DeleteParams::default()
        };
        match pods.delete(&delete.name, &parameters).await {
            Ok(_) => {
                let note = format!("Deleted pod {}: {}", delete.name, delete.why);
                self.recorder.normal(app.object_ref(&()), "SuccessfulDelete", "Deleting", note);
                Ok(())
            }
            // It is gone, or another of its name is there.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a node is no more, by a live read where the cache does not know it.
    async fn is_gone(&self, node: &str) -> kube::Result<bool> {
        if node.is_empty() || self.nodes.contains(&ObjectKey::new("", node)) {
            return Ok(false);
        }
        Ok(Api::<Node>::all(self.client.clone()).get_metadata_opt(node).await?.is_none())
    }

    async fn create(&self, key: &ObjectKey, app: &App, pod: &Pod) -> kube::Result<()> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &app.namespace().unwrap_or_default());
        let pod = pods.create(&PostParams::default(), pod).await?;
        if let Some(uid) = &pod.metadata.uid {
            self.unseen.created(key, uid);
            // The watch may have been faster than the answer.
            if self.pods.get(&ObjectKey::of(&pod)).is_some_and(|seen| seen.metadata.uid.as_ref() == Some(uid)) {
                self.unseen.seen(key, uid);
            }
        }
        let note = format!("Created pod {}", pod.name_any());
        self.recorder.normal(app.object_ref(&()), "SuccessfulCreate", "Creating", note);
        Ok(())
    }

    async fn write_status(&self, app: &App, status: &crds::AppStatus) -> kube::Result<()> {
        let namespace = app.namespace().unwrap_or_default();
        let patch = json!({
            "apiVersion": App::api_version(&()),
            "kind": App::kind(&()),
            // The uid makes sure that it is not written to another App of the same name.
            "metadata": {"name": app.metadata.name, "namespace": namespace, "uid": app.metadata.uid},
            "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let written = Api::<App>::namespaced(self.client.clone(), &namespace)
            .patch_status(&app.name_any(), &parameters, &Patch::Apply(patch))
            .await;
        match written {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            written => written.map(|_| ()),
        }
    }
}
