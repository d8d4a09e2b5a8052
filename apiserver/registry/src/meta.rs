//! `metadata` as the server sees it: what it fills in, restores and checks for every kind alike.

use apimachinery::field::{ErrorList, Path};
use apimachinery::validation::{self, Messages};
use apimachinery::{ObjectExt, StatusError};
use rand::Rng;
use serde_json::Value;

use crate::context::Warnings;
use crate::table::Row;

/// Upstream's alphabet for generated names: no vowels, no look-alikes.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// The characters that are appended, and what that leaves of a name's 63 for the base.
const SUFFIX: usize = 5;
const MAX_BASE: usize = 63 - SUFFIX;

/// A name that starts with `base` (cut to fit) and ends at random.
pub fn generate_name(base: &str) -> String {
    let cut = (0..=base.len().min(MAX_BASE)).rev().find(|&at| base.is_char_boundary(at)).unwrap_or(0);
    let mut rng = rand::rng();
    let mut name = String::with_capacity(cut + SUFFIX);
    name.push_str(&base[..cut]);
    name.extend((0..SUFFIX).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
    name
}

/// Gives a new object that asks for it a name.
pub(crate) fn generate_missing_name(object: &mut Value) {
    if object.name().is_empty() && !object.generate_name().is_empty() {
        let name = generate_name(object.generate_name());
        object.set_name(&name);
    }
}

/// Drops what only the server may set on a new object.
pub(crate) fn wipe_system_fields(object: &mut Value) {
    let metadata = object.metadata_mut();
    for field in ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        metadata.remove(field);
    }
}

/// A random UUID. A generator seeded by the operating system makes it: what every request needs is not worth a system call.
pub fn random_uuid() -> uuid::Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// Gives a new object its identity.
pub(crate) fn fill_system_fields(object: &mut Value, now: &str) {
    object.set_creation_timestamp(now);
    object.set_uid(random_uuid().hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
}

/// Sets the namespace of the request, or drops one that a cluster-scoped object cannot have.
///
/// # Errors
/// 400 if the object names another one.
pub(crate) fn settle_namespace(object: &mut Value, row: &Row, requested: &str) -> Result<(), StatusError> {
    let expected = if row.namespaced { requested } else { "" };
    if object.namespace() == expected {
        return Ok(());
    }
    if object.namespace().is_empty() || expected.is_empty() {
        object.set_namespace(expected);
        return Ok(());
    }
    Err(StatusError::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

/// Checks that an object that is written to a URL has that URL's name.
pub(crate) fn check_name(object: &Value, name: &str) -> Result<(), StatusError> {
    match object.name() {
        "" => Err(StatusError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        ))),
        own if own == name => Ok(()),
        own => Err(StatusError::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        ))),
    }
}

/// Brings an update's metadata back to what an update may change.
pub(crate) fn restore_on_update(object: &mut Value, old: &Value) {
    if object.uid().is_empty() {
        object.set_uid(old.uid());
    }
    if !old.creation_timestamp().is_empty() {
        object.set_creation_timestamp(old.creation_timestamp());
    }
    if old.deletion_timestamp().is_some() {
        object.set_deletion_timestamp(old.deletion_timestamp());
    }
    if object.deletion_grace_period_seconds().is_none() && old.deletion_grace_period_seconds().is_some() {
        object.set_deletion_grace_period_seconds(old.deletion_grace_period_seconds());
    }
}

/// Drops repeated owner references (same uid, name, kind and version), which cost a warning.
pub(crate) fn drop_repeated_owners(object: &mut Value, warnings: &Warnings, after_admission: bool) {
    let owners = object.owner_references();
    if owners.len() < 2 {
        return;
    }
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    let mut repeated: Vec<String> = Vec::new();
    for owner in owners {
        if kept.contains(owner) {
            let uid = owner.get("uid").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !repeated.contains(&uid) {
                repeated.push(uid);
            }
        } else {
            kept.push(owner.clone());
        }
    }
    if repeated.is_empty() {
        return;
    }
    object.set_owner_references(kept);
    let words = if after_admission {
        ".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner \
         references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
    } else {
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such \
         requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
    };
    warnings.warn(format!("{words}{}", repeated.join(", ")));
}

/// What is wrong with the metadata of a new object of a kind with this rule for names.
pub(crate) fn validate_create(object: &Value, row: &Row, names: impl Fn(&str, bool) -> Messages) -> ErrorList {
    validation::validate_object_meta(of(object), row.namespaced, names, &Path::new("metadata"))
}

/// What is wrong with the metadata of any object: a name is whatever a path can hold.
pub(crate) fn validate(object: &Value, row: &Row) -> ErrorList {
    validate_create(object, row, validation::name_is_path_segment)
}

/// What an update may not change of metadata.
pub(crate) fn validate_change(object: &Value, old: &Value) -> ErrorList {
    validation::validate_object_meta_update(of(object), of(old), &Path::new("metadata"))
}

fn of(object: &Value) -> &Value {
    object.get("metadata").unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn random_uuids_differ_and_say_that_they_are_random() {
        let uuids: std::collections::BTreeSet<_> = (0..1000).map(|_| random_uuid()).collect();
        assert_eq!(uuids.len(), 1000);
        assert!(uuids.iter().all(|uuid| uuid.get_version() == Some(uuid::Version::Random)), "{uuids:?}");
    }

    #[test]
    fn a_generated_name_keeps_its_base_and_fits_a_label() {
        let name = generate_name("base-");
        assert!(name.starts_with("base-") && name.len() == 10, "{name}");
        assert_eq!(generate_name(&"a".repeat(70)).len(), 63);
        assert_eq!(generate_name(&"é".repeat(40)).chars().count(), 29 + 5);
    }

    #[test]
    fn repeated_owners_are_dropped_with_one_warning() {
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"});
        let mut object = json!({"metadata": {"ownerReferences": [owner, owner]}});
        let warnings = Warnings::new();
        drop_repeated_owners(&mut object, &warnings, false);
        assert_eq!(object.owner_references().len(), 1);
        assert!(warnings.take_warnings()[0].ends_with("duplicate UID(s) observed: u"));
    }
}
