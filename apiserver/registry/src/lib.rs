//! What may be written, and how. One immutable resource table, swapped whole, in which built-in kinds and custom
//! resources are rows of the same type; the write pipeline with its strategies, conversion and field management; reads
//! and watches over the stores. Knows no URL, header or encoding: `endpoints` turns requests into calls of [`Registry`].

mod acting;
pub mod allocation;
mod context;
mod conversion;
pub mod crd;
mod decode;
mod fieldmanager;
mod following;
mod generations;
mod lister;
mod meta;
mod options;
mod pipeline;
mod registry;
mod restore;
mod reviews;
mod scale;
mod selectable;
mod served;
mod standing;
mod storage_error;
mod store;
pub mod strategy;
mod subresource;
pub mod table;
#[cfg(test)]
mod tests;
mod token_request;
mod validation;
mod verbs;
pub mod version;
mod written;

pub use context::{RequestContext, Target, Warnings};
pub use following::Known;
pub use meta::{generate_name, random_uuid};
pub use options::{
    Body, CreateOptions, DeleteOptions, FieldValidation, GetOptions, ListOptions, Patch, PatchOptions, Preconditions,
    PropagationPolicy, ResourceVersionMatch, UpdateOptions,
};
pub use registry::{Options, Registry};
pub use reviews::{Reviewers, TokenReviewer};
pub use scale::unreadable as unreadable_scale;
pub use selectable::Selectable;
pub use served::{Deleted, EventKind, Listed, Served, WatchEvent, WatchStream, Written};
pub use store::Store;
pub use table::{Column, Group, Origin, Row, Subresource, Table};
