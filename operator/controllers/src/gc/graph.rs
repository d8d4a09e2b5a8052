//! The graph of owners and dependents. Pure: fed with what the watches tell, it says what is to be looked at.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::discovery::ApiResource;
use std::sync::Arc;

/// The finalizer of an object whose dependents go before it does.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";

/// Where an object is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinates {
    /// What resource it is, shared by all objects of a watch.
    pub resource: Arc<ApiResource>,
    /// Its namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What the graph knows of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it is found.
    pub at: Coordinates,
    /// Its owners.
    pub owners: Vec<OwnerReference>,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// Whether it waits for its dependents to go.
    pub deleting_dependents: bool,
    orphaning: bool,
}

impl Object {
    fn new(at: Coordinates, meta: &ObjectMeta) -> Self {
        let deleting = meta.deletion_timestamp.is_some();
        let has = |finalizer: &str| meta.finalizers.iter().flatten().any(|found| found == finalizer);
        Self {
            at,
            owners: meta.owner_references.clone().unwrap_or_default(),
            deleting,
            deleting_dependents: deleting && has(FOREGROUND),
            orphaning: deleting && has(ORPHAN),
        }
    }
}

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// The object of this uid may have to go.
    AttemptToDelete(String),
    /// The object of this uid gives its dependents up.
    AttemptToOrphan(String),
    /// The object of this uid names an owner that lives in another namespace.
    TellOfOwner {
        /// The object.
        dependent: String,
        /// The owner.
        owner: String,
    },
}

/// The graph. An owner that no watch has shown is not in it, though others may depend on it.
#[derive(Debug, Default)]
pub struct Graph {
    objects: HashMap<String, Object>,
    dependents: HashMap<String, HashSet<String>>,
}

impl Graph {
    /// An object was seen, new or changed.
    pub fn applied(&mut self, at: Coordinates, meta: &ObjectMeta) -> Vec<Task> {
        let Some(uid) = meta.uid.clone() else { return Vec::new() };
        let now = Object::new(at, meta);
        let mut tasks = Vec::new();
        let before = self.objects.insert(uid.clone(), now.clone());
        let owners_before = before.as_ref().map(|before| before.owners.as_slice()).unwrap_or_default();
        for owner in &now.owners {
            self.dependents.entry(owner.uid.clone()).or_default().insert(uid.clone());
            // An owner that is not there may never have been: the object is to be looked at.
            if !self.objects.contains_key(&owner.uid) && !owners_before.contains(owner) {
                tasks.push(Task::AttemptToDelete(uid.clone()));
            }
            if !owners_before.contains(owner)
                && let Some(known) = self.objects.get(&owner.uid)
            {
                self.check_reference(&uid, &now, owner, known, &mut tasks);
            }
            // A new dependent of something that is on its way out follows it.
            if self.objects.get(&owner.uid).is_some_and(|owner| owner.deleting_dependents) {
                tasks.push(Task::AttemptToDelete(uid.clone()));
            }
        }
        for owner in owners_before.iter().filter(|owner| !now.owners.contains(owner)) {
            if !now.owners.iter().any(|still| still.uid == owner.uid) {
                self.unlink(&owner.uid, &uid);
            }
            // It may have been what the owner waited for.
            if self.objects.get(&owner.uid).is_some_and(|owner| owner.deleting_dependents) {
                tasks.push(Task::AttemptToDelete(owner.uid.clone()));
            }
        }
        if before.is_none() {
            // Others may have named it before it was seen, wrongly.
            for dependent in self.dependents_of(&uid) {
                let Some(found) = self.objects.get(&dependent) else { continue };
                for reference in found.owners.iter().filter(|owner| owner.uid == uid) {
                    self.check_reference(&dependent, found, reference, &now, &mut tasks);
                }
            }
        }
        if now.orphaning && !before.as_ref().is_some_and(|before| before.orphaning) {
            tasks.push(Task::AttemptToOrphan(uid.clone()));
        }
        if now.deleting_dependents && !before.as_ref().is_some_and(|before| before.deleting_dependents) {
            tasks.extend(self.dependents_of(&uid).map(Task::AttemptToDelete));
            tasks.push(Task::AttemptToDelete(uid));
        }
        tasks.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
        tasks.dedup();
        tasks
    }

    /// A reference that does not fit the owner it names is looked at, and told of where that owner lives elsewhere.
    fn check_reference(
        &self,
        uid: &str,
        dependent: &Object,
        reference: &OwnerReference,
        owner: &Object,
        tasks: &mut Vec<Task>,
    ) {
        let elsewhere = !owner.at.namespace.is_empty() && owner.at.namespace != dependent.at.namespace;
        if elsewhere {
            tasks.push(Task::TellOfOwner { dependent: uid.to_owned(), owner: reference.uid.clone() });
        }
        if elsewhere || owner.at.name != reference.name || owner.at.resource.kind != reference.kind {
            tasks.push(Task::AttemptToDelete(uid.to_owned()));
        }
    }

    /// The object of a uid is gone.
    pub fn deleted(&mut self, uid: &str) -> Vec<Task> {
        let mut tasks: Vec<Task> = self.dependents_of(uid).map(Task::AttemptToDelete).collect();
        let Some(object) = self.objects.remove(uid) else { return tasks };
        for owner in &object.owners {
            self.unlink(&owner.uid, uid);
            if self.objects.get(&owner.uid).is_some_and(|owner| owner.deleting_dependents) {
                tasks.push(Task::AttemptToDelete(owner.uid.clone()));
            }
        }
        tasks
    }

    fn unlink(&mut self, owner: &str, dependent: &str) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    /// The object of a uid.
    pub fn get(&self, uid: &str) -> Option<&Object> {
        self.objects.get(uid)
    }

    /// Uids of the objects that name a uid among their owners.
    pub fn dependents_of<'a>(&'a self, uid: &str) -> impl Iterator<Item = String> + use<'a> {
        self.dependents.get(uid).into_iter().flatten().cloned()
    }

    /// Uids of those dependents without which the owner may not go.
    pub fn blocking_dependents(&self, owner: &str) -> Vec<String> {
        let blocks = |uid: &String| {
            self.objects.get(uid).is_some_and(|dependent| {
                dependent.owners.iter().any(|of| of.uid == owner && of.block_owner_deletion == Some(true))
            })
        };
        self.dependents_of(owner).filter(blocks).collect()
    }

    /// Uids of all objects of a resource.
    pub fn of_resource(&self, resource: &ApiResource) -> HashSet<String> {
        self.objects.iter().filter(|(_, object)| &*object.at.resource == resource).map(|(uid, _)| uid.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(name: &str) -> Coordinates {
        let resource = ApiResource {
            group: String::new(),
            version: "v1".into(),
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            plural: "configmaps".into(),
        };
        Coordinates { resource: Arc::new(resource), namespace: "default".into(), name: name.into() }
    }

    /// An object whose uid is its name; owners as `owner` or `owner!` (it blocks).
    fn meta(name: &str, owners: &str, finalizer: Option<&str>) -> ObjectMeta {
        let owners: Vec<_> = owners
            .split_whitespace()
            .map(|owner| {
                let uid = owner.trim_end_matches('!');
                json!({"apiVersion": "v1", "kind": "ConfigMap", "name": uid, "uid": uid, "blockOwnerDeletion": owner.ends_with('!')})
            })
            .collect();
        serde_json::from_value(json!({
            "name": name, "namespace": "default", "uid": name, "ownerReferences": owners,
            "finalizers": finalizer.into_iter().collect::<Vec<_>>(),
            "deletionTimestamp": finalizer.map(|_| "2026-01-01T00:00:00Z"),
        }))
        .unwrap()
    }

    fn delete(uid: &str) -> Task {
        Task::AttemptToDelete(uid.into())
    }

    #[test]
    fn dependents_are_looked_at_when_their_owner_goes() {
        let mut graph = Graph::default();
        assert_eq!(graph.applied(at("owner"), &meta("owner", "", None)), []);
        assert_eq!(graph.applied(at("child"), &meta("child", "owner", None)), []);
        assert_eq!(graph.deleted("owner"), [delete("child")]);
        assert_eq!(graph.deleted("child"), []);
    }

    #[test]
    fn a_dependent_of_an_unknown_owner_is_looked_at_once() {
        let mut graph = Graph::default();
        assert_eq!(graph.applied(at("child"), &meta("child", "ghost", None)), [delete("child")]);
        assert_eq!(graph.applied(at("child"), &meta("child", "ghost", None)), []);
    }

    #[test]
    fn an_owner_in_foreground_deletion_waits_for_those_that_block_it() {
        let mut graph = Graph::default();
        graph.applied(at("owner"), &meta("owner", "", None));
        graph.applied(at("blocks"), &meta("blocks", "owner!", None));
        graph.applied(at("other"), &meta("other", "owner", None));
        let mut tasks = graph.applied(at("owner"), &meta("owner", "", Some(FOREGROUND)));
        tasks.sort_by_key(|task| format!("{task:?}"));
        assert_eq!(tasks, [delete("blocks"), delete("other"), delete("owner")]);
        assert_eq!(graph.blocking_dependents("owner"), ["blocks"]);
        assert_eq!(graph.deleted("blocks"), [delete("owner")]);
        assert_eq!(graph.blocking_dependents("owner"), Vec::<String>::new());
        assert_eq!(graph.applied(at("late"), &meta("late", "owner", None)), [delete("late")]);
    }

    #[test]
    fn an_owner_that_orphans_is_looked_at_for_that() {
        let mut graph = Graph::default();
        graph.applied(at("owner"), &meta("owner", "", None));
        assert_eq!(
            graph.applied(at("owner"), &meta("owner", "", Some(ORPHAN))),
            [Task::AttemptToOrphan("owner".into())]
        );
    }

    #[test]
    fn an_owner_in_another_namespace_is_told_of_whichever_is_seen_first() {
        let far = Coordinates { namespace: "elsewhere".into(), ..at("owner") };
        let told = [delete("child"), Task::TellOfOwner { dependent: "child".into(), owner: "owner".into() }];
        let mut graph = Graph::default();
        graph.applied(far.clone(), &meta("owner", "", None));
        assert_eq!(graph.applied(at("child"), &meta("child", "owner", None)), told);
        assert_eq!(graph.applied(at("child"), &meta("child", "owner", None)), [], "once");
        let mut graph = Graph::default();
        graph.applied(at("child"), &meta("child", "owner", None));
        assert_eq!(graph.applied(far, &meta("owner", "", None)), told);
    }

    #[test]
    fn a_dropped_reference_unlinks() {
        let mut graph = Graph::default();
        graph.applied(at("owner"), &meta("owner", "", None));
        graph.applied(at("child"), &meta("child", "owner", None));
        graph.applied(at("child"), &meta("child", "", None));
        assert_eq!(graph.deleted("owner"), []);
    }
}
