//! Serves the lists and watches of one resource (one key prefix) from memory, over any [`Storage`].
//!
//! One task owns the feed: it lists the prefix, watches it from there, keeps the newest state and a window of events,
//! and hands each event to the watchers that it concerns. Readers never touch that task's data: the state is published
//! as an immutable snapshot, and a watcher subscribes with a message whose answer holds the events so far and the
//! queue of those to come, so that there is neither gap nor repeat.

mod counters;
mod entry;
mod event;
mod read;
mod resource_version;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::{Result, Storage};

pub use counters::Counters;
pub use entry::{Decoded, Decoder, Entry, Pairs};
pub use event::{Delivery, Kind};
pub use read::{At, Freshness, Got, ListRequest, Listed, Predicate, Scope};
pub use resource_version::with_resource_version;
pub use watch::{Start, WatchRequest, WatchStream};

/// How a [`Cacher`] behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The resource's key prefix with its last slash, e.g. `/registry/apps/deployments/`.
    pub prefix: Box<str>,
    /// The field whose required value indexes watchers (upstream: `spec.nodeName` of pods).
    pub index_field: Option<Box<str>>,
    /// How often a watcher gets a bookmark.
    pub bookmark_interval: Duration,
    /// How long a read waits for the cache to reach its revision (upstream: 3 s).
    pub fresh_timeout: Duration,
    /// How many events may wait for one watcher before it is ended.
    pub watcher_queue: usize,
    /// How much history is kept.
    pub history: HistoryLimits,
}

impl Config {
    /// The usual behaviour for the keys under `prefix`.
    pub fn new(prefix: impl Into<Box<str>>) -> Self {
        Self {
            prefix: prefix.into(),
            index_field: None,
            bookmark_interval: Duration::from_secs(60),
            fresh_timeout: Duration::from_secs(3),
            watcher_queue: 1000,
            history: HistoryLimits::default(),
        }
    }
}

/// How many events are kept for watches and exact lists. Beyond `max_events` or `max_bytes` the oldest go; beyond
/// `min_events` those older than `window` go.
#[derive(Clone, Debug)]
pub struct HistoryLimits {
    /// So many are kept whatever their age.
    pub min_events: usize,
    /// Never more than this many.
    pub max_events: usize,
    /// Never more than about this many bytes of objects that only the history holds.
    pub max_bytes: usize,
    /// For so long events are kept, within the other limits.
    pub window: Duration,
}

impl Default for HistoryLimits {
    /// Upstream's numbers, and a bound in bytes.
    fn default() -> Self {
        Self { min_events: 100, max_events: 100 * 1024, max_bytes: 32 << 20, window: Duration::from_secs(75) }
    }
}

/// Whether the cache can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nobody has used it yet.
    Idle,
    /// The first list is under way; with the last failure, if there was one.
    Starting(Option<String>),
    /// It serves.
    Ready,
    /// It was shut down.
    Stopped,
}

/// A handle to the cache of one resource; clones share it. The feed starts with the first use and ends with
/// [`Cacher::shutdown`] or the last handle.
#[derive(Clone)]
pub struct Cacher {
    _private: (),
}

impl Cacher {
    /// A cache over `storage`, not started yet.
    pub fn new(storage: Arc<dyn Storage>, decoder: Arc<dyn Decoder>, config: Config) -> Self {
        let _ = (storage, decoder, config);
        todo!()
    }

    /// Starts the feed if it is not running. Every read does so too. Must be called within a tokio runtime.
    pub fn start(&self) {
        todo!()
    }

    /// Reads objects; see [`ListRequest`]. [`crate::Error::Corrupt`] if an object that the page would cover cannot be
    /// decoded, as upstream's lists fail then: to leave it out would tell a controller that it is gone.
    pub async fn list(&self, request: ListRequest) -> Result<Listed> {
        let _ = request;
        todo!()
    }

    /// Reads one object. A consistent read that the cache cannot answer at once goes to the store.
    pub async fn get(&self, namespace: &str, name: &str, freshness: Freshness) -> Result<Got> {
        let _ = (namespace, name, freshness);
        todo!()
    }

    /// Subscribes to changes; see [`WatchRequest`].
    pub async fn watch(&self, request: WatchRequest) -> Result<WatchStream> {
        let _ = request;
        todo!()
    }

    /// Whether the cache can serve.
    pub fn health(&self) -> Health {
        todo!()
    }

    /// Whether a health check should pass: true unless a started cache has not got its first list yet.
    pub fn ready(&self) -> bool {
        matches!(self.health(), Health::Idle | Health::Ready)
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        todo!()
    }

    /// Ends the feed for good: every event up to the store's present revision is delivered, then the watches end
    /// without an error. Reads fail from then on with [`crate::Error::Unavailable`].
    pub async fn shutdown(&self) {
        todo!()
    }
}
