//! The containers of a pod, regular ones and those that come first.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::is_dns1123_label;
use serde_json::Value;

use super::spec::Surroundings;
use super::{environment, handlers, invalid_for, mounts, ports, resources, restart, security};
use crate::validation::read::{list, present, text};

/// Whether a container that comes first goes on running beside the others.
pub(crate) fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Whether a resize would start a container again.
pub(super) fn restarts_on_resize(container: &Value) -> bool {
    list(container, "resizePolicy").iter().any(|policy| text(policy, "restartPolicy") == "RestartContainer")
}

/// The regular containers of a spec.
pub(super) fn validate_regular(spec: &Value, around: &Surroundings<'_>, at: &Path, errors: &mut ErrorList) {
    let containers = list(spec, "containers");
    if containers.is_empty() {
        errors.push(Error::required(at, ""));
        return;
    }
    let mut names = HashSet::new();
    for (i, container) in containers.iter().enumerate() {
        let at = at.index(i);
        validate_common(container, around, &at, errors);
        let name = text(container, "name");
        if !names.insert(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        }
        handlers::validate(container, around.grace_period, around.os, &at, errors);
        restart::validate_container_policy(container, &at, errors);
    }
    ports::validate_host_ports(containers, at, errors);
}

/// The containers that come first.
pub(super) fn validate_init(spec: &Value, around: &Surroundings<'_>, at: &Path, errors: &mut ErrorList) {
    let mut names: HashSet<&str> = list(spec, "containers").iter().map(|container| text(container, "name")).collect();
    for (i, container) in list(spec, "initContainers").iter().enumerate() {
        let list_at = at;
        let at = at.index(i);
        validate_common(container, around, &at, errors);
        restart::validate_container_policy(container, &at, errors);
        let name = text(container, "name");
        if names.contains(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        } else if !name.is_empty() {
            names.insert(name);
        }
        // They run one after the other and so may share ports; upstream names the first, whichever it is.
        ports::validate_host_ports([container], list_at, errors);
        if is_sidecar(container) {
            handlers::validate(container, around.grace_period, around.os, &at, errors);
            continue;
        }
        for field in ["lifecycle"].iter().chain(&handlers::PROBES) {
            if present(container, field).is_some() {
                let words = "may not be set for init containers without restartPolicy=Always";
                errors.push(Error::forbidden(&at.child(field), words));
            }
        }
        if !around.options.keeps_restarting_init_resizes {
            for (j, policy) in list(container, "resizePolicy").iter().enumerate() {
                if text(policy, "restartPolicy") == "RestartContainer" {
                    let at = at.child("resizePolicy").index(j).child("restartPolicy");
                    let words = "must not be set to 'RestartContainer' for non-sidecar initContainers";
                    errors.push(Error::invalid(&at, "RestartContainer", words));
                }
            }
        }
    }
}

/// What is asked of a container of any kind.
pub(super) fn validate_common(container: &Value, around: &Surroundings<'_>, at: &Path, errors: &mut ErrorList) {
    let name = text(container, "name");
    if name.is_empty() {
        errors.push(Error::required(&at.child("name"), ""));
    } else {
        invalid_for(is_dns1123_label(name), &at.child("name"), name, errors);
    }
    if text(container, "image").is_empty() {
        errors.push(Error::required(&at.child("image"), ""));
    }
    match text(container, "terminationMessagePolicy") {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.push(Error::required(&at.child("terminationMessagePolicy"), "")),
        other => {
            let supported = ["File", "FallbackToLogsOnError"];
            errors.push(Error::not_supported(&at.child("terminationMessagePolicy"), other, &supported));
        }
    }
    ports::validate(list(container, "ports"), &at.child("ports"), errors);
    environment::validate(list(container, "env"), &at.child("env"), errors);
    environment::validate_from(list(container, "envFrom"), &at.child("envFrom"), errors);
    mounts::validate(container, &around.volumes, &at.child("volumeMounts"), errors);
    mounts::validate_devices(container, &around.volumes, &at.child("volumeDevices"), errors);
    validate_pull_policy(text(container, "imagePullPolicy"), &at.child("imagePullPolicy"), errors);
    let own = &container["resources"];
    resources::validate_container(own, &around.claims, &at.child("resources"), around.options, errors);
    let policies = list(container, "resizePolicy");
    restart::validate_resize_policy(policies, around.restart_policy, &at.child("resizePolicy"), errors);
    let context = &container["securityContext"];
    security::validate_container(context, around.host_users, around.options, &at.child("securityContext"), errors);
}

/// When an image is pulled.
pub(super) fn validate_pull_policy(policy: &str, at: &Path, errors: &mut ErrorList) {
    match policy {
        "Always" | "IfNotPresent" | "Never" => {}
        "" => errors.push(Error::required(at, "")),
        other => errors.push(Error::not_supported(at, other, &["Always", "IfNotPresent", "Never"])),
    }
}

/// What is asked of a container of a pod, and not of a template's.
pub(super) fn validate_of_pod(container: &Value, at: &Path, errors: &mut ErrorList) {
    let image = text(container, "image");
    if image.trim() != image {
        errors.push(Error::invalid(&at.child("image"), image, "must not have leading or trailing whitespace"));
    }
}
