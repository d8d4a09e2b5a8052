//! Serves the lists and watches of one resource (one key prefix) from memory, over any [`Storage`].
//!
//! One task owns the feed: it lists the prefix, watches it from there, keeps the newest state and a window of events,
//! and hands each event to the watchers that it concerns. Readers never touch that task's data: the state is published
//! as an immutable snapshot, and a watcher subscribes with a message whose answer holds the events so far and the
//! queue of those to come, so that there is neither gap nor repeat.

mod catch_up;
mod counters;
mod dispatcher;
mod entry;
mod event;
mod feed;
mod history;
mod ingest;
mod list;
mod published;
mod queue;
mod read;
mod reflector;
mod resource_version;
mod snapshot;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{Error, Result, Revision, Storage};
use catch_up::catch_up;
use feed::{Command, Feed, Join, Subscribe, Subscription};
use ingest::Ingest;
use published::{Published, Reached};
use reflector::reflect;
use snapshot::{KeyRange, Pinned};
use watch::FeedWatch;

pub use counters::Counters;
pub use entry::{Decoded, Decoder, Entry, Pairs};
pub use event::{Delivery, Kind};
pub use read::{At, Freshness, Got, ListRequest, Listed, Predicate, Scope};
pub use resource_version::{KeyOrder, ResourceVersionPlace, with_resource_version};
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
    /// How long a consistent get waits so before it asks the store for the object.
    pub catch_up_timeout: Duration,
    /// How long a read waits for the first list.
    pub start_timeout: Duration,
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
            catch_up_timeout: Duration::from_millis(50),
            start_timeout: Duration::from_secs(10),
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
    /// Upstream's numbers, and a bound in bytes: who watches or lists from before it is served from the store's own history,
    /// which is dearer, but nothing is lost to it.
    fn default() -> Self {
        Self { min_events: 100, max_events: 100 * 1024, max_bytes: 4 << 20, window: Duration::from_secs(75) }
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
    inner: Arc<Inner>,
}

struct Inner {
    storage: Arc<dyn Storage>,
    config: Arc<Config>,
    ingest: Arc<Ingest>,
    published: Arc<Published>,
    pinned: Arc<Pinned>,
    counters: Arc<Counters>,
    commands: mpsc::UnboundedSender<Command>,
    /// The feed's end of `commands`, until it starts.
    idle: Mutex<Option<mpsc::UnboundedReceiver<Command>>>,
    started: AtomicBool,
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Cacher {
    /// A cache over `storage`, not started yet.
    pub fn new(storage: Arc<dyn Storage>, decoder: Arc<dyn Decoder>, config: Config) -> Self {
        let counters = Arc::new(Counters::default());
        let ingest = Arc::new(Ingest::new(decoder, config.prefix.clone(), counters.clone()));
        let (commands, idle) = mpsc::unbounded_channel();
        let inner = Inner {
            storage,
            ingest,
            published: Arc::new(Published::new()),
            pinned: Arc::new(Pinned::new(config.history.window)),
            config: Arc::new(config),
            counters,
            commands,
            idle: Mutex::new(Some(idle)),
            started: AtomicBool::new(false),
            stop: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Starts the feed if it is not running. Every read does so too. Must be called within a tokio runtime.
    pub fn start(&self) {
        if self.inner.started.load(Ordering::Acquire) {
            return;
        }
        let Some(commands) = self.inner.idle.lock().take() else { return };
        self.inner.started.store(true, Ordering::Release);
        let Inner { storage, config, ingest, published, pinned, counters, stop, .. } = &*self.inner;
        let updates = reflect(storage.clone(), config.prefix.clone(), ingest.clone(), published.clone());
        let feed = Feed::new(config.clone(), ingest.clone(), published.clone(), pinned.clone(), counters.clone());
        tokio::spawn(feed.run(updates, commands, stop.clone()));
    }

    /// Subscribes to changes; see [`WatchRequest`].
    pub async fn watch(&self, request: WatchRequest) -> Result<WatchStream> {
        let range = KeyRange::of(&request.scope, &self.inner.config.prefix);
        let join = match request.start {
            Start::Revision(revision) => Join::After(revision),
            Start::FromNow => {
                self.start();
                Join::After(self.present_revision().await?)
            }
            Start::FromAny => Join::Newest,
            Start::FromAnyThenNow => Join::State,
            Start::InitialEvents(_) => Join::State,
        };
        let freshness = match request.start {
            Start::InitialEvents(freshness) => freshness,
            _ => Freshness::Any,
        };
        self.fresh(freshness).await?;
        let subscription = match (self.subscribe(request.subscribe(range.clone(), join)).await?, join) {
            (Ok(subscription), _) => subscription,
            (Err(_), Join::After(revision)) => {
                self.inner.counters.watches_from_store.add(1);
                let stream = catch_up(self.clone(), request, range, revision).await?;
                return Ok(WatchStream::catching_up(stream.boxed()));
            }
            (Err(start), _) => return Err(Error::Compacted { requested: 0, compacted: start }),
        };
        if let Some(state) = &subscription.state {
            state.check(&range)?;
        }
        Ok(WatchStream::from_feed(self.feed_watch(&request, range, subscription)))
    }

    /// Whether the cache can serve.
    pub fn health(&self) -> Health {
        match self.inner.published.reached() {
            Reached::Starting if !self.inner.started.load(Ordering::Acquire) => Health::Idle,
            Reached::Starting => Health::Starting(self.inner.published.failure().map(|error| error.to_string())),
            Reached::At(_) => Health::Ready,
            Reached::Stopped => Health::Stopped,
        }
    }

    /// Whether a health check should pass: true unless a started cache has not got its first list yet.
    pub fn ready(&self) -> bool {
        matches!(self.health(), Health::Idle | Health::Ready)
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Ends the feed for good: every event up to the store's present revision is delivered, then the watches end
    /// without an error. Reads fail from then on with [`crate::Error::Unavailable`].
    pub async fn shutdown(&self) {
        if self.inner.idle.lock().take().is_none() {
            // If the store cannot tell, what is there is all that can be delivered.
            let _ = self.fresh(Freshness::Consistent).await;
        } else {
            self.inner.published.stop();
        }
        self.inner.stop.cancel();
        self.inner.published.stopped().await;
    }

    fn storage(&self) -> &Arc<dyn Storage> {
        &self.inner.storage
    }

    fn ingest(&self) -> &Ingest {
        &self.inner.ingest
    }

    async fn subscribe(&self, subscribe: Subscribe) -> Result<Result<Subscription, Revision>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Subscribe(subscribe, answer), answered).await
    }

    /// Sends `command` to the feed and waits for its answer.
    async fn ask<T>(&self, command: Command, answered: oneshot::Receiver<T>) -> Result<T> {
        let stopped = || Error::Unavailable("the cache was shut down".into());
        self.inner.commands.send(command).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }

    fn feed_watch(&self, request: &WatchRequest, range: KeyRange, subscription: Subscription) -> FeedWatch {
        FeedWatch::new(request, range, subscription, self.inner.commands.clone())
    }
}

impl std::fmt::Debug for Cacher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cacher").field("prefix", &self.inner.config.prefix).field("health", &self.health()).finish()
    }
}
