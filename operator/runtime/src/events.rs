//! Events (`events.k8s.io`), as `kubectl describe` shows them, recorded without holding up the work they tell of.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder as Publisher, Reporter};
use tokio::sync::mpsc;

/// How many events may wait to be sent; more are dropped, as upstream's broadcaster does.
const WAITING: usize = 1000;

struct Entry {
    event: Event,
    regarding: ObjectReference,
}

/// Records events. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    entries: mpsc::Sender<Entry>,
}

impl Recorder {
    /// A recorder that reports as `controller`, and the future that sends what it is given.
    pub fn new(client: Client, controller: &str) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (entries, mut waiting) = mpsc::channel::<Entry>(WAITING);
        let publisher = Publisher::new(client, Reporter::from(controller));
        let sending = async move {
            while let Some(Entry { event, regarding }) = waiting.recv().await {
                if let Err(error) = publisher.publish(&event, &regarding).await {
                    tracing::debug!(reason = event.reason, %error, "event not recorded");
                }
            }
        };
        (Self { entries }, sending)
    }

    /// Records that all is well with `regarding`: `reason` and `action` are one CamelCase word each.
    pub fn normal(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record(EventType::Normal, regarding, reason, action, note.into());
    }

    /// Records that a person may want to look at `regarding`.
    pub fn warning(&self, regarding: ObjectReference, reason: &str, action: &str, note: impl Into<String>) {
        self.record(EventType::Warning, regarding, reason, action, note.into());
    }

    fn record(&self, type_: EventType, regarding: ObjectReference, reason: &str, action: &str, mut note: String) {
        const LONGEST_NOTE: usize = 1024; // upstream's validation
        if note.len() > LONGEST_NOTE {
            note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        }
        let event = Event { type_, reason: reason.into(), action: action.into(), note: Some(note), secondary: None };
        // A full channel drops the event: work goes before telling of it.
        let _ = self.entries.try_send(Entry { event, regarding });
    }
}
