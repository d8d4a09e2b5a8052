//! Discovery in its aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`, one document for `/api` and one
//! for `/apis`.

use registry::{Row, Table};
use serde::Serialize;

use super::order::Served;
use crate::aggregation::discovery::Version;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiGroupDiscoveryList<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    items: Vec<ApiGroupDiscovery<'a>>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ApiGroupDiscovery<'a> {
    metadata: Name<'a>,
    versions: Vec<AnyVersion<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyVersion<'a> {
    Here(ApiVersionDiscovery<'a>),
    Elsewhere(&'a Version),
}

#[derive(Serialize)]
struct Name<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

#[derive(Serialize)]
struct ApiVersionDiscovery<'a> {
    version: &'a str,
    resources: Vec<ApiResourceDiscovery<'a>>,
    freshness: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResourceDiscovery<'a> {
    resource: &'a str,
    response_kind: Kind<'a>,
    scope: &'static str,
    singular_resource: &'a str,
    verbs: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    short_names: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    categories: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<ApiSubresourceDiscovery<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiSubresourceDiscovery<'a> {
    subresource: &'a str,
    response_kind: Kind<'a>,
    verbs: &'a [String],
}

/// A kind. Upstream leaves group and version empty where they are the list's own.
#[derive(Serialize)]
struct Kind<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
}

/// `/api`.
pub(super) fn core(table: &Table) -> ApiGroupDiscoveryList<'_> {
    let core = table.groups().iter().filter(|group| group.name.is_empty());
    list(core.map(|group| {
        let versions = group.versions.iter().map(|of| AnyVersion::Here(version(table, "", of)));
        ApiGroupDiscovery { metadata: Name { name: "" }, versions: versions.collect() }
    }))
}

/// `/apis`.
pub(super) fn groups<'a>(table: &'a Table, groups: &'a [(String, Vec<Served>)]) -> ApiGroupDiscoveryList<'a> {
    list(groups.iter().map(|(name, versions)| {
        let versions = versions.iter().map(|served| match served {
            Served::Here(of) => AnyVersion::Here(version(table, name, of)),
            Served::Elsewhere(served) => AnyVersion::Elsewhere(served),
        });
        ApiGroupDiscovery { metadata: Name { name }, versions: versions.collect() }
    }))
}

fn list<'a>(groups: impl Iterator<Item = ApiGroupDiscovery<'a>>) -> ApiGroupDiscoveryList<'a> {
    ApiGroupDiscoveryList {
        kind: "APIGroupDiscoveryList",
        api_version: "apidiscovery.k8s.io/v2",
        metadata: Empty {},
        items: groups.collect(),
    }
}

fn version<'a>(table: &'a Table, group: &str, version: &'a str) -> ApiVersionDiscovery<'a> {
    let rows = table.rows().iter().filter(|row| row.gvr.group == group && row.gvr.version == version);
    let mut resources: Vec<_> = rows.map(|row| resource(row)).collect();
    resources.sort_by_key(|resource| resource.resource);
    ApiVersionDiscovery { version, resources, freshness: "Current" }
}

fn resource(row: &Row) -> ApiResourceDiscovery<'_> {
    // A definition's own kinds are stated in full.
    let kind = |group, version, kind| Kind { group, version, kind };
    let own = if row.is_custom() { (row.gvr.group.as_str(), row.gvr.version.as_str()) } else { ("", "") };
    let subresources = row.subresources.iter().map(|subresource| {
        let (group, version) = if subresource.foreign {
            (subresource.kind.group.as_str(), subresource.kind.version.as_str())
        } else {
            own
        };
        ApiSubresourceDiscovery {
            subresource: &subresource.name,
            response_kind: kind(group, version, &subresource.kind.kind),
            verbs: &subresource.verbs,
        }
    });
    ApiResourceDiscovery {
        resource: &row.gvr.resource,
        response_kind: kind(own.0, own.1, &row.kind),
        scope: if row.namespaced { "Namespaced" } else { "Cluster" },
        singular_resource: &row.singular,
        verbs: row.discovered_verbs().collect(),
        short_names: &row.short_names,
        categories: &row.categories,
        subresources: subresources.collect(),
    }
}
