//! Which groups and versions discovery tells of, and in which order: upstream's rules for either form.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use registry::version::priority;
use registry::{Group, Table};

use crate::aggregation::discovery::Version;
use crate::aggregation::{Aggregation, Snapshot};

/// Those of a group and of one of its versions; the highest number is first.
type Priorities = (i64, i64);

/// The group of APIServices themselves is first.
const FIRST: &str = "apiregistration.k8s.io";
const FIRST_PRIORITY: i64 = 20001;
/// The priorities of custom resources, of their group and of their version.
const CUSTOM: Priorities = (1000, 100);
/// Those of what nobody set any for.
const UNSET: Priorities = (1000, 15);

/// `/apis` and `/apis/<group>` without the core group: what there are APIServices for, whether anybody answers or not. What
/// a definition serves counts before its APIService is made.
pub(super) fn listed(table: &Table, known: &Snapshot) -> Vec<Group> {
    let served = table.groups().iter().filter(|group| !group.name.is_empty());
    let mut services: Vec<(Reverse<i64>, String, String, i64, String)> = Vec::new();
    for of in known.services().filter(|of| !of.group.is_empty() && of.group != FIRST) {
        services.push((
            Reverse(of.group_priority),
            of.name(),
            of.group.clone(),
            of.version_priority,
            of.version.clone(),
        ));
    }
    if services.is_empty() {
        return served.cloned().collect();
    }
    let mut seen = HashSet::new();
    for row in table.rows().iter().filter(|row| row.is_custom()) {
        let (group, version) = (row.gvr.group.as_str(), row.gvr.version.as_str());
        if seen.insert((group, version)) {
            let name = format!("{version}.{group}");
            if known.get(&name).is_none() {
                services.push((Reverse(CUSTOM.0), name, group.to_owned(), CUSTOM.1, version.to_owned()));
            }
        }
    }
    services.sort();
    let mut order: Vec<String> = Vec::new();
    let mut versions: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    for (_, _, group, of_version, version) in services {
        let of_group = versions.entry(group.clone()).or_insert_with(|| {
            order.push(group);
            Vec::new()
        });
        of_group.push((of_version, version));
    }
    let first = served.filter(|group| group.name == FIRST).cloned();
    let others = order.into_iter().map(|name| {
        let mut versions = versions.remove(&name).unwrap_or_default();
        versions.sort_by_cached_key(|(number, version)| Reverse((*number, priority(version))));
        Group { name, versions: versions.into_iter().map(|(_, version)| version).collect() }
    });
    first.chain(others).collect()
}

/// Who serves a version.
#[derive(Clone, Debug)]
pub(super) enum Served {
    /// This server.
    Here(String),
    /// Another one.
    Elsewhere(Arc<Version>),
}

impl Served {
    fn version(&self) -> &str {
        match self {
            Self::Here(version) => version,
            Self::Elsewhere(served) => &served.version,
        }
    }
}

/// The aggregated `/apis`: what is served here, and what other servers said they serve, which comes first where both do.
pub(super) fn aggregated(table: &Table, aggregation: &Aggregation, known: &Snapshot) -> Vec<(String, Vec<Served>)> {
    let custom = table.rows().iter().filter(|row| row.is_custom());
    let custom: HashSet<_> = custom.map(|row| (row.gvr.group.as_str(), row.gvr.version.as_str())).collect();
    let mut groups: BTreeMap<&str, Vec<(Served, Priorities)>> = BTreeMap::new();
    for group in table.groups().iter().filter(|group| !group.name.is_empty()) {
        let custom = |version: &str| custom.contains(&(group.name.as_str(), version));
        let versions = group.versions.iter().map(|version| {
            let stated = aggregation.built_in_priority(&group.name, version);
            let priorities = match stated {
                _ if group.name == FIRST => (FIRST_PRIORITY, 0),
                Some(priorities) => priorities,
                None if custom(version) => CUSTOM,
                None => UNSET,
            };
            (Served::Here(version.clone()), priorities)
        });
        groups.insert(&group.name, versions.collect());
    }
    for of in known.services().filter(|of| !of.group.is_empty()) {
        let Some(served) = of.remote.as_ref().and_then(|remote| remote.served.clone()) else { continue };
        let versions = groups.entry(&of.group).or_default();
        versions.retain(|(known, _)| known.version() != of.version);
        versions.push((Served::Elsewhere(served), (of.group_priority, of.version_priority)));
    }
    let mut ordered: Vec<(Reverse<i64>, String, Vec<Served>)> = groups
        .into_iter()
        .map(|(name, mut versions)| {
            let of_group = versions.iter().map(|(_, priorities)| priorities.0).max().unwrap_or_default();
            versions.sort_by_cached_key(|(served, priorities)| Reverse((priorities.1, priority(served.version()))));
            (Reverse(of_group), name.to_owned(), versions.into_iter().map(|(served, _)| served).collect())
        })
        .collect();
    ordered.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    ordered.into_iter().map(|(_, name, versions)| (name, versions)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregation::{ApiService, Remote};

    fn service(name: &str, priorities: (i64, i64), serves: Option<&str>) -> Arc<ApiService> {
        let (version, group) = name.split_once('.').unwrap();
        let served = serves.map(|version| Arc::new(Version { version: version.to_owned(), ..Version::default() }));
        let remote = serves.map(|_| Remote { backend: Err(String::new()), available: false, served, described: None });
        let (group, version) = (group.to_owned(), version.to_owned());
        Arc::new(ApiService { group, version, group_priority: priorities.0, version_priority: priorities.1, remote })
    }

    fn names(groups: &[Group]) -> Vec<String> {
        groups.iter().map(|group| format!("{} {}", group.name, group.versions.join(" "))).collect()
    }

    #[test]
    fn groups_are_listed_by_the_priorities_of_their_apiservices() {
        let table = Table::builtin();
        let known = Snapshot::new([
            service("v1.", (18000, 1), None),
            service("v1.b.example", (1000, 100), None),
            service("v1alpha1.a.example", (1000, 100), None),
            service("v2.low.example", (10, 1), None),
            service("v1.low.example", (10, 5), None),
            service("v1beta1.low.example", (5000, 5), None),
            service("v1.apps", (17800, 15), None),
            service("v1.top.example", (20000, 1), Some("v1")),
        ]);
        let want = [
            "apiregistration.k8s.io v1",
            "top.example v1",
            "apps v1",
            // The highest of a group's priorities places it.
            "low.example v1 v1beta1 v2",
            // The names of APIServices, not of groups, decide between equals.
            "b.example v1",
            "a.example v1alpha1",
        ];
        assert_eq!(names(&listed(&table, &known)), want);
        let nothing_known = names(&listed(&table, &Snapshot::default()));
        assert_eq!(nothing_known.len(), table.groups().len() - 1, "without APIServices the table is all there is");
    }

    #[test]
    fn the_aggregated_document_places_what_is_served_elsewhere_among_what_is_served_here() {
        let table = Table::builtin();
        let stated = |name: &str, priorities| ApiService::clone(&service(name, priorities, None));
        let aggregation = Aggregation::new([stated("v1.apps", (17800, 15)), stated("v1.batch", (17400, 15))]);
        let known = Snapshot::new([
            service("v1.a.example", (17500, 15), Some("v1")),
            service("v9.apps", (1, 20), Some("v9")),
            service("v1.batch", (17400, 15), Some("v1")),
            service("v1.unknown.example", (17500, 15), None),
        ]);
        let groups = aggregated(&table, &aggregation, &known);
        let shown: Vec<String> = groups
            .iter()
            .take(4)
            .map(|(name, versions)| {
                let versions = versions.iter().map(|served| match served {
                    Served::Here(version) => format!(" {version}"),
                    Served::Elsewhere(served) => format!(" {} (elsewhere)", served.version),
                });
                name.clone() + &versions.collect::<String>()
            })
            .collect();
        let want =
            ["apiregistration.k8s.io v1", "apps v9 (elsewhere) v1", "a.example v1 (elsewhere)", "batch v1 (elsewhere)"];
        assert_eq!(shown, want);
    }
}
