//! Which Pods of a Job count as failed, and what its podFailurePolicy makes of them.

use k8s_openapi::api::batch::v1::{Job, PodFailurePolicyOnExitCodesRequirement};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::pod_state;

/// The annotation of how often the index of a Pod failed before, counted against the limit of the index.
pub const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
/// The annotation of how often it failed and that was ignored.
pub const INDEX_IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// What the policy says of a failed Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Count,
    /// It does not.
    Ignore,
    /// Its index fails.
    FailIndex,
    /// The Job fails, for that reason.
    FailJob(String),
}

/// Whether Pods are replaced only when they have failed, not already when they are on their way out.
pub fn replaces_only_failed(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| {
        spec.pod_replacement_policy.as_deref() == Some("Failed") || spec.pod_failure_policy.is_some()
    })
}

/// Whether a Pod counts as failed: also one that is on its way out, as it may never get to say so.
pub fn is_failed(pod: &Pod, job: &Job) -> bool {
    match pod_state::phase(pod) {
        "Failed" => true,
        "Succeeded" => false,
        _ => !replaces_only_failed(job) && pod.metadata.deletion_timestamp.is_some(),
    }
}

/// What the policy of a Job says of a failed Pod: the first rule that matches decides.
pub fn verdict(job: &Job, pod: &Pod) -> Verdict {
    let policy = job.spec.as_ref().and_then(|spec| spec.pod_failure_policy.as_ref());
    for (index, rule) in policy.into_iter().flat_map(|policy| &policy.rules).enumerate() {
        let matched = match &rule.on_exit_codes {
            Some(codes) => exit_code(pod, codes).map(|(container, code)| {
                format!(
                    "Container {container} for pod {} failed with exit code {code} matching {} rule at index {index}",
                    path(pod),
                    rule.action
                )
            }),
            None => rule.on_pod_conditions.iter().flatten().find_map(|pattern| {
                let found = pod_state::condition(pod, &pattern.type_)?;
                (found.status == pattern.status.as_deref().unwrap_or("True")).then(|| {
                    format!(
                        "Pod {} has condition {} matching {} rule at index {index}",
                        path(pod),
                        pattern.type_,
                        rule.action
                    )
                })
            }),
        };
        let Some(message) = matched else { continue };
        return match rule.action.as_str() {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(message),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn path(pod: &Pod) -> String {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", of(&pod.metadata.namespace), of(&pod.metadata.name))
}

/// The container, and its exit code, that a rule is about.
fn exit_code<'a>(pod: &'a Pod, codes: &PodFailurePolicyOnExitCodesRequirement) -> Option<(&'a str, i32)> {
    let status = pod.status.as_ref()?;
    let statuses = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let failed = |of: &'a ContainerStatus| {
        let code = of.state.as_ref()?.terminated.as_ref()?.exit_code;
        let named = codes.container_name.as_ref().is_none_or(|name| *name == of.name);
        let listed = codes.values.contains(&code);
        let matches = if codes.operator == "NotIn" { !listed } else { listed };
        (named && code != 0 && matches).then_some((of.name.as_str(), code))
    };
    statuses.filter_map(failed).next()
}

fn count(pod: &Pod, annotation: &str) -> i32 {
    let text = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(annotation));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether the index of a failed Pod is at its end.
pub fn index_has_failed(job: &Job, pod: &Pod) -> bool {
    let Some(limit) = job.spec.as_ref().and_then(|spec| spec.backoff_limit_per_index) else { return false };
    is_failed(pod, job)
        && match verdict(job, pod) {
            Verdict::FailIndex => true,
            Verdict::Ignore => false,
            Verdict::Count | Verdict::FailJob(_) => count(pod, INDEX_FAILURES) >= limit,
        }
}

/// How often the index of a Pod failed before it, ignored failures too.
pub fn failures_before(pod: &Pod) -> i32 {
    count(pod, INDEX_FAILURES).saturating_add(count(pod, INDEX_IGNORED_FAILURES))
}

/// The counts, and ignored ones, of the Pod that takes the place of a failed one of the same index.
pub fn failures_after(job: &Job, replaced: Option<&Pod>) -> (i32, i32) {
    let Some(pod) = replaced else { return (0, 0) };
    let (counted, ignored) = (count(pod, INDEX_FAILURES), count(pod, INDEX_IGNORED_FAILURES));
    match verdict(job, pod) {
        Verdict::Ignore => (counted, ignored.saturating_add(1)),
        _ => (counted.saturating_add(1), ignored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_first_rule_that_matches_decides() {
        let job: Job = serde_json::from_value(
            json!({"spec": {"template": {}, "backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}},
                {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 42]}},
            ]}}}),
        )
        .unwrap();
        let pod = |container: &str, code: i32, conditions: Value| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "p", "namespace": "n"},
                "status": {"phase": "Failed", "conditions": conditions, "containerStatuses": [
                    {"name": container, "state": {"terminated": {"exitCode": code}}, "ready": false, "restartCount": 0, "image": "", "imageID": ""}]},
            }))
            .unwrap()
        };
        let message = "Container main for pod n/p failed with exit code 42 matching FailJob rule at index 1";
        let disrupted = json!([{"type": "DisruptionTarget", "status": "True"}]);
        for (name, pod, expected) in [
            ("disrupted", pod("main", 42, disrupted), Verdict::Ignore),
            ("the code that fails all", pod("main", 42, json!([])), Verdict::FailJob(message.to_owned())),
            ("of another container", pod("other", 42, json!([])), Verdict::Count),
            ("a code that was not listed", pod("main", 2, json!([])), Verdict::FailIndex),
            ("success", pod("main", 0, json!([])), Verdict::Count),
        ] {
            assert_eq!(verdict(&job, &pod), expected, "{name}");
            assert_eq!(index_has_failed(&job, &pod), expected == Verdict::FailIndex, "{name}");
        }
    }
}
