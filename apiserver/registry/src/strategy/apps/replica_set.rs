//! Replica sets, and replication controllers of the core group, which differ in the form of their selector alone.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::labels::Selector;
use serde_json::{Value, json};

use super::{replicated_template, selector};
use crate::strategy::Scope;
use crate::strategy::check::{all_not_negative, immutable, not_more};
use crate::strategy::read::{at, entries};

/// What is wrong with a new replica set.
pub(in crate::strategy) fn validate(set: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(set, "spec"), Path::new("spec"), ErrorList::new());
    all_not_negative(spec, &["replicas", "minReadySeconds"], &path, &mut errors);
    if let Some(selector) = selector(spec, "deployment", &path, &mut errors) {
        replicated_template(at(spec, "template"), scope, &selector, "ReplicaSet", &path.child("template"), &mut errors);
    }
    errors
}

/// What is wrong with a change of a replica set or of its status.
pub(in crate::strategy) fn validate_update(set: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        return status(at(set, "status"));
    }
    let mut errors = validate(set, scope);
    immutable(at(set, "spec"), at(old, "spec"), "selector", &Path::new("spec"), &mut errors);
    errors
}

/// What is wrong with a new replication controller.
pub(in crate::strategy) fn validate_controller(controller: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(controller, "spec"), Path::new("spec"), ErrorList::new());
    all_not_negative(spec, &["minReadySeconds"], &path, &mut errors);
    if entries(spec, "selector").next().is_none() {
        errors.push(Error::required(&path.child("selector"), ""));
    }
    all_not_negative(spec, &["replicas"], &path, &mut errors);
    let (template, path) = (at(spec, "template"), path.child("template"));
    if template.is_null() {
        errors.push(Error::required(&path, ""));
    } else if let Ok(selector) = Selector::from_label_selector(&json!({"matchLabels": at(spec, "selector")})) {
        replicated_template(template, scope, &selector, "ReplicationController", &path, &mut errors);
    }
    errors
}

/// What is wrong with a change of a replication controller or of its status.
pub(in crate::strategy) fn validate_controller_update(new: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" { status(at(new, "status")) } else { validate_controller(new, scope) }
}

fn status(status: &Value) -> ErrorList {
    let (path, mut errors) = (Path::new("status"), ErrorList::new());
    let numbers = [
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "terminatingReplicas",
        "observedGeneration",
    ];
    all_not_negative(status, &numbers, &path, &mut errors);
    for field in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        not_more(status, field, "replicas", "cannot be greater than status.replicas", &path, &mut errors);
    }
    let words = "cannot be greater than readyReplicas";
    not_more(status, "availableReplicas", "readyReplicas", words, &path, &mut errors);
    errors
}
