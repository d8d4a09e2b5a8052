//! Where containers see volumes: as files, or as devices.

use std::collections::{HashMap, HashSet};

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::paths::{climbs, validate_descending};
use super::volumes::Named;
use crate::validation::read::{flag, list, optional_text, present, text};

/// The volume mounts of a container.
pub(super) fn validate(container: &Value, volumes: &Named<'_>, at: &Path, errors: &mut ErrorList) {
    let devices = by_name(container, "volumeDevices", "devicePath");
    let mut paths = HashSet::new();
    for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
        let item = at.index(i);
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.push(Error::required(&item.child("name"), ""));
        }
        if !volumes.contains_key(name) {
            errors.push(Error::not_found(&item.child("name"), name));
        }
        if path.is_empty() {
            errors.push(Error::required(&item.child("mountPath"), ""));
        }
        if !paths.insert(path) {
            errors.push(Error::invalid(&item.child("mountPath"), path, "must be unique"));
        }
        if devices.contains_key(name) {
            errors.push(Error::invalid(&item.child("name"), name, "must not already exist in volumeDevices"));
        }
        if devices.values().any(|device| *device == path) {
            let words = "must not already exist as a path in volumeDevices";
            errors.push(Error::invalid(&item.child("mountPath"), path, words));
        }
        // Upstream's paths of these leave the index out.
        let (sub_path, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        if !sub_path.is_empty() {
            validate_descending(sub_path, &at.child("subPath"), errors);
        }
        if !expression.is_empty() {
            if !sub_path.is_empty() {
                let words = "subPathExpr and subPath are mutually exclusive";
                errors.push(Error::invalid(&item.child("subPathExpr"), expression, words));
            }
            validate_descending(expression, &at.child("subPathExpr"), errors);
        }
        validate_propagation(mount, container, &at.child("mountPropagation"), errors);
        validate_recursive_read_only(mount, &at.child("recursiveReadOnly"), errors);
    }
}

fn validate_propagation(mount: &Value, container: &Value, at: &Path, errors: &mut ErrorList) {
    let Some(propagation) = optional_text(mount, "mountPropagation") else { return };
    if !matches!(propagation, "Bidirectional" | "HostToContainer" | "None") {
        errors.push(Error::not_supported(at, propagation, &["Bidirectional", "HostToContainer", "None"]));
    }
    if propagation == "Bidirectional" && !flag(&container["securityContext"], "privileged") {
        let words = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(Error::forbidden(at, words));
    }
}

fn validate_recursive_read_only(mount: &Value, at: &Path, errors: &mut ErrorList) {
    match optional_text(mount, "recursiveReadOnly") {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !flag(mount, "readOnly") {
                errors.push(Error::forbidden(at, "may only be specified when readOnly is true"));
            }
            if optional_text(mount, "mountPropagation").is_some_and(|propagation| propagation != "None") {
                let words = "may only be specified when mountPropagation is None or not specified";
                errors.push(Error::forbidden(at, words));
            }
        }
        Some(other) => errors.push(Error::not_supported(at, other, &["Disabled", "Enabled", "IfPossible"])),
    }
}

/// The volumes a container sees as devices.
pub(super) fn validate_devices(container: &Value, volumes: &Named<'_>, at: &Path, errors: &mut ErrorList) {
    let mounts = by_name(container, "volumeMounts", "mountPath");
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    for (i, device) in list(container, "volumeDevices").iter().enumerate() {
        let at = at.index(i);
        let (name, path) = (text(device, "name"), text(device, "devicePath"));
        let source = volumes.get(name);
        if name.is_empty() {
            errors.push(Error::required(&at.child("name"), ""));
        }
        if names.contains(name) {
            errors.push(Error::invalid(&at.child("name"), name, "must be unique"));
        }
        let is_claim = |volume: &&Value| {
            present(volume, "persistentVolumeClaim").is_some() || present(volume, "ephemeral").is_some()
        };
        if source.is_some_and(|volume| !is_claim(volume)) {
            let words = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            errors.push(Error::invalid(&at.child("name"), name, words));
        }
        if source.is_none() {
            errors.push(Error::not_found(&at.child("name"), name));
        }
        if path.is_empty() {
            errors.push(Error::required(&at.child("devicePath"), ""));
        }
        if paths.contains(path) {
            errors.push(Error::invalid(&at.child("devicePath"), path, "must be unique"));
        }
        if climbs(path) {
            errors.push(Error::invalid(&at.child("devicePath"), path, "can not contain backsteps ('..')"));
        } else {
            paths.insert(path);
        }
        if mounts.contains_key(name) {
            errors.push(Error::invalid(&at.child("name"), name, "must not already exist in volumeMounts"));
        }
        if mounts.values().any(|mounted| *mounted == path) {
            let words = "must not already exist as a path in volumeMounts";
            errors.push(Error::invalid(&at.child("devicePath"), path, words));
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}

fn by_name<'a>(container: &'a Value, of: &str, path: &str) -> HashMap<&'a str, &'a str> {
    list(container, of).iter().map(|item| (text(item, "name"), text(item, path))).collect()
}
