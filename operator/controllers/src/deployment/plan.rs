//! What is to be done for a Deployment: the requests, in their order. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::strategy::{self, available, size, total};
use super::{revision, status};

/// What is seen.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The Deployment.
    pub deployment: &'a Deployment,
    /// Its ReplicaSets.
    pub sets: &'a [Arc<ReplicaSet>],
    /// The uids of those that have Pods whose containers have not ended.
    pub running: &'a HashSet<String>,
    /// The time, in whole seconds.
    pub now: Timestamp,
}

/// A request, or something to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Create the new ReplicaSet.
    CreateSet(Box<ReplicaSet>),
    /// Replace a ReplicaSet.
    UpdateSet {
        /// What it is to be.
        set: Box<ReplicaSet>,
        /// Its size before, when that changes.
        from: Option<i32>,
    },
    /// Delete the ReplicaSet of that name.
    DeleteSet(String),
    /// Replace the Deployment's status, and its annotations with it.
    WriteStatus(Box<Deployment>),
    /// Replace the Deployment.
    Update(Box<Deployment>),
    /// Record an event: a warning if so, its reason and message.
    Tell(bool, &'static str, String),
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is to be done, one after the other. What follows a step that fails is not done.
    pub steps: Vec<Step>,
    /// How long until the rollout's deadline, when it stands still; less than nothing when it has passed.
    pub until_deadline: Option<SignedDuration>,
}

/// What is to be done.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let mut sets: Vec<ReplicaSet> = observed.sets.iter().map(|set| ReplicaSet::clone(set)).collect();
    sets.sort_by(revision::by_age);
    let mut planner = Planner {
        deployment: observed.deployment.clone(),
        status: status::current(observed.deployment),
        sets,
        running: observed.running,
        now: observed.now,
        new: None,
        old: Vec::new(),
        revised_set: false,
        plan: Plan::default(),
    };
    planner.plan();
    planner.plan
}

/// The plan in the making. Each request is planned from what was seen, with what those before it change; what they
/// change of ReplicaSets counts in the status only when it is seen.
struct Planner<'a> {
    deployment: Deployment,
    status: DeploymentStatus,
    /// Older first.
    sets: Vec<ReplicaSet>,
    running: &'a HashSet<String>,
    now: Timestamp,
    /// The ReplicaSet of the Deployment's template.
    new: Option<ReplicaSet>,
    /// The others.
    old: Vec<ReplicaSet>,
    /// Whether the new ReplicaSet's annotations were written.
    revised_set: bool,
    plan: Plan,
}

impl Planner<'_> {
    fn plan(&mut self) {
        let Some(spec) = &self.deployment.spec else { return };
        let is_paused = spec.paused == Some(true);
        if spec.selector == LabelSelector::default() {
            return self.refuse();
        }
        if self.deployment.metadata.deletion_timestamp.is_some() {
            self.sync_revision(false);
            return self.write_counts();
        }
        if status::note_pause(&self.deployment, &mut self.status, self.now) {
            self.write_status();
        }
        if is_paused {
            return self.sync_scale();
        }
        if let Some(to) = revision::rollback_to(&self.deployment) {
            return self.roll_back(to);
        }
        self.sync_revision(false);
        if self.revised_set {
            return; // the rest is planned when that is seen
        }
        let wanted = strategy::replicas(&self.deployment);
        let mut active = self.old.iter().chain(&self.new).filter(|set| size(set) > 0);
        if active.any(|set| revision::desired_replicas(set).is_some_and(|desired| desired != wanted)) {
            return self.sync_scale();
        }
        match strategy::strategy(&self.deployment) {
            strategy::RECREATE => self.recreate(),
            strategy::ROLLING_UPDATE => self.roll(),
            _ => (),
        }
    }

    /// A Deployment of all Pods would fight with every other controller.
    fn refuse(&mut self) {
        let message = "This deployment is selecting all pods. A non-empty selector is required.";
        self.plan.steps.push(Step::Tell(true, "SelectingAll", message.to_owned()));
        if self.status.observed_generation < self.deployment.metadata.generation {
            self.status.observed_generation = self.deployment.metadata.generation;
            self.write_status();
        }
    }

    fn is_written(&self) -> bool {
        self.plan.steps.iter().any(|step| matches!(step, Step::WriteStatus(_)))
    }

    /// Writes the status. Once: after that the Deployment is of a version that was not seen yet, and what is left is
    /// planned when it is.
    fn write_status(&mut self) {
        if !self.is_written() {
            let mut written = self.deployment.clone();
            written.status = Some(self.status.clone());
            self.plan.steps.push(Step::WriteStatus(Box::new(written)));
        }
    }

    /// Tells new and old ReplicaSets apart; sees to the revisions of the new one and of the Deployment.
    fn sync_revision(&mut self, create: bool) {
        let new = self.sets.iter().position(|set| revision::is_new(&self.deployment, set));
        self.old = self.sets.clone();
        self.new = new.map(|index| self.old.remove(index));
        let number = revision::max_revision(&self.old) + 1;
        match self.new.take() {
            Some(set) => self.revise(set, number),
            None if create => self.create(number),
            None => (),
        }
    }

    fn revise(&mut self, mut set: ReplicaSet, number: i64) {
        let changed = revision::annotate_new(&self.deployment, &mut set, number);
        let min_ready_seconds = self.deployment.spec.as_ref().and_then(|spec| spec.min_ready_seconds);
        if let Some(spec) = &mut set.spec
            && (changed || spec.min_ready_seconds.unwrap_or(0) != min_ready_seconds.unwrap_or(0))
        {
            spec.min_ready_seconds = min_ready_seconds;
            self.plan.steps.push(Step::UpdateSet { set: Box::new(set.clone()), from: None });
            self.revised_set = true;
            self.new = Some(set);
            return;
        }
        let of_set = set.metadata.annotations.as_ref().and_then(|of| of.get(revision::REVISION)).cloned();
        let mut changed = self.set_revision(of_set.unwrap_or_default());
        if status::progress_deadline(&self.deployment).is_some() && status::progressing(&self.status).is_none() {
            let message = format!("Found new replica set {:?}", name(&set));
            status::set_progressing(&mut self.status, "True", status::reason::FOUND, message, self.now);
            changed = true;
        }
        self.new = Some(set);
        if changed {
            self.write_status();
        }
    }

    fn create(&mut self, number: i64) {
        let mut set = revision::new_replica_set(&self.deployment);
        let count = strategy::new_size(&self.deployment, total(&self.old, size), 0);
        if let Some(spec) = &mut set.spec {
            spec.replicas = Some(count);
        }
        revision::annotate_new(&self.deployment, &mut set, number);
        revision::annotate_replicas(&self.deployment, &mut set);
        self.plan.steps.push(Step::CreateSet(Box::new(set.clone())));
        let mut changed = self.set_revision(number.to_string());
        if status::progress_deadline(&self.deployment).is_some() {
            let message = format!("Created new replica set {:?}", name(&set));
            status::set_progressing(&mut self.status, "True", status::reason::CREATED, message, self.now);
            changed = true;
        }
        self.new = Some(set);
        if changed {
            self.write_status();
        }
    }

    fn set_revision(&mut self, revision: String) -> bool {
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        let before = annotations.insert(revision::REVISION.to_owned(), revision.clone());
        before.as_ref() != Some(&revision)
    }

    /// Gives a ReplicaSet a size. False when it has that already.
    fn scale_set(&mut self, set: &ReplicaSet, count: i32) -> bool {
        let from = size(set);
        let mut scaled = set.clone();
        let annotated = revision::annotate_replicas(&self.deployment, &mut scaled);
        if from == count && !annotated {
            return false;
        }
        if let Some(spec) = &mut scaled.spec {
            spec.replicas = Some(count);
        }
        self.plan.steps.push(Step::UpdateSet { set: Box::new(scaled), from: (from != count).then_some(from) });
        from != count
    }

    /// Gives a ReplicaSet another size.
    fn resize(&mut self, set: &ReplicaSet, count: i32) -> bool {
        size(set) != count && self.scale_set(set, count)
    }

    /// What is done for a Deployment that is paused or was scaled: no step of a rollout.
    fn sync_scale(&mut self) {
        self.sync_revision(false);
        self.scale();
        let is_paused = self.deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true));
        if is_paused && revision::rollback_to(&self.deployment).is_none() {
            self.clean_up();
        }
        self.write_counts();
    }

    fn write_counts(&mut self) {
        let all: Vec<&ReplicaSet> = self.old.iter().chain(&self.new).collect();
        let after = status::counted(&self.deployment, &self.status, &all, self.new.as_ref(), self.now);
        if after != self.status {
            self.status = after;
            self.write_status();
        }
    }

    fn scale(&mut self) {
        let wanted = strategy::replicas(&self.deployment);
        let mut active: Vec<ReplicaSet> =
            self.old.iter().chain(&self.new).filter(|set| size(set) > 0).cloned().collect();
        if active.len() <= 1 {
            let newest_old = || self.old.iter().max_by(|a, b| revision::by_age(a, b));
            let only = active.pop().or_else(|| self.new.clone()).or_else(|| newest_old().cloned());
            if let Some(only) = only {
                self.resize(&only, wanted);
            }
            return;
        }
        if strategy::is_saturated(&self.deployment, self.new.as_ref()) {
            for set in self.old.clone() {
                self.resize(&set, 0);
            }
            return;
        }
        if strategy::strategy(&self.deployment) == strategy::ROLLING_UPDATE {
            self.scale_in_proportion(active, wanted);
        }
    }

    /// Spreads a change of scale amid a rollout over all ReplicaSets by their sizes, so that it is no step of it.
    fn scale_in_proportion(&mut self, mut active: Vec<ReplicaSet>, wanted: i32) {
        let allowed = if wanted > 0 { wanted + strategy::max_surge(&self.deployment) } else { 0 };
        let to_add = allowed - total(&active, size);
        // Of equal ones the newer grows first, and the older shrinks first.
        active.sort_by(|a, b| {
            let age = if to_add > 0 { revision::by_age(b, a) } else { revision::by_age(a, b) };
            size(b).cmp(&size(a)).then(if to_add == 0 { std::cmp::Ordering::Equal } else { age })
        });
        let mut added = 0;
        let shares: Vec<i32> = active
            .iter()
            .map(|set| {
                let share = strategy::share(set, &self.deployment, to_add, added);
                added += share;
                share
            })
            .collect();
        for (index, (set, share)) in active.iter().zip(shares).enumerate() {
            // The largest gets what rounding left.
            let left = if index == 0 && to_add != 0 { to_add - added } else { 0 };
            self.scale_set(set, (size(set) + share + left).max(0));
        }
    }

    fn roll(&mut self) {
        self.sync_revision(true);
        let Some(new) = self.new.clone() else { return };
        let wanted = strategy::replicas(&self.deployment);
        let scaled_up = match size(&new) {
            current if current == wanted => false,
            current if current > wanted => self.resize(&new, wanted),
            current => {
                let all = total(self.old.iter().chain([&new]), size);
                self.resize(&new, strategy::new_size(&self.deployment, all, current))
            }
        };
        if !scaled_up && !self.scale_down_old(&new) && status::is_complete(&self.deployment, &self.status) {
            self.clean_up();
        }
        self.write_rollout();
    }

    /// Takes from the old ReplicaSets what the availability allows: Pods that are not available first.
    fn scale_down_old(&mut self, new: &ReplicaSet) -> bool {
        let mut old: Vec<ReplicaSet> = self.old.iter().filter(|set| size(set) > 0).cloned().collect();
        if old.is_empty() {
            return false;
        }
        let least = strategy::replicas(&self.deployment) - strategy::max_unavailable(&self.deployment);
        let all = total(self.old.iter().chain([new]), size);
        let most_down = all - least - (size(new) - available(new));
        if most_down <= 0 {
            return false;
        }
        let mut down = 0;
        for set in &mut old {
            let count = (most_down - down).min(size(set) - available(set));
            if count > 0 {
                down += count;
                self.shrink(set, count);
            }
        }
        let spare = total(old.iter().chain([new]), available) - least;
        let mut down_available = 0;
        for set in &mut old {
            let count = (spare - down_available).min(size(set));
            if count > 0 {
                down_available += count;
                self.shrink(set, count);
            }
        }
        down + down_available > 0
    }

    /// Takes Pods from a ReplicaSet.
    fn shrink(&mut self, set: &mut ReplicaSet, count: i32) {
        let to = size(set) - count;
        self.resize(set, to);
        if let Some(Step::UpdateSet { set: scaled, .. }) = self.plan.steps.last() {
            *set = (**scaled).clone();
        }
    }

    fn recreate(&mut self) {
        self.sync_revision(false);
        let mut scaled_down = false;
        for set in self.old.clone() {
            scaled_down |= self.resize(&set, 0);
        }
        if scaled_down || self.old_pods_run() {
            return self.write_rollout();
        }
        if self.new.is_none() {
            self.sync_revision(true);
        }
        let Some(new) = self.new.clone() else { return };
        let scaled_up = self.resize(&new, strategy::replicas(&self.deployment));
        if !scaled_up && status::is_complete(&self.deployment, &self.status) {
            self.clean_up();
        }
        self.write_rollout();
    }

    fn old_pods_run(&self) -> bool {
        let of_new = self.new.as_ref().and_then(|new| new.metadata.uid.as_ref());
        total(&self.old, |set| set.status.as_ref().map_or(0, |status| status.replicas)) > 0
            || self.running.iter().any(|uid| Some(uid) != of_new)
    }

    fn write_rollout(&mut self) {
        let all: Vec<&ReplicaSet> = self.old.iter().chain(&self.new).collect();
        let after = status::of_rollout(&self.deployment, &self.status, &all, self.new.as_ref(), self.now);
        if after == self.status {
            self.plan.until_deadline =
                status::until_deadline(&self.deployment, &self.status, &after, self.now).filter(|_| !self.is_written());
            return;
        }
        self.status = after;
        self.write_status();
    }

    /// Deletes the ReplicaSets of the oldest revisions that history has no place for.
    fn clean_up(&mut self) {
        let limit = self.deployment.spec.as_ref().and_then(|spec| spec.revision_history_limit);
        let Some(limit) = limit.filter(|limit| *limit != i32::MAX) else { return };
        let mut old: Vec<&ReplicaSet> =
            self.old.iter().filter(|set| set.metadata.deletion_timestamp.is_none()).collect();
        let surplus = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by(|a, b| revision::by_revision(a, b));
        let is_unused = |set: &&&ReplicaSet| {
            let status = set.status.as_ref();
            status.map_or(0, |status| status.replicas) == 0
                && size(set) == 0
                && set.metadata.generation <= status.and_then(|status| status.observed_generation)
        };
        let unused: Vec<Step> = old[..surplus.min(old.len())]
            .iter()
            .filter(is_unused)
            .map(|set| Step::DeleteSet(name(set).to_owned()))
            .collect();
        self.plan.steps.extend(unused);
    }

    /// Does what the annotation of old clients asks for, and takes it away.
    fn roll_back(&mut self, to: i64) {
        self.sync_revision(true);
        let all: Vec<ReplicaSet> = self.old.iter().chain(&self.new).cloned().collect();
        let number = if to == 0 { revision::last_revision(&all) } else { to };
        let found = all.iter().find(|set| revision::revision(set) == Some(number)).filter(|_| number != 0);
        let mut told = None;
        match found {
            None if to == 0 && number == 0 => {
                self.tell(true, "DeploymentRollbackRevisionNotFound", "Unable to find last revision.")
            }
            None => {
                self.tell(true, "DeploymentRollbackRevisionNotFound", "Unable to find the revision to rollback to.");
            }
            Some(set) if revision::is_new(&self.deployment, set) => {
                let deployment = self.deployment.metadata.name.as_deref().unwrap_or_default();
                let message =
                    format!("The rollback revision contains the same template as current deployment {deployment:?}");
                self.tell(true, "DeploymentRollbackTemplateUnchanged", &message);
            }
            Some(set) => {
                revision::roll_back(&mut self.deployment, set);
                let deployment = self.deployment.metadata.name.as_deref().unwrap_or_default();
                told = Some(format!("Rolled back deployment {deployment:?} to revision {number}"));
            }
        }
        if let Some(annotations) = &mut self.deployment.metadata.annotations {
            annotations.remove(revision::ROLLBACK_TO);
        }
        if self.is_written() {
            return; // it is of a version that was not seen yet
        }
        self.plan.steps.push(Step::Update(Box::new(self.deployment.clone())));
        if let Some(told) = told {
            self.tell(false, "DeploymentRollback", &told);
        }
    }

    fn tell(&mut self, warning: bool, reason: &'static str, message: &str) {
        self.plan.steps.push(Step::Tell(warning, reason, message.to_owned()));
    }
}

fn name(set: &ReplicaSet) -> &str {
    set.metadata.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
