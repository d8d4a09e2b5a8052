//! The ReplicaSets of a Deployment in its history: which is the new one, their revisions, and what their annotations
//! keep.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::strategy;
use crate::controller_ref;
use crate::pod_template_hash::pod_template_hash;

/// The label that tells the Pods of one ReplicaSet from those of another.
pub const HASH_LABEL: &str = "pod-template-hash";
/// The revision of a ReplicaSet, and the one a Deployment is at.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// The revisions a ReplicaSet had before.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// How many Pods the Deployment wanted when the ReplicaSet was last scaled.
const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// How many there could be at most, then.
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The revision to roll back to, of clients that know no better way.
pub const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// The longest text of [`HISTORY`].
const LONGEST_HISTORY: usize = 2000;
/// Annotations that are the Deployment's alone, or the ReplicaSet's.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    ROLLBACK_TO,
];

fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// How many Pods the Deployment wanted when the ReplicaSet was last scaled.
pub fn desired_replicas(set: &ReplicaSet) -> Option<i32> {
    annotation(&set.metadata, DESIRED_REPLICAS)?.parse().ok()
}

/// How many Pods the Deployment could have at most when the ReplicaSet was last scaled.
pub fn max_replicas(set: &ReplicaSet) -> Option<i32> {
    annotation(&set.metadata, MAX_REPLICAS)?.parse().ok()
}

/// The revision; nothing when it cannot be read, zero when there is none.
pub fn revision(set: &ReplicaSet) -> Option<i64> {
    annotation(&set.metadata, REVISION).map_or(Some(0), |text| text.parse().ok())
}

/// The highest revision.
pub fn max_revision<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i64 {
    sets.into_iter().filter_map(revision).max().unwrap_or(0).max(0)
}

/// The revision before the highest.
pub fn last_revision<'a>(sets: impl IntoIterator<Item = &'a ReplicaSet>) -> i64 {
    let mut revisions: Vec<i64> = sets.into_iter().filter_map(revision).collect();
    revisions.sort_unstable();
    revisions.iter().rev().nth(1).copied().unwrap_or(0).max(0)
}

/// Older first, then by name.
pub fn by_age(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    let key = |set: &ReplicaSet| set.metadata.creation_timestamp.as_ref().map(|time| time.0);
    key(a).cmp(&key(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

/// Lower revisions first, then older ones.
pub fn by_revision(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    match (revision(a), revision(b)) {
        (Some(first), Some(second)) if first != second => first.cmp(&second),
        _ => by_age(a, b),
    }
}

/// A template without the label that a ReplicaSet's has over its Deployment's.
fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let metadata = template.metadata.get_or_insert_default();
    if let Some(labels) = &mut metadata.labels {
        labels.remove(HASH_LABEL);
    }
    for map in [&mut metadata.labels, &mut metadata.annotations] {
        if map.as_ref().is_some_and(BTreeMap::is_empty) {
            *map = None;
        }
    }
    template
}

/// Whether two templates are the same but for the hash label.
pub fn same_template(a: &PodTemplateSpec, b: &PodTemplateSpec) -> bool {
    without_hash(a) == without_hash(b)
}

/// Whether a ReplicaSet is of a Deployment's template.
pub fn is_new(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let wanted = deployment.spec.as_ref().map(|spec| &spec.template);
    let has = set.spec.as_ref().and_then(|spec| spec.template.as_ref());
    wanted.zip(has).is_some_and(|(wanted, has)| same_template(wanted, has))
}

/// The ReplicaSet of the Deployment's template: `size` and annotations are still to be set.
pub fn new_replica_set(deployment: &Deployment) -> ReplicaSet {
    let spec = deployment.spec.clone().unwrap_or_default();
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count);
    let hash = pod_template_hash(&spec.template, collisions);
    let mut template = spec.template;
    let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector;
    selector.match_labels.get_or_insert_default().insert(HASH_LABEL.to_owned(), hash.clone());
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.metadata.name.as_deref().unwrap_or_default())),
            namespace: deployment.metadata.namespace.clone(),
            labels: Some(labels),
            owner_references: Some(vec![controller_ref::of(deployment)]),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            min_ready_seconds: spec.min_ready_seconds,
            replicas: Some(0),
            selector,
            template: Some(template),
        }),
        status: None,
    }
}

/// Gives a ReplicaSet the Deployment's annotations and, if it has a lower one, this revision. True when that changes it.
pub fn annotate_new(deployment: &Deployment, set: &mut ReplicaSet, revision: i64) -> bool {
    let annotations = set.metadata.annotations.get_or_insert_default();
    let mut changed = false;
    for (key, value) in deployment.metadata.annotations.iter().flatten() {
        if !NOT_COPIED.contains(&key.as_str()) && annotations.get(key) != Some(value) {
            annotations.insert(key.clone(), value.clone());
            changed = true;
        }
    }
    let before = annotations.get(REVISION).cloned();
    let Some(number) =
        before.as_deref().map_or(Some(0), |text| if text.is_empty() { Some(0) } else { text.parse().ok() })
    else {
        return false; // somebody else's
    };
    if number >= revision {
        return changed;
    }
    annotations.insert(REVISION.to_owned(), revision.to_string());
    if let Some(before) = before {
        keep_history(annotations, &before);
    }
    true
}

/// Notes a revision that a ReplicaSet had, at the cost of the oldest ones.
fn keep_history(annotations: &mut BTreeMap<String, String>, before: &str) {
    let history = annotations.get(HISTORY).map_or("", String::as_str);
    let mut history: Vec<&str> = if history.is_empty() { Vec::new() } else { history.split(',').collect() };
    history.push(before);
    let length = |history: &[&str]| history.iter().map(|text| text.len() + 1).sum::<usize>().saturating_sub(1);
    let mut first = 0;
    while first + 1 < history.len() && length(&history[first..]) > LONGEST_HISTORY {
        first += 1;
    }
    let kept = history[first..].join(",");
    if kept.len() <= LONGEST_HISTORY {
        annotations.insert(HISTORY.to_owned(), kept);
    }
}

/// Notes on a ReplicaSet how many Pods its Deployment wants, and may have. True when that changes it.
pub fn annotate_replicas(deployment: &Deployment, set: &mut ReplicaSet) -> bool {
    let wanted = strategy::replicas(deployment);
    let annotations = set.metadata.annotations.get_or_insert_default();
    let mut changed = false;
    for (name, value) in [(DESIRED_REPLICAS, wanted), (MAX_REPLICAS, wanted + strategy::max_surge(deployment))] {
        let value = value.to_string();
        if annotations.get(name) != Some(&value) {
            annotations.insert(name.to_owned(), value);
            changed = true;
        }
    }
    changed
}

/// Gives a Deployment the template and annotations of a ReplicaSet.
pub fn roll_back(deployment: &mut Deployment, set: &ReplicaSet) {
    if let (Some(spec), Some(template)) =
        (&mut deployment.spec, set.spec.as_ref().and_then(|spec| spec.template.as_ref()))
    {
        spec.template = template.clone();
        if let Some(labels) = spec.template.metadata.as_mut().and_then(|of| of.labels.as_mut()) {
            labels.remove(HASH_LABEL);
        }
    }
    let is_own = |key: &String| NOT_COPIED.contains(&key.as_str());
    let annotations = deployment.metadata.annotations.get_or_insert_default();
    annotations.retain(|key, _| is_own(key));
    let copied = set.metadata.annotations.iter().flatten().filter(|(key, _)| !is_own(key));
    annotations.extend(copied.map(|(key, value)| (key.clone(), value.clone())));
}

/// The revision that a Deployment is asked to roll back to; zero is the last one.
pub fn rollback_to(deployment: &Deployment) -> Option<i64> {
    annotation(&deployment.metadata, ROLLBACK_TO)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(annotations: Value) -> ReplicaSet {
        serde_json::from_value(json!({"metadata": {"name": "r", "annotations": annotations}})).unwrap()
    }

    #[test]
    fn a_replica_set_keeps_the_revisions_it_had() {
        let deployment: Deployment = serde_json::from_value(json!({"metadata": {"annotations": {
            "own": "1", REVISION: "7", "kubectl.kubernetes.io/last-applied-configuration": "{}"}}}))
        .unwrap();
        for (name, before, revision, changed, after) in [
            ("fresh", json!({}), 1, true, json!({"own": "1", REVISION: "1"})),
            ("same", json!({"own": "1", REVISION: "3"}), 3, false, json!({"own": "1", REVISION: "3"})),
            ("older ones are gone", json!({"own": "1", REVISION: "3"}), 1, false, json!({"own": "1", REVISION: "3"})),
            ("again", json!({"own": "1", REVISION: "1"}), 3, true, json!({"own": "1", REVISION: "3", HISTORY: "1"})),
            (
                "once more",
                json!({"own": "1", REVISION: "3", HISTORY: "1"}),
                5,
                true,
                json!({"own": "1", REVISION: "5", HISTORY: "1,3"}),
            ),
            ("only the copy", json!({REVISION: "3"}), 3, true, json!({"own": "1", REVISION: "3"})),
        ] {
            let mut set = set(before);
            assert_eq!(annotate_new(&deployment, &mut set, revision), changed, "{name}");
            assert_eq!(serde_json::to_value(set.metadata.annotations).unwrap(), after, "{name}");
        }
    }

    #[test]
    fn history_is_cut_at_its_oldest_end() {
        let long = (0..999).map(|_| "1".to_owned()).collect::<Vec<_>>().join(","); // 1997 characters
        let mut annotations = BTreeMap::from([(HISTORY.to_owned(), format!("77,{long}"))]);
        keep_history(&mut annotations, "12345");
        assert!(annotations[HISTORY].starts_with("1,1,") && annotations[HISTORY].ends_with(",12345"));
        assert!(annotations[HISTORY].len() <= LONGEST_HISTORY);
    }

    #[test]
    fn revisions_are_compared_as_numbers() {
        let sets = ["2", "10", "x", "9"].map(|revision| set(json!({REVISION: revision})));
        assert_eq!((max_revision(&sets), last_revision(&sets)), (10, 9));
        assert_eq!((max_revision([]), last_revision(&sets[..1])), (0, 0));
    }
}
