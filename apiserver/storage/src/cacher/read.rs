//! What a list or a get asks of the cache, and the answers.

use std::sync::Arc;

use super::entry::Entry;
use crate::Revision;

/// Which objects of the resource are meant. A key range, not a filter: objects outside it are never visited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of the resource.
    #[default]
    All,
    /// The objects of one namespace.
    Namespace(Box<str>),
    /// One object.
    Object {
        /// Its namespace, empty for a cluster-scoped resource.
        namespace: Box<str>,
        /// Its name.
        name: Box<str>,
    },
}

/// Whether an object is wanted: label and field selectors, evaluated over [`Entry::label`] and [`Entry::field`]. Called
/// for every object of the scope and on every event, on the cacher's task too: it must be quick and must not block.
pub type Predicate = Arc<dyn Fn(&Entry) -> bool + Send + Sync>;

/// How new the state has to be that a read shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// At least as new as every write acknowledged before the call.
    Consistent,
    /// At least this revision. If the cache does not reach it in time: [`crate::Error::FutureRevision`], upstream's
    /// "Too large resource version".
    NotOlderThan(Revision),
    /// Whatever the cache has.
    Any,
}

/// Which state a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The cache's newest state, which is at least this new.
    Newest(Freshness),
    /// The state at exactly this revision: from the cache's history, else from the store ([`crate::Error::Compacted`]
    /// if it is gone there too). Also how a paged list goes on.
    Exact(Revision),
}

/// What [`super::Cacher::list`] reads.
#[derive(Clone)]
pub struct ListRequest {
    /// Which objects.
    pub scope: Scope,
    /// Which of them; `None` is all.
    pub predicate: Option<Predicate>,
    /// Which state.
    pub at: At,
    /// Start at this key (inclusive), which is a [`Listed::next`].
    pub start: Option<Box<str>>,
    /// At most this many; 0 is no limit.
    pub limit: usize,
}

impl ListRequest {
    /// Everything in `scope`, at `at`.
    pub fn new(scope: Scope, at: At) -> Self {
        Self { scope, predicate: None, at, start: None, limit: 0 }
    }
}

/// The answer to [`super::Cacher::list`].
#[derive(Clone, Debug)]
pub struct Listed {
    /// The revision of the state shown.
    pub revision: Revision,
    /// The objects in ascending order of their keys.
    pub entries: Vec<Arc<Entry>>,
    /// Where the next page starts (to be asked for at [`At::Exact`] this revision), if objects come after this one.
    /// As upstream, with a predicate that page may turn out empty.
    pub next: Option<Box<str>>,
    /// How many objects come after this page; 0 on the last. `None` where a predicate leaves that unknown.
    pub remaining: Option<u64>,
}

/// The answer to [`super::Cacher::get`].
#[derive(Clone, Debug)]
pub struct Got {
    /// The revision of the state shown.
    pub revision: Revision,
    /// The object, or `None` if there is none of that name.
    pub entry: Option<Arc<Entry>>,
}
