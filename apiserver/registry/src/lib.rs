//! What may be written, and how. One immutable resource table, swapped whole, in which built-in kinds and custom
//! resources are rows of the same type; the write pipeline with its strategies, conversion and field management; reads
//! and watches over the stores. Knows no URL, header or encoding: `endpoints` turns requests into calls of [`Registry`].

mod context;
mod options;
mod served;
pub mod table;
mod registry;

pub use context::{RequestContext, Target, Warnings};
pub use options::{
    Body, CreateOptions, DeleteOptions, FieldValidation, GetOptions, ListOptions, Patch, PatchOptions, Preconditions,
    PropagationPolicy, ResourceVersionMatch, UpdateOptions,
};
pub use registry::{Options, Registry};
pub use served::{Deleted, EventKind, Listed, Served, WatchEvent, WatchStream, Written};
pub use table::{Column, Group, Origin, Row, Subresource, Table};
