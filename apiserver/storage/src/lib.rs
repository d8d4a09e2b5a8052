//! Where objects live: keys, bytes and revisions. This crate knows nothing of HTTP, users or admission.
//!
//! A [`Storage`] is a multi-version map with one revision counter over all keys: every write gets the next
//! revision, and the events after a revision can be watched until they are compacted. Two stores implement it,
//! [`embedded`] (one file) and [`etcd`]; [`compactor`] bounds their history; the [`cacher`] serves reads and watches of
//! one key prefix from memory over either; [`testing`] is the suite that every implementation must pass.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub mod cacher;
pub mod compactor;
pub mod embedded;
pub mod error;
pub mod etcd;
mod expected;
mod prefix;
pub mod testing;

pub use error::{Error, Result};
pub use expected::Expected;

/// A position in the store's history. The first write of an empty store is revision 1 or later; 0 means "none".
pub type Revision = u64;

/// One key with its value at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The whole key, e.g. `/registry/apps/deployments/default/web`.
    pub key: Bytes,
    /// What was written, byte for byte.
    pub value: Bytes,
    /// The revision of the write that made this value.
    pub mod_revision: Revision,
}

/// The answer to [`Storage::get`].
#[derive(Clone, Debug)]
pub struct Got {
    /// The store's revision when it answered.
    pub revision: Revision,
    /// The key's value, or `None` if there is no such key.
    pub kv: Option<KeyValue>,
}

/// What [`Storage::list`] reads.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Read the state as of this revision, not the newest. [`Error::Compacted`] if it is gone, [`Error::FutureRevision`] if
    /// the store has not reached it. 0 is the newest too.
    pub revision: Option<Revision>,
    /// Start at this key (inclusive) instead of at the prefix.
    pub start: Option<Bytes>,
    /// At most this many; 0 is no limit.
    pub limit: usize,
    /// What a limit cuts off need not be counted, which takes as long as reading its keys: [`Listed::remaining`] may be any number
    /// but 0 then.
    pub uncounted: bool,
}

/// The answer to [`Storage::list`]: keys in ascending byte order.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The revision that the list shows: that asked for, or the store's own when it answered.
    pub revision: Revision,
    /// The pairs read.
    pub kvs: Vec<KeyValue>,
    /// How many pairs under the prefix come after the last of `kvs`.
    pub remaining: u64,
}

/// The outcome of a conditional write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Written at this revision.
    Done(Revision),
    /// The condition did not hold; this is what is there now (`None`: no such key) at the store's `revision`.
    Mismatch(Got),
}

/// One change under a watched prefix.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was written.
    Put {
        /// The new value; its `mod_revision` is the event's revision.
        kv: KeyValue,
        /// The value before, unless the key is new.
        previous: Option<KeyValue>,
    },
    /// A key was deleted.
    Delete {
        /// The key.
        key: Bytes,
        /// The revision of the deletion.
        revision: Revision,
        /// The value that was deleted, where it is still known.
        previous: Option<KeyValue>,
    },
    /// Every event up to and including this revision has been delivered.
    Progress(Revision),
}

/// A running watch: events in revision order, without gap or repeat, until an error ends it. (In etcd values that expire
/// together are deleted at one revision, so that several events may have it; the stream has them ready one after the
/// other.)
pub struct Watch {
    /// The events. After an `Err` the stream ends. [`Error::Compacted`]: the start is gone; any other error: resume
    /// after the last revision seen.
    pub events: BoxStream<'static, Result<Event>>,
    /// Asks for an [`Event::Progress`] at the store's present revision or later; returns at once. A member of an etcd
    /// cluster that lags answers with its own revision: who waits for a certain one asks again until it comes.
    pub progress: ProgressRequester,
}

/// Asks a running watch for an [`Event::Progress`].
#[derive(Clone)]
pub struct ProgressRequester(std::sync::Arc<dyn Fn() + Send + Sync>);

impl ProgressRequester {
    /// A requester that calls `ask`.
    pub fn new(ask: impl Fn() + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(ask))
    }

    /// Asks; the answer comes in the watch's events.
    pub fn request(&self) {
        (self.0)();
    }
}

/// A multi-version key-value store with compare-and-swap, watches and compaction.
///
/// All writes are durable when they are answered. An operation that fails with [`Error::Unavailable`] or
/// [`Error::Timeout`] may or may not have been done.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The newest value of `key` (linearizable).
    async fn get(&self, key: &[u8]) -> Result<Got>;

    /// The pairs whose keys start with `prefix` (linearizable unless `options.revision` is set).
    async fn list(&self, prefix: &[u8], options: ListOptions) -> Result<Listed>;

    /// Writes `value` if the key's `mod_revision` is `expected`; 0 means that the key must not exist. With `ttl`
    /// the key is deleted that long after this write.
    async fn compare_and_put(
        &self,
        key: &[u8],
        expected: Revision,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Outcome>;

    /// Deletes the key if its `mod_revision` is `expected`.
    async fn compare_and_delete(&self, key: &[u8], expected: Revision) -> Result<Outcome>;

    /// Tells that a write may be about to come, as long as the answer is held. A store that commits many writes at once may wait for
    /// it, a little, with those that are there.
    fn expect_write(&self) -> Expected {
        Expected::default()
    }

    /// The events under `prefix` with a revision greater than `after`, which may lie in the future.
    /// [`Error::Compacted`] (here or as the first item) if some of them are gone.
    async fn watch(&self, prefix: &[u8], after: Revision) -> Result<Watch>;

    /// As [`Storage::watch`], for who keeps what was there before: events need not have it, which a store may have to read.
    async fn follow(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        self.watch(prefix, after).await
    }

    /// A revision at least as new as every write acknowledged before the call.
    async fn current_revision(&self) -> Result<Revision>;

    /// As [`Storage::current_revision`] where that needs no I/O, else `None`.
    fn local_revision(&self) -> Option<Revision> {
        None
    }

    /// Forgets history: states before `revision` can no longer be listed nor events up to it watched. The state at
    /// `revision` itself stays readable.
    async fn compact(&self, revision: Revision) -> Result<()>;

    /// An error if the store cannot serve now (for health checks).
    async fn check(&self) -> Result<()>;

    /// Finishes what was accepted and lets go of files and connections; later operations fail with
    /// [`Error::Unavailable`]. A store that is dropped without it loses nothing that was acknowledged.
    async fn close(&self) {}
}
