//! The controllers of ReplicaSets and ReplicationControllers: one core keeps as many Pods as either asks for.

mod kind;
mod plan;
mod rank;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::core::Selector;
use kube::{Api, Client, ResourceExt};
use runtime::events::CoreRecorder;
use runtime::{Change, Context, Error, Informer, ObjectKey, Outcome, Store, WorkQueue};

use crate::controller_ref::{self, Claimer};
use crate::expectations::Expectations;
use crate::field_manager;
use crate::informers::{BY_NAMESPACE, Informers, PODS_BY_OWNER, REPLICA_SETS_BY_OWNER};
use crate::pod_control::{self, PodControl};
use crate::pod_state;
use kind::ReplicaKeeper;
use plan::Observed;

pub use plan::REPLICA_FAILURE;
pub use rank::to_delete;

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(1000);

struct Controller<K> {
    client: Client,
    recorder: CoreRecorder,
    keepers: Store<K>,
    pods: Store<Pod>,
    /// The index of keepers by their controller, where they can have one.
    by_owner: Option<usize>,
    expectations: Arc<Expectations>,
}

/// Hooks the controller of ReplicaSets up to the informers; the future works for as long as it is polled.
pub fn replica_sets(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    informers.pods();
    controller::<ReplicaSet>(context, informers, Informers::replica_sets, Some(REPLICA_SETS_BY_OWNER), concurrency)
}

/// Hooks the controller of ReplicationControllers up to the informers; the future works for as long as it is polled.
pub fn replication_controllers(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    controller::<ReplicationController>(context, informers, Informers::replication_controllers, None, concurrency)
}

fn controller<K: ReplicaKeeper>(
    context: &Context,
    informers: &mut Informers,
    keepers_of: fn(&mut Informers) -> &mut Informer<K>,
    by_owner: Option<usize>,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<K> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue(K::QUEUE));
    let (keepers, pods) = (keepers_of(informers).store(), informers.pods().store());
    let expectations = Arc::<Expectations>::default();
    keepers_of(informers).on_change({
        let (queue, expectations) = (queue.clone(), expectations.clone());
        move |change| {
            let key = ObjectKey::of(&**change.object());
            let replaced = match &change {
                Change::Applied { old: Some(old), new } => old.meta().uid != new.meta().uid,
                Change::Applied { old: None, .. } => false,
                Change::Deleted(_) => true,
            };
            if replaced {
                expectations.forget(&key); // one that comes with the same name starts clean
            }
            queue.add(key);
        }
    });
    informers.pods().on_change({
        let told = PodEvents { queue: queue.clone(), keepers: keepers.clone(), expectations: expectations.clone() };
        move |change| told.tell(&change)
    });
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        recorder: context.recorder.core(K::CONTROLLER),
        keepers,
        pods,
        by_owner,
        expectations,
    });
    async move {
        controller.keepers.synced().await;
        controller.pods.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        queue.process(concurrency, work).await;
        Ok(())
    }
}

/// What changes of Pods mean to their keepers.
struct PodEvents<K> {
    queue: WorkQueue<ObjectKey>,
    keepers: Store<K>,
    expectations: Arc<Expectations>,
}

impl<K: ReplicaKeeper> PodEvents<K> {
    /// The keeper that controls a Pod, if it is there.
    fn keeper(&self, pod: &ObjectMeta) -> Option<ObjectKey> {
        let (key, uid) = controller_ref::key_of::<K>(pod)?;
        (self.keepers.get(&key)?.meta().uid.as_deref() == Some(uid)).then_some(key)
    }

    fn tell(&self, change: &Change<'_, Pod>) {
        match change {
            Change::Deleted(pod) => self.deleted(pod),
            Change::Applied { old: Some(old), new } if old.metadata.uid != new.metadata.uid => {
                self.deleted(old);
                self.created(new);
            }
            Change::Applied { old: Some(old), new } => self.updated(old, new),
            Change::Applied { old: None, new } => self.created(new),
        }
    }

    fn created(&self, pod: &Pod) {
        if pod.metadata.deletion_timestamp.is_some() {
            return self.deleted(pod);
        }
        if controller_ref::controller_of(&pod.metadata).is_none() {
            return self.orphaned(pod);
        }
        if let Some(keeper) = self.keeper(&pod.metadata) {
            self.expectations.created(&keeper, 1);
            self.queue.add(keeper);
        }
    }

    fn updated(&self, old: &Pod, new: &Pod) {
        if old.metadata.resource_version == new.metadata.resource_version {
            return;
        }
        if new.metadata.deletion_timestamp.is_some() {
            // It counts as gone from now on, so that another takes its place.
            return self.deleted(new);
        }
        let (was, is) = (controller_ref::controller_of(&old.metadata), controller_ref::controller_of(&new.metadata));
        if was != is
            && let Some(keeper) = self.keeper(&old.metadata)
        {
            self.queue.add(keeper);
        }
        match is {
            Some(_) => self.keeper(&new.metadata).into_iter().for_each(|keeper| self.queue.add(keeper)),
            None if was.is_some() || old.metadata.labels != new.metadata.labels => self.orphaned(new),
            None => (),
        }
    }

    fn deleted(&self, pod: &Pod) {
        if let Some(keeper) = self.keeper(&pod.metadata) {
            self.expectations.deleted(&keeper, &ObjectKey::of(pod));
            self.queue.add(keeper);
        }
    }

    /// Somebody may want to adopt it.
    fn orphaned(&self, pod: &Pod) {
        for keeper in self.keepers.by_index(BY_NAMESPACE, pod.metadata.namespace.as_deref().unwrap_or_default()) {
            if keeper.selector().is_some_and(|of| controller_ref::selects(&of, pod.metadata.labels.as_ref())) {
                self.queue.add(ObjectKey::of(&*keeper));
            }
        }
    }
}

impl<K: ReplicaKeeper> Controller<K> {
    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(keeper) = self.keepers.get(&key) else {
            self.expectations.forget(&key);
            return Ok(Outcome::Done);
        };
        let Some(selector) = keeper.selector() else { return Ok(Outcome::Done) };
        let wait = self.expectations.wait(&key);
        let uid = keeper.meta().uid.as_deref().unwrap_or_default();
        let owned = self.pods.by_index(PODS_BY_OWNER, uid);
        let terminating = owned
            .iter()
            .filter(|pod| pod_state::is_terminating(pod))
            .filter(|pod| controller_ref::selects(&selector, pod.metadata.labels.as_ref()));
        let terminating = terminating.count();
        let active = self.claim(&keeper, &selector, owned).await?;
        let too_many = active.len() > usize::try_from(keeper.replicas()).unwrap_or(0);
        let related = if too_many { self.related(&keeper) } else { Vec::new() };
        let now = Timestamp::now();
        let observed = Observed { keeper: &*keeper, active: &active, terminating, related: &related, now };
        let failure = match wait {
            None => self.apply(&key, &keeper, plan::plan(&observed)).await.err(),
            Some(_) => None,
        };
        let message = failure.as_ref().map(runtime::error::brief);
        let generation_before = keeper.meta().generation;
        if let Some(status) = plan::status(&observed, message.as_deref()) {
            self.write_status(&keeper, status, generation_before).await?;
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let available =
            pod_state::next_available(active.iter().map(|pod| &**pod), keeper.min_ready_seconds(), observed.now);
        Ok(match wait.into_iter().chain(available).min() {
            Some(wait) => Outcome::After(wait),
            None => Outcome::Done,
        })
    }

    /// The keeper's active Pods, with those it adopts.
    async fn claim(&self, keeper: &K, selector: &Selector, owned: Vec<Arc<Pod>>) -> kube::Result<Vec<Arc<Pod>>> {
        let namespace = keeper.namespace().unwrap_or_default();
        let orphans = self.pods.by_index(PODS_BY_OWNER, &controller_ref::orphans_of(&namespace));
        let candidates = owned.into_iter().chain(orphans).filter(|pod| pod_state::is_active(pod)).collect();
        let claimer = Claimer {
            controller: keeper,
            controllers: Api::namespaced(self.client.clone(), &namespace),
            objects: Api::<Pod>::namespaced(self.client.clone(), &namespace),
            finalizers: &[],
        };
        claimer.claim(selector, candidates).await
    }

    /// The Pods of all keepers with the same controller.
    fn related(&self, keeper: &K) -> Vec<Arc<Pod>> {
        let (Some(by_owner), Some(owner)) = (self.by_owner, controller_ref::controller_of(keeper.meta())) else {
            return Vec::new();
        };
        let siblings = self.keepers.by_index(by_owner, &owner.uid);
        let mut seen = HashSet::new();
        siblings
            .iter()
            .filter_map(|sibling| sibling.meta().uid.clone())
            .filter(|uid| seen.insert(uid.clone()))
            .flat_map(|uid| self.pods.by_index(PODS_BY_OWNER, &uid))
            .collect()
    }

    async fn apply(&self, key: &ObjectKey, keeper: &K, plan: plan::Plan) -> kube::Result<()> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &key.namespace);
        let control = PodControl { pods, recorder: &self.recorder, owner: keeper };
        if plan.create > 0 {
            let Some(template) = keeper.template() else { return Ok(()) };
            let pod = pod_control::from_template(template, &key.name, controller_ref::of(keeper));
            self.expectations.expect(key, plan.create, []);
            let (created, outcome) = pod_control::slow_start(plan.create, |_| async {
                match control.create(&pod).await {
                    // Nothing can be created here any more, and nothing needs to.
                    Err(error) if pod_control::namespace_is_terminating(&error) => {
                        self.expectations.created(key, 1);
                        Ok(())
                    }
                    outcome => outcome.map(|_| ()),
                }
            })
            .await;
            self.expectations.created(key, plan.create - created);
            return outcome;
        }
        if plan.delete.is_empty() {
            return Ok(());
        }
        self.expectations.expect(key, 0, plan.delete.iter().map(|pod| ObjectKey::of(&**pod)));
        let deletions = plan.delete.iter().map(|pod| async {
            let outcome = control.delete(&pod.name_any()).await;
            if !matches!(outcome, Ok(true)) {
                self.expectations.deleted(key, &ObjectKey::of(&**pod)); // the watch will not show it
            }
            outcome.map(|_| ())
        });
        pod_control::all_at_once(deletions).await
    }

    /// Writes a status, over a newer version of the keeper if there is one.
    async fn write_status(&self, keeper: &K, status: ReplicaSetStatus, generation: Option<i64>) -> kube::Result<()> {
        let api = Api::<K>::namespaced(self.client.clone(), &keeper.namespace().unwrap_or_default());
        let name = keeper.name_any();
        let mut status = status;
        status.observed_generation = generation;
        let mut written = keeper.clone();
        written.set_status(status.clone());
        if api.replace_status(&name, &field_manager::post(), &written).await.is_ok() {
            return Ok(());
        }
        let mut fresh = api.get(&name).await?;
        fresh.set_status(status);
        api.replace_status(&name, &field_manager::post(), &fresh).await.map(|_| ())
    }
}
