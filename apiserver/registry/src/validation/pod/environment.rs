//! The environment of containers.

use std::collections::HashMap;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::validation::{
    is_config_map_key, is_dns1123_label, is_qualified_name, is_relaxed_env_var_name, name_is_dns_subdomain,
};
use serde_json::Value;

use super::paths::validate_no_backsteps;
use super::{every_container_at, invalid_for};
use crate::validation::read::{list, present, text};

/// The fields of a pod that a variable may show, sorted.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The variables of a container.
pub(super) fn validate(variables: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, variable) in variables.iter().enumerate() {
        let at = at.index(i);
        let name = text(variable, "name");
        if name.is_empty() {
            errors.push(Error::required(&at.child("name"), ""));
        } else {
            invalid_for(is_relaxed_env_var_name(name), &at.child("name"), name, errors);
        }
        if let Some(source) = present(variable, "valueFrom") {
            validate_source(source, !text(variable, "value").is_empty(), &at.child("valueFrom"), errors);
        }
    }
}

fn validate_source(source: &Value, has_value: bool, at: &Path, errors: &mut ErrorList) {
    let mut sources = 0;
    let mut found = |kind: &str| {
        let found = present(source, kind);
        sources += usize::from(found.is_some());
        found
    };
    if let Some(reference) = found("fieldRef") {
        validate_field(reference, &FIELDS, &at.child("fieldRef"), errors);
    }
    if let Some(reference) = found("resourceFieldRef") {
        validate_resource(reference, false, &at.child("resourceFieldRef"), errors);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(reference) = found(kind) {
            validate_key(reference, &at.child(kind), errors);
        }
    }
    if let Some(reference) = found("fileKeyRef") {
        validate_file_key(reference, &at.child("fileKeyRef"), errors);
    }
    let words = match sources {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(Error::invalid(at, "", words));
}

/// A field of the pod; `supported` are those that can be shown here.
pub(super) fn validate_field(reference: &Value, supported: &[&str], at: &Path, errors: &mut ErrorList) {
    let (version, path) = (text(reference, "apiVersion"), text(reference, "fieldPath"));
    if version.is_empty() {
        errors.push(Error::required(&at.child("apiVersion"), ""));
        return;
    }
    if path.is_empty() {
        errors.push(Error::required(&at.child("fieldPath"), ""));
        return;
    }
    let path = match convert_label(version, path) {
        Ok(path) => path,
        Err(why) => {
            let words = format!("error converting fieldPath: {why}");
            errors.push(Error::invalid(&at.child("fieldPath"), path, words));
            return;
        }
    };
    match subscript(path) {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            invalid_for(is_qualified_name(&key), at, &key, errors);
        }
        Some((_, key)) => invalid_for(is_qualified_name(key), at, key, errors),
        None if supported.contains(&path) => {}
        None => errors.push(Error::not_supported(&at.child("fieldPath"), path, supported)),
    }
}

/// `metadata.labels['key']` as its path and its key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (path, key) = path.strip_suffix("']")?.split_once("['")?;
    (!path.is_empty()).then_some((path, key))
}

/// The internal name of a field of pods.
fn convert_label<'a>(version: &str, label: &'a str) -> Result<&'a str, String> {
    if version != "v1" {
        return Err(format!("unsupported pod version: {version}"));
    }
    if let Some((path, _)) = subscript(label) {
        return match path {
            "metadata.annotations" | "metadata.labels" => Ok(label),
            _ => Err(format!("field label does not support subscript: {label}")),
        };
    }
    match label {
        "metadata.annotations"
        | "metadata.labels"
        | "metadata.name"
        | "metadata.namespace"
        | "metadata.uid"
        | "spec.nodeName"
        | "spec.restartPolicy"
        | "spec.serviceAccountName"
        | "spec.schedulerName"
        | "status.phase"
        | "status.hostIP"
        | "status.hostIPs"
        | "status.podIP"
        | "status.podIPs" => Ok(label),
        "spec.host" => Ok("spec.nodeName"),
        _ => Err(format!("field label not supported: {label}")),
    }
}

/// A resource of a container; in a volume the container must be named.
pub(super) fn validate_resource(reference: &Value, in_volume: bool, at: &Path, errors: &mut ErrorList) {
    const SUPPORTED: [&str; 6] = [
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
    ];
    let resource = text(reference, "resource");
    let is_huge = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if in_volume && text(reference, "containerName").is_empty() {
        errors.push(Error::required(&at.child("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(Error::required(&at.child("resource"), ""));
    } else if !SUPPORTED.contains(&resource) && !is_huge {
        errors.push(Error::not_supported(&at.child("resource"), resource, &SUPPORTED));
    }
    validate_divisor(reference, resource, at, errors);
}

fn validate_divisor(reference: &Value, resource: &str, at: &Path, errors: &mut ErrorList) {
    const BYTES: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let divisor = present(reference, "divisor").and_then(|divisor| Quantity::from_value(divisor).ok());
    let Some(divisor) = divisor.filter(|divisor| !divisor.is_zero()).map(|divisor| divisor.to_string()) else {
        return;
    };
    let what = match resource.split_once('.') {
        Some(("limits" | "requests", "cpu")) => {
            if divisor != "1m" && divisor != "1" {
                let words = "only divisor's values 1m and 1 are supported with the cpu resource";
                errors.push(Error::invalid(&at.child("divisor"), resource, words));
            }
            return;
        }
        Some(("limits" | "requests", "memory")) => "memory",
        Some(("limits" | "requests", "ephemeral-storage")) => "local ephemeral storage",
        Some(("limits" | "requests", name)) if name.starts_with("hugepages-") => "hugepages",
        _ => return,
    };
    if !BYTES.contains(&divisor.as_str()) {
        let words = format!("only divisor's values {} are supported with the {what} resource", BYTES.join(", "));
        errors.push(Error::invalid(&at.child("divisor"), resource, words));
    }
}

/// A key of a configuration or of a secret.
fn validate_key(reference: &Value, at: &Path, errors: &mut ErrorList) {
    let (name, key) = (text(reference, "name"), text(reference, "key"));
    invalid_for(name_is_dns_subdomain(name, false), &at.child("name"), name, errors);
    if key.is_empty() {
        errors.push(Error::required(&at.child("key"), ""));
    } else {
        invalid_for(is_config_map_key(key), &at.child("key"), key, errors);
    }
}

/// A variable in a file of a volume.
fn validate_file_key(reference: &Value, at: &Path, errors: &mut ErrorList) {
    let (key, volume, path) = (text(reference, "key"), text(reference, "volumeName"), text(reference, "path"));
    if key.is_empty() {
        errors.push(Error::required(&at.child("key"), ""));
    } else {
        invalid_for(is_relaxed_env_var_name(key), &at.child("key"), key, errors);
    }
    if volume.is_empty() {
        errors.push(Error::required(&at.child("volumeName"), ""));
    } else {
        invalid_for(is_dns1123_label(volume), &at.child("volumeName"), volume, errors);
    }
    if path.is_empty() {
        errors.push(Error::required(&at.child("path"), ""));
    } else {
        validate_no_backsteps(path, &at.child("path"), errors);
    }
}

/// What all variables of a container come from.
pub(super) fn validate_from(sources: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, source) in sources.iter().enumerate() {
        let item = at.index(i);
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            invalid_for(is_relaxed_env_var_name(prefix), &item.child("prefix"), prefix, errors);
        }
        let mut found = 0;
        for kind in ["configMapRef", "secretRef"] {
            let Some(reference) = present(source, kind) else { continue };
            found += 1;
            let at = item.child(kind).child("name");
            match text(reference, "name") {
                "" => errors.push(Error::required(&at, "")),
                name => invalid_for(name_is_dns_subdomain(name, true), &at, name, errors),
            }
        }
        // Upstream's path leaves the index out.
        match found {
            0 => errors.push(Error::invalid(at, "", "must specify one of: `configMapRef` or `secretRef`")),
            1 => {}
            _ => errors.push(Error::invalid(at, "", "may not have more than one field specified at a time")),
        }
    }
}

/// Files with variables lie in volumes that begin empty.
pub(super) fn validate_file_volumes(spec: &Value, at: &Path, errors: &mut ErrorList) {
    let volumes: HashMap<&str, &Value> =
        list(spec, "volumes").iter().map(|volume| (text(volume, "name"), volume)).collect();
    for (at, container) in every_container_at(spec, at) {
        for (i, variable) in list(container, "env").iter().enumerate() {
            let Some(reference) = variable.get("valueFrom").and_then(|from| present(from, "fileKeyRef")) else {
                continue;
            };
            let name = text(reference, "volumeName");
            let at = || at.child("env").index(i).child("valueFrom").child("fileKeyRef").child("volumeName");
            match volumes.get(name) {
                None => errors.push(Error::not_found(&at(), name)),
                Some(volume) if present(volume, "emptyDir").is_none() => {
                    errors.push(Error::invalid(&at(), name, "referenced volume must be of type emptyDir"));
                }
                Some(_) => {}
            }
        }
    }
}
