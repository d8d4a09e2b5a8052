//! What holds a pod back, and what it puts up with: gates, claims, tolerations.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{
    is_dns1123_label, is_qualified_name, is_valid_label_value, name_is_dns_subdomain, validate_label_name,
};
use serde_json::Value;

use super::invalid_for;
use crate::validation::read::{annotation, optional_text, present, text};
use schema::types;

/// The annotation of pods that a kubelet runs by itself and the server only mirrors.
pub(crate) use authorization::node::MIRROR;

/// The claims of a pod to devices.
pub(super) fn validate_resource_claims(
    claims: &[Value],
    pod_metadata: Option<&Value>,
    at: &Path,
    errors: &mut ErrorList,
) {
    let is_static = pod_metadata.is_some_and(|metadata| annotation(metadata, MIRROR).is_some());
    let mut names = HashSet::new();
    for (i, claim) in claims.iter().enumerate() {
        if is_static {
            errors.push(Error::forbidden(&Path::new("[]"), "static pods do not support resource claims"));
            continue;
        }
        let at = at.index(i);
        let name = text(claim, "name");
        if name.is_empty() {
            errors.push(Error::required(&at.child("name"), ""));
        } else if !names.insert(name) {
            errors.push(Error::duplicate(&at.child("name"), name));
        } else {
            invalid_for(is_dns1123_label(name), &at.child("name"), name, errors);
        }
        let own = optional_text(claim, "resourceClaimName");
        let template = optional_text(claim, "resourceClaimTemplateName");
        let words = match (own, template) {
            (Some(_), Some(_)) => {
                Some("at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
            }
            (None, None) => Some("must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
            _ => None,
        };
        if let Some(words) = words {
            errors.push(Error::invalid(&at, types::bad_value("core.PodResourceClaim", claim), words));
        }
        for (field, name) in [("resourceClaimName", own), ("resourceClaimTemplateName", template)] {
            if let Some(name) = name {
                invalid_for(name_is_dns_subdomain(name, false), &at.child(field), name, errors);
            }
        }
    }
}

/// Conditions that a pod waits for before it is ready.
pub(super) fn validate_readiness_gates(gates: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, gate) in gates.iter().enumerate() {
        let kind = text(gate, "conditionType");
        invalid_for(is_qualified_name(kind), &at.index(i).child("conditionType"), kind, errors);
    }
}

/// What a pod waits for before it is scheduled.
pub(super) fn validate_gates(gates: &[Value], at: &Path, errors: &mut ErrorList) {
    let mut names = HashSet::new();
    for (i, gate) in gates.iter().enumerate() {
        let name = text(gate, "name");
        invalid_for(is_qualified_name(name), &at.index(i), name, errors);
        if !names.insert(name) {
            errors.push(Error::duplicate(&at.index(i), name));
        }
    }
}

/// Which taints a pod puts up with.
pub(crate) fn validate_tolerations(tolerations: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, toleration) in tolerations.iter().enumerate() {
        let at = at.index(i);
        let of = |field: &str| text(toleration, field);
        let (key, operator, value, effect) = (of("key"), of("operator"), of("value"), of("effect"));
        if !key.is_empty() {
            errors.extend(validate_label_name(key, &at.child("key")));
        } else if operator != "Exists" {
            let words = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(Error::invalid(&at.child("operator"), operator, words));
        }
        if present(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            let words = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(Error::invalid(&at.child("effect"), effect, words));
        }
        match operator {
            "Equal" | "" => {
                let messages = is_valid_label_value(value);
                if !messages.is_empty() {
                    errors.push(Error::invalid(&at.child("operator"), value, messages.join(";")));
                }
            }
            "Exists" if !value.is_empty() => {
                let words = "value must be empty when `operator` is 'Exists'";
                errors.push(Error::invalid(&at.child("operator"), value, words));
            }
            "Exists" => {}
            other => {
                // Comparisons of numbers are not on by default; upstream lists them all the same when one is asked for.
                let supported = ["Equal", "Exists", "Lt", "Gt"];
                let supported = if matches!(other, "Lt" | "Gt") { &supported[..] } else { &supported[..2] };
                errors.push(Error::not_supported(&at.child("operator"), other, supported));
            }
        }
        if !effect.is_empty() {
            validate_taint_effect(effect, &at.child("effect"), errors);
        }
    }
}

/// What a taint does.
pub(crate) fn validate_taint_effect(effect: &str, at: &Path, errors: &mut ErrorList) {
    const SUPPORTED: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if !SUPPORTED.contains(&effect) {
        errors.push(Error::not_supported(at, effect, &SUPPORTED));
    }
}
