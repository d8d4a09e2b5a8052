//! What is to be done for an App, from what is seen of it. Pure.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crds::condition::{self, Draft};
use crds::{App, AppStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;

use super::template;
use crds::app::TEMPLATE_HASH_LABEL;

/// What is seen.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The App.
    pub app: &'a App,
    /// The Pods it controls.
    pub pods: &'a [Arc<Pod>],
    /// Names of all Pods of the namespace.
    pub taken: HashSet<&'a str>,
    /// Nodes of its placements that cannot hold Pods: gone, or with a taint that drives the App's Pods away. The
    /// scheduler is about to move what is placed there.
    pub unusable: HashSet<&'a str>,
    /// Apps it depends on that are not Available, or missing.
    pub waits_for: Vec<String>,
    /// What the API server said when a Pod was refused the last time, if it was.
    pub refused: Option<String>,
    /// The time.
    pub now: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Pods to create.
    pub create: Vec<Pod>,
    /// Pods to delete, by name and uid, with the reason a person reads.
    pub delete: Vec<Delete>,
    /// The part of the status that this controller writes, when it differs from what is there.
    pub status: Option<AppStatus>,
}

/// A Pod to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The node whose place it holds until it is deleted.
    pub node: String,
    /// Why.
    pub why: &'static str,
}

impl Plan {
    /// The Pods to create now that the deletions had these outcomes: where one failed, its Pod still holds the place.
    pub fn create_after<'a>(&'a self, deleted: &[bool]) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let failed = self.delete.iter().zip(deleted).filter(|(_, deleted)| !**deleted);
        let occupied: HashSet<&str> = failed.map(|(delete, _)| delete.node.as_str()).collect();
        self.create.iter().filter(move |pod| !occupied.contains(node_of(pod)))
    }
}

/// Whether a Pod's condition Ready is true and it is to stay.
pub fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && pod
            .status
            .as_ref()
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten()
            .any(|found| found.type_ == "Ready" && found.status == "True")
}

fn has_ended(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// A Pod that holds a place: neither going nor ended.
fn is_active(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && !has_ended(pod)
}

fn node_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn hash_of(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(TEMPLATE_HASH_LABEL).map(String::as_str)
}

fn delete(pod: &Pod, why: &'static str) -> Delete {
    Delete {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        node: node_of(pod).to_owned(),
        why,
    }
}

/// How many replicas may be missing while Pods of an old template are replaced: a quarter, at least one. A replica's
/// place is its reservation on the node, so there is no surge.
fn max_unavailable(replicas: i32) -> usize {
    usize::try_from(replicas / 4).unwrap_or(0).max(1)
}

/// Why nothing is created or replaced for now.
enum Hold {
    Paused,
    Refused(String),
    Unscheduled,
    Waits(Vec<String>),
}

fn hold(observed: &Observed<'_>) -> Option<Hold> {
    let app = observed.app;
    let current = |condition: &&Condition| condition.observed_generation == app.metadata.generation;
    if app.spec.paused {
        return Some(Hold::Paused);
    }
    let approved = condition::find(app.conditions(), condition::ADMISSION_APPROVED).filter(current);
    if let Some(refused) = approved.filter(|approved| approved.status == "False") {
        return Some(Hold::Refused(refused.message.clone()));
    }
    // Placements of an older generation may be wrong for this one: another node selector, other resources.
    if condition::find(app.conditions(), condition::SCHEDULED).filter(current).is_none() {
        return Some(Hold::Unscheduled);
    }
    // Once its first replica has started, an App goes on without the others.
    let started = observed.pods.iter().any(|pod| is_active(pod));
    (!started && !observed.waits_for.is_empty()).then(|| Hold::Waits(observed.waits_for.clone()))
}

/// What is to be done.
pub fn plan(observed: &Observed<'_>) -> Plan {
    let app = observed.app;
    if app.metadata.deletion_timestamp.is_some() {
        return Plan::default(); // its Pods are the garbage collector's
    }
    let hold = hold(observed);
    let mut plan = Plan::default();
    if hold.is_none() {
        pods(observed, &mut plan);
    }
    plan.status = status(observed, hold.as_ref(), &plan);
    plan
}

fn pods(observed: &Observed<'_>, plan: &mut Plan) {
    let app = observed.app;
    let hash = template::template_hash(app);
    let mut places: BTreeMap<&str, usize> = app
        .placements()
        .iter()
        .map(|placement| (placement.node.as_str(), usize::try_from(placement.replicas).unwrap_or(0)))
        .collect();
    let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in observed.pods {
        if is_active(pod) {
            by_node.entry(node_of(pod)).or_default().push(pod);
        } else if has_ended(pod) && pod.metadata.deletion_timestamp.is_none() {
            plan.delete.push(delete(pod, "it has ended"));
        }
    }
    let mut outdated: Vec<&Pod> = Vec::new();
    for (node, mut pods) in by_node {
        let place = places.remove(node).unwrap_or(0);
        // Of too many, those go first that are outdated, not ready, or youngest.
        pods.sort_by_key(|pod| {
            let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            (hash_of(pod) != Some(&hash), !is_ready(pod), created, pod.metadata.name.clone())
        });
        let why = if place == 0 { "its node holds no replica of the App any more" } else { "one too many" };
        plan.delete.extend(pods.iter().skip(place).map(|pod| delete(pod, why)));
        pods.truncate(place);
        outdated.extend(pods.iter().filter(|pod| hash_of(pod) != Some(&hash)));
        places.insert(node, place - pods.len());
    }
    // Replace what is outdated: at once what is not ready, the rest while enough others are.
    let ready = observed.pods.iter().filter(|pod| is_active(pod) && is_ready(pod)).count();
    let leaving = plan.delete.iter().filter(|delete| {
        observed
            .pods
            .iter()
            .any(|pod| pod.metadata.uid.as_deref() == Some(&delete.uid) && is_active(pod) && is_ready(pod))
    });
    let needed = usize::try_from(app.spec.replicas).unwrap_or(0).saturating_sub(max_unavailable(app.spec.replicas));
    let mut spare = (ready - leaving.count()).saturating_sub(needed);
    outdated.sort_by_key(|pod| (is_ready(pod), pod.metadata.name.clone()));
    for pod in outdated {
        if is_ready(pod) {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        plan.delete.push(delete(pod, "its template is outdated"));
        *places.entry(node_of(pod)).or_default() += 1;
    }
    let mut names: HashSet<String> = HashSet::new();
    for (node, missing) in places.into_iter().filter(|(node, _)| !observed.unusable.contains(node)) {
        for _ in 0..missing {
            let name =
                template::pod_name(app, &hash, node, |name| observed.taken.contains(name) || names.contains(name));
            plan.create.push(template::pod(app, &hash, node, name.clone()));
            names.insert(name);
        }
    }
}

/// The status as it is seen before the plan is carried out; what the plan changes is seen, and written, next.
fn status(observed: &Observed<'_>, hold: Option<&Hold>, plan: &Plan) -> Option<AppStatus> {
    let app = observed.app;
    let active = observed.pods.iter().filter(|pod| is_active(pod));
    let replicas = i32::try_from(active.clone().count()).unwrap_or(i32::MAX);
    let ready = i32::try_from(active.filter(|pod| is_ready(pod)).count()).unwrap_or(i32::MAX);
    let drafts = [progressing(observed, hold, plan, replicas, ready), available(app, ready)];
    let conditions: Vec<Condition> = drafts
        .into_iter()
        .map(|draft| {
            let previous = condition::find(app.conditions(), draft.type_);
            draft.over(previous, observed.now)
        })
        .collect();
    let status = AppStatus {
        observed_generation: app.metadata.generation,
        replicas: Some(replicas),
        ready_replicas: Some(ready),
        selector: Some(template::selector(app)),
        nodes: None,
        placements: Vec::new(),
        conditions,
    };
    let same = app.status.as_ref().is_some_and(|before| {
        before.observed_generation == status.observed_generation
            && before.replicas == status.replicas
            && before.ready_replicas == status.ready_replicas
            && before.selector == status.selector
            && status.conditions.iter().all(|now| condition::find(&before.conditions, &now.type_) == Some(now))
    });
    (!same).then_some(status)
}

fn available(app: &App, ready: i32) -> Draft {
    let wanted = app.spec.replicas;
    let all = ready >= wanted;
    Draft {
        type_: condition::AVAILABLE,
        status: Some(all),
        reason: if all { "AllReplicasReady" } else { "ReplicasNotReady" },
        message: format!("{ready} of {wanted} replicas are ready"),
        observed_generation: app.metadata.generation,
    }
}

fn progressing(observed: &Observed<'_>, hold: Option<&Hold>, plan: &Plan, replicas: i32, ready: i32) -> Draft {
    let app = observed.app;
    let wanted = app.spec.replicas;
    let (status, reason, message) = match hold {
        Some(Hold::Paused) => (None, "Paused", "the App is paused".to_owned()),
        Some(Hold::Refused(why)) => (Some(false), "NotAdmitted", why.clone()),
        Some(Hold::Unscheduled) => {
            (Some(true), "Scheduling", "the scheduler has not placed this generation yet".to_owned())
        }
        Some(Hold::Waits(others)) => {
            (Some(false), "WaitingForDependencies", format!("waits until Available: {}", others.join(", ")))
        }
        None => match &observed.refused {
            Some(why) if !plan.create.is_empty() => (Some(false), "FailedCreate", why.clone()),
            _ if plan.create.is_empty() && plan.delete.is_empty() && replicas == wanted && ready == wanted => {
                (Some(true), "Complete", format!("{ready} of {wanted} replicas are ready and up to date"))
            }
            _ => (Some(true), "Progressing", format!("{replicas} of {wanted} replicas run, {ready} are ready")),
        },
    };
    Draft { type_: condition::PROGRESSING, status, reason, message, observed_generation: app.metadata.generation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// An App of `replicas` placed as `a:2 b:1`, and Pods written `name@node` with marks: `!` not ready, `-` going,
    /// `~` of an old template, `.` ended.
    struct World {
        app: App,
        pods: Vec<Arc<Pod>>,
    }

    fn world(replicas: i32, placed: &str, pods: &str) -> World {
        world_with(json!({"image": "i", "replicas": replicas}), placed, pods)
    }

    fn world_with(spec: Value, placed: &str, pods: &str) -> World {
        let placements: Vec<Value> = placed
            .split_whitespace()
            .map(|part| part.split_once(':').unwrap())
            .map(|(node, replicas)| json!({"node": node, "replicas": replicas.parse::<i32>().unwrap()}))
            .collect();
        let app: App = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 2},
            "spec": spec,
            "status": {"placements": placements, "conditions": [{
                "type": "Scheduled", "status": "True", "observedGeneration": 2, "reason": "Scheduled", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap();
        let hash = template::template_hash(&app);
        let pods = pods
            .split_whitespace()
            .map(|text| {
                let (name, rest) = text.split_once('@').unwrap();
                let node = rest.trim_end_matches(['!', '-', '~', '.']);
                let marks = &rest[node.len()..];
                let mut pod =
                    template::pod(&app, if marks.contains('~') { "old" } else { &hash }, node, name.to_owned());
                pod.metadata.uid = Some(name.to_owned());
                let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
                pod.metadata.deletion_timestamp = marks.contains('-').then_some(time);
                let ready = if marks.contains(['!', '.']) { "False" } else { "True" };
                let phase = if marks.contains('.') { "Failed" } else { "Running" };
                pod.status = Some(
                    serde_json::from_value(json!({"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}))
                        .unwrap(),
                );
                Arc::new(pod)
            })
            .collect();
        World { app, pods }
    }

    fn planned(world: &World, waits_for: &[&str]) -> Plan {
        plan(&Observed {
            app: &world.app,
            pods: &world.pods,
            taken: world.pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect(),
            unusable: HashSet::from(["lost"]),
            waits_for: waits_for.iter().map(|name| (*name).to_owned()).collect(),
            refused: None,
            now: Timestamp::UNIX_EPOCH,
        })
    }

    /// `+node` for each Pod to create, `-name` for each to delete.
    fn told(plan: &Plan) -> String {
        let mut words: Vec<String> = plan.create.iter().map(|pod| format!("+{}", node_of(pod))).collect();
        words.extend(plan.delete.iter().map(|delete| format!("-{}", delete.name)));
        words.join(" ")
    }

    #[test]
    fn pods_follow_placements() {
        for (name, replicas, placed, pods, expected) in [
            ("first", 3, "a:2 b:1", "", "+a +a +b"),
            ("settled", 3, "a:2 b:1", "p@a q@a r@b", ""),
            ("one was deleted", 3, "a:2 b:1", "p@a r@b", "+a"),
            ("one is going", 3, "a:2 b:1", "p@a q@a- r@b", "+a"),
            ("an extra one", 2, "a:1 b:1", "p@a q@a r@b", "-q"),
            ("the extra one that is not ready", 2, "a:1 b:1", "p@a! q@a r@b", "-p"),
            ("moved", 2, "a:1 c:1", "p@a q@b", "+c -q"),
            ("a node is lost", 2, "a:1 lost:1", "p@a", ""),
            ("to zero", 0, "", "p@a q@b", "-p -q"),
            ("one has ended", 1, "a:1", "p@a.", "+a -p"),
            ("roll: one at a time", 3, "a:2 b:1", "p@a~ q@a~ r@b~", "+a -p"),
            ("roll: wait until it is ready", 3, "a:2 b:1", "n@a! q@a~ r@b~", ""),
            ("roll: go on", 3, "a:2 b:1", "n@a q@a~ r@b~", "+a -q"),
            ("roll: what is broken at once", 3, "a:2 b:1", "p@a~! q@a~! r@b~", "+a +a -p -q"),
            ("roll: a single one", 1, "a:1", "p@a~", "+a -p"),
        ] {
            assert_eq!(told(&planned(&world(replicas, placed, pods), &[])), expected, "{name}");
        }
    }

    #[test]
    fn no_pod_is_created_in_the_place_of_one_that_could_not_be_deleted() {
        let plan = planned(&world(2, "a:1 b:1", "p@a~! q@b~!"), &[]);
        assert_eq!(told(&plan), "+a +b -p -q");
        let nodes = |deleted: [bool; 2]| plan.create_after(&deleted).map(node_of).collect::<Vec<_>>();
        assert_eq!(nodes([true, true]), ["a", "b"]);
        assert_eq!(nodes([false, true]), ["b"]);
    }

    #[test]
    fn the_same_state_gives_the_same_names_so_that_nothing_is_doubled() {
        let name = |pods: &str| planned(&world(2, "a:2", pods), &[]).create[0].metadata.name.clone();
        assert_eq!(name("p@a"), name("p@a"));
        let created = name("p@a").unwrap();
        assert_ne!(name(&format!("p@a {created}@a-")), Some(created), "a Pod that is going keeps its name");
    }

    #[test]
    fn nothing_is_done_while_the_app_is_held() {
        let progressing = |plan: &Plan| {
            let conditions = &plan.status.as_ref().unwrap().conditions;
            condition::find(conditions, condition::PROGRESSING)
                .map(|found| (found.status.clone(), found.reason.clone()))
                .unwrap()
        };
        let is = |status: &str, reason: &str| (status.to_owned(), reason.to_owned());
        let paused = planned(&world_with(json!({"image": "i", "replicas": 1, "paused": true}), "a:1", "p@a q@a"), &[]);
        assert_eq!((told(&paused), progressing(&paused)), (String::new(), is("Unknown", "Paused")));

        let waiting = planned(&world(1, "a:1", ""), &["database"]);
        assert_eq!((told(&waiting), progressing(&waiting)), (String::new(), is("False", "WaitingForDependencies")));
        assert_eq!(told(&planned(&world(2, "a:2", "p@a"), &["database"])), "+a", "it has started already");

        let mut stale = world(1, "a:1", "");
        stale.app.metadata.generation = Some(3);
        let stale = planned(&stale, &[]);
        assert_eq!((told(&stale), progressing(&stale)), (String::new(), is("True", "Scheduling")));
    }

    #[test]
    fn the_status_counts_what_is_active_and_is_written_only_when_it_changes() {
        let mut world = world(3, "a:2 b:1", "p@a q@a! r@b s@b-");
        let status = planned(&world, &[]).status.unwrap();
        assert_eq!((status.replicas, status.ready_replicas), (Some(3), Some(2)));
        assert_eq!(status.selector.as_deref(), Some("coxswain.dev/app=web"));
        assert!(!condition::is_true(&status.conditions, condition::AVAILABLE));
        let before = world.app.status.as_mut().unwrap();
        before.conditions.extend(status.conditions);
        (before.replicas, before.ready_replicas) = (status.replicas, status.ready_replicas);
        (before.selector, before.observed_generation) = (status.selector, status.observed_generation);
        assert_eq!(planned(&world, &[]).status, None);
    }

    #[test]
    fn an_app_that_is_being_deleted_is_left_to_the_garbage_collector() {
        let mut world = world(1, "a:1", "");
        world.app.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        assert_eq!(planned(&world, &[]), Plan::default());
    }
}
