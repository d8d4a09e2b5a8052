//! The running watches, as the committer sees them.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::{Error, Event};

/// What a watch is to see.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) prefix: Bytes,
    /// Whether events need the value that was there before.
    pub(super) previous: bool,
}

/// A watch that gets every event from now on.
pub(super) struct Subscription {
    pub(super) events: mpsc::Receiver<Event>,
    /// Why there are no more events, once `events` is closed.
    pub(super) ended: Arc<OnceLock<Error>>,
}

struct Subscriber {
    watched: Watched,
    events: mpsc::Sender<Event>,
    ended: Arc<OnceLock<Error>>,
}

/// All subscribers. Publishing never waits: a full queue ends its watch.
pub(super) struct Feed {
    subscribers: Vec<Subscriber>,
    queue: usize,
}

impl Feed {
    /// `queue`: how many events may wait for one subscriber.
    pub(super) fn new(queue: usize) -> Self {
        Self { subscribers: Vec::new(), queue: queue.max(1) }
    }

    pub(super) fn subscribe(&mut self, watched: Watched) -> Subscription {
        self.subscribers.retain(|subscriber| !subscriber.events.is_closed());
        let (sender, events) = mpsc::channel(self.queue);
        let ended = Arc::new(OnceLock::new());
        self.subscribers.push(Subscriber { watched, events: sender, ended: ended.clone() });
        Subscription { events, ended }
    }

    /// Whether anybody watches `key`.
    pub(super) fn wants(&self, key: &[u8]) -> bool {
        self.subscribers.iter().any(|subscriber| key.starts_with(&subscriber.watched.prefix))
    }

    /// Whether anybody watches `key` who needs the value that was there before.
    pub(super) fn wants_previous(&self, key: &[u8]) -> bool {
        let wants = |watched: &Watched| watched.previous && key.starts_with(&watched.prefix);
        self.subscribers.iter().any(|subscriber| wants(&subscriber.watched))
    }

    pub(super) fn publish(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        self.subscribers.retain(|subscriber| {
            events.iter().filter(|event| key(event).starts_with(&subscriber.watched.prefix)).all(|event| {
                match subscriber.events.try_send(event.clone()) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_)) => {
                        let _ = subscriber.ended.set(Error::Lagged);
                        false
                    }
                    Err(TrySendError::Closed(_)) => false,
                }
            })
        });
    }

    /// Ends every watch for this reason.
    pub(super) fn end(&mut self, reason: &Error) {
        for subscriber in self.subscribers.drain(..) {
            let _ = subscriber.ended.set(reason.clone());
        }
    }
}

fn key(event: &Event) -> &[u8] {
    match event {
        Event::Put { kv, .. } => &kv.key,
        Event::Delete { key, .. } => key,
        Event::Progress(_) => &[],
    }
}
