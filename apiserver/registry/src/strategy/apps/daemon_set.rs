//! Daemon sets.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::labels::Selector;
use apimachinery::validation;
use schema::types;
use serde_json::Value;

use super::{keeps_running, selected};
use crate::strategy::check::{
    all_not_negative, amount, at_most_all, immutable, not_decremented, number_or_percent, selects_all,
};
use crate::strategy::read::{at, text};
use crate::strategy::{Scope, template};

/// What is wrong with a new daemon set.
pub(in crate::strategy) fn validate(set: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, path) = (at(set, "spec"), Path::new("spec"));
    let (selector, at_selector) = (at(spec, "selector"), path.child("selector"));
    let (template, at_template) = (at(spec, "template"), path.child("template"));
    let mut errors = validation::validate_label_selector(selector, false, &at_selector);
    match Selector::from_label_selector(selector) {
        Ok(selector) if !selector.is_everything() => selected(&selector, template, &at_template, &mut errors),
        _ => {}
    }
    if !selector.is_null() && selects_all(selector) {
        errors.push(Error::invalid(&at_selector, selector.clone(), "empty selector is invalid for daemonset"));
    }
    errors.extend(template::validate(template, "/spec/template", scope, &at_template));
    keeps_running(template, "DaemonSet", &at_template, &mut errors);
    strategy(at(spec, "updateStrategy"), &path.child("updateStrategy"), &mut errors);
    all_not_negative(spec, &["minReadySeconds", "revisionHistoryLimit"], &path, &mut errors);
    errors
}

/// What is wrong with a change of a daemon set or of its status.
pub(in crate::strategy) fn validate_update(set: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        let (path, mut errors) = (Path::new("status"), ErrorList::new());
        let numbers = [
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "observedGeneration",
            "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
            "collisionCount",
        ];
        all_not_negative(at(set, "status"), &numbers, &path, &mut errors);
        not_decremented(at(set, "status"), at(old, "status"), "collisionCount", &path, &mut errors);
        return errors;
    }
    let mut errors = validate(set, scope);
    immutable(at(set, "spec"), at(old, "spec"), "selector", &Path::new("spec"), &mut errors);
    errors
}

fn strategy(strategy: &Value, path: &Path, errors: &mut ErrorList) {
    let (rolling, at_rolling) = (at(strategy, "rollingUpdate"), path.child("rollingUpdate"));
    match text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" if rolling.is_null() => errors.push(Error::required(&at_rolling, "")),
        "RollingUpdate" => {
            let (unavailable, surge) = (at(rolling, "maxUnavailable"), at(rolling, "maxSurge"));
            let (at_unavailable, at_surge) = (at_rolling.child("maxUnavailable"), at_rolling.child("maxSurge"));
            number_or_percent(unavailable, &at_unavailable, errors);
            number_or_percent(surge, &at_surge, errors);
            at_most_all(unavailable, &at_unavailable, errors);
            at_most_all(surge, &at_surge, errors);
            match (amount(unavailable) != 0, amount(surge) != 0) {
                (true, true) => {
                    let why = "may not be set when maxUnavailable is non-zero";
                    errors.push(Error::invalid(&at_surge, surge.clone(), why));
                }
                (false, false) => errors.push(Error::required(&at_unavailable, "cannot be 0 when maxSurge is 0")),
                _ => {}
            }
        }
        _ => {
            let value = types::bad_value("apps.DaemonSetUpdateStrategy", strategy);
            errors.push(Error::not_supported(path, value, &["RollingUpdate", "OnDelete"]));
        }
    }
}
