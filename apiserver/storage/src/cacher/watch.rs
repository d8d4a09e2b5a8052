//! What a watcher asks for, and the stream that it gets.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::dispatcher::WatcherId;
use super::entry::Entry;
use super::event::{Delivery, Event, SharedEvent};
use super::feed::{Command, Join, Subscribe, Subscription};
use super::queue::Taker;
use super::read::{Freshness, Predicate, Scope};
use super::snapshot::{KeyRange, Snapshot, key_after};
use crate::{Result, Revision};

/// Where a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the events after this revision. One from before the cache's history is served from the store's;
    /// [`crate::Error::Compacted`] if it is gone there too. One that is not reached yet is taken as upstream takes it:
    /// the stream is silent until it is passed.
    Revision(Revision),
    /// `sendInitialEvents=true`: the state as ADDED events in key order, then (if bookmarks are wanted) a bookmark that
    /// ends them, then the events after it.
    InitialEvents(Freshness),
    /// `sendInitialEvents=false` without a revision: the events after the store's present revision.
    FromNow,
    /// `sendInitialEvents=false` at revision "0": the events after the state that the cache happens to have.
    FromAny,
    /// Without `sendInitialEvents`, at no revision or "0" (upstream's legacy start): the state that the cache happens
    /// to have as ADDED events, then the events after it.
    FromAnyThenNow,
}

/// What [`super::Cacher::watch`] delivers.
#[derive(Clone)]
pub struct WatchRequest {
    /// Which objects.
    pub scope: Scope,
    /// Which of them; `None` is all. An object that begins to match is ADDED, one that ceases to is DELETED.
    pub predicate: Option<Predicate>,
    /// The value that `predicate` requires of the cacher's [`super::Config::index_field`], if it does: events of objects
    /// with another value are then not looked at for this watcher.
    pub index_value: Option<Box<str>>,
    /// Where to start.
    pub start: Start,
    /// Whether bookmarks are wanted.
    pub bookmarks: bool,
    /// When the request will be ended; a last bookmark comes shortly before.
    pub deadline: Option<Instant>,
}

impl WatchRequest {
    /// Everything in `scope` from `start` on, without bookmarks.
    pub fn new(scope: Scope, start: Start) -> Self {
        Self { scope, predicate: None, index_value: None, start, bookmarks: false, deadline: None }
    }

    /// The message that subscribes to the feed for this request.
    pub(super) fn subscribe(&self, range: KeyRange, join: Join) -> Subscribe {
        Subscribe {
            scope: self.scope.clone(),
            range,
            predicate: self.predicate.clone(),
            index_value: self.index_value.clone(),
            join,
            bookmarks: self.bookmarks,
            deadline: self.deadline,
        }
    }
}

/// A running watch: each event of its scope once, in revision order, without a gap, until it ends. Initial events come
/// first, in key order.
///
/// `Err` is the last item: [`crate::Error::Lagged`] if this watcher did not keep up (it resumes after the last revision
/// delivered), [`crate::Error::Compacted`] if events were lost, so that the client must list again, or the store's own
/// while a watch from before the history is caught up. An end without an error means that the cacher was shut down,
/// after everything was delivered.
pub struct WatchStream(Source);

enum Source {
    Feed(Box<FeedWatch>),
    CatchUp(BoxStream<'static, Result<Delivery>>),
}

impl WatchStream {
    pub(super) fn from_feed(watch: FeedWatch) -> Self {
        Self(Source::Feed(Box::new(watch)))
    }

    pub(super) fn catching_up(stream: BoxStream<'static, Result<Delivery>>) -> Self {
        Self(Source::CatchUp(stream))
    }
}

impl Stream for WatchStream {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Source::Feed(watch) => Pin::new(watch).poll_next(context),
            Source::CatchUp(stream) => stream.as_mut().poll_next(context),
        }
    }
}

impl std::fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchStream").finish_non_exhaustive()
    }
}

/// A watch that has subscribed to the feed.
pub(super) struct FeedWatch {
    id: WatcherId,
    commands: mpsc::UnboundedSender<Command>,
    range: KeyRange,
    predicate: Option<Predicate>,
    initial: Option<Initial>,
    /// The revision of the bookmark that ends the initial events, until it was delivered.
    initial_events_end: Option<Revision>,
    replay: std::vec::IntoIter<Arc<Event>>,
    queue: Taker,
}

impl FeedWatch {
    pub fn new(
        request: &WatchRequest,
        range: KeyRange,
        subscription: Subscription,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Self {
        let Subscription { id, state, replay, queue } = subscription;
        let bookmarked = request.bookmarks && matches!(request.start, Start::InitialEvents(_));
        Self {
            id,
            commands,
            predicate: request.predicate.clone(),
            initial_events_end: state.as_ref().filter(|_| bookmarked).map(|state| state.revision),
            initial: state.map(|state| Initial { rest: range.clone(), state, chunk: Vec::new().into_iter() }),
            range,
            replay: replay.into_iter(),
            queue,
        }
    }

    /// What comes before the queue.
    fn next_replayed(&mut self) -> Option<Delivery> {
        let predicate = self.predicate.as_ref();
        if let Some(initial) = &mut self.initial {
            let matches = |entry: &Arc<Entry>| predicate.is_none_or(|predicate| predicate(entry));
            if let Some(entry) = initial.find(matches) {
                return Some(Delivery::initial(entry));
            }
            self.initial = None;
        }
        if let Some(revision) = self.initial_events_end.take() {
            return Some(Delivery::bookmark(revision, true));
        }
        let range = &self.range;
        let mut concerned = self.replay.by_ref().filter(|event| range.contains(&event.key));
        let next = concerned.find_map(|event| Some((event.kind(predicate)?, event)));
        if next.is_none() {
            self.replay = Vec::new().into_iter();
        }
        next.map(|(kind, event)| Delivery::change(kind, SharedEvent::new(event)))
    }
}

impl Stream for FeedWatch {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.next_replayed() {
            Some(delivery) => Poll::Ready(Some(Ok(delivery))),
            None => self.queue.poll_take(context),
        }
    }
}

impl Drop for FeedWatch {
    fn drop(&mut self) {
        // If the feed has ended, so has this subscription.
        let _ = self.commands.send(Command::Unsubscribe(self.id));
    }
}

/// The entries of a state, read bit by bit as the watcher takes them.
struct Initial {
    state: Snapshot,
    rest: KeyRange,
    chunk: std::vec::IntoIter<Arc<Entry>>,
}

impl Iterator for Initial {
    type Item = Arc<Entry>;

    fn next(&mut self) -> Option<Arc<Entry>> {
        if let Some(entry) = self.chunk.next() {
            return Some(entry);
        }
        let chunk: Vec<_> = self.state.range(&self.rest).take(128).cloned().collect();
        self.rest.low = key_after(chunk.last()?.key());
        self.chunk = chunk.into_iter();
        self.chunk.next()
    }
}
