//! The status of a Deployment and its conditions Available, Progressing and ReplicaFailure.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::strategy::{self, total};
use crate::replication::REPLICA_FAILURE;

/// The condition that the Deployment has enough available Pods.
const AVAILABLE: &str = "Available";
/// The condition that tells how the rollout goes.
const PROGRESSING: &str = "Progressing";

/// Why a Deployment progresses or does not.
pub mod reason {
    /// A ReplicaSet changed.
    pub const UPDATED: &str = "ReplicaSetUpdated";
    /// The new ReplicaSet could not be created.
    pub const CREATE_ERROR: &str = "ReplicaSetCreateError";
    /// The new ReplicaSet was created.
    pub const CREATED: &str = "NewReplicaSetCreated";
    /// There was one already.
    pub const FOUND: &str = "FoundNewReplicaSet";
    /// The rollout is complete.
    pub const AVAILABLE: &str = "NewReplicaSetAvailable";
    /// Nothing moved until the deadline.
    pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
    /// It is paused.
    pub const PAUSED: &str = "DeploymentPaused";
    /// It goes on.
    pub const RESUMED: &str = "DeploymentResumed";
}

/// The time after which a rollout that does not move counts as failed, if there is one.
pub fn progress_deadline(deployment: &Deployment) -> Option<SignedDuration> {
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds?;
    (seconds != i32::MAX).then(|| SignedDuration::from_secs(i64::from(seconds)))
}

/// The status that a Deployment has; zeros count as absent, as they are not written.
pub fn current(deployment: &Deployment) -> DeploymentStatus {
    let status = deployment.status.clone().unwrap_or_default();
    let some = |count: Option<i32>| count.filter(|count| *count != 0);
    DeploymentStatus {
        available_replicas: some(status.available_replicas),
        ready_replicas: some(status.ready_replicas),
        replicas: some(status.replicas),
        unavailable_replicas: some(status.unavailable_replicas),
        updated_replicas: some(status.updated_replicas),
        observed_generation: status.observed_generation.filter(|generation| *generation != 0),
        conditions: status.conditions.filter(|conditions| !conditions.is_empty()),
        ..status
    }
}

/// The condition Progressing.
pub fn progressing(status: &DeploymentStatus) -> Option<&DeploymentCondition> {
    find(status, PROGRESSING)
}

fn find<'a>(status: &'a DeploymentStatus, type_: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == type_)
}

/// Puts a condition in place of the one of its type, unless that has the same status and reason. The time of
/// transition stays while the status does.
fn set(status: &mut DeploymentStatus, mut condition: DeploymentCondition) {
    if let Some(current) = find(status, &condition.type_) {
        if current.status == condition.status && current.reason == condition.reason {
            return;
        }
        if current.status == condition.status {
            condition.last_transition_time = current.last_transition_time.clone();
        }
    }
    remove(status, &condition.type_.clone());
    status.conditions.get_or_insert_default().push(condition);
}

fn remove(status: &mut DeploymentStatus, type_: &str) {
    if let Some(conditions) = &mut status.conditions {
        conditions.retain(|condition| condition.type_ != type_);
        if conditions.is_empty() {
            status.conditions = None;
        }
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: String, now: Timestamp) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// Sets the condition Progressing.
pub fn set_progressing(status: &mut DeploymentStatus, value: &str, reason: &str, message: String, now: Timestamp) {
    set(status, condition(PROGRESSING, value, reason, message, now));
}

/// Notes that a Deployment was paused or goes on, so that the time of the pause does not count against its deadline.
/// True when that changes the status.
pub fn note_pause(deployment: &Deployment, status: &mut DeploymentStatus, now: Timestamp) -> bool {
    if progress_deadline(deployment).is_none() {
        return false;
    }
    let is_paused = deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true));
    let noted = progressing(status).and_then(|condition| condition.reason.as_deref());
    if noted == Some(reason::TIMED_OUT) {
        return false; // that it failed is not to be hidden
    }
    match (is_paused, noted == Some(reason::PAUSED)) {
        (true, false) => set_progressing(status, "Unknown", reason::PAUSED, "Deployment is paused".into(), now),
        (false, true) => set_progressing(status, "Unknown", reason::RESUMED, "Deployment is resumed".into(), now),
        _ => return false,
    }
    true
}

/// The numbers, and the condition Available.
pub fn counted(
    deployment: &Deployment,
    before: &DeploymentStatus,
    all: &[&ReplicaSet],
    new: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let some = |count: i32| (count != 0).then_some(count);
    let sum = |count: fn(&ReplicaSet) -> i32| total(all.iter().copied(), count);
    let actual = |set: &ReplicaSet| set.status.as_ref().map_or(0, |status| status.replicas);
    let available = sum(strategy::available);
    let terminating: Option<Vec<i32>> =
        all.iter().map(|set| set.status.as_ref().and_then(|status| status.terminating_replicas)).collect();
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(total(all.iter().copied(), actual)),
        updated_replicas: some(new.map_or(0, actual)),
        ready_replicas: some(sum(|set| set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0))),
        available_replicas: some(available),
        unavailable_replicas: some((sum(strategy::size) - available).max(0)),
        terminating_replicas: terminating.map(|counts| counts.into_iter().fold(0, i32::saturating_add)),
        collision_count: before.collision_count,
        conditions: before.conditions.clone(),
    };
    let enough = available >= strategy::replicas(deployment) - strategy::max_unavailable(deployment);
    let (value, reason, message) = match enough {
        true => ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    };
    set(&mut status, condition(AVAILABLE, value, reason, message.into(), now));
    status
}

/// Whether all wanted Pods are of the new template and available, and no others are left.
pub fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = strategy::replicas(deployment);
    status.updated_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.observed_generation >= deployment.metadata.generation
}

/// Whether a rollout moved: more new Pods, fewer old ones, more that are ready or available.
fn has_moved(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let old = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(after.updated_replicas) > count(before.updated_replicas)
        || old(after) < old(before)
        || count(after.ready_replicas) > count(before.ready_replicas)
        || count(after.available_replicas) > count(before.available_replicas)
}

/// Whether nothing moved until the deadline.
fn has_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    let Some((deadline, condition)) = progress_deadline(deployment).zip(progressing(status)) else { return false };
    match condition.reason.as_deref() {
        Some(reason::AVAILABLE) => false,
        Some(reason::TIMED_OUT) => true,
        _ => {
            let since = condition.last_update_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
            since.checked_add(deadline).is_ok_and(|until| until < now)
        }
    }
}

/// The status during a rollout.
pub fn of_rollout(
    deployment: &Deployment,
    before: &DeploymentStatus,
    all: &[&ReplicaSet],
    new: Option<&ReplicaSet>,
    now: Timestamp,
) -> DeploymentStatus {
    let mut status = counted(deployment, before, all, new, now);
    let has_deadline = progress_deadline(deployment).is_some();
    if !has_deadline {
        remove(&mut status, PROGRESSING);
    }
    let current = progressing(before).cloned();
    let is_done = status.replicas == status.updated_replicas
        && current.as_ref().is_some_and(|current| current.reason.as_deref() == Some(reason::AVAILABLE));
    if has_deadline && !is_done {
        let what = match new {
            Some(new) => format!("ReplicaSet {:?}", new.metadata.name.as_deref().unwrap_or_default()),
            None => format!("Deployment {:?}", deployment.metadata.name.as_deref().unwrap_or_default()),
        };
        if is_complete(deployment, &status) {
            let message = format!("{what} has successfully progressed.");
            set_progressing(&mut status, "True", reason::AVAILABLE, message, now);
        } else if has_moved(before, &status) {
            let mut moved = condition(PROGRESSING, "True", reason::UPDATED, format!("{what} is progressing."), now);
            // Its time of update says when it last moved, also when nothing else of it changes.
            if let Some(current) = current {
                if current.status == "True" {
                    moved.last_transition_time = current.last_transition_time;
                }
                remove(&mut status, PROGRESSING);
            }
            set(&mut status, moved);
        } else if has_timed_out(deployment, &status, now) {
            let message = format!("{what} has timed out progressing.");
            set_progressing(&mut status, "False", reason::TIMED_OUT, message, now);
        }
    }
    match failure(all, new) {
        Some(failure) => set(&mut status, failure),
        None => remove(&mut status, REPLICA_FAILURE),
    }
    status
}

/// A ReplicaSet's failure, of the new one first, as the Deployment's.
fn failure(all: &[&ReplicaSet], new: Option<&ReplicaSet>) -> Option<DeploymentCondition> {
    let failure = |set: &ReplicaSet| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        let failure = conditions.iter().find(|condition| condition.type_ == REPLICA_FAILURE)?;
        Some(DeploymentCondition {
            type_: failure.type_.clone(),
            status: failure.status.clone(),
            reason: failure.reason.clone(),
            message: failure.message.clone(),
            last_transition_time: failure.last_transition_time.clone(),
            last_update_time: failure.last_transition_time.clone(),
        })
    };
    new.and_then(failure).or_else(|| all.iter().find_map(|set| failure(set)))
}

/// When to look again whether a rollout that does not move has passed its deadline: how long until then, less than
/// nothing when it has. `None` when there is nothing to wait for.
pub fn until_deadline(
    deployment: &Deployment,
    before: &DeploymentStatus,
    after: &DeploymentStatus,
    now: Timestamp,
) -> Option<SignedDuration> {
    let (deadline, current) = progress_deadline(deployment).zip(progressing(before))?;
    if is_complete(deployment, after) || current.reason.as_deref() == Some(reason::TIMED_OUT) {
        return None;
    }
    let since = current.last_update_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    Some(since.checked_add(deadline).ok()?.duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(replicas: i32, status: Value) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "d", "generation": 2},
            "spec": {"replicas": replicas, "selector": {}, "template": {}, "progressDeadlineSeconds": 600,
                     "strategy": {"type": "RollingUpdate",
                                  "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
            "status": status,
        }))
        .unwrap()
    }

    fn set_of(name: &str, size: i32, replicas: i32, available: i32) -> ReplicaSet {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"replicas": size, "selector": {}},
            "status": {"replicas": replicas, "readyReplicas": available, "availableReplicas": available,
                       "terminatingReplicas": 0},
        }))
        .unwrap()
    }

    /// `type=status/reason` of each condition.
    fn told(status: &DeploymentStatus) -> String {
        let conditions = status.conditions.iter().flatten();
        let words: Vec<String> = conditions
            .map(|of| format!("{}={}/{}", of.type_, of.status, of.reason.as_deref().unwrap_or_default()))
            .collect();
        words.join(" ")
    }

    #[test]
    fn conditions_tell_how_a_rollout_goes() {
        let progressing = |reason: &str, updated: &str| {
            json!([{"type": "Progressing", "status": "True", "reason": reason, "message": "",
                    "lastUpdateTime": updated, "lastTransitionTime": "2026-01-01T00:00:00Z"}])
        };
        let recently = "2026-01-01T00:59:00Z";
        for (name, status, size, replicas, available, expected) in [
            (
                "it has begun",
                json!({"conditions": progressing("NewReplicaSetCreated", recently)}),
                2,
                0,
                0,
                "Progressing=True/NewReplicaSetCreated Available=False/MinimumReplicasUnavailable",
            ),
            (
                "it moves",
                json!({"conditions": progressing("NewReplicaSetCreated", recently)}),
                2,
                2,
                0,
                "Available=False/MinimumReplicasUnavailable Progressing=True/ReplicaSetUpdated",
            ),
            (
                "it is complete",
                json!({"replicas": 2, "updatedReplicas": 2, "conditions": progressing("ReplicaSetUpdated", recently)}),
                2,
                2,
                2,
                "Available=True/MinimumReplicasAvailable Progressing=True/NewReplicaSetAvailable",
            ),
            (
                "it stands still, not for long",
                json!({"replicas": 2, "updatedReplicas": 2, "conditions": progressing("ReplicaSetUpdated", recently)}),
                2,
                2,
                0,
                "Progressing=True/ReplicaSetUpdated Available=False/MinimumReplicasUnavailable",
            ),
            (
                "it stands still for too long",
                json!({"replicas": 2, "updatedReplicas": 2,
                       "conditions": progressing("ReplicaSetUpdated", "2026-01-01T00:49:00Z")}),
                2,
                2,
                0,
                "Available=False/MinimumReplicasUnavailable Progressing=False/ProgressDeadlineExceeded",
            ),
            (
                "a Pod was lost after it was complete",
                json!({"replicas": 2, "updatedReplicas": 2,
                       "conditions": progressing("NewReplicaSetAvailable", "2026-01-01T00:00:00Z")}),
                2,
                2,
                1,
                "Progressing=True/NewReplicaSetAvailable Available=False/MinimumReplicasUnavailable",
            ),
        ] {
            let deployment = deployment(2, status);
            let new = set_of("d-1", size, replicas, available);
            let now = "2026-01-01T01:00:00Z".parse().unwrap();
            let status = of_rollout(&deployment, &current(&deployment), &[&new], Some(&new), now);
            assert_eq!(told(&status), expected, "{name}");
        }
    }

    #[test]
    fn the_numbers_are_those_of_all_replica_sets() {
        let deployment = deployment(3, json!({"collisionCount": 1}));
        let (old, new) = (set_of("d-1", 2, 2, 2), set_of("d-2", 2, 1, 0));
        let now = Timestamp::UNIX_EPOCH;
        let mut status = counted(&deployment, &current(&deployment), &[&old, &new], Some(&new), now);
        status.conditions = None;
        let expected = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2,
                              "availableReplicas": 2, "unavailableReplicas": 2, "terminatingReplicas": 0,
                              "collisionCount": 1});
        assert_eq!(serde_json::to_value(status).unwrap(), expected);
        let unseen = ReplicaSet::default();
        let status = counted(&deployment, &current(&deployment), &[&old, &unseen], None, now);
        assert_eq!(status.terminating_replicas, None, "not all have told");
    }
}
