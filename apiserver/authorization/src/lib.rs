//! Who may do what: the question ([`Attributes`]), those who answer it ([`Authorizer`]), and upstream's answers: roles and
//! bindings ([`rbac`]), what a node may do ([`node`]), everything or nothing ([`Always`]).
//!
//! Pure: no I/O, no clock. What is known of roles, bindings and pods is put in by who follows them, and asked without copies.

pub mod authorizer;
pub mod node;
pub mod rbac;
mod union;

pub use authorizer::{Attributes, Authorizer, Decision, NonResourceRule, ResourceRule, Rules};
pub use union::{Always, Paths, Privileged, Union};
