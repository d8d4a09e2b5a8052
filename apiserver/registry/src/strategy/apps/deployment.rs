//! Deployments.

use apimachinery::field::{Error, ErrorList, Path};
use schema::types;
use serde_json::Value;

use super::{replicated_template, selector};
use crate::strategy::Scope;
use crate::strategy::check::{
    all_not_negative, amount, at_most_all, immutable, not_decremented, not_more, not_negative, number_or_percent,
};
use crate::strategy::read::{at, has, number, number_or_zero, text};

/// What is wrong with a new deployment.
pub(in crate::strategy) fn validate(deployment: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, path) = (at(deployment, "spec"), Path::new("spec"));
    let mut errors = ErrorList::new();
    not_negative(spec, "replicas", &path, &mut errors);
    if let Some(selector) = selector(spec, "deployment", &path, &mut errors) {
        replicated_template(at(spec, "template"), scope, &selector, "ReplicaSet", &path.child("template"), &mut errors);
    }
    strategy(at(spec, "strategy"), &path.child("strategy"), &mut errors);
    all_not_negative(spec, &["minReadySeconds", "revisionHistoryLimit"], &path, &mut errors);
    if let Some(deadline) = number(spec, "progressDeadlineSeconds") {
        not_negative(spec, "progressDeadlineSeconds", &path, &mut errors);
        if deadline <= number_or_zero(spec, "minReadySeconds") {
            let path = path.child("progressDeadlineSeconds");
            errors.push(Error::invalid(&path, deadline, "must be greater than minReadySeconds"));
        }
    }
    errors
}

/// What is wrong with a change of a deployment or of its status.
pub(in crate::strategy) fn validate_update(deployment: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        return status(at(deployment, "status"), at(old, "status"));
    }
    let mut errors = validate(deployment, scope);
    immutable(at(deployment, "spec"), at(old, "spec"), "selector", &Path::new("spec"), &mut errors);
    errors
}

fn strategy(strategy: &Value, path: &Path, errors: &mut ErrorList) {
    let (rolling, at_rolling) = (at(strategy, "rollingUpdate"), path.child("rollingUpdate"));
    match text(strategy, "type") {
        "Recreate" => {
            if has(strategy, "rollingUpdate") {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(Error::forbidden(&at_rolling, why));
            }
        }
        "RollingUpdate" if rolling.is_null() => {
            errors.push(Error::required(&at_rolling, "this should be defaulted and never be nil"));
        }
        "RollingUpdate" => {
            let (unavailable, at_unavailable) = (at(rolling, "maxUnavailable"), at_rolling.child("maxUnavailable"));
            number_or_percent(unavailable, &at_unavailable, errors);
            number_or_percent(at(rolling, "maxSurge"), &at_rolling.child("maxSurge"), errors);
            if amount(unavailable) == 0 && amount(at(rolling, "maxSurge")) == 0 {
                let why = "may not be 0 when `maxSurge` is 0";
                errors.push(Error::invalid(&at_unavailable, unavailable.clone(), why));
            }
            at_most_all(unavailable, &at_unavailable, errors);
        }
        _ => {
            let value = types::bad_value("apps.DeploymentStrategy", strategy);
            errors.push(Error::not_supported(path, value, &["Recreate", "RollingUpdate"]));
        }
    }
}

fn status(status: &Value, old: &Value) -> ErrorList {
    let (path, mut errors) = (Path::new("status"), ErrorList::new());
    let numbers = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ];
    all_not_negative(status, &numbers, &path, &mut errors);
    for field in ["updatedReplicas", "readyReplicas", "availableReplicas"] {
        not_more(status, field, "replicas", "cannot be greater than status.replicas", &path, &mut errors);
    }
    let words = "cannot be greater than readyReplicas";
    not_more(status, "availableReplicas", "readyReplicas", words, &path, &mut errors);
    not_decremented(status, old, "collisionCount", &path, &mut errors);
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_of_a_status_fit_each_other() {
        let said = |new: Value| -> Vec<String> { status(&new, &json!({})).iter().map(ToString::to_string).collect() };
        assert!(
            said(json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 1})).is_empty()
        );
        assert_eq!(
            said(json!({"replicas": 3, "updatedReplicas": 4, "availableReplicas": 1, "collisionCount": -1})),
            [
                "status.collisionCount: Invalid value: -1: must be greater than or equal to 0",
                "status.updatedReplicas: Invalid value: 4: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas",
            ]
        );
        let fewer = status(&json!({}), &json!({"collisionCount": 2}));
        assert_eq!(fewer[0].to_string(), "status.collisionCount: Invalid value: 0: cannot be decremented");
    }

    #[test]
    fn a_rolling_update_moves() {
        let said = |rolling: Value| -> Vec<String> {
            let mut errors = ErrorList::new();
            strategy(&json!({"type": "RollingUpdate", "rollingUpdate": rolling}), &Path::new("s"), &mut errors);
            errors.iter().map(ToString::to_string).collect()
        };
        assert!(said(json!({"maxSurge": "25%", "maxUnavailable": 0})).is_empty());
        assert_eq!(
            said(json!({"maxSurge": 0, "maxUnavailable": "0%"})),
            ["s.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"]
        );
        assert_eq!(
            said(json!({"maxSurge": 1, "maxUnavailable": "101%"})),
            ["s.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"]
        );
    }
}
