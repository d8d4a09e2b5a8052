//! The Deployment controller: rolls a Deployment's template out over its ReplicaSets, scales them, and keeps its
//! status true.

mod plan;
mod revision;
mod status;
mod strategy;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::DeleteParams;
use kube::core::Selector;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::CoreRecorder;
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};

use crate::controller_ref::{self, Claimer};
use crate::informers::{BY_NAMESPACE, Informers, PODS_BY_OWNER, REPLICA_SETS_BY_OWNER};
use crate::{field_manager, pod_control, pod_state};
use plan::{Observed, Plan, Step};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(1000);
/// What scaling is told as.
const SCALING: &str = "ScalingReplicaSet";

struct Controller {
    client: Client,
    recorder: CoreRecorder,
    deployments: Store<Deployment>,
    sets: Store<ReplicaSet>,
    pods: Store<Pod>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("deployment"));
    let (deployments, sets) = (informers.deployments().store(), informers.replica_sets().store());
    let pods = informers.pods().store();
    informers.deployments().on_change({
        let queue = queue.clone();
        move |change| queue.add(ObjectKey::of(&**change.object()))
    });
    informers.replica_sets().on_change({
        let told = SetEvents { queue: queue.clone(), deployments: deployments.clone() };
        move |change| told.tell(&change)
    });
    informers.pods().on_change({
        let told = SetEvents { queue: queue.clone(), deployments: deployments.clone() };
        let sets = sets.clone();
        move |change| {
            // Only Recreate waits for Pods to be gone; all else shows in the ReplicaSets.
            let Change::Deleted(pod) = change else { return };
            let Some((key, _)) = controller_ref::key_of::<ReplicaSet>(&pod.metadata) else { return };
            let Some(set) = sets.get(&key) else { return };
            if let Some(deployment) = told.deployment(&set.metadata)
                && strategy::strategy(&deployment) == strategy::RECREATE
            {
                told.queue.add(ObjectKey::of(&*deployment));
            }
        }
    });
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        recorder: context.recorder.core("deployment-controller"),
        deployments,
        sets,
        pods,
    });
    async move {
        controller.deployments.synced().await;
        controller.sets.synced().await;
        controller.pods.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        queue.process(concurrency, work).await;
        Ok(())
    }
}

/// What changes of ReplicaSets mean to their Deployments.
struct SetEvents {
    queue: WorkQueue<ObjectKey>,
    deployments: Store<Deployment>,
}

impl SetEvents {
    /// The Deployment that controls a ReplicaSet, if it is there.
    fn deployment(&self, set: &ObjectMeta) -> Option<Arc<Deployment>> {
        let (key, uid) = controller_ref::key_of::<Deployment>(set)?;
        self.deployments.get(&key).filter(|deployment| deployment.metadata.uid.as_deref() == Some(uid))
    }

    fn add_owner(&self, set: &ReplicaSet) {
        if let Some(deployment) = self.deployment(&set.metadata) {
            self.queue.add(ObjectKey::of(&*deployment));
        }
    }

    fn tell(&self, change: &Change<'_, ReplicaSet>) {
        let (old, new) = match change {
            Change::Deleted(set) => return self.add_owner(set),
            Change::Applied { old, new } => (*old, *new),
        };
        let owner = |set: &ReplicaSet| controller_ref::controller_of(&set.metadata).cloned();
        let was = old.and_then(|old| owner(old));
        if let Some(old) = old.filter(|_| was != owner(new)) {
            self.add_owner(old);
        }
        if owner(new).is_some() {
            return self.add_owner(new);
        }
        // Somebody may want to adopt it.
        if new.metadata.deletion_timestamp.is_none()
            && old.is_none_or(|old| was.is_some() || old.metadata.labels != new.metadata.labels)
        {
            let namespace = new.metadata.namespace.as_deref().unwrap_or_default();
            for deployment in self.deployments.by_index(BY_NAMESPACE, namespace) {
                let selector = selector(&deployment);
                if selector.is_some_and(|of| controller_ref::selects(&of, new.metadata.labels.as_ref())) {
                    self.queue.add(ObjectKey::of(&*deployment));
                }
            }
        }
    }
}

/// What a Deployment selects; nothing when it selects all there is.
fn selector(deployment: &Deployment) -> Option<Selector> {
    let selector = controller_ref::selector(deployment.spec.as_ref().map(|spec| &spec.selector))?;
    (!selector.selects_all()).then_some(selector)
}

impl Controller {
    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(deployment) = self.deployments.get(&key) else { return Ok(Outcome::Done) };
        let selector = selector(&deployment);
        let sets = match &selector {
            Some(selector) => self.claim(&deployment, selector).await?,
            None => Vec::new(), // the plan refuses it
        };
        let running = sets.iter().filter(|set| self.has_running_pods(set, selector.as_ref()));
        let running: HashSet<String> = running.filter_map(|set| set.metadata.uid.clone()).collect();
        let now = Timestamp::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let plan = plan::plan(&Observed { deployment: &deployment, sets: &sets, running: &running, now });
        let again = plan.until_deadline;
        match self.apply(&deployment, plan, now).await {
            // It is looked at again when what changed is seen.
            Err(kube::Error::Api(status)) if status.reason == "Conflict" => return Ok(Outcome::Retry),
            Err(error) => return Err(error),
            Ok(()) => (),
        }
        Ok(match again.map(Duration::try_from) {
            // A second more, as times are of whole seconds.
            Some(Ok(wait)) if wait >= Duration::from_secs(1) => Outcome::After(wait + Duration::from_secs(1)),
            Some(_) => Outcome::Retry,
            None => Outcome::Done,
        })
    }

    fn has_running_pods(&self, set: &ReplicaSet, selector: Option<&Selector>) -> bool {
        let pods = self.pods.by_index(PODS_BY_OWNER, set.metadata.uid.as_deref().unwrap_or_default());
        let counts = |pod: &Pod| {
            !pod_state::is_terminal(pod)
                && selector.is_some_and(|of| controller_ref::selects(of, pod.metadata.labels.as_ref()))
        };
        pods.iter().any(|pod| counts(pod))
    }

    /// The Deployment's ReplicaSets, with those it adopts.
    async fn claim(&self, deployment: &Deployment, selector: &Selector) -> kube::Result<Vec<Arc<ReplicaSet>>> {
        let namespace = deployment.namespace().unwrap_or_default();
        let uid = deployment.metadata.uid.as_deref().unwrap_or_default();
        let mut candidates = self.sets.by_index(REPLICA_SETS_BY_OWNER, uid);
        candidates.extend(self.sets.by_index(REPLICA_SETS_BY_OWNER, &controller_ref::orphans_of(&namespace)));
        let claimer = Claimer {
            controller: deployment,
            controllers: Api::namespaced(self.client.clone(), &namespace),
            objects: Api::<ReplicaSet>::namespaced(self.client.clone(), &namespace),
            finalizers: &[],
        };
        claimer.claim(selector, candidates).await
    }

    async fn apply(&self, deployment: &Deployment, plan: Plan, now: Timestamp) -> kube::Result<()> {
        let namespace = deployment.namespace().unwrap_or_default();
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), &namespace);
        let sets = Api::<ReplicaSet>::namespaced(self.client.clone(), &namespace);
        let name = deployment.name_any();
        let post = field_manager::post();
        let mut versions: HashMap<String, Option<String>> = HashMap::new();
        for step in plan.steps {
            match step {
                Step::CreateSet(set) => {
                    let created = match sets.create(&post, &set).await {
                        Ok(created) => created,
                        Err(error) => return self.not_created(&deployments, deployment, &set, error, now).await,
                    };
                    if strategy::size(&set) > 0 {
                        self.tell_scaled(deployment, &set, 0);
                    }
                    versions.insert(created.name_any(), created.metadata.resource_version);
                }
                Step::UpdateSet { mut set, from } => {
                    if let Some(version) = versions.get(&set.name_any()) {
                        set.metadata.resource_version.clone_from(version);
                    }
                    let updated = sets.replace(&set.name_any(), &post, &set).await?;
                    if let Some(from) = from {
                        self.tell_scaled(deployment, &set, from);
                    }
                    versions.insert(updated.name_any(), updated.metadata.resource_version);
                }
                Step::DeleteSet(name) => match sets.delete(&name, &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => (),
                    deleted => drop(deleted?),
                },
                Step::WriteStatus(written) => drop(deployments.replace_status(&name, &post, &written).await?),
                Step::Update(written) => drop(deployments.replace(&name, &post, &written).await?),
                Step::Tell(true, reason, message) => {
                    self.recorder.warning(deployment.object_ref(&()), reason, message);
                }
                Step::Tell(false, reason, message) => {
                    self.recorder.normal(deployment.object_ref(&()), reason, message);
                }
            }
        }
        Ok(())
    }

    fn tell_scaled(&self, deployment: &Deployment, set: &ReplicaSet, from: i32) {
        let to = strategy::size(set);
        let direction = if from < to { "up" } else { "down" };
        let note = format!("Scaled {direction} replica set {} from {from} to {to}", set.name_any());
        self.recorder.normal(deployment.object_ref(&()), SCALING, note);
    }

    /// The new ReplicaSet was not created: its name may be another's, which the next hash then avoids.
    async fn not_created(
        &self,
        deployments: &Api<Deployment>,
        deployment: &Deployment,
        set: &ReplicaSet,
        error: kube::Error,
        now: Timestamp,
    ) -> kube::Result<()> {
        let mut written = deployment.clone();
        let status = written.status.get_or_insert_default();
        if matches!(&error, kube::Error::Api(status) if status.reason == "AlreadyExists") {
            if let Some(other) = self.sets.get(&ObjectKey::of(set)) {
                let owner = controller_ref::controller_of(&other.metadata);
                let is_own = owner.map(|owner| &owner.uid) == deployment.metadata.uid.as_ref();
                if !(is_own && revision::is_new(deployment, &other)) {
                    status.collision_count = Some(status.collision_count.unwrap_or(0).saturating_add(1));
                    deployments.replace_status(&deployment.name_any(), &field_manager::post(), &written).await?;
                }
            }
            return Err(error);
        }
        if pod_control::namespace_is_terminating(&error) {
            return Ok(()); // it goes with its namespace
        }
        let message =
            format!("Failed to create new replica set {:?}: {}", set.name_any(), runtime::error::brief(&error));
        if status::progress_deadline(deployment).is_some() {
            status::set_progressing(status, "False", status::reason::CREATE_ERROR, message.clone(), now);
            // The error weighs more than that it could not be noted.
            let _ = deployments.replace_status(&deployment.name_any(), &field_manager::post(), &written).await;
        }
        self.recorder.warning(deployment.object_ref(&()), status::reason::CREATE_ERROR, message);
        Err(error)
    }
}
