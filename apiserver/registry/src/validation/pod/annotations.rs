//! Annotations of pods that mean something to the server.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::options::DELETION_COST;
use super::scheduling::{MIRROR, validate_tolerations};
use super::{Options, profiles};
use crate::validation::read::{annotation, text};

/// The annotation with tolerations, from before there was a field.
const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";

/// What is wrong with the annotations of a pod or template.
pub(super) fn validate(metadata: &Value, spec: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    if metadata.get("annotations").is_none_or(Value::is_null) {
        return;
    }
    if let Some(mirror) = annotation(metadata, MIRROR)
        && text(spec, "nodeName").is_empty()
    {
        let words = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(Error::invalid(&at.key(MIRROR), mirror, words));
    }
    if let Some(tolerations) = annotation(metadata, TOLERATIONS).filter(|tolerations| !tolerations.is_empty()) {
        match serde_json::from_str::<Vec<Value>>(tolerations) {
            Ok(tolerations) => validate_tolerations(&tolerations, &at.child(TOLERATIONS), errors),
            Err(error) => errors.push(Error::invalid(at, TOLERATIONS, error.to_string())),
        }
    }
    if let Some(cost) = annotation(metadata, DELETION_COST)
        && !options.keeps_bad_deletion_cost
        && !is_deletion_cost(cost)
    {
        errors.push(Error::invalid(&at.key(DELETION_COST), cost, "must be a 32bit integer"));
    }
    profiles::validate_annotations(metadata, spec, at, errors);
}

/// Whether a text is the cost of a deletion: a 32 bit number that starts with a minus sign or its first digit.
pub(super) fn is_deletion_cost(cost: &str) -> bool {
    let starts = cost == "0" || cost.starts_with(['-', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    starts && cost.parse::<i32>().is_ok()
}

/// What an update may not do to annotations.
pub(crate) fn validate_update(
    metadata: &Value,
    old: &Value,
    spec: &Value,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) {
    let entries = |of: &'_ Value| of.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
    let (new, before) = (entries(metadata), entries(old));
    let mut guard = |key: &str, did: &str| {
        if key.starts_with(profiles::APP_ARMOR) {
            errors.push(Error::forbidden(&at.key(key), format!("may not {did} AppArmor annotations")));
        }
        if key == MIRROR {
            errors.push(Error::forbidden(&at.key(key), format!("may not {did} mirror pod annotation")));
        }
    };
    for (key, value) in &before {
        if new.get(key) != Some(value) {
            guard(key, "remove or update");
        }
    }
    for key in new.keys().filter(|key| !before.contains_key(*key)) {
        guard(key, "add");
    }
    validate(metadata, spec, at, options, errors);
}
