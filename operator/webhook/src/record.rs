//! The outcome of admission as condition AdmissionApproved. It is not copied from what a request claimed: the stored
//! App is reviewed by the same rules, so the condition is true for the generation it names also when the App was stored
//! while no webhook could be asked, and nobody can forge it by an annotation.

use std::sync::Arc;
use std::time::Duration;

use crds::App;
use crds::condition::{self, Draft};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::Recorder;
use runtime::{Metrics, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::serve::Namespaced;
use crate::validate::{Findings, validate};

const FIELD_MANAGER: &str = "admission-webhook";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Apps worked on at once.
const CONCURRENT: usize = 8;

/// A queue of Apps to be recorded.
pub fn queue(metrics: &Metrics) -> WorkQueue<ObjectKey> {
    WorkQueue::new(LONGEST_WAIT, metrics.queue("admission_record"))
}

/// The condition to write, when it differs from what is there. Pure.
fn verdict(app: &App, findings: &Findings, now: Timestamp) -> Option<Condition> {
    let approved = findings.causes.is_empty();
    let draft = Draft {
        type_: condition::ADMISSION_APPROVED,
        status: Some(approved),
        reason: if approved { "Approved" } else { "Refused" },
        message: if approved { "the App passed admission".to_owned() } else { findings.message() },
        observed_generation: app.metadata.generation,
    };
    let before = condition::find(app.conditions(), condition::ADMISSION_APPROVED);
    let condition = draft.over(before, now);
    (before != Some(&condition)).then_some(condition)
}

/// Records for as long as it is polled.
pub async fn record(client: Client, recorder: Recorder, apps: Store<App>, queue: WorkQueue<ObjectKey>) {
    apps.synced().await;
    let work = |key: ObjectKey| {
        let (client, recorder, apps) = (client.clone(), recorder.clone(), apps.clone());
        async move {
            let Some(app) = apps.get(&key).filter(|app| app.metadata.deletion_timestamp.is_none()) else {
                return Ok(Outcome::Done);
            };
            let findings = validate(&key.name, &app.spec, &Namespaced { apps: &apps, namespace: &key.namespace });
            let Some(condition) = verdict(&app, &findings, Timestamp::now()) else { return Ok(Outcome::Done) };
            if condition.status == "False" {
                recorder.warning(app.object_ref(&()), "AdmissionRefused", "Admitting", condition.message.clone());
            }
            write(&client, &app, &condition).await
        }
    };
    queue.process(CONCURRENT, work).await;
}

async fn write(client: &Client, app: &Arc<App>, condition: &Condition) -> kube::Result<Outcome> {
    let namespace = app.namespace().unwrap_or_default();
    let patch = json!({
        "apiVersion": App::api_version(&()),
        "kind": App::kind(&()),
        "metadata": {"name": app.metadata.name, "namespace": namespace, "uid": app.metadata.uid},
        "status": {"conditions": [condition]},
    });
    let written = Api::<App>::namespaced(client.clone(), &namespace)
        .patch_status(&app.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch))
        .await;
    match written {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
        written => written.map(|_| Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Cause;

    #[test]
    fn the_outcome_is_written_once_for_each_generation() {
        let mut app: App = serde_json::from_value(json!({
            "metadata": {"name": "web", "generation": 1}, "spec": {"image": "nginx:1"},
        }))
        .unwrap();
        let approved = verdict(&app, &Findings::default(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((approved.status.as_str(), approved.observed_generation), ("True", Some(1)));
        app.status.get_or_insert_default().conditions.push(approved);
        assert_eq!(verdict(&app, &Findings::default(), Timestamp::now()), None);
        app.metadata.generation = Some(2);
        let refused =
            Findings { causes: vec![Cause { field: "spec.image".into(), message: "bad".into() }], warnings: vec![] };
        let refused = verdict(&app, &refused, Timestamp::now()).unwrap();
        assert_eq!(
            (refused.status.as_str(), refused.message.as_str(), refused.observed_generation),
            ("False", "spec.image: bad", Some(2))
        );
    }
}
