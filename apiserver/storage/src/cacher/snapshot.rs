//! The state at one revision, immutable and shared.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::entry::Entry;
use super::event::Event;
use super::read::{ListRequest, Listed, Scope};
use crate::{Error, Result, Revision};

/// The entries by key. A clone costs nothing, and a change copies a few nodes. The keys are the entries' own.
pub(super) type Entries = OrdMap<Arc<str>, Arc<Entry>>;

/// The keys from `low` (inclusive) to `high` (exclusive).
#[derive(Clone, Debug)]
pub(super) struct KeyRange {
    pub low: Box<str>,
    high: Box<str>,
}

impl KeyRange {
    /// The keys of `scope` under `prefix`, which ends with a slash.
    pub fn of(scope: &Scope, prefix: &str) -> Self {
        let low: Box<str> = match scope {
            Scope::All => prefix.into(),
            Scope::Namespace(namespace) => [prefix, namespace, "/"].concat().into(),
            Scope::Object { namespace, name } => {
                let key = object_key(prefix, namespace, name);
                let high = format!("{key}\0").into();
                return Self { low: key.into(), high };
            }
        };
        // The next character after '/' is '0'.
        let high = format!("{}0", low.strip_suffix('/').unwrap_or(&low)).into();
        Self { low, high }
    }

    /// Whether `key` is one of them.
    pub fn contains(&self, key: &str) -> bool {
        *self.low <= *key && *key < *self.high
    }

    /// Those of them that are not before `start`.
    pub fn starting_at(mut self, start: Option<&str>) -> Self {
        if let Some(start) = start.filter(|start| **start > *self.low) {
            self.low = start.min(&self.high).into();
        }
        self
    }
}

/// The key of one object; `namespace` is empty for a cluster-scoped one.
pub(super) fn object_key(prefix: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() { [prefix, name].concat() } else { [prefix, namespace, "/", name].concat() }
}

/// The first key after `key`.
pub(super) fn key_after(key: &str) -> Box<str> {
    [key, "\0"].concat().into()
}

/// The state at a revision.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub revision: Revision,
    pub entries: Entries,
    /// How many of the entries could not be decoded.
    pub corrupt: usize,
    counts: Counts,
}

/// How many entries there are from where pages ended: the next page need not count them again, which would make paging take
/// time in proportion to the square of the list.
#[derive(Debug, Default)]
struct Counts(Mutex<VecDeque<Count>>);

#[derive(Debug)]
struct Count {
    from: Box<str>,
    to: Box<str>,
    entries: usize,
}

impl Counts {
    /// More lists than this are seldom paged at once over one state; the next one counts again.
    const CAPACITY: usize = 64;

    fn get(&self, from: &str, to: &str) -> Option<usize> {
        let counts = self.0.lock();
        counts.iter().rev().find(|count| *count.from == *from && *count.to == *to).map(|count| count.entries)
    }

    fn put(&self, from: &str, to: &str, entries: usize) {
        let mut counts = self.0.lock();
        if counts.len() == Self::CAPACITY {
            counts.pop_front();
        }
        counts.push_back(Count { from: from.into(), to: to.into(), entries });
    }
}

impl Clone for Counts {
    /// What is made from a state has other entries.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Snapshot {
    pub fn new(revision: Revision, entries: Entries) -> Self {
        let corrupt = entries.values().filter(|entry| entry.corrupt().is_some()).count();
        Self { revision, entries, corrupt, counts: Counts::default() }
    }

    /// The entries of `range` in key order, those that could not be decoded included.
    pub fn range(&self, range: &KeyRange) -> impl Iterator<Item = &Arc<Entry>> {
        let bounds: (Bound<&str>, Bound<&str>) = (Bound::Included(&range.low), Bound::Excluded(&range.high));
        self.entries.range::<_, str>(bounds).map(|(_, entry)| entry)
    }

    /// The object with this key.
    pub fn get(&self, key: &str) -> Result<Option<Arc<Entry>>> {
        self.entries.get(key).map(|entry| readable(entry).cloned()).transpose()
    }

    /// Whether every entry of `range` could be decoded; else the error that a list of it has to give.
    pub fn check(&self, range: &KeyRange) -> Result<()> {
        if self.corrupt > 0 {
            self.range(range).try_for_each(|entry| readable(entry).map(drop))?;
        }
        Ok(())
    }

    /// Answers `request` from this state, whatever its revision; `prefix` is the resource's.
    pub fn list(&self, request: &ListRequest, prefix: &str) -> Result<Listed> {
        let range = KeyRange::of(&request.scope, prefix).starting_at(request.start.as_deref());
        let limit = if request.limit == 0 { usize::MAX } else { request.limit };
        let whole = request.scope == Scope::All && request.start.is_none();
        let capacity = if whole && request.predicate.is_none() { limit.min(self.entries.len()) } else { 0 };
        let mut listed =
            Listed { revision: self.revision, entries: Vec::with_capacity(capacity), next: None, remaining: None };
        let mut rest = self.range(&range);
        // Fetched ahead only where all of them are looked at.
        let mut ahead = Ahead::new(if limit == usize::MAX { Ahead::MOST } else { 1 });
        'full: while ahead.fetch(&mut rest) {
            for entry in &ahead.entries {
                let entry = readable(entry)?;
                if request.predicate.as_ref().is_none_or(|predicate| predicate(entry)) {
                    listed.entries.push(Arc::clone(entry));
                    if listed.entries.len() == limit {
                        break 'full;
                    }
                }
            }
        }
        let after = if whole && listed.entries.len() < limit {
            0
        } else if whole && request.predicate.is_none() {
            self.entries.len() - listed.entries.len()
        } else if request.predicate.is_none() {
            let known = request.start.as_deref().and_then(|start| self.counts.get(start, &range.high));
            known.map_or_else(|| rest.count(), |known| known.saturating_sub(listed.entries.len()))
        } else {
            usize::from(rest.next().is_some())
        };
        if after > 0 {
            listed.next = listed.entries.last().map(|entry| key_after(entry.key()));
            if let Some(next) = listed.next.as_deref().filter(|_| request.predicate.is_none()) {
                self.counts.put(next, &range.high, after);
            }
        }
        listed.remaining = (after == 0 || request.predicate.is_none()).then_some(after as u64);
        Ok(listed)
    }

    /// Takes `event`, which is the newest that this state shows, back.
    fn undo(&mut self, event: &Event) {
        let current = match &event.previous {
            Some(previous) => self.entries.insert(event.key.clone(), previous.clone()),
            None => self.entries.remove(&*event.key),
        };
        self.count_corrupt(current.as_ref(), event.previous.as_ref());
    }

    /// Keeps `corrupt` right when `old` is replaced by `new`.
    pub fn count_corrupt(&mut self, old: Option<&Arc<Entry>>, new: Option<&Arc<Entry>>) {
        let corrupt = |entry: Option<&Arc<Entry>>| usize::from(entry.is_some_and(|entry| entry.corrupt().is_some()));
        self.corrupt = self.corrupt + corrupt(new) - corrupt(old);
    }

    /// The state as of the older `revision`, where `events` are all those after it, oldest first.
    pub fn rewind(&self, revision: Revision, events: &[Arc<Event>]) -> Self {
        let mut older = self.clone();
        events.iter().rev().for_each(|event| older.undo(event));
        older.revision = revision;
        older
    }
}

/// Some entries that come next. They lie anywhere in memory: looked at one by one, each would be waited for; a loop that does
/// nothing else has many on their way at once.
struct Ahead<'a> {
    entries: Vec<&'a Arc<Entry>>,
    most: usize,
}

impl<'a> Ahead<'a> {
    const MOST: usize = 64;

    fn new(most: usize) -> Self {
        Self { entries: Vec::with_capacity(most), most }
    }

    /// Replaces the entries by those that come next; whether there are any.
    fn fetch(&mut self, rest: &mut impl Iterator<Item = &'a Arc<Entry>>) -> bool {
        self.entries.clear();
        self.entries.extend(rest.take(self.most));
        if self.most > 1 {
            std::hint::black_box(self.entries.iter().fold(0, |sum, entry| sum ^ entry.revision()));
            std::hint::black_box(self.entries.iter().fold(0, |sum, entry| sum ^ entry.labels().touch()));
        }
        !self.entries.is_empty()
    }
}

fn readable(entry: &Arc<Entry>) -> Result<&Arc<Entry>> {
    match entry.corrupt() {
        None => Ok(entry),
        Some(reason) => Err(Error::Corrupt(format!("unable to decode the value of {:?}: {reason}", entry.key()))),
    }
}

/// States that paged lists are under way over, so that each page does not rewind the history again. They share all but
/// what has changed with the newest state.
#[derive(Debug)]
pub(super) struct Pinned {
    snapshots: Mutex<VecDeque<(Instant, Arc<Snapshot>)>>,
    lifetime: Duration,
}

impl Pinned {
    /// More lists than this are seldom paged at once; the next one costs a rewind.
    const CAPACITY: usize = 16;

    /// A snapshot is kept for `lifetime` after its last use.
    pub fn new(lifetime: Duration) -> Self {
        Self { snapshots: Mutex::default(), lifetime }
    }

    pub fn get(&self, revision: Revision) -> Option<Arc<Snapshot>> {
        self.snapshots.lock().iter().find(|(_, pinned)| pinned.revision == revision).map(|(_, pinned)| pinned.clone())
    }

    /// Keeps `snapshot` for the pages to come.
    pub fn put(&self, snapshot: &Arc<Snapshot>) {
        let mut snapshots = self.snapshots.lock();
        snapshots.retain(|(_, pinned)| pinned.revision != snapshot.revision);
        if snapshots.len() == Self::CAPACITY {
            snapshots.pop_front();
        }
        snapshots.push_back((Instant::now(), snapshot.clone()));
    }

    /// Forgets what has not been used for the lifetime.
    pub fn expire(&self, now: Instant) {
        let mut snapshots = self.snapshots.lock();
        while snapshots.front().is_some_and(|(used, _)| *used + self.lifetime <= now) {
            snapshots.pop_front();
        }
    }

    /// When the first will expire.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.snapshots.lock().front().map(|(used, _)| *used + self.lifetime)
    }

    pub fn clear(&self) {
        self.snapshots.lock().clear();
    }
}
