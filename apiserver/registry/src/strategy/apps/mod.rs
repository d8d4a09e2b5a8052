//! Kinds of the group apps: workloads that keep pods, and their revisions.

pub(super) mod controller_revision;
pub(super) mod daemon_set;
pub(super) mod deployment;
pub(super) mod replica_set;
pub(super) mod stateful_set;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::labels::Selector;
use apimachinery::validation;
use serde_json::Value;

use super::Scope;
use super::check::selects_all;
use super::read::{at, deep, has, text};

/// A selector that has to be there, and what it selects. `None` where nothing can be selected with it.
fn selector(spec: &Value, of: &str, path: &Path, errors: &mut ErrorList) -> Option<Selector> {
    let selector = at(spec, "selector");
    let path = path.child("selector");
    if selector.is_null() {
        errors.push(Error::required(&path, ""));
    } else {
        errors.extend(validation::validate_label_selector(selector, false, &path));
        if selects_all(selector) {
            let why = format!("empty selector is invalid for {of}");
            errors.push(Error::invalid(&path, selector.clone(), why));
        }
    }
    match Selector::from_label_selector(selector) {
        Ok(selector) => Some(selector),
        Err(_) => {
            let why = if of == "statefulset" { "" } else { "invalid label selector" };
            errors.push(Error::invalid(&path, selector.clone(), why));
            None
        }
    }
}

/// A template's labels are those that the selector asks for.
pub(super) fn selected(selector: &Selector, template: &Value, path: &Path, errors: &mut ErrorList) {
    let labels = deep(template, "/metadata/labels");
    if !selector.matches(|key| at(labels, key).as_str()) {
        let why = "`selector` does not match template `labels`";
        errors.push(Error::invalid(&path.child("metadata").child("labels"), labels.clone(), why));
    }
}

/// Pods that are always kept running are restarted, and end at no certain time.
fn keeps_running(template: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let (spec, path) = (at(template, "spec"), path.child("spec"));
    let policy = text(spec, "restartPolicy");
    if policy != "Always" {
        errors.push(Error::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if has(spec, "activeDeadlineSeconds") {
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(Error::forbidden(&path.child("activeDeadlineSeconds"), why));
    }
}

/// The template of a replica set's or replication controller's pods.
pub(super) fn replicated_template(
    template: &Value,
    scope: &Scope<'_>,
    selector: &Selector,
    kind: &str,
    path: &Path,
    errors: &mut ErrorList,
) {
    if !selector.is_everything() {
        selected(selector, template, path, errors);
    }
    errors.extend(super::template::validate(template, "/spec/template", scope, path));
    keeps_running(template, kind, path, errors);
}
