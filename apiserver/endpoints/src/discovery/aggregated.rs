//! Discovery in its aggregated form: `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`, one document for `/api` and one
//! for `/apis`.

use registry::{Group, Row, Table};
use serde::Serialize;

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
    versions: Vec<ApiVersionDiscovery<'a>>,
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
    list(table, |group| group.name.is_empty())
}

/// `/apis`.
pub(super) fn groups(table: &Table) -> ApiGroupDiscoveryList<'_> {
    list(table, |group| !group.name.is_empty())
}

fn list(table: &Table, wanted: impl Fn(&Group) -> bool) -> ApiGroupDiscoveryList<'_> {
    let items = table.groups().iter().filter(|group| wanted(group)).map(|of| group(table, of)).collect();
    ApiGroupDiscoveryList {
        kind: "APIGroupDiscoveryList",
        api_version: "apidiscovery.k8s.io/v2",
        metadata: Empty {},
        items,
    }
}

fn group<'a>(table: &'a Table, group: &'a Group) -> ApiGroupDiscovery<'a> {
    let versions = group.versions.iter().map(|version| {
        let rows = table.rows().iter().filter(|row| row.gvr.group == group.name && row.gvr.version == *version);
        let mut resources: Vec<_> = rows.map(|row| resource(row)).collect();
        resources.sort_by_key(|resource| resource.resource);
        ApiVersionDiscovery { version, resources, freshness: "Current" }
    });
    ApiGroupDiscovery { metadata: Name { name: &group.name }, versions: versions.collect() }
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
