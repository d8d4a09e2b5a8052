//! What a cacher counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is read by metrics and written by the cacher.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// What has happened in one cacher since it was made.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events received from the store.
    pub events_received: Counter,
    /// Events put into watchers' queues.
    pub events_dispatched: Counter,
    /// Bookmarks put into watchers' queues.
    pub bookmarks: Counter,
    /// Watchers now (a gauge).
    pub watchers: Counter,
    /// Watchers ended because they did not keep up.
    pub watchers_terminated: Counter,
    /// Watches whose start was before the history, caught up from the store.
    pub watches_from_store: Counter,
    /// Lists answered from memory.
    pub lists_from_cache: Counter,
    /// Lists of states before the history, read from the store.
    pub lists_from_store: Counter,
    /// Complete lists of the resource, the first included.
    pub initializations: Counter,
    /// Times that the store's watch broke and was resumed.
    pub watch_failures: Counter,
    /// Values that could not be decoded.
    pub decode_failures: Counter,
    /// Objects in the newest state (a gauge).
    pub objects: Counter,
    /// Events in the history (a gauge).
    pub history_events: Counter,
    /// The revision that the cache has reached (a gauge).
    pub revision: Counter,
}
