//! What distinguishes kinds in ways that need no code.

use serde_json::{Value, json};

/// When `metadata.generation` moves. It starts at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The kind has none.
    None,
    /// With every change outside `apiVersion`, `kind`, `metadata` and `status`.
    Spec,
    /// As `Spec`, and with changes of labels too (endpoint slices).
    SpecAndLabels,
    /// As `Spec`, and with changes of annotations too (deployments).
    SpecAndAnnotations,
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
