//! Aggregation: other servers that answer for groups and versions, as APIServices say.
//!
//! What is known of them is a [`Snapshot`], immutable and swapped whole by whoever follows the APIServices. Requests look
//! at it after they were authorized and before the resource table: what is another server's goes there (`proxy`), the
//! rest is answered here. Discovery merges both.

mod backend;
pub mod discovery;
mod headers;
pub mod openapi;
pub(crate) mod proxy;
mod tls;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;

pub use backend::{Answer, Backend, Failure};
pub use tls::{Trust, client_config};

/// A group and version and who answers for it: an APIService.
#[derive(Clone, Debug)]
pub struct ApiService {
    /// The group, empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// Its group comes before groups of lower numbers.
    pub group_priority: i64,
    /// It comes before versions of lower numbers in its group.
    pub version_priority: i64,
    /// The other server; `None` for what this one answers.
    pub remote: Option<Remote>,
}

/// Another server that answers.
#[derive(Clone, Debug)]
pub struct Remote {
    /// How it is reached, or why it cannot be.
    pub backend: Result<Arc<Backend>, String>,
    /// Whether it was found to answer. If not, nobody asks it.
    pub available: bool,
    /// What it serves in this group and version, as far as it said.
    pub served: Option<Arc<discovery::Version>>,
    /// How it describes that, as far as it did.
    pub described: Option<Arc<openapi::Descriptions>>,
}

/// All APIServices at a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// By name, `<version>.<group>`.
    services: OrdMap<String, Arc<ApiService>>,
    /// Those of other servers, by `<group>/<version>`, for requests.
    remotes: HashMap<String, Arc<ApiService>>,
}

impl Snapshot {
    /// One of these APIServices.
    pub fn new(services: impl IntoIterator<Item = Arc<ApiService>>) -> Self {
        let mut snapshot = Self::default();
        services.into_iter().for_each(|service| snapshot.put(service));
        snapshot
    }

    /// Adds an APIService, or replaces the one of its group and version.
    pub fn put(&mut self, service: Arc<ApiService>) {
        let key = format!("{}/{}", service.group, service.version);
        if service.remote.is_some() {
            self.remotes.insert(key, service.clone());
        } else {
            self.remotes.remove(&key);
        }
        self.services.insert(service.name(), service);
    }

    /// Removes the APIService of that name.
    pub fn remove(&mut self, name: &str) {
        if let Some(gone) = self.services.remove(name) {
            self.remotes.remove(&format!("{}/{}", gone.group, gone.version));
        }
    }

    /// Every APIService, by name.
    pub fn services(&self) -> impl Iterator<Item = &Arc<ApiService>> {
        self.services.values()
    }

    /// The APIService of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<ApiService>> {
        self.services.get(name)
    }

    /// The APIService of another server to which a version's document of OpenAPI v3 belongs, by its path below
    /// `/openapi/v3/`.
    pub(crate) fn remote_of_document(&self, path: &str) -> Option<&Arc<ApiService>> {
        self.remotes.get(path.strip_prefix("apis/")?)
    }

    /// The descriptions of what others serve, with the APIServices that say so, by their priorities.
    pub(crate) fn descriptions(&self) -> Vec<(Arc<ApiService>, Arc<openapi::Descriptions>)> {
        let described = |of: &Arc<ApiService>| of.remote.as_ref()?.described.clone();
        let mut all: Vec<_> = self.remotes.values().filter_map(|of| Some((of.clone(), described(of)?))).collect();
        all.sort_by_cached_key(|(of, _)| (-of.group_priority, -of.version_priority, of.name()));
        all
    }

    /// The APIService of another server to which a path belongs: `/apis/<group>/<version>` and what is below it, for the
    /// core group `/api` and what is below it.
    pub fn remote_of(&self, path: &str) -> Option<&Arc<ApiService>> {
        if self.remotes.is_empty() {
            return None;
        }
        if let Some(below) = path.strip_prefix("/apis/") {
            let end = below.match_indices('/').nth(1).map_or(below.len(), |(at, _)| at);
            return self.remotes.get(&below[..end]);
        }
        let core = path == "/api" || path.starts_with("/api/");
        if core { self.remotes.get("/v1") } else { None }
    }
}

impl ApiService {
    /// `<version>.<group>`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.version, self.group)
    }
}

/// What a server knows of others that answer for a part of it.
#[derive(Debug)]
pub struct Aggregation {
    snapshot: ArcSwap<Snapshot>,
    /// The order in which built-in groups and versions are discovered.
    priorities: HashMap<(String, String), (i64, i64)>,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self::new([])
    }
}

impl Aggregation {
    /// Without other servers. `built_in` are the APIServices of what is compiled in: they order it in discovery.
    pub fn new(built_in: impl IntoIterator<Item = ApiService>) -> Self {
        let priorities =
            built_in.into_iter().map(|of| ((of.group, of.version), (of.group_priority, of.version_priority))).collect();
        Self { snapshot: ArcSwap::default(), priorities }
    }

    /// What is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Changes what is known. `change` may be called more than once.
    pub fn update(&self, change: impl Fn(&mut Snapshot)) {
        self.snapshot.rcu(|known| {
            let mut changed = Snapshot::clone(known);
            change(&mut changed);
            changed
        });
    }

    /// The priorities of a built-in group and version.
    pub(crate) fn built_in_priority(&self, group: &str, version: &str) -> Option<(i64, i64)> {
        self.priorities.get(&(group.to_owned(), version.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_another_server_by_group_and_version_exactly() {
        let remote = |group: &str, version: &str| {
            let remote = Remote { backend: Err("not reached".into()), available: true, served: None, described: None };
            let (group, version) = (group.to_owned(), version.to_owned());
            Arc::new(ApiService { group, version, group_priority: 1, version_priority: 1, remote: Some(remote) })
        };
        let mut snapshot = Snapshot::new([remote("a.example", "v1"), remote("b.example", "v1")]);
        snapshot.remove("v1.b.example");
        let owner = |path: &str| snapshot.remote_of(path).map(|service| service.name());
        for path in ["/apis/a.example/v1", "/apis/a.example/v1/", "/apis/a.example/v1/x/y", "/apis/a.example/v1//x"] {
            assert_eq!(owner(path).as_deref(), Some("v1.a.example"), "{path}");
        }
        for path in [
            "/apis",
            "/apis/a.example",
            "/apis/a.example/",
            "/apis/a.example/v12",
            "/apis//a.example/v1",
            "/api/v1",
            "//apis/a.example/v1",
            "/apis/b.example/v1",
            "/apis/A.example/v1",
            "/openapi/v3/apis/a.example/v1",
        ] {
            assert_eq!(owner(path), None, "{path}");
        }
        let core = Snapshot::new([remote("", "v1")]);
        for (path, there) in [("/api", true), ("/api/v1/pods", true), ("/apis/apps/v1", false), ("/apix", false)] {
            assert_eq!(core.remote_of(path).is_some(), there, "{path}");
        }
    }
}
