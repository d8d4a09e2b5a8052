//! The conditions of a Job.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

/// The Job's success is certain; its Pods are still to be seen off.
pub const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";
/// The Job's failure is certain; its Pods are still to be seen off.
pub const FAILURE_TARGET: &str = "FailureTarget";
/// The Job has succeeded.
pub const COMPLETE: &str = "Complete";
/// The Job has failed.
pub const FAILED: &str = "Failed";
/// The Job has no Pods for now.
pub const SUSPENDED: &str = "Suspended";

/// A condition that is true from now on.
pub fn new(type_: &str, reason: &str, message: impl Into<String>, now: Timestamp) -> JobCondition {
    JobCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.into()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}

/// The condition of a type that is true.
pub fn find<'a>(conditions: &'a [JobCondition], type_: &str) -> Option<&'a JobCondition> {
    conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The conditions of a Job.
pub fn of(job: &Job) -> &[JobCondition] {
    job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// When a Job ended, if it has.
pub fn finished(job: &Job) -> Option<&JobCondition> {
    find(of(job), COMPLETE).or_else(|| find(of(job), FAILED))
}

/// The last condition that follows from an interim one.
pub fn last(interim: &JobCondition, now: Timestamp) -> JobCondition {
    let type_ = if interim.type_ == SUCCESS_CRITERIA_MET { COMPLETE } else { FAILED };
    let reason = interim.reason.as_deref().unwrap_or_default();
    new(type_, reason, interim.message.clone().unwrap_or_default(), now)
}

/// Sets a condition; one that is not there counts as false. True when that changes it.
pub fn ensure(
    conditions: &mut Vec<JobCondition>,
    type_: &str,
    status: bool,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let value = if status { "True" } else { "False" };
    match conditions.iter_mut().find(|condition| condition.type_ == type_) {
        Some(found) => {
            let same = found.status == value
                && found.reason.as_deref() == Some(reason)
                && found.message.as_deref() == Some(message);
            if !same {
                *found = JobCondition { status: value.to_owned(), ..new(type_, reason, message, now) };
            }
            !same
        }
        None if status => {
            conditions.push(new(type_, reason, message, now));
            true
        }
        None => false,
    }
}
