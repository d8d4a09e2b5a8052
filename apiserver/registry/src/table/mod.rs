//! The resource table: what is served, under which names, and where it is kept. Immutable; the registry swaps it whole.

mod builtin;
mod custom_schema;
mod row;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::gvk::GroupVersionResource;
use foldhash::{HashMap, HashMapExt};

use crate::crd::Definition;
pub use custom_schema::CustomSchema;
pub use row::{Column, Origin, Row, ScalePaths, SchemaSource, Subresource};
use serde::Deserialize;
pub use versions::{Conversion, Versions};

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
    /// The name of a definition to its rows.
    definitions: HashMap<String, Vec<usize>>,
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
        let mut definitions: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            index.entry(row.gvr.resource.clone()).or_default().push(at);
            if let Origin::Crd { name, .. } = &row.origin {
                definitions.entry(name.clone()).or_default().push(at);
            }
        }
        Self { rows, index, definitions, custom_from: groups.len(), groups }
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

    /// Whether a group has a version.
    pub fn has_version(&self, group: &str, version: &str) -> bool {
        self.groups.iter().any(|known| known.name == group && known.versions.iter().any(|known| known == version))
    }

    /// Whether the definition of that name has rows.
    pub fn has_crd(&self, name: &str) -> bool {
        self.definitions.contains_key(name)
    }

    /// Whether the rows of a definition are those it would have now. If so they hold on to its newest bytes, and let go of
    /// those they were made from.
    pub fn serves(&self, definition: &Definition) -> bool {
        let Origin::Crd { name, .. } = definition.origin() else { return false };
        let mut rows = self.rows_of_crd(name).peekable();
        let Some(first) = rows.peek().map(|row| row.versions.clone()) else { return false };
        let same = rows.all(|row| row.origin == *definition.origin() && row.terminating == definition.is_terminating());
        if same && let Some(versions) = first {
            versions.move_to(definition);
        }
        same
    }

    /// Lets go of the compiled schemas that nobody has used since the last call; they are made again when somebody does.
    pub fn rest_schemas(&self) {
        // Each definition once, whose rows share them.
        let rows = self.definitions.values().filter_map(|rows| self.rows.get(*rows.first()?));
        rows.filter_map(|row| row.versions.as_ref()).for_each(|versions| versions.rest());
    }

    fn rows_of_crd(&self, name: &str) -> impl Iterator<Item = &Arc<Row>> {
        self.definitions.get(name).into_iter().flatten().filter_map(|&at| self.rows.get(at))
    }

    /// This table without these built-in resources, and without the versions and groups in which none is left.
    pub fn without_builtin(&self, resources: &[GroupVersionResource]) -> Self {
        let kept = self.rows.iter().filter(|row| row.is_custom() || !resources.contains(&row.gvr));
        let rows: Vec<Arc<Row>> = kept.cloned().collect();
        let mut groups = self.groups.clone();
        for group in &mut groups {
            group
                .versions
                .retain(|version| rows.iter().any(|row| row.gvr.group == group.name && row.gvr.version == *version));
        }
        let custom_from = groups.iter().take(self.custom_from).filter(|group| !group.versions.is_empty()).count();
        groups.retain(|group| !group.versions.is_empty());
        let mut table = Self::assemble(rows, groups);
        table.custom_from = custom_from;
        table
    }

    /// This table without built-in resources, but for those of `group`.
    pub fn without_builtin_but(&self, group: &str) -> Self {
        let others = self.rows.iter().filter(|row| !row.is_custom() && row.gvr.group != group);
        self.without_builtin(&others.map(|row| row.gvr.clone()).collect::<Vec<_>>())
    }

    /// This table without the rows of the definition `name`.
    pub fn without_crd(&self, name: &str) -> Self {
        self.with_crd(name, Vec::new())
    }

    /// [`Table::with_crds`] for one definition.
    pub fn with_crd(&self, name: &str, custom: Vec<Arc<Row>>) -> Self {
        self.with_crds(&BTreeMap::from([(name.to_owned(), custom)]))
    }

    /// A table in which the rows of these definitions, by their names, are these. Groups of custom resources follow the built-in
    /// ones, by name; their versions are in upstream's order (`v1` before `v1beta1`).
    ///
    /// Where a definition means the same as before, its stores and the watches on it go on.
    pub fn with_crds(&self, changes: &BTreeMap<String, Vec<Arc<Row>>>) -> Self {
        let is_replaced =
            |row: &Row| matches!(&row.origin, Origin::Crd { name, .. } if changes.contains_key(name.as_str()));
        let mut others: Vec<Arc<Row>> =
            self.rows.iter().filter(|row| row.is_custom() && !is_replaced(row)).cloned().collect();
        for (name, rows) in changes {
            others.extend(rows.iter().map(|row| {
                match self.rows_of_crd(name).find(|old| old.origin == row.origin && old.gvr == row.gvr) {
                    Some(old) if old.terminating == row.terminating => old.clone(),
                    Some(old) => Arc::new(old.ending(row.terminating)),
                    None => row.clone(),
                }
            }));
        }

        let mut groups: Vec<Group> = self.groups.iter().take(self.custom_from).cloned().collect();
        let mut of_group: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for row in &others {
            let versions = of_group.entry(&row.gvr.group).or_default();
            if !versions.contains(&row.gvr.version) {
                versions.push(row.gvr.version.clone());
            }
        }
        for (group, mut versions) in of_group {
            versions.sort_by_key(|version| std::cmp::Reverse(crate::version::priority(version)));
            match groups[..self.custom_from].iter_mut().find(|known| known.name == group) {
                // A definition may not add to a built-in group that is protected, but may to others.
                Some(known) => known.versions.extend(versions.into_iter().filter(|v| !self.builtin_has(group, v))),
                None => groups.push(Group { name: group.to_owned(), versions }),
            }
        }
        let mut rows: Vec<Arc<Row>> = self.rows.iter().filter(|row| !row.is_custom()).cloned().collect();
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
