//! The selectors that a question about resources may be narrowed by.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use serde_json::Value;

use super::strings;

/// What is wrong with `fieldSelector` and `labelSelector` of `resourceAttributes`. An operator that is not known is no
/// mistake: a newer client may know it.
pub(super) fn validate(resource: &Value, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (name, of_labels) in [("fieldSelector", false), ("labelSelector", true)] {
        let Some(selector) = resource.get(name).filter(|selector| selector.is_object()) else { continue };
        let path = path.child(name);
        let raw = selector.get("rawSelector").and_then(Value::as_str).unwrap_or_default();
        let requirements = selector.get("requirements").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if !raw.is_empty() && !requirements.is_empty() {
            let words = "may not specified at the same time as requirements";
            errors.push(Error::invalid(&path.child("rawSelector"), raw, words));
        }
        if raw.is_empty() && requirements.is_empty() {
            let words = format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(Error::required(&path.child("requirements"), words));
        }
        for (index, requirement) in requirements.iter().enumerate() {
            requirement_errors(requirement, of_labels, &path.child("requirements").index(index), &mut errors);
        }
    }
    errors
}

fn requirement_errors(requirement: &Value, of_labels: bool, path: &Path, errors: &mut ErrorList) {
    let text = |field: &str| requirement.get(field).and_then(Value::as_str).unwrap_or_default();
    let values = strings(requirement.get("values"));
    let key = text("key");
    if !of_labels && key.is_empty() {
        errors.push(Error::required(&path.child("key"), "must be specified"));
    }
    match text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            let words = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&path.child("values"), words));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&path.child("values"), words));
        }
        _ => {}
    }
    if of_labels {
        errors.extend(validation::validate_label_name(key, &path.child("key")));
        for (index, value) in values.iter().enumerate() {
            for words in validation::is_valid_label_value(value) {
                errors.push(Error::invalid(&path.child("values").index(index), value.as_str(), words));
            }
        }
    }
}
