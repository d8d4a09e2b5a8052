//! What a pod's rules depend on besides the pod: where the spec is, and what an older object was allowed.

use serde_json::Value;

use super::{affinity, containers, security, topology, volumes};
use crate::strategy::Scope;
use crate::validation::read::{annotation, flag, list, optional_flag};

/// The annotation that ranks pods of a replica set for removal.
pub(super) const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The settings of one check. What an older object holds that today's rules refuse may stay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// The spec is a pod's, not a template's.
    pub(super) is_pod: bool,
    /// Containers may be privileged.
    pub(super) allow_privileged: bool,
    pub(super) keeps_bad_deletion_cost: bool,
    pub(super) keeps_bad_affinity_values: bool,
    pub(super) keeps_bad_node_affinity_values: bool,
    pub(super) keeps_bad_spread_selectors: bool,
    pub(super) keeps_bad_spread_keys: bool,
    pub(super) keeps_token_paths: bool,
    pub(super) keeps_host_sysctls: bool,
    pub(super) keeps_devices_of_user_namespaces: bool,
    pub(super) keeps_odd_huge_pages: bool,
    pub(super) keeps_empty_image_volumes: bool,
    pub(super) keeps_sys_admin: bool,
    pub(super) keeps_restarting_init_resizes: bool,
}

impl Options {
    /// For a pod; `old` is what it was.
    pub(crate) fn of_pod(scope: &Scope<'_>, old: Option<&Value>) -> Self {
        Self { is_pod: true, ..Self::of_template(scope, old) }
    }

    /// For a template with `metadata` and `spec`; `old` is what it was.
    pub(crate) fn of_template(scope: &Scope<'_>, old: Option<&Value>) -> Self {
        let allow_privileged = scope.allow_privileged;
        let Some(old) = old else { return Self { allow_privileged, ..Self::default() } };
        let (metadata, spec) = (&old["metadata"], &old["spec"]);
        let cost = annotation(metadata, DELETION_COST);
        let without_user_namespace = optional_flag(spec, "hostUsers").unwrap_or(true);
        Self {
            is_pod: false,
            allow_privileged,
            keeps_bad_deletion_cost: cost.is_some_and(|cost| !super::annotations::is_deletion_cost(cost)),
            keeps_bad_affinity_values: affinity::has_bad_selectors(spec),
            keeps_bad_node_affinity_values: affinity::has_bad_node_values(spec),
            keeps_bad_spread_selectors: topology::has_bad_selectors(spec),
            keeps_bad_spread_keys: topology::has_bad_keys(spec),
            keeps_token_paths: volumes::has_bad_token_paths(spec),
            keeps_host_sysctls: security::has_host_sysctls(spec),
            keeps_devices_of_user_namespaces: !without_user_namespace
                && super::every_container(spec).any(|container| !list(container, "volumeDevices").is_empty()),
            keeps_odd_huge_pages: super::every_container(spec).any(super::resources::has_odd_huge_pages),
            keeps_empty_image_volumes: volumes::has_empty_image(spec),
            keeps_sys_admin: super::every_container(spec).any(|container| {
                let context = &container["securityContext"];
                !flag(context, "allowPrivilegeEscalation") && security::adds_sys_admin(context)
            }),
            keeps_restarting_init_resizes: list(spec, "initContainers")
                .iter()
                .any(|container| !containers::is_sidecar(container) && containers::restarts_on_resize(container)),
        }
    }
}
