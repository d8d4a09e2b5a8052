//! Containers that are added to a running pod to look at it.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::containers::{validate_common, validate_of_pod};
use super::spec::Surroundings;
use crate::validation::read::{list, text};

/// What such a container cannot have, in the order of upstream's type.
const FORBIDDEN: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// The ephemeral containers of a spec.
pub(super) fn validate(spec: &Value, around: &Surroundings<'_>, at: &Path, errors: &mut ErrorList) {
    const WORDS: &str = "cannot be set for an Ephemeral Container";
    let added = list(spec, "ephemeralContainers");
    if added.is_empty() {
        return;
    }
    let others: HashSet<&str> = ["containers", "initContainers"]
        .iter()
        .flat_map(|name| list(spec, name))
        .map(|container| text(container, "name"))
        .collect();
    let mut names = others.clone();
    for (i, container) in added.iter().enumerate() {
        let at = at.index(i);
        validate_common(container, around, &at, errors);
        validate_of_pod(container, &at, errors);
        let name = text(container, "name");
        if !names.insert(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        }
        let target = text(container, "targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errors.push(Error::not_found(&at.child("targetContainerName"), target));
        }
        let is_set = |field: &&&str| container.get(**field).is_some_and(|value| !is_zero(value));
        errors.extend(FORBIDDEN.iter().filter(is_set).map(|field| Error::forbidden(&at.child(field), WORDS)));
        for (j, mount) in list(container, "volumeMounts").iter().enumerate() {
            for field in ["subPath", "subPathExpr"] {
                if !text(mount, field).is_empty() {
                    let at = at.child("volumeMounts").index(j).child(field);
                    errors.push(Error::forbidden(&at, WORDS));
                }
            }
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
