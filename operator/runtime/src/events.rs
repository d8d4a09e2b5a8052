//! Events, as `kubectl describe` shows them, recorded without holding up the work they tell of: in the form of
//! `events.k8s.io`, or in that of the core group where upstream's own part of that name speaks so.

use std::collections::HashMap;
use std::fmt::Debug;

use k8s_openapi::api::core::v1::{Event as CoreEvent, EventSource, ObjectReference};
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// How many events may wait to be sent; more are dropped, as upstream's broadcaster does.
const WAITING: usize = 1000;
/// An event that comes again within this time becomes a series of the first.
const SERIES: SignedDuration = SignedDuration::from_mins(6);
/// How many events are remembered for that.
const REMEMBERED: usize = 4096;
/// The longest note that the API server takes.
const LONGEST_NOTE: usize = 1024;

/// Records events. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    entries: mpsc::Sender<Entry>,
}

/// Records events of the core group, as most of upstream's controllers do. Cheap to clone.
#[derive(Clone)]
pub struct CoreRecorder {
    recorder: Recorder,
    component: &'static str,
}

impl CoreRecorder {
    /// Records that all is well with `regarding`; `reason` is one CamelCase word.
    pub fn normal(&self, regarding: ObjectReference, reason: &str, message: impl Into<String>) {
        self.recorder.record("Normal", Some(self.component), regarding, reason, "", message.into());
    }

    /// Records that a person may want to look at `regarding`.
    pub fn warning(&self, regarding: ObjectReference, reason: &str, message: impl Into<String>) {
        self.recorder.record("Warning", Some(self.component), regarding, reason, "", message.into());
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    component: Option<&'static str>,
    uid: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    reason: String,
    action: String,
    note: String,
}

struct Entry {
    type_: &'static str,
    regarding: ObjectReference,
    key: Key,
}

impl Recorder {
    /// A recorder that reports as `controller`, and the future that sends what it is given.
    pub fn new(client: Client, controller: &'static str) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (entries, mut waiting) = mpsc::channel::<Entry>(WAITING);
        let sending = async move {
            let mut sender = Sender { client, controller, sent: HashMap::new() };
            while let Some(entry) = waiting.recv().await {
                let reason = entry.key.reason.clone();
                if let Err(error) = sender.send(entry).await {
                    tracing::debug!(reason, error = %crate::error::line(&error), "event not recorded");
                }
            }
        };
        (Self { entries }, sending)
    }

    /// The recorder of events of the core group, reported as `component`, e.g. `garbage-collector-controller`.
    pub fn core(&self, component: &'static str) -> CoreRecorder {
        CoreRecorder { recorder: self.clone(), component }
    }

    /// Records that all is well with `regarding`: `reason` and `action` are one CamelCase word each.
    pub fn normal(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record("Normal", None, regarding, reason, action, note.into());
    }

    /// Records that a person may want to look at `regarding`.
    pub fn warning(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record("Warning", None, regarding, reason, action, note.into());
    }

    fn record(
        &self,
        type_: &'static str,
        component: Option<&'static str>,
        regarding: ObjectReference,
        reason: &str,
        action: &str,
        mut note: String,
    ) {
        if note.len() > LONGEST_NOTE {
            note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        }
        let key = Key {
            component,
            uid: regarding.uid.clone(),
            namespace: regarding.namespace.clone(),
            name: regarding.name.clone(),
            reason: reason.into(),
            action: action.into(),
            note,
        };
        // A full channel drops the event: work goes before telling of it.
        let _ = self.entries.try_send(Entry { type_, regarding, key });
    }
}

/// An event that was sent.
struct Sent {
    name: String,
    count: i32,
    last: Timestamp,
}

struct Sender {
    client: Client,
    controller: &'static str,
    sent: HashMap<Key, Sent>,
}

impl Sender {
    async fn send(&mut self, Entry { type_, regarding, key }: Entry) -> kube::Result<()> {
        let now = Timestamp::now();
        let namespace = regarding.namespace.clone().unwrap_or_else(|| "default".into());
        if self.sent.len() >= REMEMBERED {
            self.sent.retain(|_, sent| now.duration_since(sent.last) < SERIES);
        }
        if let Some(sent) = self.sent.get_mut(&key).filter(|sent| now.duration_since(sent.last) < SERIES) {
            (sent.count, sent.last) = (sent.count + 1, now);
            let again = match key.component {
                Some(_) => json!({"count": sent.count, "lastTimestamp": seconds(now)}),
                None => json!({"series": EventSeries { count: sent.count, last_observed_time: MicroTime(now) }}),
            };
            let patched = match key.component {
                Some(_) => patch::<CoreEvent>(&self.client, &namespace, &sent.name, again).await,
                None => patch::<Event>(&self.client, &namespace, &sent.name, again).await,
            };
            match patched {
                // It has expired, or was deleted: it is told anew.
                Err(kube::Error::Api(status)) if status.code == 404 => (),
                patched => return patched,
            }
        }
        let object = regarding.name.as_deref().unwrap_or("unknown");
        // As client-go names them: unique by the time, and traceable to the object.
        let name = format!("{object}.{:x}", now.as_nanosecond());
        let metadata =
            ObjectMeta { name: Some(name.clone()), namespace: Some(namespace.clone()), ..ObjectMeta::default() };
        match key.component {
            Some(component) => {
                let event = CoreEvent {
                    metadata,
                    type_: Some(type_.into()),
                    reason: Some(key.reason.clone()),
                    message: Some(key.note.clone()),
                    count: Some(1),
                    first_timestamp: Some(seconds(now)),
                    last_timestamp: Some(seconds(now)),
                    source: Some(EventSource { component: Some(component.into()), host: None }),
                    reporting_component: Some(component.into()),
                    involved_object: regarding,
                    ..CoreEvent::default()
                };
                create(&self.client, &namespace, &event).await?;
            }
            None => {
                let event = Event {
                    metadata,
                    type_: Some(type_.into()),
                    reason: Some(key.reason.clone()),
                    action: Some(key.action.clone()),
                    note: Some(key.note.clone()),
                    event_time: Some(MicroTime(now)),
                    reporting_controller: Some(self.controller.into()),
                    reporting_instance: Some(format!("{}-{}", self.controller, crate::leader_election::host_name())),
                    regarding: Some(regarding),
                    ..Event::default()
                };
                create(&self.client, &namespace, &event).await?;
            }
        }
        self.sent.insert(key, Sent { name, count: 1, last: now });
        Ok(())
    }
}

async fn create<K>(client: &Client, namespace: &str, event: &K) -> kube::Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    Api::<K>::namespaced(client.clone(), namespace).create(&PostParams::default(), event).await.map(drop)
}

async fn patch<K>(client: &Client, namespace: &str, name: &str, change: Value) -> kube::Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.map(drop)
}

/// The time in whole seconds, as the core group keeps it.
fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}
