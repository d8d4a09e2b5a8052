//! Admission: what stands between a drafted write and the store. Plugins see the [`Attributes`] of a request, first
//! those that may change the object ([`Chain::admit`]), then those that may only refuse it ([`Chain::validate`]).
//!
//! Plugins read through a [`Lister`] and never write.

mod attributes;
pub mod authorizer;
mod chain;
pub mod default_toleration_seconds;
mod lister;
pub mod namespace_lifecycle;
pub mod priority;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use attributes::{Attributes, Context, Operation};
pub use chain::{Chain, Plugin};
pub use lister::{Equivalent, Lister};
