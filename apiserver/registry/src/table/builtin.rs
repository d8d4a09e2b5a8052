//! The built-in rows, from data that states what upstream serves.

use std::collections::HashMap;
use std::sync::Arc;

use apimachinery::gvk::{GroupVersion, GroupVersionKind, GroupVersionResource};
use serde::Deserialize;

use super::{Group, Origin, Row, Subresource, Table};
use crate::store::Store;
use crate::strategy;
use crate::table::row::SchemaSource;

#[derive(Deserialize)]
struct Data {
    groups: Vec<Group>,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    group: String,
    version: String,
    resource: String,
    kind: String,
    singular: String,
    verbs: Vec<String>,
    #[serde(default)]
    namespaced: bool,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    storage_version_hash: String,
    #[serde(default)]
    subresources: Vec<SubresourceData>,
    /// The warning that each use of the version earns.
    deprecation_warning: Option<String>,
    /// Upstream's key prefix where it is not the resource's name.
    prefix: Option<String>,
    /// The version stored where it is not this one.
    storage: Option<GroupVersion>,
}

#[derive(Deserialize)]
struct SubresourceData {
    name: String,
    kind: String,
    verbs: Vec<String>,
    /// Stated where the kind belongs to another group version.
    version: Option<String>,
    #[serde(default)]
    group: String,
}

/// Reads the data. It is compiled in, so that a mistake in it is a mistake in the program: the tests read it too.
pub(super) fn load() -> Table {
    let data: Data = serde_json::from_str(include_str!("../../data/resources.json"))
        .unwrap_or_else(|error| Data { groups: Vec::new(), resources: not_readable(&error) });
    let mut stores: HashMap<(String, String), Arc<Store>> = HashMap::new();
    let rows = data.resources.into_iter().map(|resource| Arc::new(row(resource, &mut stores))).collect();
    Table::assemble(rows, data.groups)
}

fn not_readable(error: &serde_json::Error) -> Vec<Resource> {
    tracing::error!(%error, "the table of built-in resources cannot be read");
    Vec::new()
}

fn row(data: Resource, stores: &mut HashMap<(String, String), Arc<Store>>) -> Row {
    let own = GroupVersion::new(&data.group, &data.version);
    let stored = data.verbs.iter().any(|verb| verb == "watch");
    let store = stored.then(|| {
        let version = data.storage.clone().unwrap_or_else(|| own.clone());
        let path = data.prefix.clone().unwrap_or_else(|| data.resource.clone());
        stores
            .entry((path.clone(), data.kind.clone()))
            .or_insert_with(|| Arc::new(Store::new(path, version.with_kind(&data.kind), data.namespaced)))
            .clone()
    });
    let subresources = data
        .subresources
        .into_iter()
        .map(|sub| Subresource {
            foreign: sub.version.is_some(),
            kind: match sub.version {
                Some(version) => GroupVersionKind::new(sub.group, version, sub.kind),
                None => own.with_kind(sub.kind),
            },
            name: sub.name,
            verbs: sub.verbs,
        })
        .collect();
    let selectable = store.as_ref().map(|store| store.selectable().clone()).unwrap_or_default();
    let strategy = strategy::builtin(&data.group, &data.resource);
    Row {
        gvr: GroupVersionResource::new(data.group, data.version, data.resource),
        list_kind: format!("{}List", data.kind),
        schema: SchemaSource::BuiltIn(own.with_kind(&data.kind)),
        kind: data.kind,
        singular: data.singular,
        short_names: data.short_names,
        categories: data.categories,
        namespaced: data.namespaced,
        verbs: data.verbs,
        subresources,
        storage_version_hash: data.storage_version_hash,
        columns: Vec::new(),
        origin: Origin::BuiltIn,
        terminating: false,
        deprecation_warning: data.deprecation_warning,
        scale: None,
        selectable,
        versions: None,
        converted: Arc::default(),
        store,
        strategy,
    }
}
