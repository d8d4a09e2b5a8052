//! The resource table: what is served, under which names, and where it is kept. Immutable; the registry swaps it whole.

mod builtin;
mod row;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;

pub use row::{Column, Origin, Row, ScalePaths, SchemaSource, Subresource};
use serde::Deserialize;
pub use versions::{Conversion, CustomSchema, Versions};

/// A group and its versions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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
    /// Resource name to the rows of that name (few), so that a look-up makes no key.
    index: HashMap<String, Vec<usize>>,
    groups: Vec<Group>,
    /// The first of `groups` that comes from custom resources.
    custom_from: usize,
}

impl Table {
    /// The built-in kinds.
    pub fn builtin() -> Self {
        let mut table = builtin::load();
        table.custom_from = table.groups.len();
        table
    }

    fn assemble(rows: Vec<Arc<Row>>, groups: Vec<Group>) -> Self {
        let mut index: HashMap<String, Vec<usize>> = HashMap::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            index.entry(row.gvr.resource.clone()).or_default().push(at);
        }
        Self { rows, index, custom_from: groups.len(), groups }
    }

    /// The row of a resource (no subresource in `resource`).
    pub fn row(&self, group: &str, version: &str, resource: &str) -> Option<&Arc<Row>> {
        self.index
            .get(resource)?
            .iter()
            .filter_map(|&at| self.rows.get(at))
            .find(|row| row.gvr.group == group && row.gvr.version == version)
    }

    /// The row of a kind.
    pub fn row_of_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Row>> {
        self.rows.iter().find(|row| row.kind == kind && row.gvr.group == group && row.gvr.version == version)
    }

    /// Every row, in discovery's order: by group, then by version, the preferred one first.
    pub fn rows(&self) -> &[Arc<Row>] {
        &self.rows
    }

    /// Every group in discovery's order (the core group first), with its versions, the preferred one first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Whether the definition of that name has rows.
    pub fn has_crd(&self, name: &str) -> bool {
        self.rows.iter().any(|row| matches!(&row.origin, Origin::Crd { name: known, .. } if known == name))
    }

    /// This table without the rows of the definition `name`.
    pub fn without_crd(&self, name: &str) -> Self {
        self.with_crd(name, Vec::new())
    }

    /// A table in which the rows of the definition `name` are these. Groups of custom resources follow the built-in ones, by
    /// name; their versions are in upstream's order (`v1` before `v1beta1`).
    pub fn with_crd(&self, name: &str, custom: Vec<Arc<Row>>) -> Self {
        let is_custom = |row: &Row| matches!(row.origin, Origin::Crd { .. });
        let is_replaced = |row: &Row| matches!(&row.origin, Origin::Crd { name: known, .. } if known == name);
        // Where the definition means the same as before, the store and the watches on it go on.
        let present: Vec<&Arc<Row>> = self.rows.iter().filter(|row| is_replaced(row)).collect();
        let same = !custom.is_empty()
            && present.len() == custom.len()
            && present.iter().zip(&custom).all(|(old, new)| old.origin == new.origin);
        if same && present.iter().zip(&custom).all(|(old, new)| old.terminating == new.terminating) {
            return self.clone();
        }
        let store = present.first().filter(|_| same).and_then(|row| row.store.clone());
        let custom = custom.into_iter().map(|row| match &store {
            Some(store) => Arc::new(row.with_store(store.clone())),
            None => row,
        });
        let mut others: Vec<Arc<Row>> =
            self.rows.iter().filter(|row| is_custom(row) && !is_replaced(row)).cloned().collect();
        others.extend(custom);

        let mut groups: Vec<Group> = self.groups.iter().take(self.custom_from).cloned().collect();
        let mut of_group: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
        for row in &others {
            let versions = of_group.entry(&row.gvr.group).or_default();
            if !versions.contains(&row.gvr.version) {
                versions.push(row.gvr.version.clone());
            }
        }
        for (group, mut versions) in of_group {
            versions.sort_by_key(|version| std::cmp::Reverse(crate::version::priority(version)));
            match groups.iter_mut().find(|known| known.name == group) {
                // A definition may not add to a built-in group that is protected, but may to others.
                Some(known) => known.versions.extend(versions.into_iter().filter(|v| !self.builtin_has(group, v))),
                None => groups.push(Group { name: group.to_owned(), versions }),
            }
        }
        let mut rows: Vec<Arc<Row>> = self.rows.iter().filter(|row| !is_custom(row)).cloned().collect();
        others.sort_by(|a, b| {
            let version = |row: &Row| crate::version::priority(&row.gvr.version);
            (&a.gvr.group, version(b), &a.gvr.resource).cmp(&(&b.gvr.group, version(a), &b.gvr.resource))
        });
        rows.extend(others);
        let mut table = Self::assemble(rows, groups);
        table.custom_from = self.custom_from;
        table
    }

    fn builtin_has(&self, group: &str, version: &str) -> bool {
        self.rows
            .iter()
            .any(|row| row.origin == Origin::BuiltIn && row.gvr.group == group && row.gvr.version == version)
    }
}

#[cfg(test)]
mod tests;
