//! What a watcher asks for, and the stream that it gets.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::event::Delivery;
use super::read::{Freshness, Predicate, Scope};
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
}

/// A running watch: each event of its scope once, in revision order, without a gap, until it ends.
///
/// `Err` is the last item: [`crate::Error::Lagged`] if this watcher did not keep up (it resumes after the last revision
/// delivered), [`crate::Error::Compacted`] if events were lost, so that the client must list again. An end without an
/// error means that the cacher was shut down, after everything was delivered.
pub struct WatchStream {
    _private: (),
}

impl futures::Stream for WatchStream {
    type Item = Result<Delivery>;

    fn poll_next(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        todo!()
    }
}
