//! APIServices: which server answers for a group and version.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use apimachinery::validation;
use base64::Engine as _;
use serde_json::{Value, json};

use super::check::{subdomain_words, words};
use super::read::{at, flag, list, number_or_zero, text};
use super::{Scope, webhook_client};

const MAX_GROUP_PRIORITY: i64 = 20000;
const MAX_VERSION_PRIORITY: i64 = 1000;

/// A service is reached at the port of HTTPS where nothing is said.
pub(super) fn apply_defaults(object: &mut Value) {
    if let Some(service) = object.pointer_mut("/spec/service").and_then(Value::as_object_mut)
        && service.get("port").is_none_or(Value::is_null)
    {
        service.insert("port".into(), json!(443));
    }
}

/// What this server answers for itself is available from the beginning.
pub(super) fn prepare_create(object: &mut Value, scope: &Scope<'_>) {
    if at(at(object, "spec"), "service").is_null() {
        object["status"] = json!({"conditions": [{
            "type": "Available",
            "status": "True",
            "lastTransitionTime": scope.now,
            "reason": "Local",
            "message": "Local APIServices are always available",
        }]});
    }
}

/// What is wrong with an APIService, metadata aside.
pub(super) fn validate(object: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (spec, path, mut errors) = (at(object, "spec"), Path::new("spec"), ErrorList::new());
    let (group, version) = (text(spec, "group"), text(spec, "version"));
    let (name, required) = (text(at(object, "metadata"), "name"), format!("{version}.{group}"));
    if name != required && validation::is_valid_path_segment_name(name).is_empty() {
        let why = format!("must be `spec.version+\".\"+spec.group`: {}", quoted(&required));
        errors.push(Error::invalid(&Path::new("metadata").child("name"), name, why));
    }
    let at_group = path.child("group");
    if !group.is_empty() {
        errors.extend(subdomain_words(group, &at_group));
    } else if version != "v1" {
        errors.push(Error::required(&at_group, "only v1 may have an empty group and it better be legacy kube"));
    }
    errors.extend(words(validation::is_dns1035_label(version), version, &path.child("version")));
    let mut priority = |field: &str, max: i64| {
        let value = number_or_zero(spec, field);
        if value <= 0 || value > max {
            errors.push(Error::invalid(&path.child(field), value, format!("must be positive and less than {max}")));
        }
    };
    priority("groupPriorityMinimum", MAX_GROUP_PRIORITY);
    priority("versionPriority", MAX_VERSION_PRIORITY);
    errors.extend(backend(spec, &path));
    errors
}

/// What is wrong with where the group and version are served.
fn backend(spec: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let (bundle, insecure) = (text(spec, "caBundle"), flag(spec, "insecureSkipTLSVerify"));
    let at_insecure = path.child("insecureSkipTLSVerify");
    let service = at(spec, "service");
    if service.is_null() {
        if !bundle.is_empty() {
            let bytes = base64::engine::general_purpose::STANDARD.decode(bundle).map_or(bundle.len(), |pem| pem.len());
            let why = "local APIServices may not have a caBundle";
            errors.push(Error::invalid(&path.child("caBundle"), format!("{bytes} bytes"), why));
        }
        if insecure {
            errors.push(Error::invalid(&at_insecure, true, "local APIServices may not have insecureSkipTLSVerify"));
        }
        return errors;
    }
    let path = path.child("service");
    errors.extend(webhook_client::service_port(service, [("namespace", "namespace"), ("name", "name")], &path));
    if insecure && !bundle.is_empty() {
        errors.push(Error::invalid(&at_insecure, true, "may not be true if caBundle is present"));
    }
    errors
}

/// What a change breaks beyond the rules for new ones, which are checked again: the state of a condition is one of three.
pub(super) fn validate_update(object: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
    const STATES: [&str; 3] = ["True", "False", "Unknown"];
    let mut errors = ErrorList::new();
    if scope.subresource == "status" {
        let path = Path::new("status").child("conditions");
        for (index, condition) in list(at(object, "status"), "conditions").iter().enumerate() {
            let state = text(condition, "status");
            if !STATES.contains(&state) {
                errors.push(Error::not_supported(&path.index(index).child("status"), state, &STATES));
            }
        }
    }
    errors
}
