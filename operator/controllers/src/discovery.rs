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

/// Every resource served, each once.
///
/// # Errors
/// When discovery cannot be read; a part of it is never taken for the whole.
pub async fn discover(client: &Client) -> kube::Result<Vec<Served>> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    Ok(discovery.groups().flat_map(|group| group.resources_by_stability()).map(served).collect())
}
