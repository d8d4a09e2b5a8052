//! Conditions of an App: their types, and the rules by which one is set.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// Whether the App passed admission at `observedGeneration`.
pub const ADMISSION_APPROVED: &str = "AdmissionApproved";
/// Whether every replica has a node.
pub const SCHEDULED: &str = "Scheduled";
/// Whether the Pods are on their way to what the spec asks for, or have reached it.
pub const PROGRESSING: &str = "Progressing";
/// Whether every replica is ready.
pub const AVAILABLE: &str = "Available";

/// The condition of a type, if it is there.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of a type has status "True".
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// A condition to be set; `lastTransitionTime` follows from what was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Type of the condition.
    pub type_: &'static str,
    /// `Some(true)` is "True", `Some(false)` "False", `None` "Unknown".
    pub status: Option<bool>,
    /// One CamelCase word.
    pub reason: &'static str,
    /// The same for a person.
    pub message: String,
    /// The generation of the object that was looked at.
    pub observed_generation: Option<i64>,
}

impl Draft {
    /// The condition as it is to be written. As upstream's `SetStatusCondition` has it, `lastTransitionTime` is kept
    /// from `previous` while the status stays the same and is `now` otherwise.
    pub fn over(self, previous: Option<&Condition>, now: Timestamp) -> Condition {
        let status = match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let last_transition_time = match previous {
            Some(previous) if previous.status == status => previous.last_transition_time.clone(),
            // Whole seconds, as every meta/v1 Time.
            _ => Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
        };
        Condition {
            type_: self.type_.into(),
            status: status.into(),
            reason: self.reason.into(),
            message: self.message,
            observed_generation: self.observed_generation,
            last_transition_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_when_the_status_does() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let draft = |status, reason| Draft {
            type_: AVAILABLE,
            status,
            reason,
            message: String::new(),
            observed_generation: Some(1),
        };
        let first = draft(Some(false), "Starting").over(None, at(1));
        assert_eq!((first.status.as_str(), first.last_transition_time.0), ("False", at(1)));
        let same = draft(Some(false), "StillStarting").over(Some(&first), at(2));
        assert_eq!((same.reason.as_str(), same.last_transition_time.0), ("StillStarting", at(1)));
        let moved = draft(None, "NoIdea").over(Some(&same), at(3));
        assert_eq!((moved.status.as_str(), moved.last_transition_time.0), ("Unknown", at(3)));
        assert!(!is_true(&[moved], AVAILABLE));
    }
}
