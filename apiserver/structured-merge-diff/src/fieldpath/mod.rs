//! Paths to fields, sets of them, and who owns which set.

mod algebra;
mod element;
mod fields_v1;
mod from_value;
mod managed_fields;
mod matcher;
mod path;
mod set;

pub use element::{KeyField, PathElement};
pub use fields_v1::PathElementError;
pub use managed_fields::{ApiVersion, ManagedFields, VersionedSet};
pub use matcher::{Filter, Pattern, SetMatcher};
pub use path::Path;
pub use set::Set;

#[cfg(test)]
mod tests;
