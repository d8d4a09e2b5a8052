//! The Job controller: runs a Job's Pods until enough have succeeded or too many have failed, and counts each once:
//! a Pod keeps a finalizer until its end is noted in the Job's status.

mod backoff;
mod conditions;
mod failure;
mod indexes;
mod plan;
mod template;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::Patch;
use kube::core::Selector;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::CoreRecorder;
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::controller_ref::{self, Claimer};
use crate::expectations::Expectations;
use crate::field_manager;
use crate::informers::{BY_NAMESPACE, Informers, PODS_BY_OWNER};
use crate::pod_control::{self, PodControl};
use backoff::Backoff;
use plan::{Observed, Sync, TRACKING, Work};

pub use conditions::finished;

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Changes of Pods within this time are taken together: each look may cost two writes.
const BATCH: Duration = Duration::from_millis(100);
/// The controller of Jobs that name none.
const CONTROLLER: &str = "kubernetes.io/job-controller";

/// What is known of a Job beside the caches.
#[derive(Debug, Default)]
struct Known {
    backoff: Backoff,
    /// Pods that were released, until the cache shows it.
    released: HashSet<String>,
}

struct Controller {
    client: Client,
    recorder: CoreRecorder,
    jobs: Store<Job>,
    pods: Store<Pod>,
    expectations: Expectations,
    known: Mutex<HashMap<ObjectKey, Known>>,
    queue: WorkQueue<ObjectKey>,
    /// Pods that no Job will count: their finalizer is only in the way.
    orphans: WorkQueue<ObjectKey>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    concurrency: usize,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        recorder: context.recorder.core("job-controller"),
        jobs: informers.jobs().store(),
        pods: informers.pods().store(),
        expectations: Expectations::default(),
        known: Mutex::default(),
        queue: WorkQueue::new(LONGEST_WAIT, context.metrics.queue("job")),
        orphans: WorkQueue::new(LONGEST_WAIT, context.metrics.queue("job_orphan_pod")),
    });
    informers.jobs().on_change({
        let controller = controller.clone();
        move |change| controller.job_changed(&change)
    });
    informers.pods().on_change({
        let controller = controller.clone();
        move |change| controller.pod_changed(&change)
    });
    async move {
        controller.jobs.synced().await;
        controller.pods.synced().await;
        let sync = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        let release = |key| {
            let controller = controller.clone();
            async move { controller.release_orphan(key).await }
        };
        tokio::join!(controller.queue.process(concurrency, sync), controller.orphans.process(concurrency, release));
        Ok(())
    }
}

/// Whether a Job is this controller's to run.
fn is_managed(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref()).is_none_or(|by| by == CONTROLLER)
}

fn selector(job: &Job) -> Option<Selector> {
    controller_ref::selector(job.spec.as_ref()?.selector.as_ref())
}

impl Controller {
    fn known(&self) -> MutexGuard<'_, HashMap<ObjectKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job_changed(&self, change: &Change<'_, Job>) {
        let job = change.object();
        let key = ObjectKey::of(&**job);
        let gone = match change {
            Change::Applied { old: Some(old), new } if old.metadata.uid != new.metadata.uid => Some(*old),
            Change::Deleted(job) => Some(*job),
            Change::Applied { .. } => None,
        };
        if let Some(gone) = gone {
            self.expectations.forget(&key);
            self.known().remove(&key);
            for pod in self.pods.by_index(PODS_BY_OWNER, gone.metadata.uid.as_deref().unwrap_or_default()) {
                self.orphans.add(ObjectKey::of(&*pod));
            }
        }
        match change {
            Change::Applied { old: Some(old), new } if old.metadata.generation == new.metadata.generation => {
                self.queue.add_after(key, BATCH);
            }
            _ => self.queue.add(key),
        }
    }

    /// The Job that controls a Pod, if it is there.
    fn job_of(&self, pod: &ObjectMeta) -> Option<Arc<Job>> {
        let (key, uid) = controller_ref::key_of::<Job>(pod)?;
        self.jobs.get(&key).filter(|job| job.metadata.uid.as_deref() == Some(uid))
    }

    fn pod_changed(&self, change: &Change<'_, Pod>) {
        let (old, new) = match change {
            Change::Deleted(pod) => return self.pod_gone(pod),
            Change::Applied { old, new } => (*old, *new),
        };
        let old = match old {
            Some(old) if old.metadata.uid != new.metadata.uid => {
                self.pod_gone(old);
                None
            }
            old => old,
        };
        if old.is_some_and(|old| old.metadata.resource_version == new.metadata.resource_version) {
            return;
        }
        let was = old.and_then(|old| controller_ref::controller_of(&old.metadata));
        let is = controller_ref::controller_of(&new.metadata);
        if let Some(old) = old.filter(|_| was != is)
            && let Some(job) = self.job_of(&old.metadata)
        {
            self.queue.add_after(ObjectKey::of(&*job), BATCH);
        }
        if let Some(job) = self.job_of(&new.metadata) {
            let key = ObjectKey::of(&*job);
            if new.metadata.deletion_timestamp.is_some() {
                self.expectations.deleted(&key, &ObjectKey::of(&**new));
            } else if old.is_none() {
                self.expectations.created(&key, 1);
            }
            if !plan::is_tracked(new) {
                self.seen_released(&key, new);
            } else if finished(&job).is_some() {
                self.orphans.add(ObjectKey::of(&**new));
            }
            return self.queue.add_after(key, BATCH);
        }
        if plan::is_tracked(new) {
            self.orphans.add(ObjectKey::of(&**new));
        }
        if is.is_none() && old.is_none_or(|old| was.is_some() || old.metadata.labels != new.metadata.labels) {
            // Somebody may want to adopt it.
            for job in self.jobs.by_index(BY_NAMESPACE, new.metadata.namespace.as_deref().unwrap_or_default()) {
                let selector = selector(&job);
                if selector.is_some_and(|of| controller_ref::selects(&of, new.metadata.labels.as_ref())) {
                    self.queue.add_after(ObjectKey::of(&*job), BATCH);
                }
            }
        }
    }

    fn pod_gone(&self, pod: &Pod) {
        if let Some(job) = self.job_of(&pod.metadata) {
            let key = ObjectKey::of(&*job);
            self.expectations.deleted(&key, &ObjectKey::of(pod));
            self.seen_released(&key, pod);
            self.queue.add_after(key, BATCH);
        }
    }

    fn seen_released(&self, job: &ObjectKey, pod: &Pod) {
        if let (Some(known), Some(uid)) = (self.known().get_mut(job), &pod.metadata.uid) {
            known.released.remove(uid);
        }
    }

    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(job) = self.jobs.get(&key).filter(|job| is_managed(job)) else {
            return Ok(Outcome::Done);
        };
        if finished(&job).is_some() {
            self.known().remove(&key);
            return Ok(Outcome::Done);
        }
        let Some(selector) = selector(&job) else { return Ok(Outcome::Done) };
        let wait = self.expectations.wait(&key);
        let pods = self.claim(&job, &selector).await?;
        let (backoff, released) =
            self.known().get(&key).map(|known| (known.backoff, known.released.clone())).unwrap_or_default();
        let now = Timestamp::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let satisfied = wait.is_none();
        let mut sync = Sync::new(Observed { job: &job, pods: &pods, satisfied, released: &released, backoff, now });
        let work = sync.work();
        let again = work.again.into_iter().chain(wait).min();
        let (deleted, created, outcome) = self.work(&key, &job, work).await;
        match self.track(&key, &job, &mut sync, &deleted, created).await {
            // It is looked at again when what changed is seen.
            Err(kube::Error::Api(status)) if status.reason == "Conflict" => return Ok(Outcome::Retry),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Outcome::Done),
            tracked => tracked?,
        }
        outcome?;
        Ok(again.map_or(Outcome::Done, Outcome::After))
    }

    /// The Job's Pods, with those it adopts.
    async fn claim(&self, job: &Job, selector: &Selector) -> kube::Result<Vec<Arc<Pod>>> {
        let namespace = job.namespace().unwrap_or_default();
        let mut candidates = self.pods.by_index(PODS_BY_OWNER, job.metadata.uid.as_deref().unwrap_or_default());
        candidates.extend(self.pods.by_index(PODS_BY_OWNER, &controller_ref::orphans_of(&namespace)));
        let claimer = Claimer {
            controller: job,
            controllers: Api::namespaced(self.client.clone(), &namespace),
            objects: Api::<Pod>::namespaced(self.client.clone(), &namespace),
            finalizers: &[TRACKING],
        };
        claimer.claim(selector, candidates).await
    }

    /// Creates and deletes Pods. Gives those that were deleted, how many were created, and the first error.
    async fn work(&self, key: &ObjectKey, job: &Job, work: Work) -> (Vec<Arc<Pod>>, usize, kube::Result<()>) {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &key.namespace);
        let control = PodControl { pods, recorder: &self.recorder, owner: job };
        if !work.delete.is_empty() {
            self.expectations.expect(key, 0, work.delete.iter().map(|pod| ObjectKey::of(&**pod)));
            let deletions: FuturesUnordered<_> = work
                .delete
                .into_iter()
                .map(|pod| async {
                    let outcome = control.delete(&pod.name_any()).await;
                    if !matches!(outcome, Ok(true)) {
                        self.expectations.deleted(key, &ObjectKey::of(&*pod)); // the watch will not show it
                    }
                    (pod, outcome)
                })
                .collect();
            let outcomes: Vec<(Arc<Pod>, kube::Result<bool>)> = deletions.collect().await;
            let mut deleted = Vec::new();
            let mut failure = Ok(());
            for (pod, outcome) in outcomes {
                match outcome {
                    Ok(_) => deleted.push(pod),
                    Err(error) => failure = Err(error),
                }
            }
            return (deleted, 0, failure);
        }
        if work.create.is_empty() {
            return (Vec::new(), 0, Ok(()));
        }
        let count = work.create.len();
        self.expectations.expect(key, count, []);
        let create = &work.create;
        let (created, outcome) = pod_control::slow_start(count, |index| {
            let control = &control;
            async move { control.create(&template::pod(job, &create[index])).await.map(|_| ()) }
        })
        .await;
        self.expectations.created(key, count - created);
        let outcome = match outcome {
            // Nothing can be created here any more, and nothing needs to.
            Err(error) if pod_control::namespace_is_terminating(&error) => Ok(()),
            outcome => outcome,
        };
        (Vec::new(), created, outcome)
    }

    /// Writes the status, releases the Pods that are counted in it, and writes what follows from that.
    async fn track(
        &self,
        key: &ObjectKey,
        job: &Job,
        sync: &mut Sync<'_>,
        deleted: &[Arc<Pod>],
        created: usize,
    ) -> kube::Result<()> {
        let tracking = sync.track(deleted, created);
        let mut version = job.metadata.resource_version.clone();
        if let Some((reason, message)) = tracking.told {
            self.recorder.normal(job.object_ref(&()), reason, message);
        }
        if tracking.write {
            version = self.write_status(job, version, &sync.status).await?;
            self.known().entry(key.clone()).or_default().backoff = sync.backoff;
        }
        let (released, failure) = self.release(key, &tracking.release).await;
        let (write, finished) = sync.finish(&released);
        if write {
            self.write_status(job, version, &sync.status).await?;
            if let Some(finished) = finished {
                self.tell_end(job, &sync.status, &finished);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn write_status(
        &self,
        job: &Job,
        version: Option<String>,
        status: &JobStatus,
    ) -> kube::Result<Option<String>> {
        let mut written = job.clone();
        written.metadata.resource_version = version;
        written.status = Some(status.clone());
        let jobs = Api::<Job>::namespaced(self.client.clone(), &job.namespace().unwrap_or_default());
        let written = jobs.replace_status(&job.name_any(), &field_manager::post(), &written).await?;
        Ok(written.metadata.resource_version)
    }

    /// Takes the finalizer from Pods. Gives the uids of those that have it no more, and an error if there was one.
    async fn release(&self, key: &ObjectKey, pods: &[Arc<Pod>]) -> (HashSet<String>, Option<kube::Error>) {
        let uids = pods.iter().filter_map(|pod| pod.metadata.uid.clone());
        if !pods.is_empty() {
            self.known().entry(key.clone()).or_default().released.extend(uids);
        }
        let releases: FuturesUnordered<_> =
            pods.iter().map(|pod| async move { (pod, self.remove_finalizer(pod).await) }).collect();
        let outcomes: Vec<(&Arc<Pod>, kube::Result<()>)> = releases.collect().await;
        let (mut released, mut failure) = (HashSet::new(), None);
        for (pod, outcome) in outcomes {
            match outcome {
                Ok(()) => {
                    released.extend(pod.metadata.uid.clone());
                    // The watch may have been faster than the answer.
                    if self.pods.get(&ObjectKey::of(&**pod)).is_none_or(|pod| !plan::is_tracked(&pod)) {
                        self.seen_released(key, pod);
                    }
                }
                Err(error) => {
                    self.seen_released(key, pod);
                    failure = Some(error);
                }
            }
        }
        (released, failure)
    }

    async fn remove_finalizer(&self, pod: &Pod) -> kube::Result<()> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &pod.namespace().unwrap_or_default());
        let patch = Patch::Strategic(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [TRACKING]}}));
        match pods.patch(&pod.name_any(), &field_manager::patch(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            patched => patched.map(|_| ()),
        }
    }

    fn tell_end(&self, job: &Job, status: &JobStatus, finished: &JobCondition) {
        let reference = job.object_ref(&());
        if finished.type_ != conditions::COMPLETE {
            let (reason, message) = (finished.reason.as_deref(), finished.message.as_deref());
            return self.recorder.warning(reference, reason.unwrap_or_default(), message.unwrap_or_default());
        }
        let completions = job.spec.as_ref().and_then(|spec| spec.completions);
        if completions.is_some_and(|completions| status.succeeded.unwrap_or(0) > completions) {
            let message = "Too many succeeded pods running after completion count reached";
            self.recorder.warning(reference.clone(), "TooManySucceededPods", message);
        }
        self.recorder.normal(reference, "Completed", "Job completed");
    }

    /// Takes the finalizer from a Pod that no Job will count.
    async fn release_orphan(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(pod) = self.pods.get(&key).filter(|pod| plan::is_tracked(pod)) else { return Ok(Outcome::Done) };
        if let Some(job) = self.job_of(&pod.metadata)
            && (!is_managed(&job) || finished(&job).is_none())
        {
            return Ok(Outcome::Done);
        }
        // Nobody but a Job's controller may take it from a Pod of a Job that was not seen yet.
        if let Some((job, uid)) = controller_ref::key_of::<Job>(&pod.metadata)
            && self.jobs.get(&job).is_none()
        {
            let live = Api::<Job>::namespaced(self.client.clone(), &job.namespace).get_opt(&job.name).await?;
            if live.is_some_and(|live| live.metadata.uid.as_deref() == Some(uid) && finished(&live).is_none()) {
                return Ok(Outcome::Retry);
            }
        }
        self.remove_finalizer(&pod).await?;
        Ok(Outcome::Done)
    }
}
