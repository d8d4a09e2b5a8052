//! The table of the built-in kinds' strategies.

use apimachinery::validation;

use super::plain::{Plain, plain};
use super::{
    Facts, Generation, Recheck, StatusOnCreate, Strategy, api_service, apps, batch, certificates, networking, policy,
    rbac, template, workloads,
};

/// Kinds that a PUT may create; most of them want a resourceVersion then, as upstream's strategies say.
const CREATED_BY_PUT: Facts = Facts { create_on_update: true, ..Facts::DEFAULT };

const SPEC: Facts = Facts::generation(Generation::Spec);
const CONDITIONAL_SPEC: Facts = Facts { unconditional_update: false, ..SPEC };
const PENDING: Facts = Facts { status_on_create: StatusOnCreate::Phase("Pending"), ..Facts::DEFAULT };

/// A strategy in static memory.
macro_rules! stated {
    ($plain:expr) => {{
        static PLAIN: Plain = $plain;
        &PLAIN
    }};
}

/// The facts of a built-in resource.
pub(super) fn strategy(group: &str, resource: &str) -> &'static dyn Strategy {
    match (group, resource) {
        ("", "persistentvolumes") => stated!(plain(PENDING).returned().with(workloads::persistent_volume)),
        ("", "persistentvolumeclaims") => stated!(plain(PENDING).returned().with(workloads::persistent_volume_claim)),
        ("", "nodes") => stated!(plain(Facts { status_on_create: StatusOnCreate::Kept, ..Facts::DEFAULT })),
        ("", "endpoints") => stated!(plain(CREATED_BY_PUT).with(workloads::endpoints)),
        ("", "replicationcontrollers") => stated!(
            plain(SPEC)
                .orphaning()
                .with(workloads::replication_controller)
                .checked(apps::replica_set::validate_controller, apps::replica_set::validate_controller_update)
                .warned(template::workload_warnings)
                .rechecked(Recheck::Before)
        ),
        ("", "serviceaccounts" | "resourcequotas") => stated!(plain(Facts::DEFAULT).returned()),
        ("apps", "deployments") => stated!(
            plain(Facts { status_keeps_labels: true, ..Facts::generation(Generation::SpecAndAnnotations) })
                .with(workloads::deployment)
                .checked(apps::deployment::validate, apps::deployment::validate_update)
                .warned(template::workload_warnings)
        ),
        ("apps", "daemonsets") => stated!(
            plain(SPEC)
                .with(workloads::daemon_set)
                .checked(apps::daemon_set::validate, apps::daemon_set::validate_update)
                .warned(template::workload_warnings)
                .rechecked(Recheck::Before)
        ),
        ("apps", "replicasets") => stated!(
            plain(SPEC)
                .with(workloads::replica_set)
                .checked(apps::replica_set::validate, apps::replica_set::validate_update)
                .warned(template::workload_warnings)
                .rechecked(Recheck::Before)
        ),
        ("apps", "statefulsets") => stated!(
            plain(SPEC)
                .named(validation::name_is_dns_label)
                .with(workloads::stateful_set)
                .checked(apps::stateful_set::validate, apps::stateful_set::validate_update)
                .warned(template::workload_warnings)
        ),
        ("apps", "controllerrevisions") => stated!(
            plain(Facts::DEFAULT)
                .checked(apps::controller_revision::validate, apps::controller_revision::validate_update)
                .rechecked(Recheck::Before)
        ),
        ("batch", "jobs") => stated!(
            plain(SPEC)
                .orphaning()
                .warning_of_unsaid_propagation(batch::job::UNSAID_PROPAGATION)
                .with(workloads::job)
                .prepared(batch::job::prepare_create, |_, _, _| {})
                .checked(batch::job::validate, batch::job::validate_update)
                .rechecked(Recheck::Before)
                .warned(batch::job::warnings)
        ),
        ("batch", "cronjobs") => stated!(
            plain(SPEC)
                .with(workloads::cron_job)
                .checked(batch::cron_job::validate, batch::cron_job::validate_update)
                .warned(batch::cron_job::warnings)
        ),
        ("autoscaling", _) => stated!(plain(Facts::DEFAULT).with(workloads::horizontal_pod_autoscaler)),
        ("networking.k8s.io", "networkpolicies") => stated!(
            plain(SPEC)
                .with(workloads::network_policy)
                .checked(networking::network_policy::validate, networking::network_policy::validate_update)
        ),
        ("networking.k8s.io", "ingresses") => stated!(
            plain(SPEC)
                .checked(networking::ingress::validate, networking::ingress::validate_update)
                .warned(networking::ingress::warnings)
        ),
        ("networking.k8s.io", "ingressclasses") => stated!(
            plain(SPEC)
                .with(networking::ingress_class::apply_defaults)
                .checked(networking::ingress_class::validate, networking::ingress_class::validate_update)
                .rechecked(Recheck::After)
        ),
        ("networking.k8s.io", "servicecidrs") => stated!(
            plain(Facts::DEFAULT)
                .checked(networking::address::validate_block, networking::address::validate_block_update)
        ),
        ("policy", _) => {
            stated!(plain(CONDITIONAL_SPEC).checked(policy::validate_budget, policy::validate_budget_update))
        }
        ("flowcontrol.apiserver.k8s.io", _) => stated!(plain(CONDITIONAL_SPEC)),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            stated!(plain(CONDITIONAL_SPEC).with(workloads::webhook_configuration))
        }
        ("admissionregistration.k8s.io", _) => stated!(plain(CONDITIONAL_SPEC)),
        ("discovery.k8s.io", "endpointslices") => {
            stated!(plain(Facts::generation(Generation::SpecAndLabels)).with(workloads::endpoint_slice))
        }
        ("scheduling.k8s.io", _) => {
            stated!(
                plain(Facts::generation(Generation::Fixed))
                    .with(workloads::priority_class)
                    .checked(policy::validate_class, policy::validate_class_update)
            )
        }
        ("storage.k8s.io", "storageclasses") => {
            stated!(plain(Facts::DEFAULT).returned().with(workloads::storage_class))
        }
        ("storage.k8s.io", "volumeattachments") => {
            stated!(plain(Facts { unconditional_update: false, ..Facts::DEFAULT }).returned())
        }
        ("storage.k8s.io", "csinodes" | "csidrivers") => stated!(plain(Facts::DEFAULT).returned()),
        ("resource.k8s.io", "resourceclaims") => stated!(plain(Facts::DEFAULT).with(workloads::resource_claim)),
        ("resource.k8s.io", "resourceclaimtemplates") => {
            stated!(plain(Facts::DEFAULT).with(workloads::resource_claim_template))
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            stated!(
                plain(CREATED_BY_PUT)
                    .any_name()
                    .with(workloads::role_binding)
                    .checked(rbac::validate_binding, rbac::validate_binding_update)
                    .rechecked(Recheck::Before)
            )
        }
        ("rbac.authorization.k8s.io", _) => stated!(
            plain(CREATED_BY_PUT)
                .any_name()
                .checked(rbac::validate_role, rbac::validate_role_update)
                .rechecked(Recheck::Before)
        ),
        ("coordination.k8s.io", "leases") => stated!(
            plain(Facts { unconditional_update: false, ..CREATED_BY_PUT })
                .checked(policy::validate_lease, policy::validate_lease_update)
        ),
        ("coordination.k8s.io", _) | ("node.k8s.io", _) => {
            stated!(plain(Facts { unconditional_update: false, ..CREATED_BY_PUT }))
        }
        ("apiregistration.k8s.io", _) => stated!(
            plain(Facts { unconditional_update: false, ..Facts::DEFAULT })
                .any_name()
                .with(api_service::apply_defaults)
                .prepared(api_service::prepare_create, |_, _, _| {})
                .checked(api_service::validate, api_service::validate_update)
                .rechecked(Recheck::After)
        ),
        ("certificates.k8s.io", _) => {
            stated!(
                plain(Facts::DEFAULT)
                    .any_name()
                    .prepared(certificates::prepare_create, certificates::prepare_update)
                    .resetting(certificates::resets)
                    .checked(certificates::validate, certificates::validate_update)
            )
        }
        ("networking.k8s.io", "ipaddresses") => stated!(
            plain(Facts::DEFAULT)
                .named(networking::address::validate_name)
                .checked(networking::address::validate_address, networking::address::validate_address_update)
        ),
        _ => stated!(plain(Facts::DEFAULT)),
    }
}
