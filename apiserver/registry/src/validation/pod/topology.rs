//! How pods are spread over the parts of a cluster.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{validate_label_name, validate_label_selector};
use serde_json::Value;

use super::Options;
use crate::validation::read::{entries, list, number, optional_number, optional_text, present, text, texts};

/// What is wrong with the constraints of a spec.
pub(super) fn validate(constraints: &[Value], at: &Path, options: &Options, errors: &mut ErrorList) {
    for (i, constraint) in constraints.iter().enumerate() {
        let at = at.index(i);
        validate_positive(number(constraint, "maxSkew"), &at.child("maxSkew"), errors);
        let (key, action) = (text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable"));
        if key.is_empty() {
            errors.push(Error::required(&at.child("topologyKey"), "can not be empty"));
        }
        if !matches!(action, "DoNotSchedule" | "ScheduleAnyway") {
            let supported = ["DoNotSchedule", "ScheduleAnyway"];
            errors.push(Error::not_supported(&at.child("whenUnsatisfiable"), action, &supported));
        }
        let repeats = |other: &Value| text(other, "topologyKey") == key && text(other, "whenUnsatisfiable") == action;
        if constraints.iter().skip(i + 1).any(repeats) {
            let shown = format!("{{{key}, {action}}}");
            errors.push(Error::duplicate(&at.child("{topologyKey, whenUnsatisfiable}"), shown));
        }
        validate_min_domains(constraint, action, &at.child("minDomains"), errors);
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let policy = optional_text(constraint, field);
            if let Some(policy) = policy.filter(|policy| !matches!(*policy, "Honor" | "Ignore")) {
                errors.push(Error::not_supported(&at.child(field), policy, &["Honor", "Ignore"]));
            }
        }
        if options.keeps_bad_spread_keys {
            validate_keys_of_old(constraint, &at, errors);
        } else {
            validate_label_keys(constraint, &at, errors);
        }
        if !options.keeps_bad_spread_selectors {
            errors.extend(validate_label_selector(&constraint["labelSelector"], false, &at.child("labelSelector")));
        }
    }
}

fn validate_positive(value: i64, at: &Path, errors: &mut ErrorList) {
    if value <= 0 {
        errors.push(Error::invalid(at, value, "must be greater than zero"));
    }
}

fn validate_min_domains(constraint: &Value, action: &str, at: &Path, errors: &mut ErrorList) {
    let Some(least) = optional_number(constraint, "minDomains") else { return };
    validate_positive(least, at, errors);
    if action != "DoNotSchedule" {
        let words = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errors.push(Error::invalid(at, least, words));
    }
}

/// Keys of labels whose values are the pod's own. A pod's selector has got an expression for each by the time this is asked;
/// a second one is the client's.
pub(super) fn validate_label_keys(term: &Value, at: &Path, errors: &mut ErrorList) {
    let selector = present(term, "labelSelector");
    for field in ["matchLabelKeys", "mismatchLabelKeys"] {
        if list(term, field).is_empty() {
            continue;
        }
        if selector.is_none() {
            let words = "must not be specified when labelSelector is not set";
            errors.push(Error::forbidden(&at.child(field), words));
            continue;
        }
        for (i, key) in texts(term, field).enumerate() {
            errors.extend(validate_label_name(key, &at.child(field).index(i)));
        }
    }
    let keys: Vec<&str> = texts(term, "matchLabelKeys").collect();
    if let Some(selector) = selector {
        let mut seen: HashSet<&str> = entries(selector, "matchLabels").map(|(key, _)| key).collect();
        for expression in list(selector, "matchExpressions") {
            let key = text(expression, "key");
            if let Some(i) = keys.iter().rposition(|of| *of == key).filter(|_| seen.contains(key)) {
                errors.push(Error::invalid(&at.index(i), key, "exists in both matchLabelKeys and labelSelector"));
            }
            seen.insert(key);
        }
    }
    for (i, key) in keys.iter().enumerate() {
        if texts(term, "mismatchLabelKeys").any(|other| other == *key) {
            let words = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.push(Error::invalid(&at.child("matchLabelKeys").index(i), *key, words));
        }
    }
}

/// The rule of before, for specs that were stored under it.
fn validate_keys_of_old(constraint: &Value, at: &Path, errors: &mut ErrorList) {
    if list(constraint, "matchLabelKeys").is_empty() {
        return;
    }
    let at = at.child("matchLabelKeys");
    let mut taken = HashSet::new();
    match present(constraint, "labelSelector") {
        Some(selector) => {
            taken.extend(entries(selector, "matchLabels").map(|(key, _)| key));
            taken.extend(list(selector, "matchExpressions").iter().map(|expression| text(expression, "key")));
        }
        None => errors.push(Error::forbidden(&at, "must not be specified when labelSelector is not set")),
    }
    for (i, key) in texts(constraint, "matchLabelKeys").enumerate() {
        errors.extend(validate_label_name(key, &at.index(i)));
        if taken.contains(key) {
            errors.push(Error::invalid(&at.index(i), key, "exists in both matchLabelKeys and labelSelector"));
        }
    }
}

/// Whether a spec has selectors that today's rules refuse.
pub(super) fn has_bad_selectors(spec: &Value) -> bool {
    let constraints = list(spec, "topologySpreadConstraints").iter();
    constraints
        .into_iter()
        .any(|constraint| !validate_label_selector(&constraint["labelSelector"], false, &Path::default()).is_empty())
}

/// Whether a spec has keys that today's rules refuse.
pub(super) fn has_bad_keys(spec: &Value) -> bool {
    list(spec, "topologySpreadConstraints").iter().any(|constraint| {
        let mut errors = ErrorList::new();
        validate_label_keys(constraint, &Path::default(), &mut errors);
        !errors.is_empty()
    })
}
