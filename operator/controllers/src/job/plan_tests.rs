//! Jobs and Pods written as words, and what follows.

use super::*;
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T01:00:00Z";

fn job(change: Value) -> Job {
    let mut job = json!({
        "metadata": {"name": "j", "namespace": "n", "uid": "j", "generation": 1},
        "spec": {"parallelism": 2, "completions": 3, "backoffLimit": 2, "completionMode": "NonIndexed",
                 "podReplacementPolicy": "TerminatingOrFailed",
                 "template": {"spec": {"containers": [], "restartPolicy": "Never"}}},
        "status": {"startTime": "2026-01-01T00:00:00Z", "uncountedTerminatedPods": {}},
    });
    for (pointer, value) in change.as_object().into_iter().flatten() {
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        job.pointer_mut(parent).unwrap()[last] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

/// Pods written `name`, or `name@index`, with marks: `+` succeeded, `-` failed, `!` ready, `x` on its way out, `~` not
/// tracked.
fn pods(text: &str) -> Vec<Arc<Pod>> {
    let pod = |text: &str| {
        let name = text.trim_end_matches(['+', '-', '!', 'x', '~']);
        let marks = &text[name.len()..];
        let index = name.split_once('@').map(|(_, index)| index);
        let phase = match (marks.contains('+'), marks.contains('-')) {
            (true, _) => "Succeeded",
            (_, true) => "Failed",
            _ => "Running",
        };
        let ready = if marks.contains('!') { "True" } else { "False" };
        Arc::new(
            serde_json::from_value::<Pod>(json!({
                "metadata": {
                    "name": name, "uid": name, "annotations": index.map(|index| json!({indexes::INDEX: index})),
                    "finalizers": if marks.contains('~') { json!([]) } else { json!([TRACKING]) },
                    "deletionTimestamp": marks.contains('x').then_some(NOW),
                },
                "spec": {"containers": [], "nodeName": "n"},
                "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
            }))
            .unwrap(),
        )
    };
    text.split_whitespace().map(pod).collect()
}

/// `+` or `+index` for each creation, `-name` for each deletion, then `|`, the status's numbers, `>name` for each Pod
/// released, and how the Job ends.
fn synced(job: &Job, pods: &[Arc<Pod>], satisfied: bool) -> (String, JobStatus) {
    let none = HashSet::new();
    let observed =
        Observed { job, pods, satisfied, released: &none, backoff: Backoff::default(), now: NOW.parse().unwrap() };
    let mut sync = Sync::new(observed);
    let work = sync.work();
    let mut words: Vec<String> = Vec::new();
    words.extend(work.create.iter().map(|pod| pod.index.map_or("+".to_owned(), |index| format!("+{index}"))));
    words.extend(work.delete.iter().map(|pod| format!("-{}", uid(pod))));
    let tracking = sync.track(&work.delete, work.create.len());
    words.push(if tracking.write { "| status".to_owned() } else { "|".to_owned() });
    words.extend(tracking.release.iter().map(|pod| format!(">{}", uid(pod))));
    let released = tracking.release.iter().map(|pod| uid(pod).to_owned()).collect();
    let (write, finished) = sync.finish(&released);
    words.push(if write { "| status".to_owned() } else { "|".to_owned() });
    words.extend(finished.map(|of| format!("{}/{}", of.type_, of.reason.unwrap_or_default())));
    (words.join(" "), sync.status)
}

#[test]
fn a_job_runs_as_many_pods_as_it_may_until_enough_have_succeeded() {
    let failed_once = json!({"/status/failed": 2});
    for (name, change, pods_of, expected) in [
        ("the first", json!({}), "", "+ + | status |"),
        ("they run", json!({"/status/active": 2, "/status/ready": 1, "/status/terminating": 0}), "a! b", "| |"),
        ("one has succeeded", json!({"/status/active": 2}), "a+ b", "+ | status >a | status"),
        ("the last is left", json!({"/status/succeeded": 2}), "a", "| status |"),
        ("all have", json!({"/status/succeeded": 2}), "a+", "| status >a | status Complete/CompletionsReached"),
        ("one too many", json!({"/spec/parallelism": 1}), "a! b", "-b | status |"),
        ("one has failed, long ago", json!({}), "a- b", "+ | status >a | status"),
        ("one too often", failed_once, "a- b", "-b | status >a >b | status"),
        ("it is going", json!({"/metadata/deletionTimestamp": NOW}), "a", "| status >a |"),
        ("it counts those that go", json!({}), "ax b", "+ | status >a | status"),
        ("it waits for those that go", json!({"/spec/podReplacementPolicy": "Failed"}), "ax b", "| status |"),
        ("any success will do", json!({"/spec/completions": null}), "a+ b", "| status >a | status"),
        (
            "any success did",
            json!({"/spec/completions": null}),
            "a+",
            "| status >a | status Complete/CompletionsReached",
        ),
        ("it takes too long", json!({"/spec/activeDeadlineSeconds": 60}), "a", "-a | status >a | status"),
        (
            "none may restart",
            json!({"/spec/backoffLimit": 0}),
            "a-",
            "| status >a | status Failed/BackoffLimitExceeded",
        ),
    ] {
        let told = synced(&job(change), &pods(pods_of), true).0;
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn a_suspended_job_has_no_pods() {
    let (told, status) = synced(&job(json!({"/spec/suspend": true, "/status": {}})), &pods("a"), true);
    assert_eq!(told, "-a | status |");
    let expected = json!({
        "conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended",
                        "lastProbeTime": NOW, "lastTransitionTime": NOW}],
        "ready": 0, "terminating": 1, "uncountedTerminatedPods": {},
    });
    assert_eq!(serde_json::to_value(status).unwrap(), expected);
}

#[test]
fn nothing_is_created_before_what_was_created_is_seen() {
    assert_eq!(synced(&job(json!({})), &[], false).0, "| status |");
    let (told, _) = synced(&job(json!({"/spec/backoffLimit": 0})), &pods("a-"), false);
    assert_eq!(told, "| status >a | status", "it does not end either");
}

#[test]
fn each_index_succeeds_once() {
    let indexed = |change: Value| {
        let mut all = json!({"/spec/completionMode": "Indexed", "/spec/parallelism": 3});
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        job(all)
    };
    for (name, change, pods_of, expected) in [
        ("the first", json!({}), "", "+0 +1 +2 | status |"),
        ("one is missing", json!({}), "a@0 b@2", "+1 | status |"),
        ("one has succeeded", json!({}), "a@0+ b@1 c@2", "| status >a@0 |"),
        ("one twice", json!({}), "a@0 b@0! c@1", "-a@0 | status |"),
        ("out of range", json!({}), "a@3 b@0 c@1", "-a@3 | status |"),
        (
            "the last",
            json!({"/status/completedIndexes": "0,1"}),
            "a@2+",
            "| status >a@2 | status Complete/CompletionsReached",
        ),
        (
            "enough by policy",
            json!({"/spec/successPolicy": {"rules": [{"succeededIndexes": "0-1", "succeededCount": 1}]}}),
            "a@0+ b@1 c@2",
            "-b@1 -c@2 | status >a@0 >b@1 >c@2 |",
        ),
        (
            "one failed for good",
            json!({"/spec/backoffLimitPerIndex": 0, "/status/completedIndexes": "0,1"}),
            "a@2-",
            "| status >a@2 | status Failed/FailedIndexes",
        ),
        (
            "one is tried again, later",
            json!({"/spec/backoffLimitPerIndex": 1, "/spec/backoffLimit": 100}),
            "a@0 b@1 c@2-",
            "| status |",
        ),
    ] {
        let told = synced(&indexed(change), &pods(pods_of), true).0;
        let told = if name == "one is tried again, later" { told.replace("+2 ", "") } else { told };
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn ended_pods_are_noted_before_they_are_released_and_counted_after() {
    let job = job(json!({}));
    let (none, pods) = (HashSet::new(), pods("a+ b- c"));
    let observed = Observed {
        job: &job,
        pods: &pods,
        satisfied: true,
        released: &none,
        backoff: Backoff::default(),
        now: NOW.parse().unwrap(),
    };
    let mut sync = Sync::new(observed);
    sync.work();
    sync.track(&[], 0);
    let uncounted = serde_json::to_value(&sync.status.uncounted_terminated_pods).unwrap();
    assert_eq!(uncounted, json!({"succeeded": ["a"], "failed": ["b"]}));
    assert!(sync.finish(&HashSet::from(["a".to_owned()])).0);
    let uncounted = serde_json::to_value(&sync.status.uncounted_terminated_pods).unwrap();
    assert_eq!((uncounted, sync.status.succeeded, sync.status.failed), (json!({"failed": ["b"]}), Some(1), None));
}
