//! What changed between two values.

use std::fmt;

use serde_json::Value;

use super::ValidationErrors;
use crate::fieldpath::{Filter, Set};
use crate::schema::{Schema, TypeRef};

/// What became of the fields of one value in another. No field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The fields the second value does not have.
    pub removed: Set,
    /// The fields both have, with different values.
    pub modified: Set,
    /// The fields only the second value has.
    pub added: Set,
}

impl Comparison {
    /// Whether the two values were the same.
    pub fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// The comparison of what the filter leaves.
    #[must_use]
    pub fn filter(self, filter: Option<&Filter>) -> Self {
        match filter {
            None => self,
            Some(filter) => Self {
                removed: filter.apply(&self.removed),
                modified: filter.apply(&self.modified),
                added: filter.apply(&self.added),
            },
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, name) in [(&self.modified, "Modified"), (&self.added, "Added"), (&self.removed, "Removed")] {
            if !set.is_empty() {
                writeln!(f, "- {name} Fields:\n{set}")?;
            }
        }
        Ok(())
    }
}
pub(super) fn compare(_: &Schema, _: &TypeRef, _: &Value, _: &Value) -> Result<Comparison, ValidationErrors> {
    todo!()
}
