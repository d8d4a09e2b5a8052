//! Admission: what stands between a drafted write and the store. Plugins see the [`Attributes`] of a request, first
//! those that may change the object ([`Chain::admit`]), then those that may only refuse it ([`Chain::validate`]).
//!
//! Plugins read through a [`Lister`] and never write.

mod attributes;
pub mod certificates;
mod chain;
pub mod default_class;
pub mod default_toleration_seconds;
pub mod limit_ranger;
mod lister;
pub mod namespace_lifecycle;
pub mod node_restriction;
pub mod outbound;
mod pod_resources;
pub mod priority;
pub mod runtime_class;
pub mod service_account;
pub mod storage_object_in_use_protection;
pub mod taint_nodes_by_condition;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use attributes::{Attributes, Context, Operation};
pub use chain::{Chain, Plugin};
pub use lister::{Equivalent, Lister};
