//! What other servers say they serve, in both forms of discovery.

use std::collections::HashMap;

use apimachinery::nullable::null_as_default;
use serde::{Deserialize, Serialize};

/// Types that answer a request for the aggregated form, as `Accept` names them.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                              application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// Whether what is said was true when it was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freshness {
    /// The server answered.
    #[default]
    Current,
    /// It did not.
    Stale,
}

/// A version of a group: `APIVersionDiscovery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version.
    pub version: String,
    /// Its resources.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Whether this is so now. What the other server says of it is not asked.
    #[serde(default, skip_deserializing)]
    pub freshness: Freshness,
}

/// A resource: `APIResourceDiscovery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    resource: String,
    #[serde(deserialize_with = "null_as_default")]
    response_kind: Kind,
    scope: String,
    singular_resource: String,
    #[serde(deserialize_with = "null_as_default")]
    verbs: Vec<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    short_names: Vec<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    subresources: Vec<Subresource>,
}

/// A subresource: `APISubresourceDiscovery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Subresource {
    subresource: String,
    #[serde(deserialize_with = "null_as_default")]
    response_kind: Kind,
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    accepted_types: Vec<Kind>,
    #[serde(deserialize_with = "null_as_default")]
    verbs: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kind {
    group: String,
    version: String,
    kind: String,
}

/// Reads an aggregated document: each version by its group and name.
///
/// # Errors
/// It is none.
pub fn aggregated(json: &[u8]) -> Result<HashMap<(String, String), Version>, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default, deserialize_with = "null_as_default")]
        items: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        metadata: Name,
        #[serde(default, deserialize_with = "null_as_default")]
        versions: Vec<Version>,
    }
    #[derive(Deserialize)]
    struct Name {
        #[serde(default)]
        name: String,
    }
    let list: List = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut all = HashMap::new();
    for group in list.items {
        for version in group.versions {
            all.insert((group.metadata.name.clone(), version.version.clone()), version);
        }
    }
    Ok(all)
}

/// Reads the list of resources of `version`, the form that servers without the aggregated one have. A resource that is told
/// of by a subresource alone is made up, as upstream does.
///
/// # Errors
/// It is none, or a subresource has another scope than its resource.
pub fn listed(version: &str, json: &[u8]) -> Result<Version, String> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default, deserialize_with = "null_as_default")]
        resources: Vec<Listed>,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Listed {
        name: String,
        singular_name: String,
        namespaced: bool,
        group: String,
        version: String,
        kind: String,
        #[serde(deserialize_with = "null_as_default")]
        verbs: Vec<String>,
        #[serde(deserialize_with = "null_as_default")]
        short_names: Vec<String>,
        #[serde(deserialize_with = "null_as_default")]
        categories: Vec<String>,
    }
    let list: List = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut resources: Vec<Resource> = Vec::new();
    let (below, own): (Vec<Listed>, Vec<Listed>) = list.resources.into_iter().partition(|of| of.name.contains('/'));
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" }.to_owned();
    for of in own {
        resources.push(Resource {
            scope: scope(of.namespaced),
            resource: of.name,
            response_kind: Kind { group: of.group, version: of.version, kind: of.kind },
            singular_resource: of.singular_name,
            verbs: of.verbs,
            short_names: of.short_names,
            categories: of.categories,
            subresources: Vec::new(),
        });
    }
    for of in below {
        let Some((parent, name)) = of.name.split_once('/') else { continue };
        let scope = scope(of.namespaced);
        let at = resources.iter().position(|known| known.resource == parent).unwrap_or_else(|| {
            let made = Resource { resource: parent.to_owned(), scope: scope.clone(), ..Resource::default() };
            resources.push(made);
            resources.len() - 1
        });
        let Some(parent) = resources.get_mut(at) else { continue };
        if parent.scope != scope {
            return Err(format!(
                "Error: Parent {} (scope: {}) and subresource {name} (scope: {scope}) scope do not match",
                parent.resource, parent.scope
            ));
        }
        let response_kind = match of.kind.is_empty() {
            true => Kind::default(),
            false => Kind { group: of.group, version: of.version, kind: of.kind },
        };
        let subresource = name.to_owned();
        parent.subresources.push(Subresource {
            subresource,
            response_kind,
            accepted_types: Vec::new(),
            verbs: of.verbs,
        });
    }
    Ok(Version { version: version.to_owned(), resources, freshness: Freshness::Current })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_of_discovery_say_the_same() {
        let aggregated_form = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": [
            {"metadata": {"name": "a.example"}, "versions": [
                {"version": "v1", "freshness": "Stale", "resources": [
                    {"resource": "things", "responseKind": {"group": "", "version": "", "kind": "Thing"},
                     "scope": "Namespaced", "singularResource": "thing", "verbs": ["get"], "shortNames": ["t"],
                     "subresources": [{"subresource": "status", "responseKind": {"group": "", "version": "", "kind": "Thing"},
                        "verbs": ["get"]}]}]},
                {"version": "v2", "resources": null}]}]});
        let listed_form = json!({"kind": "APIResourceList", "groupVersion": "a.example/v1", "resources": [
            {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": ["get"],
             "shortNames": ["t"]},
            {"name": "things/status", "singularName": "", "namespaced": true, "kind": "Thing", "verbs": ["get"]}]});
        let all = aggregated(aggregated_form.to_string().as_bytes()).unwrap();
        let v1 = &all[&("a.example".to_owned(), "v1".to_owned())];
        assert_eq!(*v1, listed("v1", listed_form.to_string().as_bytes()).unwrap());
        assert_eq!(v1.freshness, Freshness::Current, "a server does not say of itself that it does not answer");
        assert_eq!(all[&("a.example".to_owned(), "v2".to_owned())].resources, []);
        let mut want = aggregated_form["items"][0]["versions"][0].clone();
        want["freshness"] = "Current".into();
        assert_eq!(serde_json::to_value(v1).unwrap(), want);
    }

    #[test]
    fn a_subresource_makes_up_its_resource_but_not_another_scope() {
        let list = |namespaced: bool| {
            json!({"resources": [{"name": "a", "namespaced": true}, {"name": "a/x", "namespaced": namespaced},
                {"name": "b/y", "namespaced": false, "kind": "B"}]})
        };
        let version = listed("v1", list(true).to_string().as_bytes()).unwrap();
        let names: Vec<_> =
            version.resources.iter().map(|of| (&*of.resource, &*of.scope, of.subresources.len())).collect();
        assert_eq!(names, [("a", "Namespaced", 1), ("b", "Cluster", 1)]);
        let refused = listed("v1", list(false).to_string().as_bytes()).unwrap_err();
        assert!(refused.contains("Parent a (scope: Namespaced) and subresource x (scope: Cluster)"), "{refused}");
        assert!(aggregated(b"7").is_err() && listed("v1", b"{").is_err());
    }
}
