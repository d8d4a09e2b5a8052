//! What may change of a job that exists.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::FIELD_IMMUTABLE;
use schema::types;
use serde_json::Value;

use super::job::selecting_spec;
use crate::strategy::Scope;
use crate::strategy::check::immutable;
use crate::strategy::read::{at, flag, has, number, same, text};

/// What of a template a job that is suspended and has not begun may change.
const SCHEDULING: [&str; 3] = ["nodeSelector", "tolerations", "schedulingGates"];

/// What is wrong with a change of a job's spec.
pub(super) fn change(job: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let (spec, before, path) = (at(job, "spec"), at(old, "spec"), Path::new("spec"));
    let mut errors = selecting_spec(spec, scope, &path);
    completions(spec, before, &path, &mut errors);
    immutable(spec, before, "selector", &path, &mut errors);
    let waits = flag(before, "suspend") && !has(at(old, "status"), "startTime");
    template(at(spec, "template"), at(before, "template"), waits, &path.child("template"), &mut errors);
    immutable(spec, before, "completionMode", &path, &mut errors);
    for (field, kind) in [
        ("podFailurePolicy", Some("*batch.PodFailurePolicy")),
        ("backoffLimitPerIndex", None),
        ("managedBy", None),
        ("successPolicy", Some("*batch.SuccessPolicy")),
    ] {
        let value = at(spec, field);
        if !same(value, at(before, field)) {
            let value = kind.map_or_else(|| value.clone().into(), |kind| types::bad_value(kind, value));
            errors.push(Error::invalid(&path.child(field), value, FIELD_IMMUTABLE));
        }
    }
    errors
}

/// Indexed jobs may be scaled; the completions of others stay.
fn completions(spec: &Value, before: &Value, path: &Path, errors: &mut ErrorList) {
    if text(spec, "completionMode") != "Indexed" {
        return immutable(spec, before, "completions", path, errors);
    }
    let completions = number(spec, "completions");
    if let Some(completions) = completions.filter(|_| completions != number(before, "completions"))
        && Some(completions) != number(spec, "parallelism")
    {
        let why = format!("can only be modified in tandem with {}", path.child("parallelism"));
        errors.push(Error::invalid(&path.child("completions"), completions, why));
    }
}

fn template(template: &Value, before: &Value, waits: bool, path: &Path, errors: &mut ErrorList) {
    if !waits {
        if !same(template, before) {
            let value = types::bad_value("core.PodTemplateSpec", template);
            errors.push(Error::invalid(path, value, FIELD_IMMUTABLE));
        }
        return;
    }
    let (spec, mut allowed) = (at(template, "spec"), at(before, "spec").clone());
    if let Some(fields) = allowed.as_object_mut() {
        for field in SCHEDULING {
            fields.insert(field.to_owned(), at(spec, field).clone());
        }
        let mut affinity = at(at(before, "spec"), "affinity").as_object().cloned().unwrap_or_default();
        affinity.insert("nodeAffinity".into(), at(at(spec, "affinity"), "nodeAffinity").clone());
        fields.insert("affinity".into(), Value::Object(affinity));
        for list in ["containers", "initContainers"] {
            allow_resources(fields.get_mut(list), at(spec, list));
        }
    }
    if !without_nulls(spec, &allowed) {
        let value = types::bad_value("core.PodSpec", spec);
        errors.push(Error::invalid(&path.child("spec"), value, FIELD_IMMUTABLE));
    }
}

/// Containers' resources may change while nothing runs.
fn allow_resources(allowed: Option<&mut Value>, now: &Value) {
    let (Some(allowed), Some(now)) = (allowed.and_then(Value::as_array_mut), now.as_array()) else { return };
    if allowed.len() != now.len() {
        return;
    }
    for (allowed, now) in allowed.iter_mut().zip(now) {
        if let Some(container) = allowed.as_object_mut() {
            container.insert("resources".into(), at(now, "resources").clone());
        }
    }
}

/// Whether two values are the same; a map of nothing but nulls is none.
fn without_nulls(a: &Value, b: &Value) -> bool {
    let affinity = |value: &Value| {
        let map = at(value, "affinity").as_object().cloned().unwrap_or_default();
        map.into_iter().filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>()
    };
    let rest = |value: &Value| {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("affinity");
        }
        value
    };
    affinity(a) == affinity(b) && same(&rest(a), &rest(b))
}
