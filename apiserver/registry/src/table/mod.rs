//! The resource table: what is served, under which names, and where it is kept. Immutable; the registry swaps it whole.

mod row;

use std::collections::HashMap;
use std::sync::Arc;

pub use row::{Column, Origin, Row, Subresource};

/// A group and its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The name, empty for the core group.
    pub name: String,
    /// The versions, the preferred one first.
    pub versions: Vec<String>,
}

/// All rows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Arc<Row>>,
    index: HashMap<(String, String, String), usize>,
    groups: Vec<Group>,
}

impl Table {
    /// The built-in kinds.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// The row of a resource (no subresource in `resource`).
    pub fn row(&self, group: &str, version: &str, resource: &str) -> Option<&Arc<Row>> {
        // A lookup a request: the key is built once, and no row name is long.
        let key = (group.to_owned(), version.to_owned(), resource.to_owned());
        self.index.get(&key).and_then(|&at| self.rows.get(at))
    }

    /// Every row, in discovery's order.
    pub fn rows(&self) -> &[Arc<Row>] {
        &self.rows
    }

    /// Every group in discovery's order (the core group first), with its versions, the preferred one first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
}
