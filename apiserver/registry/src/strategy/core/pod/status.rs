//! What is reported of a pod, through `/status`.

use std::collections::{HashMap, HashSet};

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{
    FIELD_IMMUTABLE, is_dns1123_label, is_dual_stack, is_qualified_name, name_is_dns_subdomain, validate_ip_or_kept,
    warning_for_ip,
};
use schema::types;
use serde_json::{Value, json};

use super::update::restore;
use crate::strategy::Scope;
use crate::validation::pod::{Options, annotations, security};
use crate::validation::read::{list, number, optional_number, optional_text, present, text};

/// Keeps what a status write must not touch, and what old kubelets forget.
pub(super) fn prepare(object: &mut Value, old: &Value) {
    object.set_deletion_timestamp(old.deletion_timestamp());
    object.set_owner_references(old.owner_references().to_vec());
    let empty = Value::Null;
    let before = old.get("status").unwrap_or(&empty);
    let Some(fields) = object.as_object_mut() else { return };
    let status = fields.entry("status").or_insert(Value::Null);
    if !status.is_object() {
        *status = json!({});
    }
    if text(status, "qosClass").is_empty() {
        restore(status, before, "qosClass");
    }
    if number(status, "observedGeneration") == 0 {
        restore(status, before, "observedGeneration");
    }
    let mut generations: HashMap<&str, Vec<&Value>> = HashMap::new();
    for condition in list(before, "conditions").iter().rev() {
        generations.entry(text(condition, "type")).or_default().push(condition);
    }
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        let previous = generations.get_mut(text(condition, "type")).and_then(Vec::pop);
        if let Some(previous) = previous.filter(|_| number(condition, "observedGeneration") == 0) {
            restore(condition, previous, "observedGeneration");
        }
    }
}

/// What is wrong with a report.
pub(super) fn validate(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let options = Options::of_pod(scope, Some(old));
    let mut errors = ErrorList::new();
    let at = Path::new("metadata").child("annotations");
    let spec = &object["spec"];
    annotations::validate_update(&object["metadata"], &old["metadata"], spec, &at, &options, &mut errors);
    let at = Path::new("status");
    let (status, before) = (&object["status"], &old["status"]);
    validate_conditions(list(status, "conditions"), &at.child("conditions"), &mut errors);
    validate_nominated_node(status, before, &old["spec"], &at.child("nominatedNodeName"), &mut errors);
    let generation = number(status, "observedGeneration");
    if generation < 0 {
        errors.push(Error::invalid(&at.child("observedGeneration"), generation, "must be a non-negative integer"));
    }
    if text(status, "qosClass") != text(before, "qosClass") {
        errors.push(Error::invalid(&at.child("qosClass"), text(status, "qosClass"), FIELD_IMMUTABLE));
    }
    for (field, containers) in [
        ("containerStatuses", Some("containers")),
        ("initContainerStatuses", Some("initContainers")),
        ("ephemeralContainerStatuses", None),
    ] {
        let containers = containers.map(|containers| list(&old["spec"], containers));
        let (new, before) = (list(status, field), list(before, field));
        validate_states(new, before, &old["spec"], containers, &at.child(field), &mut errors);
    }
    validate_claims(status, spec, &at.child("resourceClaimStatuses"), &mut errors);
    validate_extended_claim(status, spec, &at.child("extendedResourceClaimStatus"), &mut errors);
    validate_addresses(status, before, "podIPs", &at, &mut errors);
    validate_addresses(status, before, "hostIPs", &at, &mut errors);
    for field in STATUS_LISTS {
        validate_users(list(status, field), spec, &at.child(field), &mut errors);
    }
    for (field, containers) in [("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")] {
        validate_allocated(list(status, field), list(spec, containers), &at.child(field), &mut errors);
    }
    for (i, container) in list(status, STATUS_LISTS[2]).iter().enumerate() {
        if !list(container, "allocatedResourcesStatus").is_empty() {
            let at = at.child(STATUS_LISTS[2]).index(i).child("allocatedResourcesStatus");
            errors.push(Error::forbidden(&at, "must not be specified in container status"));
        }
    }
    errors
}

const STATUS_LISTS: [&str; 3] = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

/// Addresses in forms that will be refused one day.
pub(super) fn warnings(object: &Value) -> Vec<String> {
    let at = Path::new("status");
    let of = |field: &str| {
        let addresses = list(&object["status"], field).iter().enumerate();
        let at = at.child(field);
        addresses
            .filter_map(|(i, address)| warning_for_ip(&at.index(i).child("ip"), text(address, "ip")))
            .collect::<Vec<_>>()
    };
    [of("podIPs"), of("hostIPs")].concat()
}

fn validate_conditions(conditions: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, condition) in conditions.iter().enumerate() {
        let generation = number(condition, "observedGeneration");
        if generation < 0 {
            let at = at.index(i).child("observedGeneration");
            errors.push(Error::invalid(&at, generation, "must be a non-negative integer"));
        }
        let kind = text(condition, "type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            let at = at.index(i).child("Type");
            errors.extend(is_qualified_name(kind).into_iter().map(|words| Error::invalid(&at, kind, words)));
        }
    }
}

fn validate_nominated_node(status: &Value, before: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    let name = text(status, "nominatedNodeName");
    if name.is_empty() || name == text(before, "nominatedNodeName") {
        return;
    }
    errors.extend(name_is_dns_subdomain(name, false).into_iter().map(|words| Error::invalid(at, name, words)));
    if !text(spec, "nodeName").is_empty() {
        errors.push(Error::forbidden(at, "may not be set on pods that are already bound to a node"));
    }
}

/// A container that has ended stays so, unless it is one that starts again. `containers` is none for those that never do.
fn validate_states(
    new: &[Value],
    old: &[Value],
    spec: &Value,
    containers: Option<&[Value]>,
    at: &Path,
    errors: &mut ErrorList,
) {
    let ended = |status: &Value| status.get("state").and_then(|state| present(state, "terminated")).cloned();
    let all = ["containers", "initContainers"].into_iter().flat_map(|name| list(spec, name));
    let rules = all.flat_map(|container| list(container, "restartPolicyRules"));
    let restarts_all = rules.into_iter().any(|rule| text(rule, "action") == "RestartAllContainers");
    if restarts_all && containers.is_some() {
        return;
    }
    for (i, before) in old.iter().enumerate() {
        let Some(end) = ended(before) else { continue };
        let name = text(before, "name");
        let mut lives = new.iter().filter(|status| text(status, "name") == name && ended(status).is_none());
        if lives.next().is_none() {
            continue;
        }
        let container = containers.and_then(|all| all.iter().find(|container| text(container, "name") == name));
        if !container.is_some_and(|container| starts_again(container, spec, number(&end, "exitCode"))) {
            let at = at.index(i).child("state");
            errors.push(Error::forbidden(&at, "may not be transitioned to non-terminated state"));
        }
    }
}

/// Whether a container that ended with a code starts again: by its rules, by its policy, by the pod's.
fn starts_again(container: &Value, spec: &Value, code: i64) -> bool {
    let applies = |rule: &&Value| {
        let codes = &rule["exitCodes"];
        let listed = list(codes, "values").iter().any(|value| value.as_i64() == Some(code));
        match text(codes, "operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    if let Some(rule) = list(container, "restartPolicyRules").iter().find(applies) {
        return text(rule, "action") == "Restart";
    }
    match optional_text(container, "restartPolicy").unwrap_or_else(|| text(spec, "restartPolicy")) {
        "Always" => true,
        "OnFailure" => code != 0,
        _ => false,
    }
}

fn validate_claims(status: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    let mut names = HashSet::new();
    for (i, claim) in list(status, "resourceClaimStatuses").iter().enumerate() {
        let at = at.index(i);
        let name = text(claim, "name");
        if !list(spec, "resourceClaims").iter().any(|claim| text(claim, "name") == name) {
            let words = "must match the name of an entry in `spec.resourceClaims`";
            errors.push(Error::invalid(&at.child("name"), name, words));
        }
        if !names.insert(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        }
        if let Some(claim) = optional_text(claim, "resourceClaimName") {
            let at = at.child("resourceClaimName");
            let messages = name_is_dns_subdomain(claim, false).into_iter();
            errors.extend(messages.map(|words| Error::invalid(&at, claim, words)));
        }
    }
}

fn validate_extended_claim(status: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    let Some(claim) = present(status, "extendedResourceClaimStatus") else { return };
    let mappings = list(claim, "requestMappings");
    let mappings_at = at.child("requestMappings");
    if mappings.is_empty() {
        errors.push(Error::required(&mappings_at, "at least one request mapping is required"));
    }
    let containers = || ["containers", "initContainers"].into_iter().flat_map(|name| list(spec, name));
    let mut seen = HashSet::new();
    for (i, mapping) in mappings.iter().enumerate() {
        let item = mappings_at.index(i);
        let of = |field: &str| text(mapping, field);
        let (container, resource, request) = (of("containerName"), of("resourceName"), of("requestName"));
        match containers().find(|other| text(other, "name") == container) {
            None => {
                let words = "must match the name of an entry in spec.initContainers.name or spec.containers.name";
                errors.push(Error::invalid(&item.child("containerName"), container, words));
            }
            Some(found) if found["resources"].get("requests").is_none_or(|asked| asked.get(resource).is_none()) => {
                let words = "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests";
                errors.push(Error::invalid(&item.child("resourceName"), resource, words));
            }
            Some(_) => {}
        }
        let request_at = at.child("requestName");
        let messages = is_dns1123_label(request).into_iter();
        errors.extend(messages.map(|words| Error::invalid(&request_at, request, words)));
        if !seen.insert((container, resource, request)) {
            for (field, value) in [("containerName", container), ("resourceName", resource), ("requestName", request)] {
                errors.push(Error::duplicate(&item.child(field), value));
            }
        }
    }
    let name = text(claim, "resourceClaimName");
    let at = at.child("resourceClaimName");
    if name.is_empty() {
        errors.push(Error::required(&at, ""));
    } else {
        let messages = name_is_dns_subdomain(name, false).into_iter();
        errors.extend(messages.map(|words| Error::invalid(&at, name, words)));
    }
}

fn validate_addresses(status: &Value, old: &Value, field: &str, at: &Path, errors: &mut ErrorList) {
    let at = at.child(field);
    let addresses: Vec<&str> = list(status, field).iter().map(|address| text(address, "ip")).collect();
    let Some(first) = addresses.first() else { return };
    if field == "hostIPs" && *first != text(status, "hostIP") {
        errors.push(Error::invalid(&at.index(0).child("ip"), *first, "must be equal to `hostIP`"));
    }
    let kept: Vec<&str> = list(old, field).iter().map(|address| text(address, "ip")).collect();
    for (i, address) in addresses.iter().enumerate() {
        errors.extend(validate_ip_or_kept(&at.index(i), address, &kept));
    }
    if addresses.len() > 1 {
        let dual = is_dual_stack(addresses.iter().copied());
        if dual.is_none() {
            let wrong = addresses.iter().position(|address| is_dual_stack([*address]).is_none()).unwrap_or(0);
            let shown = addresses.get(wrong).copied().unwrap_or_default();
            let words = format!("failed to check for dual stack with error:invalid IP: {wrong}={shown}");
            errors.push(Error::internal(&at, words));
        }
        if dual != Some(true) || addresses.len() > 2 {
            let kind = if field == "podIPs" { "[]core.PodIP" } else { "[]core.HostIP" };
            let words = "may specify no more than one IP for each IP family";
            errors.push(Error::invalid(&at, types::bad_value(kind, &status[field]), words));
        }
    }
}

fn validate_users(statuses: &[Value], spec: &Value, at: &Path, errors: &mut ErrorList) {
    let os = spec.get("os").map_or("linux", |os| text(os, "name"));
    for (i, status) in statuses.iter().enumerate() {
        let Some(user) = status.get("user").and_then(|user| present(user, "linux")) else { continue };
        let at = at.index(i).child("user").child("linux");
        if os == "windows" {
            errors.push(Error::forbidden(&at, "cannot be set for a windows pod"));
        } else if os == "linux" {
            for field in ["uid", "gid"] {
                security::validate_id(optional_number(user, field), &at.child(field), errors);
            }
            for (i, group) in list(user, "supplementalGroups").iter().enumerate() {
                security::validate_id(group.as_i64(), &at.child("supplementalGroups").index(i), errors);
            }
        }
    }
}

/// The health of devices is that of devices the container has.
fn validate_allocated(statuses: &[Value], containers: &[Value], at: &Path, errors: &mut ErrorList) {
    const HEALTH: [&str; 3] = ["Healthy", "Unhealthy", "Unknown"];
    for (i, status) in statuses.iter().enumerate() {
        let container = containers.iter().find(|container| text(container, "name") == text(status, "name"));
        for (j, resource) in list(status, "allocatedResourcesStatus").iter().enumerate() {
            let at = at.index(i).child("allocatedResourcesStatus").index(j);
            let name = text(resource, "name");
            if let Some(container) = container {
                let resources = &container["resources"];
                let (found, words) = if name.starts_with("claim:") {
                    let is_it = |claim: &Value| {
                        let request = text(claim, "request");
                        let slash = if request.is_empty() { "" } else { "/" };
                        name == format!("claim:{}{slash}{request}", text(claim, "name"))
                    };
                    let words = "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
                    (list(resources, "claims").iter().any(is_it), words)
                } else {
                    let requests = resources.get("requests");
                    let words = "must match one of the container's resource requests";
                    (requests.is_some_and(|requests| requests.get(name).is_some()), words)
                };
                if !found {
                    errors.push(Error::invalid(&at.child("name"), name, words));
                }
            }
            let mut ids = HashSet::new();
            for (k, one) in list(resource, "resources").iter().enumerate() {
                let at = at.child("resources").index(k);
                let (health, id) = (text(one, "health"), text(one, "resourceID"));
                if !HEALTH.contains(&health) {
                    errors.push(Error::not_supported(&at.child("health"), health, &HEALTH));
                }
                if !ids.insert(id) {
                    errors.push(Error::duplicate(&at.child("resourceID"), id));
                }
            }
        }
    }
}
