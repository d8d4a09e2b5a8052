//! Deployments and ReplicaSets written as words, and the plans that follow.

use super::*;
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T01:00:00Z";

/// A Deployment of image `i<version>`.
fn deployment(version: u32, replicas: i32, change: Value) -> Value {
    let mut deployment = json!({
        "metadata": {"name": "d", "namespace": "n", "uid": "d", "generation": 3,
                     "annotations": {"deployment.kubernetes.io/revision": version.to_string()}},
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": "a"}}, "template": template(version),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        },
        "status": {"observedGeneration": 3, "conditions": [
            {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "",
             "lastUpdateTime": NOW, "lastTransitionTime": NOW}]},
    });
    for (pointer, value) in change.as_object().into_iter().flatten() {
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        deployment.pointer_mut(parent).unwrap()[last] = value.clone();
    }
    deployment
}

fn template(version: u32) -> Value {
    json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": format!("i{version}")}]}})
}

/// A ReplicaSet of image `i<version>` written `<version>:<size>/<available>`, of a Deployment that wanted `wanted`.
fn set(text: &str, wanted: i32) -> Arc<ReplicaSet> {
    let (version, rest) = text.split_once(':').unwrap();
    let (size, available) = rest.split_once('/').unwrap();
    let number = |text: &str| text.parse::<i32>().unwrap();
    let mut template = template(version.parse().unwrap());
    template["metadata"]["labels"]["pod-template-hash"] = version.into();
    let set = json!({
        "metadata": {
            "name": format!("d-{version}"), "namespace": "n", "uid": version, "generation": 1,
            "creationTimestamp": format!("2026-01-01T00:00:{:02}Z", number(version)),
            "annotations": {
                "deployment.kubernetes.io/revision": version,
                "deployment.kubernetes.io/desired-replicas": wanted.to_string(),
                "deployment.kubernetes.io/max-replicas": (wanted + (wanted + 3) / 4).to_string(),
            },
        },
        "spec": {"replicas": number(size), "selector": {"matchLabels": {"app": "a"}}, "template": template},
        "status": {"replicas": number(size), "readyReplicas": number(available), "availableReplicas": number(available),
                   "observedGeneration": 1, "terminatingReplicas": 0},
    });
    Arc::new(serde_json::from_value(set).unwrap())
}

/// `+size` for a creation, `name=size` for an update, `-name`, `status`, `update`, `!reason`.
fn told(plan: &Plan) -> String {
    let word = |step: &Step| match step {
        Step::CreateSet(set) => format!("+{}", size(set)),
        Step::UpdateSet { set, from: Some(_) } => format!("{}={}", name(set), size(set)),
        Step::UpdateSet { set, from: None } => format!("{}~", name(set)),
        Step::DeleteSet(name) => format!("-{name}"),
        Step::WriteStatus(_) => "status".to_owned(),
        Step::Update(_) => "update".to_owned(),
        Step::Tell(_, reason, _) => format!("!{reason}"),
    };
    plan.steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn planned(deployment: &Value, sets: &str, wanted: i32, running: &[&str]) -> Plan {
    let deployment: Deployment = serde_json::from_value(deployment.clone()).unwrap();
    let sets: Vec<Arc<ReplicaSet>> = sets.split_whitespace().map(|text| set(text, wanted)).collect();
    let running = running.iter().map(|uid| (*uid).to_owned()).collect();
    plan(&Observed { deployment: &deployment, sets: &sets, running: &running, now: NOW.parse().unwrap() })
}

#[test]
fn a_rolling_update_moves_as_far_as_it_may() {
    for (name, replicas, sets, expected) in [
        ("the first one", 3, "", "+3 status"),
        ("a new template", 4, "1:4/4", "+1 status d-1=3"),
        ("none may be missing", 2, "1:2/2", "+1 status"),
        ("the new one is not available", 4, "1:3/3 2:2/0", "status"),
        ("the new one is available", 4, "1:3/3 2:2/2", "d-1=1 status"),
        ("there is room again", 4, "1:1/1 2:2/2", "d-2=4 status"),
        ("the last old ones", 4, "1:1/1 2:4/4", "d-1=0 status"),
        ("old ones that never came up go first", 4, "1:3/0 2:2/2", "d-1=1 status"),
        ("no further than the new one is available", 4, "1:3/0 2:2/1", "d-1=2 status"),
        ("two old ones", 10, "1:4/4 2:4/2 3:5/5", "d-2=2 d-1=1 status"),
    ] {
        let version = sets.split_whitespace().last().and_then(|text| text.split_once(':'));
        let version = match name {
            "a new template" | "none may be missing" => 2,
            _ => version.map_or(1, |(version, _)| version.parse().unwrap()),
        };
        let plan = planned(&deployment(version, replicas, json!({})), sets, replicas, &[]);
        assert_eq!(told(&plan), expected, "{name}");
    }
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let recreate = json!({"/spec/strategy": {"type": "Recreate"}});
    for (name, sets, running, expected) in [
        ("old ones run", "1:2/2", &["1"][..], "d-1=0 status"),
        ("their Pods are going", "1:0/0", &["1"], "status"),
        ("they are gone", "1:0/0", &[], "+2 status"),
        ("back to one that is there", "1:0/0 2:0/0", &[], "d-2=2 status"),
    ] {
        let plan = planned(&deployment(2, 2, recreate.clone()), sets, 2, running);
        assert_eq!(told(&plan), expected, "{name}");
    }
}

#[test]
fn scaling_is_no_step_of_a_rollout() {
    for (name, replicas, before, sets, expected) in [
        ("one ReplicaSet", 5, 3, "1:3/3", "d-1=5 status"),
        ("down", 1, 3, "1:3/3", "d-1=1 status"),
        ("amid a rollout", 20, 10, "1:8/8 2:5/5", "d-1=15 d-2=10 status"),
        ("amid a rollout, down", 5, 10, "1:8/8 2:5/5", "d-1=4 d-2=3 status"),
        ("amid a rollout, to nothing", 0, 10, "1:8/8 2:5/5", "d-1=0 d-2=0 status"),
    ] {
        let version = if sets.contains("2:") { 2 } else { 1 };
        let plan = planned(&deployment(version, replicas, json!({})), sets, before, &[]);
        assert_eq!(told(&plan), expected, "{name}");
    }
}

#[test]
fn a_paused_deployment_is_scaled_but_not_rolled() {
    let paused = json!({"/spec/paused": true});
    for (name, sets, expected) in [("a new template", "1:3/3", "status"), ("another scale", "1:2/2", "status d-1=3")] {
        let plan = planned(&deployment(2, 3, paused.clone()), sets, 3, &[]);
        assert_eq!(told(&plan), expected, "{name}");
        let Some(Step::WriteStatus(written)) = plan.steps.first() else { panic!("{name}") };
        let status = status::current(written);
        assert_eq!(status::progressing(&status).unwrap().reason.as_deref(), Some("DeploymentPaused"));
    }
}

#[test]
fn going_back_to_a_template_gives_its_replica_set_the_newest_revision() {
    // First the annotations, then the Deployment's own, then the rollout goes on.
    let back = deployment(2, 2, json!({"/spec/template": template(1)}));
    let plan = planned(&back, "1:0/0 2:2/2", 2, &[]);
    assert_eq!(told(&plan), "d-1~");
    let Step::UpdateSet { set, .. } = &plan.steps[0] else { panic!() };
    let annotations = set.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations[revision::REVISION], "3");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn history_keeps_as_many_revisions_as_asked_for() {
    let complete = json!({
        "/spec/revisionHistoryLimit": 1,
        "/status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                    "readyReplicas": 1, "terminatingReplicas": 0},
    });
    let plan = planned(&deployment(4, 1, complete), "1:0/0 2:0/0 3:0/0 4:1/1", 1, &[]);
    assert!(told(&plan).contains("-d-1 -d-2"), "{}", told(&plan));
    assert!(!told(&plan).contains("-d-3"), "{}", told(&plan));
}

#[test]
fn a_rollout_that_stands_still_is_looked_at_when_its_deadline_passes() {
    let settled = |updated: &str| {
        json!({
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "unavailableReplicas": 2,
            "terminatingReplicas": 0, "conditions": [
            {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "",
             "lastUpdateTime": updated, "lastTransitionTime": NOW},
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "",
             "lastUpdateTime": NOW, "lastTransitionTime": NOW}]})
    };
    let plan = planned(&deployment(1, 2, json!({"/status": settled("2026-01-01T00:57:00Z")})), "1:2/0", 2, &[]);
    assert_eq!((told(&plan).as_str(), plan.until_deadline), ("", Some(SignedDuration::from_mins(7))));
    let plan = planned(&deployment(1, 2, json!({"/status": settled("2026-01-01T00:49:00Z")})), "1:2/0", 2, &[]);
    assert_eq!((told(&plan).as_str(), plan.until_deadline), ("status", None));
}

#[test]
fn what_is_asked_for_by_annotation_is_rolled_back() {
    for (to, expected) in [
        ("1", "update !DeploymentRollback"),
        ("0", "update !DeploymentRollback"),
        ("2", "!DeploymentRollbackTemplateUnchanged update"),
        ("7", "!DeploymentRollbackRevisionNotFound update"),
    ] {
        let annotations = json!({revision::REVISION: "2", revision::ROLLBACK_TO: to});
        let plan = planned(&deployment(2, 2, json!({"/metadata/annotations": annotations})), "1:0/0 2:2/2", 2, &[]);
        assert_eq!(told(&plan), expected, "{to}");
        let updated = plan.steps.iter().find_map(|step| match step {
            Step::Update(deployment) => Some(deployment),
            _ => None,
        });
        assert!(!updated.unwrap().metadata.annotations.as_ref().unwrap().contains_key(revision::ROLLBACK_TO), "{to}");
    }
}

#[test]
fn a_deployment_of_all_pods_is_refused_and_one_that_is_going_only_counted() {
    let plan = planned(&deployment(1, 2, json!({"/spec/selector": {}, "/status": {}})), "", 2, &[]);
    assert_eq!(told(&plan), "!SelectingAll status");
    let going = json!({"/metadata/deletionTimestamp": NOW});
    assert_eq!(told(&planned(&deployment(2, 2, going), "1:2/2", 2, &[])), "status");
}
