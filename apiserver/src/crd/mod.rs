//! The CRD controller: the only one who changes the resource table.
//!
//! It follows the CustomResourceDefinitions, decides about their names, publishes a row for every served version of an
//! established one, and when a definition is deleted removes its instances before it lets go of it. Rows are
//! published before the condition that announces them, so whoever waits for Established can use them at once.

mod cleanup;
mod conformance;
mod controller;
mod names;

pub use controller::Controller;
