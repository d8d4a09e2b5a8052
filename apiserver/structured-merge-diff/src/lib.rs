//! Structured merge and diff: typed values, field sets, ownership, merge and conflicts for server-side apply.
//!
//! The semantics are those of `sigs.k8s.io/structured-merge-diff` v6, over [`serde_json::Value`]:
//!
//! * [`schema`]: the type system (atoms, struct fields, list and map relationships);
//! * [`fieldpath`]: paths, sets of paths, their FieldsV1 encoding, and who owns which set;
//! * [`typed`]: a value with its type: validate, field set, merge, compare, remove, extract;
//! * [`merge`]: the [`merge::Updater`], which tracks ownership through updates and applies;
//! * [`value`]: equality, order and text of values as upstream defines them.
//!
//! The crate is pure: no I/O, no clock, and no knowledge of Kubernetes beyond the FieldsV1 format.

pub mod fieldpath;
pub mod merge;
pub mod schema;
pub mod typed;
pub mod value;

pub use fieldpath::{ApiVersion, Filter, ManagedFields, Path, PathElement, Set, VersionedSet};
pub use merge::{Conflict, Conflicts, Converter, Updater};
pub use schema::{Atom, ElementRelationship, List, Map, Scalar, Schema, StructField, TypeDef, TypeRef};
pub use typed::{TypedValue, ValidationErrors};
