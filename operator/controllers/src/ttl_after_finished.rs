//! Jobs that have ended are deleted when their ttlSecondsAfterFinished is over.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions, PropagationPolicy};
use kube::{Api, Client};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};

use crate::informers::Informers;
use crate::job;

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Jobs worked on at once.
const CONCURRENT: usize = 5;

struct Controller {
    client: Client,
    jobs: Store<Job>,
}

/// When a Job is to go; nothing for one that has not ended, is going already, or stays. Pure.
fn expires(job: &Job) -> Option<Timestamp> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    if job.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let ended = job::finished(job)?.last_transition_time.as_ref()?.0;
    ended.checked_add(SignedDuration::from_secs(i64::from(seconds))).ok()
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("ttl_jobs_to_delete"));
    let jobs = informers.jobs().store();
    informers.jobs().on_change({
        let queue = queue.clone();
        move |change| {
            if let Change::Applied { new, .. } = change
                && expires(new).is_some()
            {
                queue.add(ObjectKey::of(&**new));
            }
        }
    });
    let controller = Arc::new(Controller { client: context.client.clone(), jobs });
    async move {
        controller.jobs.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.reconcile(key).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

impl Controller {
    async fn reconcile(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(job) = self.jobs.get(&key) else { return Ok(Outcome::Done) };
        if let Some(wait) = left(&job) {
            return Ok(wait);
        }
        // The time may have been put off since: what is deleted is told from a live read.
        let api = Api::<Job>::namespaced(self.client.clone(), &key.namespace);
        let Some(job) = api.get_opt(&key.name).await? else { return Ok(Outcome::Done) };
        if let Some(wait) = left(&job) {
            return Ok(wait);
        }
        let parameters = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            preconditions: Some(Preconditions { uid: job.metadata.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match api.delete(&key.name, &parameters).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
            deleted => deleted.map(|_| Outcome::Done),
        }
    }
}

/// What to do instead of deleting a Job now.
fn left(job: &Job) -> Option<Outcome> {
    let Some(expires) = expires(job) else { return Some(Outcome::Done) };
    let left = Duration::try_from(expires.duration_since(Timestamp::now())).ok()?;
    (!left.is_zero()).then_some(Outcome::After(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_job_goes_some_time_after_it_ended() {
        let ended = |type_: &str, status: &str| json!([{"type": type_, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let going = json!("2026-01-01T00:00:00Z");
        for (name, ttl, conditions, deleted, expected) in [
            ("complete", json!(10), ended("Complete", "True"), Value::Null, Some("2026-01-01T00:00:10Z")),
            ("failed", json!(0), ended("Failed", "True"), Value::Null, Some("2026-01-01T00:00:00Z")),
            ("not yet", json!(10), ended("Complete", "False"), Value::Null, None),
            ("its end is certain only", json!(10), ended("SuccessCriteriaMet", "True"), Value::Null, None),
            ("it stays", Value::Null, ended("Complete", "True"), Value::Null, None),
            ("it is going", json!(10), ended("Complete", "True"), going, None),
        ] {
            let job: Job = serde_json::from_value(json!({
                "metadata": {"deletionTimestamp": deleted},
                "spec": {"template": {}, "ttlSecondsAfterFinished": ttl}, "status": {"conditions": conditions},
            }))
            .unwrap();
            assert_eq!(expires(&job), expected.map(|time| time.parse().unwrap()), "{name}");
        }
    }
}
