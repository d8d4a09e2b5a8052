//! Discovery in its first form: a document for each group and each version.

use registry::{Group, Row, Table};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiVersions {
    kind: &'static str,
    versions: [&'static str; 1],
    #[serde(rename = "serverAddressByClientCIDRs")]
    server_addresses: [ServerAddress; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerAddress {
    #[serde(rename = "clientCIDR")]
    client_cidr: &'static str,
    server_address: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiGroupList {
    kind: &'static str,
    api_version: &'static str,
    groups: Vec<ApiGroup>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiGroup {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'static str,
    name: String,
    versions: Vec<GroupVersion>,
    preferred_version: GroupVersion,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiResourceList {
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    api_version: &'static str,
    group_version: String,
    resources: Vec<ApiResource>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    singular_name: String,
    namespaced: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    kind: String,
    verbs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    short_names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    storage_version_hash: String,
}

/// `/api`: the core group's version, and where this server is.
pub(super) fn versions(address: &str) -> ApiVersions {
    ApiVersions {
        kind: "APIVersions",
        versions: ["v1"],
        server_addresses: [ServerAddress { client_cidr: "0.0.0.0/0", server_address: address.to_owned() }],
    }
}

/// `/apis`: every group but the core one.
pub(super) fn groups(groups: &[Group]) -> ApiGroupList {
    let groups = groups.iter().map(|of| describe(of, false)).collect();
    ApiGroupList { kind: "APIGroupList", api_version: "v1", groups }
}

/// `/apis/<group>`: as it is listed, else as it is served.
pub(super) fn group(groups: &[Group], table: &Table, name: &str) -> Option<ApiGroup> {
    let mut known = groups.iter().chain(table.groups());
    known.find(|group| !name.is_empty() && group.name == name).map(|group| describe(group, true))
}

fn describe(group: &Group, document: bool) -> ApiGroup {
    let versions: Vec<GroupVersion> = group
        .versions
        .iter()
        .map(|version| GroupVersion { group_version: format!("{}/{version}", group.name), version: version.clone() })
        .collect();
    let empty = GroupVersion { group_version: String::new(), version: String::new() };
    ApiGroup {
        kind: if document { "APIGroup" } else { "" },
        api_version: if document { "v1" } else { "" },
        name: group.name.clone(),
        preferred_version: versions.first().cloned().unwrap_or(empty),
        versions,
    }
}

/// The resources of a version; `None` if it is not served.
pub(super) fn resources(table: &Table, group: &str, version: &str) -> Option<ApiResourceList> {
    let known = table.groups().iter().any(|of| of.name == group && of.versions.iter().any(|v| v == version));
    if !known {
        return None;
    }
    let mut rows: Vec<_> =
        table.rows().iter().filter(|row| row.gvr.group == group && row.gvr.version == version).collect();
    rows.sort_by(|a, b| a.gvr.resource.cmp(&b.gvr.resource));
    let custom = rows.iter().all(|row| row.is_custom());
    let mut resources: Vec<ApiResource> = rows.into_iter().flat_map(|row| row_resources(row)).collect();
    if !custom {
        // The subresources of a definition stand in their own order.
        resources.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    // Upstream leaves the version out of the core group's list alone.
    let api_version = if group.is_empty() { "" } else { "v1" };
    Some(ApiResourceList { kind: "APIResourceList", api_version, group_version, resources })
}

/// A resource and its subresources.
fn row_resources(row: &Row) -> Vec<ApiResource> {
    let mut resources = vec![ApiResource {
        name: row.gvr.resource.clone(),
        singular_name: row.singular.clone(),
        namespaced: row.namespaced,
        group: String::new(),
        version: String::new(),
        kind: row.kind.clone(),
        verbs: row.discovered_verbs().map(str::to_owned).collect(),
        short_names: row.short_names.clone(),
        categories: row.categories.clone(),
        storage_version_hash: row.storage_version_hash.clone(),
    }];
    resources.extend(row.subresources.iter().map(|subresource| ApiResource {
        name: format!("{}/{}", row.gvr.resource, subresource.name),
        singular_name: String::new(),
        namespaced: row.namespaced,
        group: if subresource.foreign { subresource.kind.group.clone() } else { String::new() },
        version: if subresource.foreign { subresource.kind.version.clone() } else { String::new() },
        kind: subresource.kind.kind.clone(),
        verbs: subresource.verbs.clone(),
        short_names: Vec::new(),
        categories: Vec::new(),
        storage_version_hash: String::new(),
    }));
    resources
}
