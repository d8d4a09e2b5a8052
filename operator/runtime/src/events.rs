//! Events (`events.k8s.io`), as `kubectl describe` shows them, recorded without holding up the work they tell of.

use std::collections::HashMap;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
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

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
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

    /// Records that all is well with `regarding`: `reason` and `action` are one CamelCase word each.
    pub fn normal(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record("Normal", regarding, reason, action, note.into());
    }

    /// Records that a person may want to look at `regarding`.
    pub fn warning(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record("Warning", regarding, reason, action, note.into());
    }

    fn record(&self, type_: &'static str, regarding: ObjectReference, reason: &str, action: &str, mut note: String) {
        if note.len() > LONGEST_NOTE {
            note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        }
        let key = Key {
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
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        if self.sent.len() >= REMEMBERED {
            self.sent.retain(|_, sent| now.duration_since(sent.last) < SERIES);
        }
        if let Some(sent) = self.sent.get_mut(&key).filter(|sent| now.duration_since(sent.last) < SERIES) {
            (sent.count, sent.last) = (sent.count + 1, now);
            let series = EventSeries { count: sent.count, last_observed_time: MicroTime(now) };
            let patch = Patch::Merge(json!({"series": series}));
            match api.patch(&sent.name, &PatchParams::default(), &patch).await {
                // It has expired, or was deleted: it is told anew.
                Err(kube::Error::Api(status)) if status.code == 404 => (),
                patched => return patched.map(|_| ()),
            }
        }
        let object = regarding.name.as_deref().unwrap_or("unknown");
        let event = Event {
            metadata: ObjectMeta {
                // As client-go names them: unique by the time, and traceable to the object.
                name: Some(format!("{object}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace),
                ..ObjectMeta::default()
            },
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
        let created = api.create(&PostParams::default(), &event).await?;
        let name = created.metadata.name.unwrap_or_default();
        self.sent.insert(key, Sent { name, count: 1, last: now });
        Ok(())
    }
}
