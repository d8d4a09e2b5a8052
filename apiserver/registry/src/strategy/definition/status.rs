//! A definition's status: the names it was granted, and the versions in which there may be instances.

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use serde_json::Value;

use super::names;
use super::spec::Spec;
use crate::strategy::read::{at, flag, text, texts};

/// What is wrong with the status itself.
pub(super) fn validate(definition: &Value) -> ErrorList {
    let accepted = at(at(definition, "status"), "acceptedNames");
    names::validate(accepted, &Path::new("status").child("acceptedNames"))
}

/// What is wrong with the versions that instances were stored in: each is there still, and the one they are stored in now is
/// among them.
pub(super) fn validate_stored_versions(definition: &Value, spec: &Spec<'_>) -> ErrorList {
    let path = Path::new("status").child("storedVersions");
    let stored: Vec<&str> = texts(at(definition, "status"), "storedVersions").collect();
    if stored.is_empty() {
        return vec![Error::invalid(&path, Value::Null, "must have at least one stored version")];
    }
    let mut errors = ErrorList::new();
    let versions = || spec.versions().iter().map(|version| (text(version, "name"), flag(version, "storage")));
    for (name, storage) in versions() {
        if storage && !stored.contains(&name) {
            let why = format!("must have the storage version {name}");
            errors.push(Error::invalid(&path, BadValue::rendered(&stored), why));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        // Of a version that is named twice upstream sees the last alone.
        if stored[index + 1..].contains(name) || versions().any(|(version, _)| version == *name) {
            continue;
        }
        let why = format!(
            "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
        );
        errors.push(Error::invalid(&path.index(index), *name, why));
    }
    errors
}
