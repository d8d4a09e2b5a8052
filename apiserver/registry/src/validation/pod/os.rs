//! What a pod may say that names the system it is for.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::every_container_at;
use crate::validation::read::{flag, list, present, text};

/// Checks the name, and the fields that the other system has no use for.
pub(super) fn validate(spec: &Value, at: &Path, errors: &mut ErrorList) {
    let Some(os) = present(spec, "os") else { return };
    match text(os, "name") {
        "linux" => validate_linux(spec, at, errors),
        "windows" => validate_windows(spec, at, errors),
        "" => errors.push(Error::required(&at.child("os").child("name"), "")),
        other => errors.push(Error::not_supported(&at.child("os"), other, &["linux", "windows"])),
    }
}

fn validate_linux(spec: &Value, at: &Path, errors: &mut ErrorList) {
    let mut check = |holder: &Value, at: &Path| {
        let context = holder.get("securityContext");
        if context.is_some_and(|context| present(context, "windowsOptions").is_some()) {
            let at = at.child("securityContext").child("windowsOptions");
            errors.push(Error::forbidden(&at, "windows options cannot be set for a linux pod"));
        }
    };
    check(spec, at);
    for (at, container) in every_container_at(spec, at) {
        check(container, &at);
    }
}

fn validate_windows(spec: &Value, at: &Path, errors: &mut ErrorList) {
    /// In upstream's order; the empty context stands for the spec itself.
    const OF_POD: [(&str, &str); 15] = [
        ("securityContext", "appArmorProfile"),
        ("securityContext", "seLinuxOptions"),
        ("", "hostUsers"),
        ("", "hostPID"),
        ("", "hostIPC"),
        ("securityContext", "seccompProfile"),
        ("securityContext", "fsGroup"),
        ("securityContext", "fsGroupChangePolicy"),
        ("securityContext", "sysctls"),
        ("", "shareProcessNamespace"),
        ("securityContext", "runAsUser"),
        ("securityContext", "runAsGroup"),
        ("securityContext", "supplementalGroups"),
        ("securityContext", "supplementalGroupsPolicy"),
        ("securityContext", "seLinuxChangePolicy"),
    ];
    const OF_CONTAINER: [&str; 10] = [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ];
    const WORDS: &str = "cannot be set for a windows pod";
    for (context, field) in OF_POD {
        let (holder, at) = if context.is_empty() { (spec, at.clone()) } else { (&spec[context], at.child(context)) };
        let is_set = match field {
            "hostPID" | "hostIPC" => flag(holder, field),
            "sysctls" => !list(holder, field).is_empty(),
            _ => present(holder, field).is_some(),
        };
        if is_set {
            errors.push(Error::forbidden(&at.child(field), WORDS));
        }
    }
    for (at, container) in every_container_at(spec, at) {
        let context = &container["securityContext"];
        for field in OF_CONTAINER.iter().filter(|field| present(context, field).is_some()) {
            errors.push(Error::forbidden(&at.child("securityContext").child(field), WORDS));
        }
    }
}
