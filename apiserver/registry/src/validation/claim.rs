//! The spec of a claim to storage, alone and as a template.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{
    is_dns1123_subdomain, name_is_dns_label, name_is_dns_subdomain, validate_annotations, validate_label_selector,
    validate_labels,
};
use serde_json::Value;

use super::pod::resources::{amount, validate_amount};
use super::read::{optional_text, present, text, texts};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// A template of a claim: labels, annotations and a spec.
pub(crate) fn validate_template(template: &Value, at: &Path, errors: &mut ErrorList) {
    /// What else metadata holds, in the order of upstream's type.
    const FORBIDDEN: [&str; 13] = [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ];
    let (metadata, meta_at) = (&template["metadata"], at.child("metadata"));
    errors.extend(validate_annotations(&metadata["annotations"], &meta_at.child("annotations")));
    errors.extend(validate_labels(&metadata["labels"], &meta_at.child("labels")));
    let is_set = |field: &&&str| {
        present(metadata, field)
            .is_some_and(|value| value != "" && value != 0 && value.as_array().is_none_or(|list| !list.is_empty()))
    };
    let names = FORBIDDEN.iter().filter(is_set);
    errors.extend(names.map(|field| {
        // Upstream lowers the first letter of the type's field alone.
        let shown = if *field == "uid" { "uID" } else { field };
        Error::forbidden(&meta_at.child(shown), "cannot be set")
    }));
    validate_spec(&template["spec"], &at.child("spec"), errors);
}

/// The spec of a claim.
pub(crate) fn validate_spec(spec: &Value, at: &Path, errors: &mut ErrorList) {
    let modes: Vec<&str> = texts(spec, "accessModes").collect();
    if modes.is_empty() {
        errors.push(Error::required(&at.child("accessModes"), "at least 1 access mode is required"));
    }
    errors.extend(validate_label_selector(&spec["selector"], false, &at.child("selector")));
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errors.push(Error::not_supported(&at.child("accessModes"), *mode, &ACCESS_MODES));
    }
    let is_other = |mode: &&str| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode);
    if modes.contains(&"ReadWriteOncePod") && modes.iter().any(is_other) {
        let words = "may not use ReadWriteOncePod with other access modes";
        errors.push(Error::forbidden(&at.child("accessModes"), words));
    }
    let storage_at = at.child("resources").key("storage");
    match amount(&spec["resources"], "requests", "storage") {
        None => errors.push(Error::required(&storage_at, "")),
        Some(storage) if storage.sign() <= 0 => {
            errors.push(Error::invalid(&storage_at, storage.to_string(), "must be greater than zero"));
        }
        Some(storage) => validate_amount("storage", &storage, &storage_at, errors),
    }
    validate_class(spec, "storageClassName", at, errors);
    if let Some(mode) = optional_text(spec, "volumeMode").filter(|mode| !matches!(*mode, "Block" | "Filesystem")) {
        errors.push(Error::not_supported(&at.child("volumeMode"), mode, &["Block", "Filesystem"]));
    }
    let (source, reference) = (present(spec, "dataSource"), present(spec, "dataSourceRef"));
    for (field, source) in [("dataSource", source), ("dataSourceRef", reference)] {
        if let Some(source) = source {
            validate_source(source, &at.child(field), errors);
        }
    }
    if let (Some(source), Some(reference)) = (source, reference) {
        let differs = ["apiGroup", "kind", "name"].iter().any(|field| text(source, field) != text(reference, field));
        let words = if !text(reference, "namespace").is_empty() {
            Some("may not be specified when dataSourceRef.namespace is specified")
        } else {
            differs.then_some("must match dataSourceRef")
        };
        if let Some(words) = words {
            errors.push(Error::invalid(at, at.child("dataSource").as_str(), words));
        }
    }
    validate_class(spec, "volumeAttributesClassName", at, errors);
}

fn validate_class(spec: &Value, field: &str, at: &Path, errors: &mut ErrorList) {
    let name = text(spec, field);
    if !name.is_empty() {
        let messages = name_is_dns_subdomain(name, false).into_iter();
        errors.extend(messages.map(|words| Error::invalid(&at.child(field), name, words)));
    }
}

fn validate_source(source: &Value, at: &Path, errors: &mut ErrorList) {
    let (group, kind, namespace) = (text(source, "apiGroup"), text(source, "kind"), text(source, "namespace"));
    for field in ["name", "kind"] {
        if text(source, field).is_empty() {
            errors.push(Error::required(&at.child(field), ""));
        }
    }
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let words = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(Error::invalid(at, kind, words));
    }
    if !group.is_empty() {
        let messages = is_dns1123_subdomain(group).into_iter();
        errors.extend(messages.map(|words| Error::invalid(&at.child("apiGroup"), group, words)));
    }
    if !namespace.is_empty() {
        let messages = name_is_dns_label(namespace, false).into_iter();
        errors.extend(messages.map(|words| Error::invalid(&at.child("namespace"), namespace, words)));
    }
}
