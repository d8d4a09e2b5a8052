//! Security contexts, of pods and of containers.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::range_message;
use serde_json::Value;

use super::{Options, every_container_at, profiles, windows};
use crate::validation::read::{flag, list, optional_flag, optional_number, optional_text, present, text, texts};
use schema::types;

/// The most a user's or a group's number can be.
const MOST_ID: i64 = i32::MAX as i64;

/// The number of a user or of a group.
pub(crate) fn validate_id(id: Option<i64>, at: &Path, errors: &mut ErrorList) {
    if let Some(id) = id.filter(|id| !(0..=MOST_ID).contains(id)) {
        errors.push(Error::invalid(at, id, range_message(0, MOST_ID)));
    }
}

/// The security context of a pod.
pub(super) fn validate_pod(spec: &Value, spec_at: &Path, options: &Options, errors: &mut ErrorList) {
    let Some(context) = present(spec, "securityContext") else { return };
    let at = spec_at.child("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        validate_id(optional_number(context, field), &at.child(field), errors);
    }
    for (i, group) in list(context, "supplementalGroups").iter().enumerate() {
        validate_id(group.as_i64(), &at.child("supplementalGroups").index(i), errors);
    }
    if flag(spec, "hostPID") && flag(spec, "shareProcessNamespace") {
        let words = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(Error::invalid(&at.child("shareProcessNamespace"), true, words));
    }
    validate_sysctls(spec, list(context, "sysctls"), &at.child("sysctls"), options, errors);
    validate_choice(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], &at, errors);
    profiles::validate_seccomp(&context["seccompProfile"], &at.child("seccompProfile"), errors);
    windows::validate_options(&context["windowsOptions"], &at.child("windowsOptions"), errors);
    profiles::validate_app_armor(&context["appArmorProfile"], &at.child("appArmorProfile"), errors);
    validate_choice(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &at, errors);
    // Other ways to label need nodes that mount with a label, which is not on by default.
    validate_choice(context, "seLinuxChangePolicy", &["Recursive"], &at, errors);
}

fn validate_choice(context: &Value, field: &str, supported: &[&str], at: &Path, errors: &mut ErrorList) {
    if let Some(choice) = optional_text(context, field).filter(|choice| !supported.contains(choice)) {
        errors.push(Error::not_supported(&at.child(field), choice, supported));
    }
}

fn validate_sysctls(spec: &Value, sysctls: &[Value], at: &Path, options: &Options, errors: &mut ErrorList) {
    const MOST: usize = 253;
    let mut names = HashSet::new();
    for (i, sysctl) in sysctls.iter().enumerate() {
        let at = at.index(i).child("name");
        let name = text(sysctl, "name");
        if name.is_empty() {
            errors.push(Error::required(&at, ""));
        } else if name.len() > MOST || !is_sysctl(name) {
            let words = format!(
                r"must have at most {MOST} characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            );
            errors.push(Error::invalid(&at, name, words));
        } else if names.contains(name) {
            errors.push(Error::duplicate(&at, name));
        }
        if let Some(shared) = shared_namespace(spec, name).filter(|_| !options.keeps_host_sysctls) {
            errors.push(Error::invalid(&at, name, format!("may not be specified when '{shared}' is true")));
        }
        names.insert(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let of_ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.split(['.', '/']).all(|part| {
        let bytes = part.as_bytes();
        let inside = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        of_ends(bytes.first()) && of_ends(bytes.last()) && bytes.iter().all(inside)
    })
}

/// The field that shares with the host what a parameter of the kernel belongs to.
fn shared_namespace(spec: &Value, sysctl: &str) -> Option<&'static str> {
    let normal;
    let name = match sysctl.find(['.', '/']) {
        Some(at) if sysctl.as_bytes()[at] == b'/' => {
            let swap = |c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            };
            normal = sysctl.chars().map(swap).collect::<String>();
            normal.as_str()
        }
        _ => sysctl,
    };
    let is_ipc =
        name == "kernel.sem" || ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|of| name.starts_with(of));
    if name.starts_with("net.") && flag(spec, "hostNetwork") {
        Some("hostNetwork")
    } else if is_ipc && flag(spec, "hostIPC") {
        Some("hostIPC")
    } else {
        None
    }
}

/// Whether a pod sets parameters that it shares with the host.
pub(super) fn has_host_sysctls(spec: &Value) -> bool {
    list(&spec["securityContext"], "sysctls")
        .iter()
        .any(|sysctl| shared_namespace(spec, text(sysctl, "name")).is_some())
}

/// The security context of a container; `host_users` says that its users are the host's.
pub(super) fn validate_container(
    context: &Value,
    host_users: bool,
    options: &Options,
    at: &Path,
    errors: &mut ErrorList,
) {
    if context.is_null() {
        return;
    }
    let privileged = flag(context, "privileged");
    if privileged && !options.allow_privileged {
        errors.push(Error::forbidden(&at.child("privileged"), "disallowed by cluster policy"));
    }
    for field in ["runAsUser", "runAsGroup"] {
        validate_id(optional_number(context, field), &at.child(field), errors);
    }
    validate_choice(context, "procMount", &["Default", "Unmasked"], at, errors);
    if host_users && text(context, "procMount") == "Unmasked" {
        let words = "`hostUsers` must be false to use `Unmasked`";
        errors.push(Error::invalid(&at.child("procMount"), "Unmasked", words));
    }
    profiles::validate_seccomp(&context["seccompProfile"], &at.child("seccompProfile"), errors);
    if optional_flag(context, "allowPrivilegeEscalation") == Some(false) {
        let mut contradicts = |what: &str| {
            let words = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            errors.push(Error::invalid(at, types::bad_value("core.SecurityContext", context), words));
        };
        if privileged {
            contradicts("`privileged` to true");
        }
        if !options.keeps_sys_admin && adds_sys_admin(context) {
            contradicts("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    windows::validate_options(&context["windowsOptions"], &at.child("windowsOptions"), errors);
    profiles::validate_app_armor(&context["appArmorProfile"], &at.child("appArmorProfile"), errors);
}

/// Whether a container asks for nearly every privilege.
pub(super) fn adds_sys_admin(context: &Value) -> bool {
    context.get("capabilities").is_some_and(|capabilities| texts(capabilities, "add").any(|one| one == "CAP_SYS_ADMIN"))
}

/// A pod with users of its own shares no other namespace with the host.
pub(super) fn validate_user_namespace(spec: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    const WORDS: &str = "when `hostUsers` is false";
    if optional_flag(spec, "hostUsers").unwrap_or(true) {
        return;
    }
    // Two of upstream's paths are its type's names.
    for (field, shown) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if flag(spec, field) {
            errors.push(Error::forbidden(&at.child(shown), WORDS));
        }
    }
    if options.keeps_devices_of_user_namespaces {
        return;
    }
    for (at, container) in every_container_at(spec, at) {
        if !list(container, "volumeDevices").is_empty() {
            errors.push(Error::forbidden(&at.child("volumeDevices"), WORDS));
        }
    }
}
