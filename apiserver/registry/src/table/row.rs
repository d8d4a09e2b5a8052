//! One served resource.

use std::sync::Arc;

use apimachinery::gvk::{GroupResource, GroupVersionKind, GroupVersionResource};

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled in.
    BuiltIn,
    /// A CustomResourceDefinition of this name and uid.
    Crd {
        /// Its name, `<plural>.<group>`.
        name: String,
        /// Its uid.
        uid: String,
    },
}

/// A printer column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// OpenAPI's type.
    pub kind: String,
    /// OpenAPI's format, or `name`.
    pub format: String,
    /// What it shows, for people.
    pub description: String,
    /// 0 is always shown, more only in wide output.
    pub priority: i64,
    /// Where the value is, for custom resources; built-in kinds are computed by name.
    pub json_path: Option<String>,
}

/// A subresource of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// `status`, `scale`, …
    pub name: String,
    /// The kind it speaks.
    pub kind: GroupVersionKind,
    /// Discovery states the kind's group and version (they differ from the row's).
    pub foreign: bool,
    /// What it can do.
    pub verbs: Vec<String>,
}

/// One resource in one version.
#[derive(Debug)]
pub struct Row {
    /// The resource.
    pub gvr: GroupVersionResource,
    /// Its kind.
    pub kind: String,
    /// The kind of its lists.
    pub list_kind: String,
    /// The singular name.
    pub singular: String,
    /// Short names, e.g. `po`.
    pub short_names: Vec<String>,
    /// Categories, e.g. `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What it can do, sorted.
    pub verbs: Vec<String>,
    /// Its subresources, sorted by name.
    pub subresources: Vec<Subresource>,
    /// Discovery's hash of the storage version; empty where there is none.
    pub storage_version_hash: String,
    /// Printer columns; empty for the default (Name, Age).
    pub columns: Vec<Column>,
    /// Where it comes from.
    pub origin: Origin,
    /// The warning that each use of the version earns.
    pub deprecation_warning: Option<String>,
}

impl Row {
    /// Group, version and kind.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind { group: self.gvr.group.clone(), version: self.gvr.version.clone(), kind: self.kind.clone() }
    }

    /// The resource without its version.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.gvr.group.clone(), resource: self.gvr.resource.clone() }
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        if self.gvr.group.is_empty() {
            self.gvr.version.clone()
        } else {
            format!("{}/{}", self.gvr.group, self.gvr.version)
        }
    }

    /// Whether the resource itself can do `verb`.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|known| known.name == name)
    }

    /// Whether objects are kept (reviews are not).
    pub fn stored(&self) -> bool {
        true
    }

    /// The schema of the row's version; parsed on first use.
    pub fn schema(&self) -> Option<Arc<schema::Schema>> {
        None
    }
}
