//! Kinds of few rules: disruption budgets, leases, priority classes.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, FIELD_IMMUTABLE};
use schema::types;
use serde_json::Value;

use super::Scope;
use super::check::{all_not_negative, at_most_all, not_negative, number_or_percent, one_of};
use super::read::{at, flag, has, number, number_or_zero, text};

const HIGHEST_USER_PRIORITY: i64 = 1_000_000_000;
/// The classes that a cluster begins with, and their values.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

/// What is wrong with a new disruption budget.
pub(super) fn validate_budget(budget: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(budget, "spec"), Path::new("spec"), ErrorList::new());
    if has(spec, "minAvailable") && has(spec, "maxUnavailable") {
        let value = types::bad_value("policy.PodDisruptionBudgetSpec", spec);
        errors.push(Error::invalid(&path, value, "minAvailable and maxUnavailable cannot be both set"));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        if has(spec, field) {
            number_or_percent(at(spec, field), &path.child(field), &mut errors);
            at_most_all(at(spec, field), &path.child(field), &mut errors);
        }
    }
    errors.extend(validation::validate_label_selector(at(spec, "selector"), false, &path.child("selector")));
    if let Some(policy) = at(spec, "unhealthyPodEvictionPolicy").as_str() {
        let known = ["AlwaysAllow", "IfHealthyBudget"];
        one_of(policy, &known, &path.child("unhealthyPodEvictionPolicy"), &mut errors);
    }
    errors
}

/// What is wrong with a change of a disruption budget or of its status.
pub(super) fn validate_budget_update(budget: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource != "status" {
        return validate_budget(budget, scope);
    }
    let mut errors = ErrorList::new();
    let numbers = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
    all_not_negative(at(budget, "status"), &numbers, &Path::new("status"), &mut errors);
    errors
}

/// What is wrong with a new lease.
pub(super) fn validate_lease(lease: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(lease, "spec"), Path::new("spec"), ErrorList::new());
    if let Some(seconds) = number(spec, "leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        errors.push(Error::invalid(&path.child("leaseDurationSeconds"), seconds, "must be greater than 0"));
    }
    not_negative(spec, "leaseTransitions", &path, &mut errors);
    errors
}

/// What is wrong with a change of a lease.
pub(super) fn validate_lease_update(lease: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
    validate_lease(lease, scope)
}

/// What is wrong with a new priority class.
pub(super) fn validate_class(class: &Value, _scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    let (name, value) = (class.name(), number_or_zero(class, "value"));
    if name.starts_with("system-") {
        let why = match SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) {
            None => Some(format!("{name} is not a known system priority class")),
            Some((_, known)) if *known != value => Some(format!("value of {name} PriorityClass must be {known}")),
            Some(_) if flag(class, "globalDefault") => {
                Some(format!("globalDefault of {name} PriorityClass must be false"))
            }
            Some(_) => None,
        };
        errors.extend(why.map(|why| {
            let words =
                format!("priority class names with 'system-' prefix are reserved for system use only. error: {why}");
            Error::forbidden(&Path::new("metadata").child("name"), words)
        }));
    } else if value > HIGHEST_USER_PRIORITY {
        let words = format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}");
        errors.push(Error::forbidden(&Path::new("value"), words));
    }
    if let Some(policy) = at(class, "preemptionPolicy").as_str() {
        one_of(policy, &["PreemptLowerPriority", "Never"], &Path::new("preemptionPolicy"), &mut errors);
    }
    errors
}

/// What is wrong with a change of a priority class: pods have its value already.
pub(super) fn validate_class_update(class: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    if number_or_zero(class, "value") != number_or_zero(old, "value") {
        errors.push(Error::forbidden(&Path::new("value"), "may not be changed in an update."));
    }
    if text(class, "preemptionPolicy") != text(old, "preemptionPolicy") {
        let policy = at(class, "preemptionPolicy").clone();
        errors.push(Error::invalid(&Path::new("preemptionPolicy"), policy, FIELD_IMMUTABLE));
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_priority_a_class_may_give() {
        for (name, value, wrong) in [
            ("high", 1_000_000_000, 0),
            ("high", 1_000_000_001, 1),
            ("system-node-critical", 2_000_001_000, 0),
            ("system-node-critical", 5, 1),
            ("system-mine", 5, 1),
        ] {
            let class = json!({"metadata": {"name": name}, "value": value});
            let table = crate::Table::builtin();
            let (warnings, user) = (crate::Warnings::new(), Default::default());
            let scope = Scope {
                row: table.row("scheduling.k8s.io", "v1", "priorityclasses").unwrap(),
                subresource: "",
                old: None,
                now: "",
                user: &user,
                allow_privileged: false,
                warnings: &warnings,
            };
            assert_eq!(validate_class(&class, &scope).len(), wrong, "{name} {value}");
        }
    }
}
