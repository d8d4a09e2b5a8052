//! How long a Job waits before it starts a Pod again after failures.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
const LONGEST: Duration = Duration::from_mins(10);

/// Failures of a Job's Pods since one of them succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    last: Option<Timestamp>,
}

/// When a Pod ended: the latest end of its containers, else when it stopped being ready, else now.
pub fn ended_at(pod: &Pod, now: Timestamp) -> Timestamp {
    let status = pod.status.as_ref();
    let of = |statuses: Option<&Vec<ContainerStatus>>| {
        let ends = statuses
            .into_iter()
            .flatten()
            .filter_map(|of| of.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
        ends.map(|time| time.0).max()
    };
    let containers = of(status.and_then(|status| status.container_statuses.as_ref()));
    let unready = || {
        let ready = crate::pod_state::condition(pod, "Ready").filter(|ready| ready.status == "False")?;
        ready.last_transition_time.as_ref().map(|time| time.0)
    };
    let deleted = || pod.metadata.deletion_timestamp.as_ref().map(|time| time.0.min(now));
    containers.or_else(unready).or_else(deleted).unwrap_or(now)
}

/// What is left of the wait after so many failures, the last of them then.
fn left(failures: u32, last: Timestamp, now: Timestamp) -> Option<Duration> {
    let wait = FIRST.saturating_mul(1 << failures.checked_sub(1)?.min(16)).min(LONGEST);
    let elapsed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    wait.checked_sub(elapsed).filter(|left| !left.is_zero())
}

impl Backoff {
    /// The record with Pods that are newly seen to have succeeded or failed.
    pub fn with(self, succeeded: &[&Pod], failed: &[&Pod], now: Timestamp) -> Self {
        let last_success = succeeded.iter().map(|pod| ended_at(pod, now)).max();
        let mut record = if last_success.is_some() { Self::default() } else { self };
        for end in failed.iter().map(|pod| ended_at(pod, now)) {
            if last_success.is_none_or(|success| end > success) {
                record.failures = record.failures.saturating_add(1);
                record.last = record.last.max(Some(end));
            }
        }
        record
    }

    /// How long to wait before the next Pod; nothing when it may start.
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        left(self.failures, self.last?, now)
    }
}

/// How long the index of a Pod that failed waits, when this is its so many-th failure.
pub fn wait_of_index(failed: &Pod, failures: i32, now: Timestamp) -> Option<Duration> {
    left(u32::try_from(failures).unwrap_or(0), ended_at(failed, now), now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn waits_grow_with_failures_and_end_with_a_success() {
        let pod = |second: u32| -> Pod {
            let finished = format!("2026-01-01T00:00:{second:02}Z");
            serde_json::from_value(json!({"status": {"containerStatuses": [{
                "name": "c", "state": {"terminated": {"exitCode": 1, "finishedAt": finished}},
                "ready": false, "restartCount": 0, "image": "", "imageID": ""}]}}))
            .unwrap()
        };
        let (a, b, c) = (pod(10), pod(20), pod(30));
        let now: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
        for (succeeded, failed, expected) in [
            (&[][..], &[][..], None),
            (&[], &[&c][..], Some(10)),
            (&[], &[&a], None),
            (&[], &[&a, &b], Some(10)), // 20 s from second 20
            (&[], &[&a, &b, &c], Some(40)),
            (&[&b][..], &[&a, &c], Some(10)),
            (&[&c], &[&a, &b], None),
        ] {
            let record = Backoff::default().with(succeeded, failed, now);
            assert_eq!(record.wait(now), expected.map(Duration::from_secs), "{} {}", succeeded.len(), failed.len());
        }
    }
}
