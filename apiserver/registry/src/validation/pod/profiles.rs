//! Profiles of seccomp and AppArmor, in fields and in the annotations that were before them.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use serde_json::Value;

use super::every_container_at;
use super::paths::validate_descending;
use crate::validation::read::{annotation, optional_text, present, text};
use schema::types;

/// The annotation with a pod's seccomp profile, and the prefix of those with a container's.
pub(crate) const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
/// The prefix of the annotations with a container's seccomp profile.
pub(crate) const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
/// The prefix of the annotations with a container's AppArmor profile.
pub(crate) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const LOCALHOST: &str = "localhost/";

const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

/// A field with a seccomp profile.
pub(super) fn validate_seccomp(profile: &Value, at: &Path, errors: &mut ErrorList) {
    if profile.is_null() {
        return;
    }
    let kind = text(profile, "type");
    if kind.is_empty() {
        errors.push(Error::required(&at.child("type"), "type is required when seccompProfile is set"));
    } else if !TYPES.contains(&kind) {
        errors.push(Error::not_supported(&at.child("type"), kind, &TYPES));
    }
    let at = at.child("localhostProfile");
    match optional_text(profile, "localhostProfile") {
        None if kind == "Localhost" => {
            errors.push(Error::required(&at, "must be set when seccomp type is Localhost"));
        }
        Some(path) if kind == "Localhost" => validate_descending(path, &at, errors),
        Some(_) => {
            let words = "can only be set when seccomp type is Localhost";
            errors.push(Error::invalid(&at, types::bad_value("core.SeccompProfile", profile), words));
        }
        None => {}
    }
}

/// A field with an AppArmor profile.
pub(crate) fn validate_app_armor(profile: &Value, at: &Path, errors: &mut ErrorList) {
    /// The longest path there is.
    const MOST: usize = 4095;
    if profile.is_null() {
        return;
    }
    let local = optional_text(profile, "localhostProfile");
    match (text(profile, "type"), local) {
        ("Localhost", None) => {
            let words = "must be set when AppArmor type is Localhost";
            errors.push(Error::required(&at.child("localhostProfile"), words));
        }
        ("Localhost", Some(name)) => {
            let at = at.child("localhostProfile");
            if name.trim() != name {
                errors.push(Error::invalid(&at, name, "must not be padded with whitespace"));
            } else if name.is_empty() {
                errors.push(Error::required(&at, "must be set when AppArmor type is Localhost"));
            }
            if name.len() > MOST {
                errors.push(Error::too_long(&at, MOST));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            let words = "can only be set when AppArmor type is Localhost";
            errors.push(Error::invalid(&at.child("localhostProfile"), name, words));
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.push(Error::required(&at.child("type"), "type is required when appArmorProfile is set")),
        (other, _) => errors.push(Error::not_supported(&at.child("type"), other, &TYPES)),
    }
}

/// A seccomp profile in an annotation.
fn validate_seccomp_text(profile: &str, at: &Path, errors: &mut ErrorList) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match profile.strip_prefix(LOCALHOST) {
        Some(path) => validate_descending(path, at, errors),
        None => errors.push(Error::invalid(at, profile, "must be a valid seccomp profile")),
    }
}

/// The annotations with profiles.
pub(super) fn validate_annotations(metadata: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    if let Some(profile) = annotation(metadata, SECCOMP_POD) {
        validate_seccomp_text(profile, &at.child(SECCOMP_POD), errors);
    }
    let annotations = || metadata.get("annotations").and_then(Value::as_object).into_iter().flatten();
    for (key, profile) in annotations().filter(|(key, _)| key.starts_with(SECCOMP_CONTAINER)) {
        validate_seccomp_text(profile.as_str().unwrap_or_default(), &at.child(key), errors);
    }
    for (key, profile) in annotations() {
        let Some(name) = key.strip_prefix(APP_ARMOR) else { continue };
        if !super::every_container(spec).any(|container| text(container, "name") == name) {
            errors.push(Error::invalid(&at.key(key), name, "container not found"));
        }
        let profile = profile.as_str().unwrap_or_default();
        if !is_app_armor_text(profile) {
            let words = format!("invalid AppArmor profile name: {}", quoted(profile));
            errors.push(Error::invalid(&at.key(key), profile, words));
        }
    }
}

fn is_app_armor_text(profile: &str) -> bool {
    matches!(profile, "" | "runtime/default" | "unconfined") || profile.starts_with(LOCALHOST)
}

/// Where there is a field and an annotation, they say the same.
pub(crate) fn validate_seccomp_agreement(metadata: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    let mut agree = |key: &str, holder: &Value, at: &dyn Fn() -> Path| {
        let profile = holder.get("securityContext").and_then(|context| present(context, "seccompProfile"));
        let (Some(said), Some(profile)) = (annotation(metadata, key), profile) else { return };
        let differing = match text(profile, "type") {
            "Unconfined" if said != "unconfined" => Some("type"),
            "RuntimeDefault" if !matches!(said, "runtime/default" | "docker/default") => Some("type"),
            "Localhost" => match said.strip_prefix(LOCALHOST) {
                None => Some("type"),
                Some(path) if optional_text(profile, "localhostProfile") != Some(path) => Some("localhostProfile"),
                Some(_) => None,
            },
            _ => None,
        };
        if let Some(field) = differing {
            let what = if field == "type" { "type" } else { "profile" };
            let words = format!("seccomp {what} in annotation and field must match");
            errors.push(Error::forbidden(&at().child("securityContext").child("seccompProfile").child(field), words));
        }
    };
    agree(SECCOMP_POD, spec, &|| at.clone());
    if metadata.get("annotations").is_none() {
        return;
    }
    for (at, container) in every_container_at(spec, at) {
        let key = format!("{SECCOMP_CONTAINER}{}", text(container, "name"));
        agree(&key, container, &|| at.clone());
    }
}

/// The same of AppArmor, asked of a new pod.
pub(crate) fn validate_app_armor_agreement(metadata: &Value, spec: &Value, at: &Path, errors: &mut ErrorList) {
    let is_windows = spec.get("os").is_some_and(|os| text(os, "name") == "windows");
    if is_windows || metadata.get("annotations").is_none() {
        return;
    }
    let of =
        |holder: &Value| holder.get("securityContext").and_then(|context| present(context, "appArmorProfile")).cloned();
    let of_pod = of(spec);
    for (at, container) in every_container_at(spec, at) {
        let Some(profile) = of(container).or_else(|| of_pod.clone()) else { continue };
        let key = format!("{APP_ARMOR}{}", text(container, "name"));
        let Some(said) = annotation(metadata, &key) else { continue };
        let at = at.child("securityContext").child("appArmorProfile");
        let type_differs = match text(&profile, "type") {
            "Unconfined" => said != "unconfined",
            "RuntimeDefault" => said != "runtime/default",
            "Localhost" => !said.starts_with(LOCALHOST),
            _ => continue,
        };
        if type_differs {
            errors.push(Error::forbidden(&at.child("type"), "apparmor type in annotation and field must match"));
        } else if let Some(path) = said.strip_prefix(LOCALHOST)
            && optional_text(&profile, "localhostProfile") != Some(path)
        {
            let words = "apparmor profile in annotation and field must match";
            errors.push(Error::forbidden(&at.child("localhostProfile"), words));
        }
    }
}
