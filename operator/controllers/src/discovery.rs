//! Which resources the API server serves, for controllers that work on all of them.

use kube::Client;
use kube::core::discovery::{ApiCapabilities, ApiResource, Scope};
use kube::discovery::Discovery;

/// A resource that is served, in its most stable version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Served {
    /// Group, version, kind, plural.
    pub resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    verbs: Vec<String>,
}

impl Served {
    /// Whether it has all these verbs.
    pub fn supports(&self, verbs: &[&str]) -> bool {
        verbs.iter().all(|verb| self.verbs.iter().any(|served| served == verb))
    }
}

fn served((resource, capabilities): (ApiResource, ApiCapabilities)) -> Served {
    Served { resource, namespaced: capabilities.scope == Scope::Namespaced, verbs: capabilities.operations }
}

/// What discovery tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Every resource served, each once.
    pub served: Vec<Served>,
    /// Groups and versions of other servers that do not answer now: what is said of them may be old, or nothing.
    pub stale: Vec<String>,
}

impl Discovered {
    /// What is wrong where something is stale, in the words of Go's client.
    pub fn failure(&self) -> Option<String> {
        let each: Vec<String> =
            self.stale.iter().map(|version| format!("{version}: stale GroupVersion discovery: {version}")).collect();
        let words = "unable to retrieve the complete list of server APIs";
        (!each.is_empty()).then(|| format!("{words}: {}", each.join(", ")))
    }
}

/// Reads discovery.
///
/// # Errors
/// When it cannot be read; a part of it is never taken for the whole.
pub async fn discover(client: &Client) -> kube::Result<Discovered> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let served = discovery.groups().flat_map(|group| group.resources_by_stability()).map(served).collect();
    let mut stale = Vec::new();
    for group in client.list_api_groups_aggregated().await?.items {
        let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
        let old = group.versions.into_iter().filter(|version| version.freshness.as_deref() == Some("Stale"));
        stale.extend(old.map(|version| format!("{name}/{}", version.version.unwrap_or_default())));
    }
    stale.sort();
    Ok(Discovered { served, stale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stale_is_told_in_the_words_of_gos_client() {
        assert_eq!(Discovered::default().failure(), None);
        let stale = vec!["a.example/v1".to_owned(), "b.example/v2".to_owned()];
        assert_eq!(
            Discovered { stale, ..Discovered::default() }.failure().as_deref(),
            Some(
                "unable to retrieve the complete list of server APIs: a.example/v1: stale GroupVersion discovery: \
                 a.example/v1, b.example/v2: stale GroupVersion discovery: b.example/v2"
            )
        );
    }
}
