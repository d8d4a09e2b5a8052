//! One served resource.

use std::sync::Arc;

use apimachinery::gvk::{GroupKind, GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource};
use schema::Schema;
use serde::Deserialize;

use super::{CustomSchema, Versions};
use crate::conversion::Converted;
use crate::selectable::Selectable;
use crate::store::Store;
use crate::strategy::Strategy;

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
        /// A digest of all that its rows are made from.
        digest: [u8; 32],
    },
}

/// A printer column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// The heading.
    pub name: String,
    /// OpenAPI's type.
    #[serde(rename = "type", default = "string")]
    pub kind: String,
    /// OpenAPI's format, or `name`.
    #[serde(default)]
    pub format: String,
    /// What it shows, for people.
    #[serde(default)]
    pub description: String,
    /// 0 is always shown, more only in wide output.
    #[serde(default)]
    pub priority: i64,
    /// Where the value is; without it the column is the name.
    #[serde(default)]
    pub json_path: Option<String>,
}

fn string() -> String {
    "string".into()
}

/// Where a custom resource keeps what `scale` shows, as dotted paths (`.spec.replicas`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// The replicas wanted.
    pub spec_replicas: String,
    /// The replicas there are.
    pub status_replicas: String,
    /// The serialized selector.
    pub label_selector: Option<String>,
}

/// Where a row's schema comes from.
#[derive(Clone, Debug)]
pub enum SchemaSource {
    /// The built-in definitions; parsed when first asked for.
    BuiltIn(GroupVersionKind),
    /// A definition's; compiled when first asked for.
    Crd(Arc<CustomSchema>),
    /// A definition's version without a schema: everything is kept.
    Preserving,
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
#[derive(Clone, Debug)]
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
    /// Printer columns of a custom resource; those of built-in kinds stand with their printers.
    pub columns: Vec<Column>,
    /// Where it comes from.
    pub origin: Origin,
    /// The definition is being deleted: nothing new is created.
    pub terminating: bool,
    /// The warning that each use of the version earns.
    pub deprecation_warning: Option<String>,
    /// What `scale` shows, for custom resources.
    pub scale: Option<ScalePaths>,
    /// What field selectors may name.
    pub selectable: Selectable,
    /// The schema's source; see [`Row::schema`].
    pub schema: SchemaSource,
    /// All versions of a custom resource.
    pub versions: Option<Arc<Versions>>,
    /// What a webhook has converted to the row's version.
    pub(crate) converted: Arc<Converted>,
    /// Where the objects are, shared by all versions; `None` for kinds that are not kept (reviews).
    pub store: Option<Arc<Store>>,
    /// What the kind adds to the shared rules.
    pub strategy: &'static dyn Strategy,
}

impl Row {
    /// Group, version and kind.
    pub fn gvk(&self) -> GroupVersionKind {
        GroupVersionKind::new(&*self.gvr.group, &*self.gvr.version, &*self.kind)
    }

    /// Group and version.
    pub fn group_version(&self) -> GroupVersion {
        self.gvr.group_version()
    }

    /// Group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind::new(&self.gvr.group, &self.kind)
    }

    /// The resource without its version.
    pub fn group_resource(&self) -> GroupResource {
        self.gvr.group_resource()
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        self.group_version().to_string()
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
        self.store.is_some()
    }

    /// Whether stored objects are served as they are.
    pub fn serves_as_stored(&self) -> bool {
        self.store.as_ref().is_some_and(|store| {
            let stored = store.gvk();
            stored.version == self.gvr.version && stored.group == self.gvr.group
        })
    }

    /// Whether an object as the cache has it is of the row's version.
    pub(crate) fn shows(&self, json: &[u8]) -> bool {
        if !self.is_custom() {
            return self.serves_as_stored();
        }
        // Names are sorted: an object of this version begins so.
        let rest =
            json.strip_prefix(br#"{"apiVersion":""#).and_then(|rest| rest.strip_prefix(self.gvr.group.as_bytes()));
        let rest = rest.and_then(|rest| rest.strip_prefix(b"/")?.strip_prefix(self.gvr.version.as_bytes()));
        rest.is_some_and(|rest| rest.starts_with(b"\""))
    }

    /// Whether objects get from one version to another by a webhook.
    pub fn asks_a_webhook(&self) -> bool {
        self.versions.as_ref().is_some_and(|versions| versions.asks_a_webhook())
    }

    /// The verbs that discovery tells of: of a definition that is being deleted not those that write.
    pub fn discovered_verbs(&self) -> impl Iterator<Item = &str> {
        let hidden = |verb: &str| self.terminating && matches!(verb, "create" | "patch" | "update");
        self.verbs.iter().map(String::as_str).filter(move |verb| !hidden(verb))
    }

    /// The same row of a definition whose deletion began, or did not.
    pub(super) fn ending(&self, terminating: bool) -> Self {
        Self { terminating, ..self.clone() }
    }

    /// Whether the row comes from a CustomResourceDefinition.
    pub fn is_custom(&self) -> bool {
        matches!(self.origin, Origin::Crd { .. })
    }

    /// Whether status is written through `/status` alone.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// The schema of the row's version; parsed on first use, cheap to clone.
    pub fn schema(&self) -> Option<Schema> {
        match &self.schema {
            SchemaSource::BuiltIn(gvk) => schema::builtin().kind(gvk),
            SchemaSource::Crd(schema) => Some(schema.compiled()),
            SchemaSource::Preserving => Some(Schema::preserving()),
        }
    }
}
