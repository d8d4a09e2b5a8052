//! Rules for `metadata`, on create and on update.

use std::collections::BTreeSet;

use serde_json::Value;

use super::format::{Messages, is_qualified_name, is_valid_label_value, name_is_dns_label};
use crate::field::{BadValue, Error, ErrorList, Path};
use crate::gvk::GroupVersionKind;
use crate::meta::OwnerReference;
use crate::quote::{is_print, quoted};

/// The most that an object's annotations may hold, keys and values together, in bytes.
pub const TOTAL_ANNOTATION_SIZE_MAX: usize = 256 * 1024;
/// What upstream says of a field that changed and may not.
pub const FIELD_IMMUTABLE: &str = "field is immutable";
/// What upstream says of a number below 0.
pub const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// The finalizer of an object whose dependents are orphaned.
pub const FINALIZER_ORPHAN_DEPENDENTS: &str = "orphan";
/// The finalizer of an object that waits for its dependents to go.
pub const FINALIZER_DELETE_DEPENDENTS: &str = "foregroundDeletion";

const FIELD_MANAGER_MAX: usize = 128;
const SUBRESOURCE_NAME_MAX: usize = 256;

/// Checks the `metadata` of an object to be created; names must have been generated before.
pub fn validate_object_meta(
    meta: &Value,
    requires_namespace: bool,
    name_fn: impl Fn(&str, bool) -> Messages,
    at: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let generate_name = text(meta, "generateName");
    if !generate_name.is_empty() {
        let messages = name_fn(generate_name, true);
        errors.extend(messages.into_iter().map(|why| Error::invalid(&at.child("generateName"), generate_name, why)));
    }
    let name = text(meta, "name");
    if name.is_empty() {
        errors.push(Error::required(&at.child("name"), "name or generateName is required"));
    } else {
        errors.extend(name_fn(name, false).into_iter().map(|why| Error::invalid(&at.child("name"), name, why)));
    }
    let namespace = text(meta, "namespace");
    if requires_namespace {
        if namespace.is_empty() {
            errors.push(Error::required(&at.child("namespace"), ""));
        } else {
            let messages = name_is_dns_label(namespace, false);
            errors.extend(messages.into_iter().map(|why| Error::invalid(&at.child("namespace"), namespace, why)));
        }
    } else if !namespace.is_empty() {
        errors.push(Error::forbidden(&at.child("namespace"), "not allowed on this type"));
    }
    let generation = number(meta, "generation");
    if generation < 0 {
        errors.push(Error::invalid(&at.child("generation"), generation, NOT_NEGATIVE));
    }
    errors.extend(validate_labels(&meta["labels"], &at.child("labels")));
    errors.extend(validate_annotations(&meta["annotations"], &at.child("annotations")));
    errors.extend(validate_owner_references(&meta["ownerReferences"], &at.child("ownerReferences")));
    errors.extend(validate_finalizers(&meta["finalizers"], &at.child("finalizers")));
    errors.extend(validate_managed_fields(&meta["managedFields"], &at.child("managedFields")));
    errors
}

/// Checks the new `metadata` of an update against the old one.
pub fn validate_object_meta_update(new: &Value, old: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    // Finalizers cannot be added once the object is being deleted.
    if !text(old, "deletionTimestamp").is_empty() {
        errors.extend(validate_no_new_finalizers(&new["finalizers"], &old["finalizers"], &at.child("finalizers")));
    }
    if text(new, "resourceVersion").is_empty() {
        errors.push(Error::invalid(&at.child("resourceVersion"), "", "must be specified for an update"));
    }
    if number(new, "generation") < number(old, "generation") {
        let generation = number(new, "generation");
        errors.push(Error::invalid(&at.child("generation"), generation, "must not be decremented"));
    }
    for field in ["name", "namespace", "uid"] {
        if text(new, field) != text(old, field) {
            errors.push(Error::invalid(&at.child(field), text(new, field), FIELD_IMMUTABLE));
        }
    }
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        errors.extend(validate_immutable_field(&new[field], &old[field], &at.child(field)));
    }
    errors.extend(validate_labels(&new["labels"], &at.child("labels")));
    errors.extend(validate_annotations(&new["annotations"], &at.child("annotations")));
    errors.extend(validate_owner_references(&new["ownerReferences"], &at.child("ownerReferences")));
    errors.extend(validate_managed_fields(&new["managedFields"], &at.child("managedFields")));
    errors
}

/// Checks a map of labels; null has none.
pub fn validate_labels(labels: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        errors.extend(validate_label_name(key, at));
        let value = value.as_str().unwrap_or_default();
        errors.extend(is_valid_label_value(value).into_iter().map(|why| Error::invalid(at, value, why)));
    }
    errors
}

/// Checks the key of a label.
pub fn validate_label_name(key: &str, at: &Path) -> ErrorList {
    is_qualified_name(key).into_iter().map(|why| Error::invalid(at, key, why)).collect()
}

/// Checks a map of annotations; null has none. Keys are like labels', but in any case.
pub fn validate_annotations(annotations: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let messages = is_qualified_name(&key.to_lowercase());
        errors.extend(messages.into_iter().map(|why| Error::invalid(at, key.as_str(), why)));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > TOTAL_ANNOTATION_SIZE_MAX {
        errors.push(Error::too_long(at, TOTAL_ANNOTATION_SIZE_MAX));
    }
    errors
}

/// Checks a list of finalizers; null has none.
pub fn validate_finalizers(finalizers: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for finalizer in texts(finalizers) {
        errors.extend(validate_finalizer_name(finalizer, at));
    }
    let has = |finalizer| texts(finalizers).any(|of| of == finalizer);
    if has(FINALIZER_DELETE_DEPENDENTS) && has(FINALIZER_ORPHAN_DEPENDENTS) {
        let why =
            format!("finalizer {FINALIZER_ORPHAN_DEPENDENTS} and {FINALIZER_DELETE_DEPENDENTS} cannot be both set");
        errors.push(Error::invalid(at, finalizers.clone(), why));
    }
    errors
}

/// Checks one finalizer.
pub fn validate_finalizer_name(finalizer: &str, at: &Path) -> ErrorList {
    is_qualified_name(finalizer).into_iter().map(|why| Error::invalid(at, finalizer, why)).collect()
}

/// Refuses finalizers that are new: what an object that is being deleted gets.
pub fn validate_no_new_finalizers(new: &Value, old: &Value, at: &Path) -> ErrorList {
    let old: BTreeSet<&str> = texts(old).collect();
    let extra: BTreeSet<&str> = texts(new).filter(|finalizer| !old.contains(finalizer)).collect();
    if extra.is_empty() {
        return ErrorList::new();
    }
    let extra: Vec<String> = extra.into_iter().map(quoted).collect();
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        extra.join(", ")
    );
    vec![Error::forbidden(at, why)]
}

/// Checks a list of owner references; null has none.
pub fn validate_owner_references(owners: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let owners: Vec<OwnerReference> = owners.as_array().into_iter().flatten().map(OwnerReference::from_value).collect();
    let mut controller: Option<String> = None;
    for owner in &owners {
        errors.extend(validate_owner_reference(owner, at));
        if owner.controller != Some(true) {
            continue;
        }
        let name = format!("{}/{}", owner.kind, owner.name);
        match &controller {
            None => controller = Some(name),
            Some(first) => {
                let why = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                );
                errors.push(Error::invalid(at, BadValue::rendered(&owners), why));
            }
        }
    }
    errors
}

fn validate_owner_reference(owner: &OwnerReference, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    // An apiVersion that cannot be read has no version either.
    let gvk = GroupVersionKind::from_api_version_and_kind(&owner.api_version, &owner.kind).unwrap_or_default();
    if gvk.version.is_empty() {
        errors.push(Error::invalid(&at.child("apiVersion"), owner.api_version.as_str(), "version must not be empty"));
    }
    for (field, value) in [("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)] {
        if value.is_empty() {
            errors.push(Error::invalid(&at.child(field), value.as_str(), "must not be empty"));
        }
    }
    if gvk == GroupVersionKind::new("", "v1", "Event") {
        let why = format!("{gvk} is disallowed from being an owner");
        errors.push(Error::invalid(at, BadValue::rendered(owner), why));
    }
    errors
}

/// Checks the frame of `managedFields`: operation, type, manager and subresource, not the field sets.
pub fn validate_managed_fields(entries: &Value, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (i, entry) in entries.as_array().into_iter().flatten().enumerate() {
        let at = at.index(i);
        let operation = text(entry, "operation");
        if !matches!(operation, "Apply" | "Update") {
            errors.push(Error::invalid(&at.child("operation"), operation, "must be `Apply` or `Update`"));
        }
        let fields_type = text(entry, "fieldsType");
        if !matches!(fields_type, "" | "FieldsV1") {
            errors.push(Error::invalid(&at.child("fieldsType"), fields_type, "must be `FieldsV1`"));
        }
        errors.extend(validate_field_manager(text(entry, "manager"), &at.child("manager")));
        if text(entry, "subresource").len() > SUBRESOURCE_NAME_MAX {
            errors.push(Error::too_long(&at.child("subresource"), SUBRESOURCE_NAME_MAX));
        }
    }
    errors
}

/// Checks the name of a field manager: printable and not too long.
pub fn validate_field_manager(manager: &str, at: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if manager.len() > FIELD_MANAGER_MAX {
        errors.push(Error::too_long(at, FIELD_MANAGER_MAX));
    }
    for (i, c) in manager.char_indices().filter(|(_, c)| !is_print(*c)) {
        let why = format!("invalid character U+{:04X} (at position {i})", u32::from(c));
        errors.push(Error::invalid(at, manager, why));
    }
    errors
}

/// Refuses a change of a field. Absent and null are the same, and so are an absent and an empty list or map
/// (upstream compares semantically).
pub fn validate_immutable_field(new: &Value, old: &Value, at: &Path) -> ErrorList {
    if semantically_equal(new, old) { ErrorList::new() } else { vec![Error::invalid(at, new.clone(), FIELD_IMMUTABLE)] }
}

fn semantically_equal(a: &Value, b: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    match (a, b) {
        (a, b) if is_empty(a) && is_empty(b) => true,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| semantically_equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let nothing = &Value::Null;
            a.iter().all(|(key, value)| semantically_equal(value, b.get(key).unwrap_or(nothing)))
                && b.iter().all(|(key, value)| a.contains_key(key) || is_empty(value))
        }
        (a, b) => a == b,
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn number(object: &Value, field: &str) -> i64 {
    object.get(field).and_then(Value::as_i64).unwrap_or_default()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
#[path = "object_meta_tests.rs"]
mod tests;
