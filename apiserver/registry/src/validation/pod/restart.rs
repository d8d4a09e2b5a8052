//! When containers start again: the pod's policy, each container's own, and what a resize asks for.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use crate::validation::read::{list, optional_text, present, text};

/// The pod's policy.
pub(super) fn validate_policy(spec: &Value, at: &Path, errors: &mut ErrorList) {
    match text(spec, "restartPolicy") {
        "Always" | "OnFailure" | "Never" => {}
        "" => errors.push(Error::required(at, "")),
        other => errors.push(Error::not_supported(at, other, &["Always", "OnFailure", "Never"])),
    }
}

/// A container's own policy and its rules; the same for containers of every list.
pub(super) fn validate_container_policy(container: &Value, at: &Path, errors: &mut ErrorList) {
    const MOST_RULES: usize = 20;
    const MOST_CODES: usize = 255;
    let rules = list(container, "restartPolicyRules");
    match optional_text(container, "restartPolicy") {
        None if rules.is_empty() => return,
        None => {
            let words = "must specify restartPolicy when restart rules are used";
            errors.push(Error::required(&at.child("restartPolicy"), words));
        }
        Some("Always" | "Never" | "OnFailure") => {}
        Some(other) => {
            let supported = ["Always", "Never", "OnFailure"];
            errors.push(Error::not_supported(&at.child("restartPolicy"), other, &supported));
        }
    }
    let at = at.child("restartPolicyRules");
    if rules.len() > MOST_RULES {
        errors.push(Error::too_many(&at, rules.len(), MOST_RULES));
    }
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        let action = text(rule, "action");
        if !matches!(action, "Restart" | "RestartAllContainers") {
            let supported = ["Restart", "RestartAllContainers"];
            errors.push(Error::not_supported(&at.child("action"), action, &supported));
        }
        let at = at.child("exitCodes");
        let Some(codes) = present(rule, "exitCodes") else {
            errors.push(Error::required(&at, "must be specified"));
            continue;
        };
        let operator = text(codes, "operator");
        if !matches!(operator, "In" | "NotIn") {
            errors.push(Error::not_supported(&at.child("operator"), operator, &["In", "NotIn"]));
        }
        let values = list(codes, "values").len();
        if values > MOST_CODES {
            errors.push(Error::too_many(&at.child("values"), values, MOST_CODES));
        }
    }
}

/// What a container's resize does to it, a resource at a time.
pub(super) fn validate_resize_policy(policies: &[Value], pod_policy: &str, at: &Path, errors: &mut ErrorList) {
    let mut seen = HashSet::new();
    for (i, policy) in policies.iter().enumerate() {
        let (resource, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !seen.insert(resource) {
            errors.push(Error::duplicate(&at.index(i), resource));
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errors.push(Error::required(at, "")),
            other => errors.push(Error::not_supported(at, other, &["cpu", "memory"])),
        }
        match restart {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.push(Error::required(at, "")),
            other => errors.push(Error::not_supported(at, other, &["NotRequired", "RestartContainer"])),
        }
        if pod_policy == "Never" && restart != "NotRequired" {
            let words = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.push(Error::invalid(at, restart, words));
        }
    }
}
