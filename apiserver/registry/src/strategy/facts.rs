//! What distinguishes kinds in ways that need no code.

use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

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
}

impl Strategy for Plain {
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
    }
}

/// Kinds that a PUT may create; most of them want a resourceVersion then, as upstream's strategies say.
const CREATED_BY_PUT: Facts = Facts { create_on_update: true, ..Facts::DEFAULT };

static DEFAULT: Plain = plain(Facts::DEFAULT);
static WITH_GENERATION: Plain = plain(Facts::generation(Generation::Spec));
static CONDITIONAL_WITH_GENERATION: Plain =
    plain(Facts { generation: Generation::Spec, unconditional_update: false, ..Facts::DEFAULT });
static CONDITIONAL: Plain = plain(Facts { unconditional_update: false, ..Facts::DEFAULT });
/// Its name is `<version>.<group>`, which for the core group ends in a dot.
static API_SERVICE: Plain =
    Plain { names: validation::name_is_path_segment, ..plain(Facts { unconditional_update: false, ..Facts::DEFAULT }) };
static FIXED_GENERATION: Plain = plain(Facts::generation(Generation::Fixed));
static DEPLOYMENT: Plain = plain(Facts { status_keeps_labels: true, ..Facts::generation(Generation::Spec) });
static ENDPOINT_SLICE: Plain = plain(Facts::generation(Generation::SpecAndLabels));
static RBAC: Plain = Plain { names: validation::name_is_path_segment, ..plain(CREATED_BY_PUT) };
static CREATABLE: Plain = plain(Facts { unconditional_update: false, ..CREATED_BY_PUT });
static CREATABLE_UNCONDITIONAL: Plain = plain(CREATED_BY_PUT);
static PERSISTENT_VOLUME: Plain = Plain {
    returns_deleted: true,
    ..plain(Facts { status_on_create: StatusOnCreate::Phase("Pending"), ..Facts::DEFAULT })
};
static RETURNED: Plain = Plain { returns_deleted: true, ..plain(Facts::DEFAULT) };
static POD_TEMPLATE: Plain = Plain { returns_deleted: true, ..plain(Facts::generation(Generation::Spec)) };
static ORPHANING: Plain =
    Plain { garbage_collection: GarbageCollection::OrphanDependents, ..plain(Facts::generation(Generation::Spec)) };
static NODE: Plain = plain(Facts { status_on_create: StatusOnCreate::Kept, ..Facts::DEFAULT });
static BATCH: Plain = plain(Facts::generation(Generation::Spec));

/// The facts of a built-in resource.
pub(super) fn strategy(group: &str, resource: &str) -> &'static dyn Strategy {
    match (group, resource) {
        ("", "persistentvolumes" | "persistentvolumeclaims") => &PERSISTENT_VOLUME,
        ("", "nodes") => &NODE,
        ("", "endpoints") | ("", "limitranges") => &CREATABLE_UNCONDITIONAL,
        ("", "podtemplates") => &POD_TEMPLATE,
        ("", "replicationcontrollers") | ("batch", "jobs") => &ORPHANING,
        ("", "serviceaccounts" | "resourcequotas") => &RETURNED,
        ("storage.k8s.io", "storageclasses" | "volumeattachments" | "csinodes" | "csidrivers") => &RETURNED,
        ("apps", "deployments") => &DEPLOYMENT,
        ("apps", "daemonsets" | "replicasets" | "statefulsets") => &WITH_GENERATION,
        ("batch", _) => &BATCH,
        ("networking.k8s.io", "ingresses" | "ingressclasses" | "networkpolicies") => &WITH_GENERATION,
        ("policy", "poddisruptionbudgets") => &CONDITIONAL_WITH_GENERATION,
        ("admissionregistration.k8s.io", _) => &CONDITIONAL_WITH_GENERATION,
        ("flowcontrol.apiserver.k8s.io", _) => &CONDITIONAL_WITH_GENERATION,
        ("discovery.k8s.io", "endpointslices") => &ENDPOINT_SLICE,
        ("scheduling.k8s.io", "priorityclasses") => &FIXED_GENERATION,
        ("rbac.authorization.k8s.io", _) => &RBAC,
        ("coordination.k8s.io", "leases") => &CREATABLE,
        ("node.k8s.io", "runtimeclasses") => &CREATABLE,
        ("apiregistration.k8s.io", _) => &API_SERVICE,
        ("certificates.k8s.io", _) => &CONDITIONAL,
        _ => &DEFAULT,
    }
}
