//! An APIService for each group and version that this server answers: those of built-in kinds at the start, those of
//! definitions for as long as they serve them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use parking_lot::RwLock;
use registry::{CreateOptions, DeleteOptions, Preconditions, Registry, RequestContext, Served, Target, UpdateOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use crate::identity;
use crate::informer::{self, Change, Selection};

/// The label of those that are made here.
const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
const ON_START: &str = "onstart";
const ALWAYS: &str = "true";
/// Custom resources come after what is built in, in the order of their versions' names.
const CUSTOM_GROUP_PRIORITY: i64 = 1000;
const CUSTOM_VERSION_PRIORITY: i64 = 100;

/// How many are written at once.
const CONCURRENCY: usize = 16;
/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The APIServices there are, by name, as whoever follows them keeps them.
pub(super) type Current = Arc<RwLock<BTreeMap<String, Arc<Value>>>>;

/// What is to be done about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Nothing,
    Create,
    Update,
    Delete,
}

/// Upstream's rules: what is only made at the start is left alone afterwards, and what is not labelled always.
fn decide(desired: Option<&Value>, current: Option<&Value>, at_start: bool, synced: bool) -> Action {
    let kept = |service: &Value| service.label(AUTOMANAGED).map(str::to_owned).unwrap_or_default();
    match (desired, current) {
        (None, None) => Action::Nothing,
        (Some(desired), _) if kept(desired) == ON_START && synced => Action::Nothing,
        (Some(_), None) => Action::Create,
        (_, Some(current)) if kept(current) != ON_START && kept(current) != ALWAYS => Action::Nothing,
        (_, Some(current)) if kept(current) == ON_START && (!at_start || synced) => Action::Nothing,
        (None, Some(_)) => Action::Delete,
        (Some(desired), Some(current)) if desired["spec"] == current["spec"] => Action::Nothing,
        (Some(_), Some(_)) => Action::Update,
    }
}

/// What a definition serves.
#[derive(Debug, Default, Deserialize)]
struct Definition {
    metadata: Name,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
struct Name {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    group: String,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Debug, Default, Deserialize)]
struct Version {
    name: String,
    #[serde(default)]
    served: bool,
}

impl Definition {
    fn read(served: &Served) -> Option<Self> {
        let read = serde_json::from_slice(served.bytes());
        read.inspect_err(|error| warn!(%error, "a definition cannot be read")).ok()
    }

    /// The names of the APIServices of the versions it serves.
    fn services(&self) -> BTreeSet<String> {
        let served = self.spec.versions.iter().filter(|version| version.served);
        served.map(|version| format!("{}.{}", version.name, self.spec.group)).collect()
    }
}

/// What there should be.
#[derive(Default)]
struct Desired {
    built_in: HashMap<String, Value>,
    /// The names of the APIServices of each definition.
    of_definition: HashMap<String, BTreeSet<String>>,
    /// How many definitions want each.
    wanted: HashMap<String, usize>,
}

impl Desired {
    fn of(&self, name: &str) -> Option<Value> {
        if let Some(built_in) = self.built_in.get(name) {
            return Some(built_in.clone());
        }
        self.wanted.get(name)?;
        let (version, group) = name.split_once('.')?;
        Some(json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name, "labels": {AUTOMANAGED: ALWAYS}},
            "spec": {"group": group, "version": version, "groupPriorityMinimum": CUSTOM_GROUP_PRIORITY,
                "versionPriority": CUSTOM_VERSION_PRIORITY},
        }))
    }

    /// Sets what a definition wants and answers what may have changed.
    fn set(&mut self, definition: &str, services: BTreeSet<String>) -> BTreeSet<String> {
        let before = self.of_definition.remove(definition).unwrap_or_default();
        for gone in before.difference(&services) {
            if let Some(count) = self.wanted.get_mut(gone) {
                *count -= 1;
                if *count == 0 {
                    self.wanted.remove(gone);
                }
            }
        }
        for new in services.difference(&before) {
            *self.wanted.entry(new.clone()).or_default() += 1;
        }
        let changed = before.symmetric_difference(&services).cloned().collect();
        if !services.is_empty() {
            self.of_definition.insert(definition.to_owned(), services);
        }
        changed
    }

    fn apply(&mut self, change: Change) -> BTreeSet<String> {
        match change {
            Change::Put(served) => {
                Definition::read(&served).map(|of| self.set(&of.metadata.name, of.services())).unwrap_or_default()
            }
            Change::Gone(served) => {
                Definition::read(&served).map(|of| self.set(&of.metadata.name, BTreeSet::new())).unwrap_or_default()
            }
            Change::All(all) => {
                let all: Vec<Definition> = all.iter().filter_map(Definition::read).collect();
                let there: HashSet<&str> = all.iter().map(|of| of.metadata.name.as_str()).collect();
                let gone = self.of_definition.keys().filter(|name| !there.contains(name.as_str()));
                let gone: Vec<String> = gone.cloned().collect();
                let mut changed: BTreeSet<String> = BTreeSet::new();
                for definition in &all {
                    changed.extend(self.set(&definition.metadata.name, definition.services()));
                }
                gone.iter().for_each(|name| changed.extend(self.set(name, BTreeSet::new())));
                changed
            }
        }
    }
}

/// Has APIServices made and removed. `changed` names those of `current` that are new, changed or gone; `built_in` are those
/// of what is compiled in.
pub(super) async fn run(
    registry: Arc<Registry>,
    current: Current,
    built_in: Vec<Value>,
    mut changed: mpsc::UnboundedReceiver<String>,
) {
    let all =
        Selection { group: "apiextensions.k8s.io", resource: "customresourcedefinitions", ..Selection::default() };
    let mut definitions = informer::follow(registry.clone(), all);
    let mut desired = Desired {
        built_in: built_in.into_iter().map(|service| (service.name().to_owned(), service)).collect(),
        ..Desired::default()
    };
    let at_start: HashSet<String> = current.read().keys().cloned().collect();
    let mut due: BTreeSet<String> = at_start.iter().chain(desired.built_in.keys()).cloned().collect();
    let mut synced: HashSet<String> = HashSet::new();
    let mut running: HashSet<String> = HashSet::new();
    let mut writes: JoinSet<(String, Result<(), StatusError>)> = JoinSet::new();
    // Before the definitions are known, none of their APIServices is one too many.
    let Some(change) = definitions.recv().await else { return };
    due.extend(desired.apply(change));
    loop {
        let ready: Vec<String> = due.iter().filter(|name| !running.contains(*name)).cloned().collect();
        for name in ready.into_iter().take(CONCURRENCY.saturating_sub(writes.len())) {
            due.remove(&name);
            let present = current.read().get(&name).cloned();
            let wanted = desired.of(&name);
            match decide(wanted.as_ref(), present.as_deref(), at_start.contains(&name), synced.contains(&name)) {
                Action::Nothing => drop(synced.insert(name)),
                action => {
                    running.insert(name.clone());
                    writes.spawn(write(registry.clone(), name, action, wanted, present));
                }
            }
        }
        tokio::select! {
            Some(change) = definitions.recv() => due.extend(desired.apply(change)),
            Some(name) = changed.recv() => drop(due.insert(name)),
            Some(written) = writes.join_next() => {
                let Ok((name, outcome)) = written else { continue };
                running.remove(&name);
                match outcome {
                    Ok(()) => drop(synced.insert(name)),
                    Err(error) => {
                        warn!(name, %error, "the APIService cannot be written yet");
                        due.insert(name);
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
            // What could not begin for want of room does when something else is done.
            () = std::future::ready(()), if writes.len() < CONCURRENCY && due.iter().any(|name| !running.contains(name)) => {}
            else => return,
        }
    }
}

/// Writes one. What others changed meanwhile comes again as a change.
async fn write(
    registry: Arc<Registry>,
    name: String,
    action: Action,
    wanted: Option<Value>,
    present: Option<Arc<Value>>,
) -> (String, Result<(), StatusError>) {
    let outcome = attempt(&registry, &name, action, wanted, present).await;
    let outcome = outcome.or_else(|error| match *error.reason() {
        Reason::AlreadyExists | Reason::NotFound | Reason::Conflict => Ok(()),
        _ => Err(error),
    });
    (name, outcome)
}

async fn attempt(
    registry: &Arc<Registry>,
    name: &str,
    action: Action,
    wanted: Option<Value>,
    present: Option<Arc<Value>>,
) -> Result<(), StatusError> {
    let table = registry.table();
    let row = table.row("apiregistration.k8s.io", "v1", "apiservices").ok_or_else(StatusError::unknown_resource)?;
    let ctx = RequestContext::new(identity::loopback(), "kube-apiserver");
    match (action, wanted, present) {
        (Action::Create, Some(wanted), _) => {
            let collection = Target::new(row.clone(), "", "");
            registry.create(&ctx, &collection, wanted.into(), &CreateOptions::default()).await.map(drop)
        }
        (Action::Update, Some(mut wanted), Some(present)) => {
            let mut changed = Value::clone(&present);
            changed["spec"] = wanted["spec"].take();
            let target = Target::new(row.clone(), "", name);
            registry.update(&ctx, &target, changed.into(), &UpdateOptions::default()).await.map(drop)
        }
        (Action::Delete, _, Some(present)) => {
            let options = DeleteOptions {
                preconditions: Preconditions { uid: Some(present.uid().to_owned()), ..Preconditions::default() },
                ..DeleteOptions::default()
            };
            registry.delete(&ctx, &Target::new(row.clone(), "", name), &options).await.map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(label: &str, priority: i64) -> Value {
        let labels = if label.is_empty() { json!({}) } else { json!({AUTOMANAGED: label}) };
        json!({"metadata": {"labels": labels}, "spec": {"groupPriorityMinimum": priority}})
    }

    #[test]
    fn an_apiservice_is_made_mended_or_removed_by_its_label() {
        use Action::{Create, Delete, Nothing, Update};
        let (none, start, always) = (None, Some(service(ON_START, 1)), Some(service(ALWAYS, 1)));
        let others = Some(service("", 2));
        let (old_start, old_always) = (Some(service(ON_START, 2)), Some(service(ALWAYS, 2)));
        // desired, current, present at the start, synced before → what is done
        let cases = [
            (&none, &none, false, false, Nothing),
            (&start, &none, false, false, Create),
            (&start, &none, false, true, Nothing),
            (&always, &none, false, true, Create),
            (&none, &others, true, false, Nothing),
            (&start, &others, true, false, Nothing),
            (&always, &others, true, false, Nothing),
            (&none, &old_start, false, false, Nothing),
            (&always, &old_start, false, false, Nothing),
            (&none, &old_start, true, false, Delete),
            (&none, &old_start, true, true, Nothing),
            (&start, &old_start, true, false, Update),
            (&start, &old_start, true, true, Nothing),
            (&always, &old_start, true, false, Update),
            (&none, &old_always, false, true, Delete),
            (&start, &old_always, false, false, Update),
            (&start, &old_always, false, true, Nothing),
            (&always, &old_always, false, true, Update),
            (&always, &always, false, true, Nothing),
        ];
        for (desired, current, at_start, synced, want) in cases {
            let got = decide(desired.as_ref(), current.as_ref(), at_start, synced);
            assert_eq!(got, want, "{desired:?} {current:?} at start {at_start} synced {synced}");
        }
    }

    #[test]
    fn a_version_is_wanted_as_long_as_one_definition_serves_it() {
        let definition = |name: &str, versions: &[(&str, bool)]| {
            let versions: Vec<Value> =
                versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
            let object = json!({"metadata": {"name": name}, "spec": {"group": "a.example", "versions": versions}});
            Served::from_bytes(object.to_string().into())
        };
        let mut desired = Desired::default();
        let changed = |names: &[&str]| names.iter().map(|name| format!("{name}.a.example")).collect::<BTreeSet<_>>();
        let one = definition("one.a.example", &[("v1", true), ("v2", false)]);
        assert_eq!(desired.apply(Change::All(vec![one])), changed(&["v1"]));
        let two = definition("two.a.example", &[("v1", true), ("v3", true)]);
        assert_eq!(desired.apply(Change::Put(two.clone())), changed(&["v1", "v3"]));
        assert_eq!(desired.apply(Change::Gone(definition("one.a.example", &[("v1", true)]))), changed(&["v1"]));
        assert!(desired.of("v1.a.example").is_some(), "the other one serves it still");
        assert_eq!(desired.apply(Change::All(Vec::new())), changed(&["v1", "v3"]));
        assert_eq!(desired.of("v1.a.example"), None);
    }
}
