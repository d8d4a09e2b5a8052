//! Which nodes a pod wants, and which pods beside it.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{
    is_valid_label_value, name_is_dns_label, name_is_dns_subdomain, validate_label_name, validate_label_selector,
};
use serde_json::Value;

use super::{Options, invalid_for, topology};
use crate::validation::read::{list, number, present, text, texts};

/// Where stand the wishes that must be met.
pub(super) const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
/// Where stand the wishes that may be.
pub(super) const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// What is wrong with the affinity of a pod.
pub(super) fn validate(affinity: &Value, options: &Options, at: &Path, errors: &mut ErrorList) {
    if let Some(nodes) = present(affinity, "nodeAffinity") {
        let at = at.child("nodeAffinity");
        if let Some(selector) = present(nodes, REQUIRED) {
            let keeps = options.keeps_bad_node_affinity_values;
            validate_node_selector(selector, keeps, &at.child(REQUIRED), errors);
        }
        for (i, term) in list(nodes, PREFERRED).iter().enumerate() {
            let at = at.child(PREFERRED).index(i);
            validate_weight(term, &at, errors);
            // Bad values are a matter of what is required alone.
            validate_node_term(&term["preference"], true, &at.child("preference"), errors);
        }
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = present(affinity, kind) else { continue };
        let keeps = options.keeps_bad_affinity_values;
        for (i, term) in list(pods, REQUIRED).iter().enumerate() {
            validate_pod_term(term, keeps, &at.child(kind).child(REQUIRED).index(i), errors);
        }
        for (i, term) in list(pods, PREFERRED).iter().enumerate() {
            let at = at.child(kind).child(PREFERRED).index(i);
            validate_weight(term, &at, errors);
            validate_pod_term(&term["podAffinityTerm"], keeps, &at.child("podAffinityTerm"), errors);
        }
    }
}

fn validate_weight(term: &Value, at: &Path, errors: &mut ErrorList) {
    let weight = number(term, "weight");
    if !(1..=100).contains(&weight) {
        errors.push(Error::invalid(&at.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// A selector of nodes: one of its terms must match. `keeps_bad_values` is for an update.
pub(crate) fn validate_node_selector(selector: &Value, keeps_bad_values: bool, at: &Path, errors: &mut ErrorList) {
    let at = at.child("nodeSelectorTerms");
    let terms = list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        errors.push(Error::required(&at, "must have at least one node selector term"));
    }
    for (i, term) in terms.iter().enumerate() {
        validate_node_term(term, keeps_bad_values, &at.index(i), errors);
    }
}

fn validate_node_term(term: &Value, keeps_bad_values: bool, at: &Path, errors: &mut ErrorList) {
    for (i, requirement) in list(term, "matchExpressions").iter().enumerate() {
        let at = at.child("matchExpressions").index(i);
        validate_node_requirement(requirement, keeps_bad_values, &at, errors);
    }
    for (i, requirement) in list(term, "matchFields").iter().enumerate() {
        validate_node_field(requirement, &at.child("matchFields").index(i), errors);
    }
}

fn validate_node_requirement(requirement: &Value, keeps_bad_values: bool, at: &Path, errors: &mut ErrorList) {
    let (key, values) = (text(requirement, "key"), list(requirement, "values"));
    match text(requirement, "operator") {
        "In" | "NotIn" if values.is_empty() => {
            let words = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&at.child("values"), words));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&at.child("values"), words));
        }
        "Gt" | "Lt" if values.len() != 1 => {
            let words = "must be specified single value when `operator` is 'Lt' or 'Gt'";
            errors.push(Error::required(&at.child("values"), words));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.push(Error::invalid(&at.child("operator"), other, "not a valid selector operator")),
    }
    errors.extend(validate_label_name(key, &at.child("key")));
    if keeps_bad_values {
        return;
    }
    for (i, value) in texts(requirement, "values").enumerate() {
        invalid_for(is_valid_label_value(value), &at.child("values").index(i), value, errors);
    }
}

fn validate_node_field(requirement: &Value, at: &Path, errors: &mut ErrorList) {
    let (key, values) = (text(requirement, "key"), list(requirement, "values"));
    match text(requirement, "operator") {
        "In" | "NotIn" if values.len() != 1 => {
            let words = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.push(Error::required(&at.child("values"), words));
        }
        "In" | "NotIn" => {}
        other => errors.push(Error::invalid(&at.child("operator"), other, "not a valid selector operator")),
    }
    if key != "metadata.name" {
        errors.push(Error::invalid(&at.child("key"), key, "not a valid field selector key"));
        return;
    }
    for (i, name) in texts(requirement, "values").enumerate() {
        invalid_for(name_is_dns_subdomain(name, false), &at.child("values").index(i), name, errors);
    }
}

fn validate_pod_term(term: &Value, keeps_bad_values: bool, at: &Path, errors: &mut ErrorList) {
    for selector in ["labelSelector", "namespaceSelector"] {
        errors.extend(validate_label_selector(&term[selector], keeps_bad_values, &at.child(selector)));
    }
    for namespace in texts(term, "namespaces") {
        invalid_for(name_is_dns_label(namespace, false), &at.child("namespace"), namespace, errors);
    }
    topology::validate_label_keys(term, at, errors);
    let key = text(term, "topologyKey");
    if key.is_empty() {
        errors.push(Error::required(&at.child("topologyKey"), "can not be empty"));
    }
    errors.extend(validate_label_name(key, &at.child("topologyKey")));
}

/// The terms about other pods in a spec.
pub(crate) fn pod_terms(spec: &Value) -> impl Iterator<Item = &Value> {
    let affinity = &spec["affinity"];
    ["podAffinity", "podAntiAffinity"].into_iter().flat_map(move |kind| {
        let preferred = list(&affinity[kind], PREFERRED).iter().map(|term| &term["podAffinityTerm"]);
        list(&affinity[kind], REQUIRED).iter().chain(preferred)
    })
}

/// Whether terms about other pods have values of labels that today's rules refuse.
pub(super) fn has_bad_selectors(spec: &Value) -> bool {
    pod_terms(spec)
        .any(|term| ["labelSelector", "namespaceSelector"].iter().any(|selector| has_bad_values(&term[selector])))
}

/// Whether a list of expressions has a value that no label can have.
fn has_bad_values(selector: &Value) -> bool {
    let mut values = list(selector, "matchExpressions").iter().flat_map(|expression| texts(expression, "values"));
    values.any(|value| !is_valid_label_value(value).is_empty())
}

/// Whether what is required of nodes has values of labels that today's rules refuse.
pub(super) fn has_bad_node_values(spec: &Value) -> bool {
    list(&spec["affinity"]["nodeAffinity"][REQUIRED], "nodeSelectorTerms").iter().any(has_bad_values)
}
