//! What is to be done for a Job. Pure: a [`Sync`] is made of what is seen; it plans Pods to create and delete, then,
//! told how that went, what the status is to say and which Pods are counted and may go, then, told which went, whether
//! the Job has ended.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::backoff::{self, Backoff};
use super::conditions::{self, FAILURE_TARGET, SUCCESS_CRITERIA_MET, SUSPENDED};
use super::failure::{self, Verdict};
use super::indexes::{self, Indexes};
use crate::{pod_state, replication};

/// The finalizer of Pods that their Job has not counted yet.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The most Pods that are created or deleted at a time.
const BURST: usize = 500;
/// The most Pods that are counted at a time.
const MOST_UNCOUNTED: usize = 500;

/// What is seen.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The Job.
    pub job: &'a Job,
    /// Its Pods, ended ones too.
    pub pods: &'a [Arc<Pod>],
    /// Whether all that was created and deleted before is seen.
    pub satisfied: bool,
    /// The uids of Pods that were counted and released, though the cache may not show that.
    pub released: &'a HashSet<String>,
    /// Failures up to now.
    pub backoff: Backoff,
    /// The time, in whole seconds.
    pub now: Timestamp,
}

/// A Pod to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPod {
    /// Its completion index.
    pub index: Option<i32>,
    /// How often its index failed, and how often that was ignored, where that is limited.
    pub failures: Option<(i32, i32)>,
}

/// Pods to delete or to create.
#[derive(Debug, Default)]
pub struct Work {
    /// Pods to delete.
    pub delete: Vec<Arc<Pod>>,
    /// Pods to create; none when some are to be deleted.
    pub create: Vec<NewPod>,
    /// When to look again, whatever happens.
    pub again: Option<Duration>,
}

/// What is to be written after that.
#[derive(Debug, Default)]
pub struct Tracking {
    /// Whether the status is to be written before Pods are released.
    pub write: bool,
    /// Pods that are counted: their finalizer is to be removed.
    pub release: Vec<Arc<Pod>>,
    /// What is to be told: reason and message.
    pub told: Option<(&'static str, &'static str)>,
}

/// Whether a Pod is still to be counted.
pub fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING)
}

/// The state of an Indexed Job.
#[derive(Debug, Default)]
struct ByIndex {
    /// Counted as succeeded.
    before: Indexes,
    /// Succeeded, with what is seen now.
    succeeded: Indexes,
    /// Failed for good, where failures of an index are limited.
    failed: Option<Indexes>,
    /// The last failed Pod of indexes that are to be tried again: it keeps their count until another does.
    delayed: BTreeMap<i32, Arc<Pod>>,
}

/// The work on a Job.
#[derive(Debug)]
pub struct Sync<'a> {
    observed: Observed<'a>,
    spec: JobSpec,
    /// The status as it is to be.
    pub status: JobStatus,
    /// Failures, with those that are seen now.
    pub backoff: Backoff,
    active_pods: Vec<Arc<Pod>>,
    active: i32,
    ready: i32,
    terminating: i32,
    succeeded: i32,
    by_index: Option<ByIndex>,
    /// How the Job ends, first as the interim condition, then as the last one.
    finished: Option<JobCondition>,
    /// Whether Pods were created or deleted as the spec says, so that a suspension is true.
    managed: bool,
    partial: bool,
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn some(count: i32) -> Option<i32> {
    (count != 0).then_some(count)
}

fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

impl<'a> Sync<'a> {
    /// What is seen, counted.
    pub fn new(observed: Observed<'a>) -> Self {
        let spec = observed.job.spec.clone().unwrap_or_default();
        let mut status = observed.job.status.clone().unwrap_or_default();
        status.uncounted_terminated_pods.get_or_insert_default();
        let active_pods: Vec<Arc<Pod>> =
            observed.pods.iter().filter(|pod| pod_state::is_active(pod)).cloned().collect();
        let mut sync = Self {
            active: count(active_pods.len()),
            ready: count(active_pods.iter().filter(|pod| pod_state::is_ready(pod)).count()),
            terminating: count(observed.pods.iter().filter(|pod| pod_state::is_terminating(pod)).count()),
            active_pods,
            succeeded: 0,
            by_index: None,
            finished: None,
            managed: false,
            partial: false,
            backoff: observed.backoff,
            spec,
            status,
            observed,
        };
        sync.count();
        sync
    }

    fn is_indexed(&self) -> bool {
        self.spec.completion_mode.as_deref() == Some("Indexed")
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn completions(&self) -> i32 {
        self.spec.completions.unwrap_or(0)
    }

    fn uncounted(&self, failed: bool) -> &[String] {
        let uncounted = self.status.uncounted_terminated_pods.as_ref();
        uncounted.and_then(|of| if failed { of.failed.as_deref() } else { of.succeeded.as_deref() }).unwrap_or_default()
    }

    fn is_uncounted(&self, pod: &Pod, failed: bool) -> bool {
        self.uncounted(failed).iter().any(|known| known == uid(pod))
    }

    /// Whether a Pod was not counted before, in the status or by being released.
    fn is_open(&self, pod: &Pod) -> bool {
        is_tracked(pod) && !self.observed.released.contains(uid(pod))
    }

    /// Pods that ended and are not counted yet.
    fn newly_ended(&self, failed: bool) -> Vec<&'a Pod> {
        let is_wanted = |pod: &Pod| match failed {
            true => failure::is_failed(pod, self.observed.job),
            false => pod_state::phase(pod) == "Succeeded",
        };
        let has_index = |pod: &Pod| !self.is_indexed() || indexes::of_pod(pod, self.completions()).is_some();
        let pods = self.observed.pods.iter().map(|pod| &**pod);
        pods.filter(|pod| self.is_open(pod) && !self.is_uncounted(pod, failed) && has_index(pod) && is_wanted(pod))
            .collect()
    }

    fn count(&mut self) {
        let (job, now) = (self.observed.job, self.observed.now);
        let (succeeded, failed) = (self.newly_ended(false), self.newly_ended(true));
        self.backoff = self.backoff.with(&succeeded, &failed, now);
        let old = |of: Option<i32>| of.unwrap_or(0);
        self.succeeded = old(self.status.succeeded) + count(succeeded.len()) + count(self.uncounted(false).len());
        let counting = failed.iter().filter(|pod| failure::verdict(job, pod) != Verdict::Ignore).count();
        let failures = old(self.status.failed) + count(counting) + count(self.uncounted(true).len());
        if self.status.start_time.is_none() && !self.is_suspended() {
            self.status.start_time = Some(Time(now));
        }
        self.finished = self.end(failures);
        if self.is_indexed() {
            self.count_indexes();
        }
    }

    /// How the Job is to end, if its end is certain.
    fn end(&self, failures: i32) -> Option<JobCondition> {
        let (job, now) = (self.observed.job, self.observed.now);
        let before = conditions::of(job);
        if let Some(known) =
            conditions::find(before, SUCCESS_CRITERIA_MET).or_else(|| conditions::find(before, FAILURE_TARGET))
        {
            return Some(known.clone());
        }
        if self.spec.pod_failure_policy.is_some() {
            let failed = self.observed.pods.iter().filter(|pod| failure::is_failed(pod, job));
            let fatal = failed.map(|pod| failure::verdict(job, pod)).find_map(|verdict| match verdict {
                Verdict::FailJob(message) => Some(message),
                _ => None,
            });
            if let Some(message) = fatal {
                return Some(conditions::new(FAILURE_TARGET, "PodFailurePolicy", message, now));
            }
        }
        let limit = self.spec.backoff_limit.unwrap_or(i32::MAX);
        if failures > limit || self.restarts_exceed(limit) {
            let message = "Job has reached the specified backoff limit";
            return Some(conditions::new(FAILURE_TARGET, "BackoffLimitExceeded", message, now));
        }
        if self.until_deadline().is_some_and(|left| !left.is_positive()) {
            let message = "Job was active longer than specified deadline";
            return Some(conditions::new(FAILURE_TARGET, "DeadlineExceeded", message, now));
        }
        None
    }

    /// Where containers are restarted in place, their restarts are the failures.
    fn restarts_exceed(&self, limit: i32) -> bool {
        let policy = self.spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        if policy != Some("OnFailure") {
            return false;
        }
        let alive = self.observed.pods.iter().filter(|pod| matches!(pod_state::phase(pod), "Running" | "Pending"));
        let statuses = alive
            .filter_map(|pod| pod.status.as_ref())
            .flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses).flatten());
        let restarts = statuses.map(|of| of.restart_count).fold(0, i32::saturating_add);
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    /// How long the Job may still take.
    fn until_deadline(&self) -> Option<SignedDuration> {
        let limit = SignedDuration::from_secs(self.spec.active_deadline_seconds?);
        let since = self.status.start_time.as_ref().filter(|_| !self.is_suspended())?.0;
        Some(limit - self.observed.now.duration_since(since))
    }

    fn count_indexes(&mut self) {
        let (job, completions, now) = (self.observed.job, self.completions(), self.observed.now);
        let before = Indexes::parse(self.status.completed_indexes.as_deref().unwrap_or_default(), completions);
        let (pods, released) = (self.observed.pods, self.observed.released);
        let open = || pods.iter().filter(|pod| is_tracked(pod) && !released.contains(uid(pod)));
        let index = |pod: &Arc<Pod>| indexes::of_pod(pod, completions);
        let succeeded =
            before.with(&open().filter(|pod| pod_state::phase(pod) == "Succeeded").filter_map(index).collect());
        let mut state = ByIndex { before, ..ByIndex::default() };
        if self.spec.backoff_limit_per_index.is_some() {
            let before = Indexes::parse(self.status.failed_indexes.as_deref().unwrap_or_default(), completions);
            let at_their_end = open().filter(|pod| failure::index_has_failed(job, pod));
            let failed = before.with(&at_their_end.filter_map(index).collect());
            let active: BTreeSet<i32> = self.active_pods.iter().filter_map(index).collect();
            for pod in open().filter(|pod| failure::is_failed(pod, job)) {
                let Some(at) = index(pod) else { continue };
                if succeeded.has(at) || failed.has(at) || active.contains(&at) {
                    continue;
                }
                let rank = |pod: &Pod| (failure::failures_before(pod), backoff::ended_at(pod, now));
                if state.delayed.get(&at).is_none_or(|last| rank(last) <= rank(pod)) {
                    state.delayed.insert(at, pod.clone());
                }
            }
            if self.finished.is_none() {
                self.finished = self.end_of_indexes(&succeeded, &failed);
            }
            state.failed = Some(failed);
        }
        if self.finished.is_none() {
            self.finished = self.end_by_policy(&succeeded);
        }
        self.succeeded = succeeded.total();
        state.succeeded = succeeded;
        self.by_index = Some(state);
    }

    fn end_of_indexes(&self, succeeded: &Indexes, failed: &Indexes) -> Option<JobCondition> {
        let (reason, message) = if self.spec.max_failed_indexes.is_some_and(|most| failed.total() > most) {
            ("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        } else if failed.total() > 0 && failed.total() + succeeded.total() >= self.completions() {
            ("FailedIndexes", "Job has failed indexes")
        } else {
            return None;
        };
        Some(conditions::new(FAILURE_TARGET, reason, message, self.observed.now))
    }

    fn end_by_policy(&self, succeeded: &Indexes) -> Option<JobCondition> {
        let rules = self.spec.success_policy.iter().flat_map(|policy| &policy.rules);
        let met = |rule: &k8s_openapi::api::batch::v1::SuccessPolicyRule| match &rule.succeeded_indexes {
            Some(text) => {
                let required = Indexes::parse(text, self.completions());
                required.shared(succeeded) >= rule.succeeded_count.unwrap_or_else(|| required.total())
            }
            None => rule.succeeded_count.is_some_and(|least| succeeded.total() >= least),
        };
        let (index, _) = rules.enumerate().find(|(_, rule)| met(rule))?;
        let message = format!("Matched rules at index {index}");
        Some(conditions::new(SUCCESS_CRITERIA_MET, "SuccessPolicy", message, self.observed.now))
    }

    /// The Pods to create or delete.
    pub fn work(&mut self) -> Work {
        let again = match &self.finished {
            None => self.until_deadline().and_then(|left| Duration::try_from(left).ok()),
            Some(_) => None,
        };
        if self.finished.is_some() {
            return Work { delete: self.active_pods.clone(), create: Vec::new(), again };
        }
        if !self.observed.satisfied || self.observed.job.metadata.deletion_timestamp.is_some() {
            return Work { again, ..Work::default() };
        }
        self.managed = true;
        if self.is_suspended() {
            return Work { delete: self.active_pods.clone(), create: Vec::new(), again };
        }
        let parallelism = self.spec.parallelism.unwrap_or(1);
        let wanted = match self.spec.completions {
            None if self.succeeded > 0 => self.active,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        };
        let surplus = usize::try_from(self.active - wanted).unwrap_or(0);
        let mut delete = self.removable(surplus);
        delete.truncate(BURST);
        if !delete.is_empty() {
            return Work { delete, create: Vec::new(), again };
        }
        let held = if failure::replaces_only_failed(self.observed.job) { self.terminating } else { 0 };
        let missing = usize::try_from(wanted - held - self.active).unwrap_or(0).min(BURST);
        let (create, wait) = self.creatable(missing);
        Work { delete: Vec::new(), create, again: again.into_iter().chain(wait).min() }
    }

    /// The active Pods to delete: those with an index that another has, or that is out of range, then by rank.
    fn removable(&self, surplus: usize) -> Vec<Arc<Pod>> {
        let now = self.observed.now;
        let mut left = self.active_pods.clone();
        let mut remove = Vec::new();
        if self.is_indexed() {
            let mut kept = BTreeMap::<i32, Vec<Arc<Pod>>>::new();
            for pod in left.drain(..) {
                match indexes::of_pod(&pod, self.completions()) {
                    Some(index) => kept.entry(index).or_default().push(pod),
                    None => remove.push(pod),
                }
            }
            for mut pods in kept.into_values() {
                let extra = replication::to_delete(pods.clone(), &[], pods.len() - 1, now);
                let is_extra = |pod: &Arc<Pod>| pods.len() > 1 && extra.iter().any(|other| uid(other) == uid(pod));
                let gone: Vec<Arc<Pod>> = pods.iter().filter(|pod| is_extra(pod)).cloned().collect();
                pods.retain(|pod| !gone.iter().any(|other| uid(other) == uid(pod)));
                left.append(&mut pods);
                remove.extend(gone);
            }
        }
        let more = surplus.saturating_sub(remove.len());
        if more > 0 {
            remove.extend(replication::to_delete(left, &[], more, now));
        }
        remove
    }

    /// The Pods to create of those that are missing, and how long others have to wait.
    fn creatable(&self, missing: usize) -> (Vec<NewPod>, Option<Duration>) {
        let (job, now) = (self.observed.job, self.observed.now);
        if missing == 0 {
            return (Vec::new(), None);
        }
        let limited = self.spec.backoff_limit_per_index.is_some();
        if !limited && let Some(wait) = self.backoff.wait(now) {
            return (Vec::new(), Some(wait));
        }
        let Some(state) = &self.by_index else {
            return (vec![NewPod { index: None, failures: None }; missing], None);
        };
        let mut wait = None;
        let mut create = Vec::new();
        for index in self.pending(state, missing) {
            let replaced = state.delayed.get(&index).map(|pod| &**pod);
            let failures = limited.then(|| failure::failures_after(job, replaced));
            let left = replaced
                .and_then(|pod| backoff::wait_of_index(pod, failure::failures_before(pod).saturating_add(1), now));
            match left {
                Some(left) => wait = Some(wait.map_or(left, |wait: Duration| wait.min(left))),
                None => create.push(NewPod { index: Some(index), failures }),
            }
        }
        (create, wait)
    }

    /// The first indexes that have no Pod and have not ended.
    fn pending(&self, state: &ByIndex, missing: usize) -> Vec<i32> {
        let completions = self.completions();
        let waits = failure::replaces_only_failed(self.observed.job);
        let taken: BTreeSet<i32> = (self.observed.pods.iter())
            .filter(|pod| pod_state::is_active(pod) || waits && pod_state::is_terminating(pod))
            .filter_map(|pod| indexes::of_pod(pod, completions))
            .collect();
        let has_ended =
            |index: i32| state.succeeded.has(index) || state.failed.as_ref().is_some_and(|of| of.has(index));
        (0..completions).filter(|index| !taken.contains(index) && !has_ended(*index)).take(missing).collect()
    }

    /// After the work: these were deleted, so many created. Says what is to be written and released.
    pub fn track(&mut self, deleted: &[Arc<Pod>], created: usize) -> Tracking {
        let now = self.observed.now;
        let deleted_ready = deleted.iter().filter(|pod| pod_state::is_ready(pod)).count();
        let all_deleted = count(deleted.len()) == self.active;
        self.active += count(created) - count(deleted.len());
        self.terminating += count(deleted.len());
        self.ready -= count(deleted_ready);
        let mut told = None;
        let mut write = false;
        if self.finished.is_some() {
            if !all_deleted || !self.observed.satisfied {
                self.finished = None; // Pods are left that are not counted
            }
        } else if self.is_complete() {
            let message = "Reached expected number of succeeded pods";
            self.finished = Some(conditions::new(SUCCESS_CRITERIA_MET, "CompletionsReached", message, now));
        } else if self.managed {
            let (suspended, reason, event, message) = match self.is_suspended() {
                true => (true, "JobSuspended", "Suspended", "Job suspended"),
                false => (false, "JobResumed", "Resumed", "Job resumed"),
            };
            let conditions = self.status.conditions.get_or_insert_default();
            if conditions::ensure(conditions, SUSPENDED, suspended, reason, message, now) {
                told = Some((event, message));
                write = true;
                if !suspended {
                    self.status.start_time = Some(Time(now)); // the time of the suspension does not count
                }
            }
        }
        write |= self.active != self.status.active.unwrap_or(0)
            || self.status.ready != Some(self.ready)
            || self.status.terminating != Some(self.terminating);
        self.status.active = some(self.active);
        self.status.ready = Some(self.ready);
        self.status.terminating = Some(self.terminating);
        let (counted, release) = self.count_ended();
        write |= counted | self.note_end();
        self.status.conditions = self.status.conditions.take().filter(|conditions| !conditions.is_empty());
        Tracking { write, release, told }
    }

    fn is_complete(&self) -> bool {
        let enough = self.spec.completions.map_or(self.succeeded > 0, |completions| self.succeeded >= completions);
        enough && self.active == 0
    }

    /// Notes in the status the Pods that ended, and says which can be released then.
    fn count_ended(&mut self) -> (bool, Vec<Arc<Pod>>) {
        let job = self.observed.job;
        let tracked: HashSet<&str> =
            self.observed.pods.iter().filter(|pod| self.is_open(pod)).map(|pod| uid(pod)).collect();
        let mut changed = move_to_counts(&mut self.status, &tracked);
        let mut release = Vec::new();
        let mut new_indexes = BTreeSet::new();
        let mut pods: Vec<&Arc<Pod>> = self.observed.pods.iter().filter(|pod| self.is_open(pod)).collect();
        if self.is_indexed() {
            pods.sort_by_key(|pod| indexes::of_pod(pod, self.completions()));
        }
        let fails = self.finished.as_ref().is_some_and(|of| of.type_ != SUCCESS_CRITERIA_MET);
        for pod in pods {
            let has_failed = failure::is_failed(pod, job);
            if !self.can_go(pod, has_failed) {
                continue;
            }
            release.push(pod.clone());
            let index = self.is_indexed().then(|| indexes::of_pod(pod, self.completions()));
            if pod_state::phase(pod) == "Succeeded" && !self.is_uncounted(pod, true) {
                match index {
                    // The index is enough to count it once.
                    Some(Some(index)) => {
                        let known = self.by_index.as_ref().is_some_and(|state| state.before.has(index));
                        changed |= !known && new_indexes.insert(index);
                    }
                    Some(None) => (),
                    None if self.is_uncounted(pod, false) => (),
                    None => {
                        let uncounted = self.status.uncounted_terminated_pods.get_or_insert_default();
                        uncounted.succeeded.get_or_insert_default().push(uid(pod).to_owned());
                        changed = true;
                    }
                }
            } else if (has_failed || fails) && !self.is_uncounted(pod, true) && index != Some(None) {
                let counts = failure::verdict(job, pod) != Verdict::Ignore;
                if counts {
                    let uncounted = self.status.uncounted_terminated_pods.get_or_insert_default();
                    uncounted.failed.get_or_insert_default().push(uid(pod).to_owned());
                    changed = true;
                }
            }
            if new_indexes.len() + self.uncounted(true).len() + self.uncounted(false).len() >= MOST_UNCOUNTED {
                self.partial = true;
                break;
            }
        }
        if let Some(state) = &self.by_index {
            let succeeded = state.before.with(&new_indexes);
            let text = Some(succeeded.to_string()).filter(|text| !text.is_empty());
            changed |= text != self.status.completed_indexes.clone().filter(|text| !text.is_empty());
            self.status.succeeded = some(succeeded.total());
            self.status.completed_indexes = text;
            let failed = state.failed.as_ref().map(ToString::to_string);
            changed |= failed != self.status.failed_indexes;
            self.status.failed_indexes = failed;
        }
        (changed, release)
    }

    /// Whether a Pod need not be kept for its end to be counted.
    fn can_go(&self, pod: &Pod, has_failed: bool) -> bool {
        if self.observed.job.metadata.deletion_timestamp.is_some()
            || self.finished.is_some()
            || pod_state::phase(pod) == "Succeeded"
        {
            return true;
        }
        let keeps_count = || {
            let delayed = self.by_index.iter().flat_map(|state| state.delayed.values());
            delayed.into_iter().any(|delayed| uid(delayed) == uid(pod))
        };
        has_failed && !keeps_count()
    }

    /// Notes the interim condition, and goes on to the last.
    fn note_end(&mut self) -> bool {
        let Some(finished) = self.finished.take() else { return false };
        let conditions = self.status.conditions.get_or_insert_default();
        let noted = conditions::find(conditions, &finished.type_).is_some();
        self.finished = Some(conditions::last(&finished, self.observed.now));
        if !noted {
            conditions.push(finished);
        }
        !noted
    }

    /// After Pods were released, by uid: moves them to the counts and ends the Job when nothing is left to be counted.
    /// Says whether the status is to be written, and how the Job ended.
    pub fn finish(&mut self, released: &HashSet<String>) -> (bool, Option<JobCondition>) {
        let kept = self.observed.pods.iter().filter(|pod| self.is_open(pod) && !released.contains(uid(pod)));
        let tracked: HashSet<&str> = kept.map(|pod| uid(pod)).collect();
        let changed = move_to_counts(&mut self.status, &tracked);
        let is_open = self.partial
            || !self.uncounted(true).is_empty()
            || !self.uncounted(false).is_empty()
            || self.status.terminating.is_some_and(|terminating| terminating > 0);
        let Some(finished) = self.finished.take().filter(|_| !is_open) else { return (changed, None) };
        let conditions = self.status.conditions.get_or_insert_default();
        let (reason, message) = (finished.reason.as_deref(), finished.message.as_deref());
        conditions::ensure(
            conditions,
            &finished.type_,
            true,
            reason.unwrap_or_default(),
            message.unwrap_or_default(),
            self.observed.now,
        );
        if finished.type_ == conditions::COMPLETE {
            self.status.completion_time.clone_from(&finished.last_transition_time);
        }
        (true, Some(finished))
    }
}

/// Moves the Pods that are not tracked any more from the lists of uncounted ones to the counts.
fn move_to_counts(status: &mut JobStatus, tracked: &HashSet<&str>) -> bool {
    let mut moved = false;
    let Some(uncounted) = &mut status.uncounted_terminated_pods else { return false };
    for (list, total) in
        [(&mut uncounted.succeeded, &mut status.succeeded), (&mut uncounted.failed, &mut status.failed)]
    {
        let Some(uids) = list else { continue };
        let before = uids.len();
        uids.retain(|uid| tracked.contains(uid.as_str()));
        let gone = before - uids.len();
        if uids.is_empty() {
            *list = None;
        }
        if gone > 0 {
            *total = some(total.unwrap_or(0).saturating_add(count(gone)));
            moved = true;
        }
    }
    moved
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
