//! One round: look at the cluster, decide, write.

use std::sync::Arc;
use std::time::Duration;

use crds::condition::{self, Draft};
use crds::{App, app};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Resource};
use runtime::events::Recorder;
use runtime::{ObjectKey, Outcome, Store};

use crate::assumed::Assumed;
use crate::filter::{self, Wants};
use crate::queue::{Item, Queue};
use crate::resources::pod_requests;
use crate::snapshot::{Snapshot, app_requests};
use crate::{bind, place, score};

/// What a round works with.
pub struct Scheduler {
    pub client: Client,
    pub recorder: Recorder,
    pub nodes: Store<Node>,
    pub pods: Store<Pod>,
    pub apps: Store<App>,
    pub assumed: Assumed,
    pub queue: Queue,
}

impl Scheduler {
    /// Places what the item names, or puts it aside.
    pub async fn schedule(&self, item: Item) -> kube::Result<Outcome> {
        let outcome = match &item {
            Item::App(key) => self.schedule_app(key).await,
            Item::Pod(key) => self.schedule_pod(key).await,
        };
        match outcome {
            // The cache is behind; what is newer arrives within moments.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Retry),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Done),
            outcome => outcome,
        }
    }

    fn snapshot(&self, except: Option<&str>) -> Snapshot {
        let pods = self.pods.list().into_iter().map(|pod| {
            let node = self.assumed.node(&ObjectKey::of(&*pod), pod.metadata.uid.as_deref());
            (pod, node)
        });
        let apps = self.apps.list().into_iter().map(|app| self.assumed.newest(app));
        Snapshot::new(&self.nodes.list(), pods, apps, except)
    }

    async fn schedule_app(&self, key: &ObjectKey) -> kube::Result<Outcome> {
        let Some(app) = self.apps.get(key).map(|app| self.assumed.newest(app)) else { return Ok(Outcome::Done) };
        if app.metadata.deletion_timestamp.is_some() {
            return Ok(Outcome::Done);
        }
        if let Some(refused) = refused(&app) {
            tracing::debug!(app = %key, reason = refused, "not placed");
            return Ok(Outcome::Done);
        }
        let now = Timestamp::now();
        let wants = Wants {
            requests: app_requests(&app),
            node_selector: Some(&app.spec.node_selector),
            affinity: None,
            tolerations: &app.spec.tolerations,
        };
        // Aside before the cluster is looked at, so that a change from here on wakes it.
        let item = Item::App(key.clone());
        self.queue.put_aside(item.clone());
        let snapshot = self.snapshot(app.metadata.uid.as_deref());
        let plan = place::place(snapshot, app.placements(), app.spec.replicas, app.spec.policy, &wants, now);
        let scheduled = scheduled(&app, &plan, now);
        let before = condition::find(app.conditions(), condition::SCHEDULED);
        if plan.placements != app.placements() || before != Some(&scheduled) {
            let written = bind::placements(&self.client, &app, &plan.placements, &scheduled).await?;
            self.tell(&app, &plan);
            self.assumed.app(written);
        }
        if plan.unplaced == 0 {
            self.queue.take_back(&item);
        }
        Ok(match plan.until {
            Some(until) => Outcome::After(Duration::try_from(until.duration_since(now)).unwrap_or_default()),
            None => Outcome::Done,
        })
    }

    fn tell(&self, app: &App, plan: &place::Plan) {
        let regarding = app.object_ref(&());
        if plan.unplaced > 0 {
            self.recorder.warning(regarding, "FailedScheduling", "Scheduling", plan.message.clone());
        } else if plan.placements != app.placements() {
            let nodes: Vec<String> = plan
                .placements
                .iter()
                .map(|placement| format!("{} on {}", placement.replicas, placement.node))
                .collect();
            let note = match nodes.as_slice() {
                [] => "No replicas to place".to_owned(),
                nodes => format!("Placed {}", nodes.join(", ")),
            };
            self.recorder.normal(regarding, "Scheduled", "Scheduling", note);
        }
    }

    async fn schedule_pod(&self, key: &ObjectKey) -> kube::Result<Outcome> {
        let Some(pod) = self.pods.get(key) else { return Ok(Outcome::Done) };
        let uid = pod.metadata.uid.as_deref();
        if !self.queue.is_to_be_bound(&pod) || self.assumed.node(key, uid).is_some() {
            return Ok(Outcome::Done);
        }
        let Some(spec) = &pod.spec else { return Ok(Outcome::Done) };
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required =
            affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
        let wants = Wants {
            requests: pod_requests(&pod),
            node_selector: spec.node_selector.as_ref(),
            affinity: required.map(|required| required.node_selector_terms.as_slice()),
            tolerations: spec.tolerations.as_deref().unwrap_or_default(),
        };
        let item = Item::Pod(key.clone());
        self.queue.put_aside(item.clone());
        let snapshot = self.snapshot(uid);
        let best = snapshot
            .nodes
            .iter()
            .filter(|node| filter::reasons(node, &wants).is_empty())
            .min_by_key(|node| score::rank(node, &wants.requests, wants.tolerations, app::Policy::Spread, 0));
        let regarding = pod.object_ref(&());
        match best {
            Some(node) => {
                self.queue.take_back(&item);
                bind::pod(&self.client, &pod, &node.name).await?;
                self.assumed.pod(key.clone(), uid.unwrap_or_default().to_owned(), node.name.clone());
                let note = format!("Successfully assigned {key} to {}", node.name);
                self.recorder.normal(regarding, "Scheduled", "Binding", note);
            }
            None => {
                let message = filter::explain(&snapshot.nodes, &wants);
                if !says(&pod, &message) {
                    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                    bind::pod_unschedulable(&self.client, &pod, &message, &now).await?;
                    self.recorder.warning(regarding, "FailedScheduling", "Scheduling", message);
                }
            }
        }
        Ok(Outcome::Done)
    }
}

/// Why an App is not to be placed: admission has refused this very generation.
fn refused(app: &App) -> Option<&str> {
    condition::find(app.conditions(), condition::ADMISSION_APPROVED)
        .filter(|found| found.status == "False" && found.observed_generation == app.metadata.generation)
        .map(|found| found.reason.as_str())
}

fn scheduled(
    app: &Arc<App>,
    plan: &place::Plan,
    now: Timestamp,
) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition {
    let wanted = app.spec.replicas;
    let draft = if plan.unplaced == 0 {
        Draft {
            type_: condition::SCHEDULED,
            status: Some(true),
            reason: "Scheduled",
            message: format!("{wanted} of {wanted} replicas have a node"),
            observed_generation: app.metadata.generation,
        }
    } else {
        Draft {
            type_: condition::SCHEDULED,
            status: Some(false),
            reason: "Unschedulable",
            message: format!("{} of {wanted} replicas have no node: {}", plan.unplaced, plan.message),
            observed_generation: app.metadata.generation,
        }
    };
    draft.over(condition::find(app.conditions(), condition::SCHEDULED), now)
}

fn says(pod: &Pod, message: &str) -> bool {
    pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten().any(|found| {
        found.type_ == "PodScheduled" && found.status == "False" && found.message.as_deref() == Some(message)
    })
}
