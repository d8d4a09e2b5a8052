//! The task that owns a resource's state: what the store tells goes in, snapshots and deliveries come out.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Config;
use super::counters::Counters;
use super::dispatcher::{Dispatcher, Watcher, WatcherId};
use super::event::Event;
use super::history::History;
use super::ingest::Ingest;
use super::published::Published;
use super::queue::{Taker, queue};
use super::read::{Predicate, Scope};
use super::reflector::{self, Update};
use super::snapshot::{KeyRange, Pinned, Snapshot};
use crate::{Error, Revision};

/// How long bookmarks that are due wait for the store to say how far it is.
const BOOKMARK_PATIENCE: Duration = Duration::from_secs(1);

/// What others ask of the feed. It answers once it has its first list.
pub(super) enum Command {
    /// A new watcher. Answered with the revision that the history reaches back to if that is later than the start.
    Subscribe(Subscribe, oneshot::Sender<Result<Subscription, Revision>>),
    /// A watcher is gone.
    Unsubscribe(WatcherId),
    /// The newest state and all events after a revision, if the history holds them.
    Since(Revision, oneshot::Sender<Option<(Snapshot, Vec<Arc<Event>>)>>),
}

/// A new watcher.
pub(super) struct Subscribe {
    pub scope: Scope,
    pub range: KeyRange,
    pub predicate: Option<Predicate>,
    pub index_value: Option<Box<str>>,
    pub join: Join,
    pub bookmarks: bool,
    pub deadline: Option<Instant>,
}

/// Where a watcher joins the feed.
#[derive(Clone, Copy)]
pub(super) enum Join {
    /// With the events after this revision.
    After(Revision),
    /// With the events after the newest state.
    Newest,
    /// With the newest state, then the events after it.
    State,
}

/// What a new watcher gets: first the state, then the replay, then what comes through the queue.
pub(super) struct Subscription {
    pub id: WatcherId,
    pub state: Option<Snapshot>,
    pub replay: Vec<Arc<Event>>,
    pub queue: Taker,
}

pub(super) struct Feed {
    config: Arc<Config>,
    ingest: Arc<Ingest>,
    published: Arc<Published>,
    pinned: Arc<Pinned>,
    counters: Arc<Counters>,
    /// The newest state, the same as the published one between two updates.
    state: Snapshot,
    history: History,
    dispatcher: Dispatcher,
    ready: bool,
    /// When bookmarks that are due are sent at the latest.
    flush_at: Option<Instant>,
    /// When the store is next asked for progress, whoever waits: the revision to resume from must not be compacted
    /// while the resource is quiet.
    heartbeat: Instant,
}

impl Drop for Feed {
    /// Also after a panic: readers must not wait for what never comes.
    fn drop(&mut self) {
        self.published.stop();
    }
}

impl Feed {
    pub fn new(
        config: Arc<Config>,
        ingest: Arc<Ingest>,
        published: Arc<Published>,
        pinned: Arc<Pinned>,
        counters: Arc<Counters>,
    ) -> Self {
        let dispatcher = Dispatcher::new(config.index_field.clone(), config.bookmark_interval, counters.clone());
        Self {
            state: Snapshot::default(),
            history: History::new(0, config.history.clone()),
            dispatcher,
            ready: false,
            flush_at: None,
            heartbeat: Instant::now() + config.bookmark_interval,
            config,
            ingest,
            published,
            pinned,
            counters,
        }
    }

    /// Runs until `stop`.
    pub async fn run(
        mut self,
        updates: impl Stream<Item = Update>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        stop: CancellationToken,
    ) {
        let mut updates = pin!(updates);
        let mut timer = pin!(sleep_until(self.next_wake()));
        loop {
            let wake = self.next_wake();
            if wake <= Instant::now() {
                self.tick(Instant::now());
                continue;
            }
            if timer.deadline() != wake {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(command) = commands.recv(), if self.ready => self.command(command),
                Some(update) = updates.next() => {
                    self.update(update);
                    // However fast the store is, watchers get their turn to empty their queues.
                    tokio::task::yield_now().await;
                }
                () = &mut timer => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe(subscribe, answer) => {
                let subscription = self.subscribe(subscribe);
                if let Err(Ok(Subscription { id, .. })) = answer.send(subscription) {
                    self.dispatcher.remove(id);
                }
            }
            Command::Unsubscribe(id) => self.dispatcher.remove(id),
            Command::Since(revision, answer) => {
                let events = self.history.since(revision).ok();
                // Whoever asked may have gone.
                let _ = answer.send(events.map(|events| (self.state.clone(), events)));
            }
        }
    }

    fn subscribe(&mut self, subscribe: Subscribe) -> Result<Subscription, Revision> {
        let (after, replay, state) = match subscribe.join {
            Join::After(revision) => (revision, self.history.since(revision)?, None),
            Join::Newest => (0, Vec::new(), None),
            Join::State => (0, Vec::new(), Some(self.state.clone())),
        };
        let (giver, queue) = queue(self.config.watcher_queue);
        let id = self.dispatcher.add(Watcher {
            scope: subscribe.scope,
            range: subscribe.range,
            predicate: subscribe.predicate,
            index_value: subscribe.index_value,
            after,
            queue: giver,
            bookmarks: subscribe.bookmarks,
            deadline: subscribe.deadline,
        });
        Ok(Subscription { id, state, replay, queue })
    }

    fn update(&mut self, update: Update) {
        match update {
            Update::Replaced(snapshot) => self.replace(snapshot),
            Update::Watching(progress) => self.published.watching(progress),
            Update::Events(events) => self.events(events),
            Update::Failed(error) => {
                self.counters.watch_failures.add(1);
                tracing::warn!(prefix = %self.config.prefix, %error, "the feed from the store broke and is taken up again");
                self.published.failed(error);
            }
        }
    }

    /// Takes a new list as the state. What happened between the state before and this one is lost: an object may have
    /// been changed twice, or come and gone. So whoever watches has to list again, as upstream.
    fn replace(&mut self, snapshot: Snapshot) {
        let before = self.state.revision;
        if self.ready {
            self.dispatcher.end_all(|watcher| Error::Compacted {
                requested: before.max(watcher.after),
                compacted: snapshot.revision,
            });
            self.pinned.clear();
        }
        self.ready = true;
        self.history = History::new(snapshot.revision, self.config.history.clone());
        self.state = snapshot;
        self.counters.initializations.add(1);
        self.publish();
    }

    fn events(&mut self, updates: Vec<crate::Event>) {
        let received = Instant::now();
        let mut events = Vec::with_capacity(updates.len());
        let mut progress = false;
        for update in updates {
            progress |= matches!(update, crate::Event::Progress(_));
            let revision = reflector::revision(&update);
            events.extend(self.apply(update, received));
            self.state.revision = self.state.revision.max(revision);
        }
        self.counters.events_received.add(events.len() as u64);
        // First the state, so that whoever sees an event can read it.
        self.publish();
        self.dispatcher.dispatch(&events);
        events.into_iter().for_each(|event| self.history.push(event));
        self.counters.history_events.set(self.history.len() as u64);
        if progress && self.flush_at.is_some() {
            self.flush_bookmarks();
        }
    }

    /// Changes the state. `None` if there is nothing to tell: the key is no object's, or what is deleted was
    /// never there.
    fn apply(&mut self, update: crate::Event, received: Instant) -> Option<Arc<Event>> {
        let (key, revision, current, previous) = match update {
            crate::Event::Put { kv, .. } => {
                let key = self.ingest.key(&kv.key)?;
                let before = self.state.entries.get(key);
                let entry = self.ingest.entry(&kv, before)?;
                let previous = self.state.entries.insert(entry.key().clone(), entry.clone());
                (entry.key().clone(), kv.mod_revision, Some(entry), previous)
            }
            crate::Event::Delete { key, revision, .. } => {
                let (key, previous) = self.state.entries.remove_with_key(self.ingest.key(&key)?)?;
                (key, revision, None, Some(previous))
            }
            crate::Event::Progress(_) => return None,
        };
        self.state.count_corrupt(previous.as_ref(), current.as_ref());
        Some(Arc::new(Event { key, revision, current, previous, received }))
    }

    fn publish(&self) {
        self.published.publish(self.state.clone());
        self.counters.revision.set(self.state.revision);
        self.counters.objects.set(self.state.entries.len() as u64);
    }

    fn next_wake(&self) -> Instant {
        let bookmarks = self.flush_at.or_else(|| self.dispatcher.next_due());
        [bookmarks, self.history.next_expiry(), self.pinned.next_expiry()]
            .into_iter()
            .flatten()
            .fold(self.heartbeat, Instant::min)
    }

    fn tick(&mut self, now: Instant) {
        self.history.expire(now);
        self.counters.history_events.set(self.history.len() as u64);
        self.pinned.expire(now);
        if self.heartbeat <= now {
            self.heartbeat = now + self.config.bookmark_interval;
            self.published.request_progress();
        }
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_bookmarks();
        }
        if self.flush_at.is_none() && self.dispatcher.collect_due(now) {
            self.flush_at = Some(now + BOOKMARK_PATIENCE);
            self.published.request_progress();
        }
    }

    fn flush_bookmarks(&mut self) {
        self.flush_at = None;
        self.dispatcher.send_bookmarks(self.state.revision);
    }
}
