//! The spec of a pod: every rule, in upstream's order.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{is_dns1123_label, name_is_dns_subdomain, range_message, validate_labels};
use serde_json::Value;

use super::{
    Options, affinity, containers, ephemeral, invalid_for, network, os, resources, restart, scheduling, security,
    topology, volumes, windows,
};
use crate::validation::pod::environment;
use crate::validation::read::{list, optional_flag, optional_number, optional_text, present, text};

/// What the containers of a spec are checked against.
pub(super) struct Surroundings<'a> {
    pub(super) options: &'a Options,
    pub(super) volumes: volumes::Named<'a>,
    pub(super) claims: BTreeSet<&'a str>,
    pub(super) grace_period: Option<i64>,
    pub(super) restart_policy: &'a str,
    /// The containers' users are the host's.
    pub(super) host_users: bool,
    pub(super) os: Option<&'a str>,
}

/// What is wrong with a spec; `pod_metadata` is that of a pod, and none in a template.
pub(super) fn validate(
    spec: &Value,
    pod_metadata: Option<&Value>,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) {
    let grace_period = optional_number(spec, "terminationGracePeriodSeconds");
    if grace_period.is_none() {
        errors.push(Error::required(&at.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volumes::validate(list(spec, "volumes"), pod_metadata, &at.child("volumes"), options, errors);
    let claims = list(spec, "resourceClaims");
    scheduling::validate_resource_claims(claims, pod_metadata, &at.child("resourceClaims"), errors);
    let around = Surroundings {
        options,
        volumes,
        claims: claims.iter().map(|claim| text(claim, "name")).filter(|name| !name.is_empty()).collect(),
        grace_period,
        restart_policy: text(spec, "restartPolicy"),
        host_users: optional_flag(spec, "hostUsers").unwrap_or(true),
        os: present(spec, "os").map(|os| text(os, "name")),
    };
    containers::validate_regular(spec, &around, &at.child("containers"), errors);
    containers::validate_init(spec, &around, &at.child("initContainers"), errors);
    ephemeral::validate(spec, &around, &at.child("ephemeralContainers"), errors);
    resources::validate_pod_level(spec, &around.claims, at, options, errors);

    network::validate_host_ports(spec, at, options, errors);
    restart::validate_policy(spec, &at.child("restartPolicy"), errors);
    network::validate_dns_policy(spec, &at.child("dnsPolicy"), errors);
    errors.extend(validate_labels(&spec["nodeSelector"], &at.child("nodeSelector")));
    security::validate_pod(spec, at, options, errors);
    affinity::validate(&spec["affinity"], options, &at.child("affinity"), errors);
    network::validate_dns_config(spec, &at.child("dnsConfig"), errors);
    scheduling::validate_readiness_gates(list(spec, "readinessGates"), &at.child("readinessGates"), errors);
    scheduling::validate_gates(list(spec, "schedulingGates"), &at.child("schedulingGates"), errors);
    let constraints = list(spec, "topologySpreadConstraints");
    topology::validate(constraints, &at.child("topologySpreadConstraints"), options, errors);
    windows::validate_host_process(spec, at, options, errors);
    security::validate_user_namespace(spec, at, options, errors);
    network::validate_hostname_override(spec, at, errors);
    validate_names(spec, at, errors);
    os::validate(spec, at, errors);
    environment::validate_file_volumes(spec, at, errors);
}

/// The names and numbers of a spec that need no more than themselves.
fn validate_names(spec: &Value, at: &Path, errors: &mut ErrorList) {
    let subdomain = |field: &str, errors: &mut ErrorList| {
        let name = text(spec, field);
        if !name.is_empty() {
            invalid_for(name_is_dns_subdomain(name, false), &at.child(field), name, errors);
        }
    };
    subdomain("serviceAccountName", errors);
    subdomain("nodeName", errors);
    if let Some(seconds) = optional_number(spec, "activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let words = range_message(1, i32::MAX.into());
        errors.push(Error::invalid(&at.child("activeDeadlineSeconds"), seconds, words));
    }
    for field in ["hostname", "subdomain"] {
        let name = text(spec, field);
        if !name.is_empty() {
            invalid_for(is_dns1123_label(name), &at.child(field), name, errors);
        }
    }
    scheduling::validate_tolerations(list(spec, "tolerations"), &at.child("tolerations"), errors);
    network::validate_host_aliases(list(spec, "hostAliases"), &at.child("hostAliases"), errors);
    subdomain("priorityClassName", errors);
    if let Some(name) = optional_text(spec, "runtimeClassName") {
        invalid_for(name_is_dns_subdomain(name, false), &at.child("runtimeClassName"), name, errors);
    }
    match optional_text(spec, "preemptionPolicy") {
        None | Some("PreemptLowerPriority" | "Never") => {}
        Some("") => errors.push(Error::required(&at.child("preemptionPolicy"), "")),
        Some(other) => {
            let supported = ["PreemptLowerPriority", "Never"];
            errors.push(Error::not_supported(&at.child("preemptionPolicy"), other, &supported));
        }
    }
    if let Some(overhead) = present(spec, "overhead") {
        let as_limits = serde_json::json!({ "limits": overhead });
        resources::validate_container(&as_limits, &BTreeSet::new(), &at.child("overhead"), &Options::default(), errors);
    }
}
