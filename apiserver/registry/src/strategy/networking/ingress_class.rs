//! Ingress classes.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, is_valid_path_segment_name};
use serde_json::{Value, json};

use crate::strategy::Scope;
use crate::strategy::check::{domain_prefixed_path, immutable, one_of, subdomain_words, words};
use crate::strategy::read::{at, has, text};

const MAX_CONTROLLER: usize = 250;

/// Parameters are of the whole cluster where nothing is said.
pub(in crate::strategy) fn apply_defaults(class: &mut Value) {
    if let Some(parameters) = class.pointer_mut("/spec/parameters").and_then(Value::as_object_mut)
        && parameters.get("scope").is_none_or(Value::is_null)
    {
        parameters.insert("scope".into(), json!("Cluster"));
    }
}

/// What is wrong with a new class.
pub(in crate::strategy) fn validate(class: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(class, "spec"), Path::new("spec"), ErrorList::new());
    let (controller, at_controller) = (text(spec, "controller"), path.child("controller"));
    if controller.len() > MAX_CONTROLLER {
        errors.push(Error::too_long(&at_controller, MAX_CONTROLLER));
    }
    errors.extend(domain_prefixed_path(controller, &at_controller));
    let (parameters, path) = (at(spec, "parameters"), path.child("parameters"));
    if parameters.is_null() {
        return errors;
    }
    reference(parameters, &path, &mut errors);
    let namespace = at(parameters, "namespace").as_str();
    match (text(parameters, "scope"), namespace) {
        ("", _) => errors.push(Error::required(&path.child("scope"), "")),
        ("Namespace", None) => {
            errors.push(Error::required(&path.child("namespace"), "`parameters.scope` is set to 'Namespace'"));
        }
        ("Namespace", Some(name)) => {
            errors.extend(words(validation::name_is_dns_label(name, false), name, &path.child("namespace")));
        }
        ("Cluster", Some(_)) => {
            errors.push(Error::forbidden(&path.child("namespace"), "`parameters.scope` is set to 'Cluster'"));
        }
        (scope, _) => one_of(scope, &["Cluster", "Namespace"], &path.child("scope"), &mut errors),
    }
    errors
}

/// What a change breaks beyond the rules for new classes: the controller stays.
pub(in crate::strategy) fn validate_update(class: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
    let mut errors = ErrorList::new();
    immutable(at(class, "spec"), at(old, "spec"), "controller", &Path::new("spec"), &mut errors);
    errors
}

/// A reference to an object by group, kind and name.
pub(super) fn reference(reference: &Value, path: &Path, errors: &mut ErrorList) {
    if has(reference, "apiGroup") {
        errors.extend(subdomain_words(text(reference, "apiGroup"), &path.child("apiGroup")));
    }
    for field in ["kind", "name"] {
        let value = text(reference, field);
        if value.is_empty() {
            errors.push(Error::required(&path.child(field), ""));
        } else {
            errors.extend(words(is_valid_path_segment_name(value), value, &path.child(field)));
        }
    }
}
