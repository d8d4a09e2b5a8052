//! What a job's status may say, and what it may not take back. Rules are checked where what they speak of changes, so that
//! an old status that breaks one can still be written.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::time;
use schema::types;
use serde_json::Value;

use super::indexes;
use crate::strategy::check::all_not_negative;
use crate::strategy::read::{at, flag, has, list, number, number_or_zero, same, text, texts};

/// The job and what it was.
struct Change<'a> {
    spec: &'a Value,
    status: &'a Value,
    old: &'a Value,
}

/// What is wrong with a change of a job's status.
pub(super) fn change(job: &Value, old: &Value) -> ErrorList {
    let change = Change { spec: at(job, "spec"), status: at(job, "status"), old: at(old, "status") };
    let (path, mut errors) = (Path::new("status"), ErrorList::new());
    change.counts(&path, &mut errors);
    change.end(&path, &mut errors);
    change.indexes(&path, &mut errors);
    change.pods(&path, &mut errors);
    change.success(&path, &mut errors);
    change.takes_back(&path, &mut errors);
    errors
}

fn is(status: &Value, condition: &str) -> bool {
    list(status, "conditions").iter().any(|one| text(one, "type") == condition && text(one, "status") == "True")
}

fn finished(status: &Value) -> bool {
    is(status, "Complete") || is(status, "Failed")
}

impl Change<'_> {
    fn is(&self, condition: &str) -> bool {
        is(self.status, condition)
    }

    fn turns(&self, condition: &str) -> bool {
        is(self.status, condition) != is(self.old, condition)
    }

    fn finishes(&self) -> bool {
        finished(self.status) != finished(self.old)
    }

    fn differs(&self, field: &str) -> bool {
        !same(at(self.status, field), at(self.old, field))
    }

    fn indexed(&self) -> bool {
        text(self.spec, "completionMode") == "Indexed"
    }

    fn counts(&self, path: &Path, errors: &mut ErrorList) {
        all_not_negative(self.status, &["active", "succeeded", "failed", "ready", "terminating"], path, errors);
        let path = path.child("uncountedTerminatedPods");
        let uncounted = at(self.status, "uncountedTerminatedPods");
        let mut seen = BTreeSet::new();
        for field in ["succeeded", "failed"] {
            for (i, uid) in texts(uncounted, field).enumerate() {
                let path = path.child(field).index(i);
                if uid.is_empty() {
                    errors.push(Error::invalid(&path, uid, "must not be empty"));
                } else if !seen.insert(uid) {
                    errors.push(Error::duplicate(&path, uid));
                }
            }
        }
    }

    fn end(&self, path: &Path, errors: &mut ErrorList) {
        let (complete, failed) = (self.is("Complete"), self.is("Failed"));
        let (completed_at, started_at) = (at(self.status, "completionTime"), at(self.status, "startTime"));
        let completes = self.turns("Complete");
        let mut conditions = |wrong: bool, words: &str| {
            if wrong {
                errors.push(Error::invalid_omitting_value(&path.child("conditions"), words));
            }
        };
        conditions(
            (completes || self.turns("Failed")) && complete && failed,
            "cannot set Complete=True and Failed=true conditions",
        );
        conditions(
            (completes || self.turns("FailureTarget")) && complete && self.is("FailureTarget"),
            "cannot set Complete=True and FailureTarget=true conditions",
        );
        let at_completed = path.child("completionTime");
        if completes || self.differs("completionTime") {
            if !completed_at.is_null() && !complete {
                let why = "cannot set completionTime when there is no Complete=True condition";
                errors.push(Error::invalid(&at_completed, completed_at.clone(), why));
            }
            if completed_at.is_null() && complete {
                errors.push(Error::required(&at_completed, "completionTime is required for Complete jobs"));
            }
        }
        if self.differs("startTime") || self.differs("completionTime") {
            let time = |value: &Value| value.as_str().and_then(|text| time::parse_time(text).ok());
            if let (Some(started), Some(completed)) = (time(started_at), time(completed_at))
                && completed < started
            {
                let why = "completionTime cannot be set before startTime";
                errors.push(Error::invalid(&at_completed, completed_at.clone(), why));
            }
        }
        let mut conditions = |wrong: bool, words: &str| {
            if wrong {
                errors.push(Error::invalid_omitting_value(&path.child("conditions"), words));
            }
        };
        conditions(
            (self.turns("Failed") || self.differs("failedIndexes")) && failed && !self.is("FailureTarget"),
            "cannot set Failed=True condition without the FailureTarget=true condition",
        );
        conditions(
            (completes || self.turns("SuccessCriteriaMet")) && complete && !self.is("SuccessCriteriaMet"),
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        );
        if !finished(self.status) {
            return;
        }
        let active = number_or_zero(self.status, "active");
        if (self.finishes() || self.differs("active")) && active > 0 {
            errors.push(Error::invalid(&path.child("active"), active, "active>0 is invalid for finished job"));
        }
        let has_nothing_to_do = flag(self.spec, "suspend") && number(self.spec, "completions") == Some(0);
        if (self.finishes() || self.differs("startTime")) && started_at.is_null() && !has_nothing_to_do {
            errors.push(Error::required(&path.child("startTime"), "startTime is required for finished job"));
        }
        let uncounted = at(self.status, "uncountedTerminatedPods");
        let some = texts(uncounted, "failed").chain(texts(uncounted, "succeeded")).next().is_some();
        if (self.finishes() || self.differs("uncountedTerminatedPods")) && some {
            let value = types::bad_value("*batch.UncountedTerminatedPods", uncounted);
            let why = "uncountedTerminatedPods needs to be empty for finished job";
            errors.push(Error::invalid(&path.child("uncountedTerminatedPods"), value, why));
        }
    }

    fn indexes(&self, path: &Path, errors: &mut ErrorList) {
        let completions = number(self.spec, "completions");
        let (completed, failed) = (text(self.status, "completedIndexes"), at(self.status, "failedIndexes").as_str());
        let (completes, fails) = (self.differs("completedIndexes"), self.differs("failedIndexes"));
        let mut refuse = |field: &str, value: &str, why: String| {
            errors.push(Error::invalid(&path.child(field), value, why));
        };
        let per_index = has(self.spec, "backoffLimitPerIndex");
        if let Some(completions) = completions {
            if let (true, Err(why)) = (completes, indexes::count(completed, completions)) {
                refuse("completedIndexes", completed, format!("error parsing completedIndexes: {why}"));
            }
            if let Some(failed) = failed.filter(|_| fails && per_index)
                && let Err(why) = indexes::count(failed, completions)
            {
                refuse("failedIndexes", failed, format!("error parsing failedIndexes: {why}"));
            }
        }
        if completes && !completed.is_empty() && !self.indexed() {
            let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
            refuse("completedIndexes", completed, why.into());
        }
        if let Some(failed) = failed.filter(|_| fails && !per_index) {
            let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            refuse("failedIndexes", failed, why.into());
        }
        if let (Some(completions), Some(failed)) = (completions, failed.filter(|_| fails || completes))
            && let Some(index) = indexes::overlap(completed, failed, completions)
        {
            let why = format!("failedIndexes and completedIndexes overlap at index: {index}");
            refuse("failedIndexes", failed, why);
        }
    }

    fn pods(&self, path: &Path, errors: &mut ErrorList) {
        let terminating = number_or_zero(self.status, "terminating");
        if (self.finishes() || self.differs("terminating")) && terminating > 0 && finished(self.status) {
            let why = "terminating>0 is invalid for finished job";
            errors.push(Error::invalid(&path.child("terminating"), terminating, why));
        }
        if let Some(ready) = number(self.status, "ready").filter(|_| self.differs("ready") || self.differs("active"))
            && ready > number_or_zero(self.status, "active")
        {
            errors.push(Error::invalid(&path.child("ready"), ready, "cannot set more ready pods than active"));
        }
    }

    fn success(&self, path: &Path, errors: &mut ErrorList) {
        let met = self.is("SuccessCriteriaMet");
        let wrong = [
            (met && self.is("Failed"), "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
            (met && self.is("FailureTarget"), "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
            (
                has(self.spec, "successPolicy") && !met && self.is("Complete"),
                "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
            ),
        ];
        let wrong = wrong.into_iter().filter(|(wrong, _)| *wrong);
        errors.extend(wrong.map(|(_, words)| Error::invalid_omitting_value(&path.child("conditions"), words)));
    }

    fn takes_back(&self, path: &Path, errors: &mut ErrorList) {
        let at_conditions = path.child("conditions");
        for condition in ["Failed", "Complete", "FailureTarget"] {
            if is(self.old, condition) && !self.is(condition) {
                let why = format!("cannot disable the terminal {condition}=True condition");
                errors.push(Error::invalid_omitting_value(&at_conditions, why));
            }
        }
        // A job that can be scaled may count fewer successes.
        let scales = self.indexed()
            && has(self.spec, "completions")
            && number(self.spec, "completions") == number(self.spec, "parallelism");
        for (field, counts) in [("failed", true), ("succeeded", !scales)] {
            let count = number_or_zero(self.status, field);
            if counts && count < number_or_zero(self.old, field) {
                errors.push(Error::invalid(&path.child(field), count, format!("cannot decrease the {field} counter")));
            }
        }
        let completed = at(self.status, "completionTime");
        if !completed.is_null() && has(self.old, "completionTime") && self.differs("completionTime") {
            let why = "completionTime cannot be mutated";
            errors.push(Error::invalid(&path.child("completionTime"), completed.clone(), why));
        }
        if self.differs("startTime") && has(self.old, "startTime") && !flag(self.spec, "suspend") {
            let why = "startTime cannot be removed for unsuspended job";
            errors.push(Error::required(&path.child("startTime"), why));
        }
        let (met, was_met) = (self.is("SuccessCriteriaMet"), is(self.old, "SuccessCriteriaMet"));
        if was_met && !met {
            let why = "cannot disable the SuccessCriteriaMet=True condition";
            errors.push(Error::invalid_omitting_value(&at_conditions, why));
        }
        if is(self.old, "Complete") && !was_met && met {
            let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
            errors.push(Error::invalid_omitting_value(&at_conditions, why));
        }
    }
}
