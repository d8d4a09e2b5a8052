//! What distinguishes kinds in ways that need no code.

use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

use super::workloads::{self, Defaults};
use super::{GarbageCollection, Strategy};
use crate::table::Row;

/// When `metadata.generation` moves. It starts at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The kind has none.
    None,
    /// With every change outside `apiVersion`, `kind`, `metadata` and `status`.
    Spec,
    /// As `Spec`, and with changes of labels too (endpoint slices).
    SpecAndLabels,
    /// It stays 1.
    Fixed,
}

/// What becomes of the status that a client sends with a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOnCreate {
    /// It is dropped, where the resource has a status subresource.
    Reset,
    /// It is kept (nodes register with one).
    Kept,
    /// It is dropped, and a phase is set.
    Phase(&'static str),
}

/// The facts of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// When the generation moves.
    pub generation: Generation,
    /// What becomes of a new object's status.
    pub status_on_create: StatusOnCreate,
    /// A PUT may create.
    pub create_on_update: bool,
    /// A PUT needs no resourceVersion.
    pub unconditional_update: bool,
    /// A write to `/status` leaves the labels as they are.
    pub status_keeps_labels: bool,
}

impl Facts {
    /// What is true of most kinds.
    pub const DEFAULT: Facts = Facts {
        generation: Generation::None,
        status_on_create: StatusOnCreate::Reset,
        create_on_update: false,
        unconditional_update: true,
        status_keeps_labels: false,
    };

    /// The default with this generation.
    pub const fn generation(generation: Generation) -> Facts {
        Facts { generation, ..Facts::DEFAULT }
    }

    /// The status of a new object of which `sent` was sent; `None` leaves it as it is.
    pub(crate) fn first_status(&self) -> Option<Value> {
        match self.status_on_create {
            StatusOnCreate::Reset => Some(json!({})),
            StatusOnCreate::Kept => None,
            StatusOnCreate::Phase(phase) => Some(json!({ "phase": phase })),
        }
    }
}

/// A strategy that is only facts.
#[derive(Debug)]
struct Plain {
    facts: Facts,
    names: NameFn,
    garbage_collection: GarbageCollection,
    returns_deleted: bool,
    defaults: Defaults,
}

impl Strategy for Plain {
    fn apply_defaults(&self, object: &mut Value) {
        (self.defaults)(object);
    }

    fn returns_deleted(&self) -> bool {
        self.returns_deleted
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        self.names
    }

    fn garbage_collection(&self) -> GarbageCollection {
        self.garbage_collection
    }
}

const fn plain(facts: Facts) -> Plain {
    Plain {
        facts,
        names: validation::name_is_dns_subdomain,
        garbage_collection: GarbageCollection::DeleteDependents,
        returns_deleted: false,
        defaults: workloads::none,
    }
}

/// Kinds that a PUT may create; most of them want a resourceVersion then, as upstream's strategies say.
const CREATED_BY_PUT: Facts = Facts { create_on_update: true, ..Facts::DEFAULT };

const SPEC: Facts = Facts::generation(Generation::Spec);
const CONDITIONAL_SPEC: Facts = Facts { unconditional_update: false, ..SPEC };
const PENDING: Facts = Facts { status_on_create: StatusOnCreate::Phase("Pending"), ..Facts::DEFAULT };

impl Plain {
    const fn with(self, defaults: Defaults) -> Plain {
        Plain { defaults, ..self }
    }

    const fn returned(self) -> Plain {
        Plain { returns_deleted: true, ..self }
    }

    const fn orphaning(self) -> Plain {
        Plain { garbage_collection: GarbageCollection::OrphanDependents, ..self }
    }

    const fn any_name(self) -> Plain {
        Plain { names: validation::name_is_path_segment, ..self }
    }
}

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
        ("", "limitranges") => stated!(plain(CREATED_BY_PUT)),
        ("", "podtemplates") => stated!(plain(SPEC).returned().with(workloads::pod_template_object)),
        ("", "replicationcontrollers") => stated!(plain(SPEC).orphaning().with(workloads::replication_controller)),
        ("", "serviceaccounts" | "resourcequotas") => stated!(plain(Facts::DEFAULT).returned()),
        ("apps", "deployments") => {
            stated!(plain(Facts { status_keeps_labels: true, ..SPEC }).with(workloads::deployment))
        }
        ("apps", "daemonsets") => stated!(plain(SPEC).with(workloads::daemon_set)),
        ("apps", "replicasets") => stated!(plain(SPEC).with(workloads::replica_set)),
        ("apps", "statefulsets") => stated!(plain(SPEC).with(workloads::stateful_set)),
        ("batch", "jobs") => stated!(plain(SPEC).orphaning().with(workloads::job)),
        ("batch", "cronjobs") => stated!(plain(SPEC).with(workloads::cron_job)),
        ("autoscaling", _) => stated!(plain(Facts::DEFAULT).with(workloads::horizontal_pod_autoscaler)),
        ("networking.k8s.io", "networkpolicies") => stated!(plain(SPEC).with(workloads::network_policy)),
        ("networking.k8s.io", "ingresses" | "ingressclasses") => stated!(plain(SPEC)),
        ("policy", _) | ("flowcontrol.apiserver.k8s.io", _) => stated!(plain(CONDITIONAL_SPEC)),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => {
            stated!(plain(CONDITIONAL_SPEC).with(workloads::webhook_configuration))
        }
        ("admissionregistration.k8s.io", _) => stated!(plain(CONDITIONAL_SPEC)),
        ("discovery.k8s.io", "endpointslices") => {
            stated!(plain(Facts::generation(Generation::SpecAndLabels)).with(workloads::endpoint_slice))
        }
        ("scheduling.k8s.io", _) => {
            stated!(plain(Facts::generation(Generation::Fixed)).with(workloads::priority_class))
        }
        ("storage.k8s.io", "storageclasses") => {
            stated!(plain(Facts::DEFAULT).returned().with(workloads::storage_class))
        }
        ("storage.k8s.io", "volumeattachments") => {
            stated!(plain(Facts { unconditional_update: false, ..Facts::DEFAULT }).returned())
        }
        ("storage.k8s.io", "csinodes" | "csidrivers") => stated!(plain(Facts::DEFAULT).returned()),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            stated!(plain(CREATED_BY_PUT).any_name().with(workloads::role_binding))
        }
        ("rbac.authorization.k8s.io", _) => stated!(plain(CREATED_BY_PUT).any_name()),
        ("coordination.k8s.io", _) | ("node.k8s.io", _) => {
            stated!(plain(Facts { unconditional_update: false, ..CREATED_BY_PUT }))
        }
        ("apiregistration.k8s.io", _) | ("certificates.k8s.io", _) => {
            stated!(plain(Facts { unconditional_update: false, ..Facts::DEFAULT }).any_name())
        }
        ("networking.k8s.io", "ipaddresses") => stated!(plain(Facts::DEFAULT).any_name()),
        _ => stated!(plain(Facts::DEFAULT)),
    }
}
