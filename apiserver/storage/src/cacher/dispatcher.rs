//! Hands each event to the watchers that it may concern, without visiting the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::counters::Counters;
use super::event::{Delivery, Event, SharedEvent};
use super::queue::{Giver, Refused};
use super::read::{Predicate, Scope};
use super::snapshot::KeyRange;
use crate::{Error, Revision};

/// How long before its deadline a watcher gets its last bookmark, as upstream.
const BOOKMARK_BEFORE_DEADLINE: Duration = Duration::from_secs(2);

/// Names one watcher of a dispatcher, for good: slots are used again, serials are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatcherId {
    slot: u32,
    serial: u64,
}

/// What the dispatcher knows of a watcher.
pub(super) struct Watcher {
    pub scope: Scope,
    pub range: KeyRange,
    pub predicate: Option<Predicate>,
    pub index_value: Option<Box<str>>,
    /// Only what comes after this revision is wanted.
    pub after: Revision,
    pub queue: Giver,
    pub bookmarks: bool,
    pub deadline: Option<Instant>,
}

struct Slot {
    watcher: Watcher,
    bucket: Bucket,
    /// Where in the bucket it is.
    position: usize,
    serial: u64,
    next_bookmark: Option<Instant>,
    /// The revision of the last event that it was given.
    given: Revision,
    /// Its chain in the round, while there is one.
    chain: Option<u32>,
}

/// What a round of events is to watchers: one chain of deliveries for each that is concerned, so that a watcher that is woken
/// finds all of them.
#[derive(Default)]
struct Round {
    links: Vec<Link>,
    chains: Vec<Chain>,
}

struct Link {
    delivery: Option<Delivery>,
    next: Option<u32>,
}

struct Chain {
    slot: u32,
    first: u32,
    last: u32,
    length: usize,
}

impl Round {
    /// More deliveries than this are not gathered before they are made.
    const MOST: usize = 4096;

    /// Adds a delivery to the chain of a slot, which is `chain` if it has one.
    fn add(&mut self, slot: u32, chain: &mut Option<u32>, delivery: Delivery) {
        let link = self.links.len() as u32;
        self.links.push(Link { delivery: Some(delivery), next: None });
        let known = chain.and_then(|chain| self.chains.get_mut(chain as usize));
        match known {
            Some(chain) => {
                if let Some(last) = self.links.get_mut(chain.last as usize) {
                    last.next = Some(link);
                }
                chain.last = link;
                chain.length += 1;
            }
            None => {
                *chain = Some(self.chains.len() as u32);
                self.chains.push(Chain { slot, first: link, last: link, length: 1 });
            }
        }
    }

    /// Takes a chain apart, from its `first` link on.
    fn unlink(&mut self, first: u32) -> impl Iterator<Item = Delivery> {
        let mut next = Some(first);
        std::iter::from_fn(move || {
            let link = self.links.get_mut(next? as usize)?;
            next = link.next;
            link.delivery.take()
        })
    }
}

/// The watchers that the same events are offered to.
#[derive(Clone)]
enum Bucket {
    All,
    Namespace(Box<str>),
    Object(Box<str>),
    IndexValue(Box<str>),
}

/// The slots in each bucket.
#[derive(Default)]
struct Buckets {
    all: Vec<u32>,
    namespaces: HashMap<Box<str>, Vec<u32>>,
    objects: HashMap<Box<str>, Vec<u32>>,
    index_values: HashMap<Box<str>, Vec<u32>>,
}

/// The watchers of one resource.
pub(super) struct Dispatcher {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    buckets: Buckets,
    serial: u64,
    /// Who gets a bookmark when.
    schedule: BTreeSet<(Instant, WatcherId)>,
    /// Whose bookmark is due.
    due: Vec<WatcherId>,
    candidates: Vec<u32>,
    round: Round,
    index_field: Option<Box<str>>,
    bookmark_interval: Duration,
    counters: Arc<Counters>,
}

impl Dispatcher {
    /// No watchers; `index_field` is the field that their index values are of.
    pub fn new(index_field: Option<Box<str>>, bookmark_interval: Duration, counters: Arc<Counters>) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            buckets: Buckets::default(),
            serial: 0,
            schedule: BTreeSet::new(),
            due: Vec::new(),
            candidates: Vec::new(),
            round: Round::default(),
            index_field,
            bookmark_interval,
            counters,
        }
    }

    /// Adds a watcher: it gets what is dispatched from now on.
    pub fn add(&mut self, watcher: Watcher) -> WatcherId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.serial += 1;
        let id = WatcherId { slot, serial: self.serial };
        let bucket = match (&watcher.scope, &watcher.index_value) {
            (Scope::Object { .. }, _) => Bucket::Object(watcher.range.low.clone()),
            (_, Some(value)) if self.index_field.is_some() => Bucket::IndexValue(value.clone()),
            (Scope::Namespace(namespace), _) => Bucket::Namespace(namespace.clone()),
            (Scope::All, _) => Bucket::All,
        };
        let members = self.buckets.members(&bucket);
        let position = members.len();
        members.push(slot);
        let next_bookmark = watcher.bookmarks.then(|| self.next_bookmark(&watcher)).flatten();
        if let Some(at) = next_bookmark {
            self.schedule.insert((at, id));
        }
        self.slots[slot as usize] =
            Some(Slot { watcher, bucket, position, serial: self.serial, next_bookmark, given: 0, chain: None });
        self.count();
        id
    }

    /// Forgets a watcher that is gone.
    pub fn remove(&mut self, id: WatcherId) {
        if self.get(id).is_some() {
            self.take(id.slot);
        }
    }

    /// Ends all watchers with `error`.
    pub fn end_all(&mut self, error: impl Fn(&Watcher) -> Error) {
        for slot in self.slots.drain(..).flatten() {
            slot.watcher.queue.fail(error(&slot.watcher));
        }
        self.free.clear();
        self.buckets = Buckets::default();
        self.schedule.clear();
        self.due.clear();
        self.count();
    }

    /// Puts `events` into the queue of each watcher that they concern. A watcher whose queue is full is ended.
    pub fn dispatch(&mut self, events: &[Arc<Event>]) {
        for event in events {
            self.assign(event);
            if self.round.links.len() >= Round::MOST {
                self.deliver();
            }
        }
        self.deliver();
    }

    /// Notes for whom `event` is.
    fn assign(&mut self, event: &Arc<Event>) {
        let mut candidates = std::mem::take(&mut self.candidates);
        self.collect(event, &mut candidates);
        let mut shared = None;
        for slot in candidates.drain(..) {
            let Some(Some(Slot { watcher, chain, .. })) = self.slots.get_mut(slot as usize) else { continue };
            if event.revision <= watcher.after || !watcher.range.contains(&event.key) {
                continue;
            }
            let Some(kind) = event.kind(watcher.predicate.as_ref()) else { continue };
            let shared = shared.get_or_insert_with(|| SharedEvent::new(event.clone()));
            self.round.add(slot, chain, Delivery::change(kind, shared.clone()));
        }
        self.candidates = candidates;
    }

    /// Puts what was noted into the queues.
    fn deliver(&mut self) {
        let mut round = std::mem::take(&mut self.round);
        let mut chains = std::mem::take(&mut round.chains);
        for Chain { slot, first, length, .. } in chains.drain(..) {
            let Some(Some(Slot { watcher, given, chain, .. })) = self.slots.get_mut(slot as usize) else { continue };
            *chain = None;
            let (now, refused) = watcher.queue.give(length, round.unlink(first));
            self.counters.events_dispatched.add(now.count as u64);
            *given = now.last.max(*given);
            let Some(refused) = refused else { continue };
            if let Refused::Full(revision) = refused {
                // With half of a revision it could not resume without a gap.
                let half = *given == revision;
                watcher.queue.fail(if half {
                    Error::Compacted { requested: revision, compacted: revision }
                } else {
                    Error::Lagged
                });
                self.counters.watchers_terminated.add(1);
                tracing::debug!(scope = ?watcher.scope, "a watcher that does not keep up is ended");
            }
            self.take(slot);
        }
        round.links.clear();
        round.links.shrink_to(Round::MOST);
        round.chains = chains;
        self.round = round;
    }

    /// The slots of the watchers that `event` may concern, each once.
    fn collect(&self, event: &Event, candidates: &mut Vec<u32>) {
        let Buckets { all, namespaces, objects, index_values } = &self.buckets;
        candidates.extend(all);
        let Some(any) = event.current.as_ref().or(event.previous.as_ref()) else { return };
        let members = |map: &HashMap<Box<str>, Vec<u32>>, key: &str, candidates: &mut Vec<u32>| {
            candidates.extend(map.get(key).into_iter().flatten());
        };
        if !namespaces.is_empty() {
            members(namespaces, any.namespace(), candidates);
        }
        if !objects.is_empty() {
            members(objects, &event.key, candidates);
        }
        if let Some(field) = self.index_field.as_deref().filter(|_| !index_values.is_empty()) {
            let before = event.before().map(|entry| entry.field(field).unwrap_or_default());
            let after = event.current.as_ref().map(|entry| entry.field(field).unwrap_or_default());
            before.iter().for_each(|value| members(index_values, value, candidates));
            after.iter().filter(|_| before != after).for_each(|value| members(index_values, value, candidates));
        }
    }

    /// When the next bookmark is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.schedule.first().map(|(at, _)| *at)
    }

    /// Notes whose bookmarks are due; answers whether there are any.
    pub fn collect_due(&mut self, now: Instant) -> bool {
        while self.next_due().is_some_and(|at| at <= now) {
            self.due.extend(self.schedule.pop_first().map(|(_, id)| id));
        }
        !self.due.is_empty()
    }

    /// Puts the bookmarks that are due into their queues, behind everything up to `revision`. One that finds its queue
    /// full is left out: what waits there tells more.
    pub fn send_bookmarks(&mut self, revision: Revision) {
        for id in std::mem::take(&mut self.due) {
            let Some(Slot { watcher, .. }) = self.get(id) else { continue };
            if revision >= watcher.after {
                let (given, _) = watcher.queue.give(1, [Delivery::bookmark(revision, false)]);
                self.counters.bookmarks.add(given.count as u64);
            }
            let next = self.next_bookmark(watcher);
            if let Some(Some(slot)) = self.slots.get_mut(id.slot as usize) {
                slot.next_bookmark = next;
            }
            if let Some(at) = next {
                self.schedule.insert((at, id));
            }
        }
    }

    /// As upstream: once an interval, and shortly before the deadline; none after that.
    fn next_bookmark(&self, watcher: &Watcher) -> Option<Instant> {
        let now = Instant::now();
        let regular = now + self.bookmark_interval;
        let Some(deadline) = watcher.deadline else { return Some(regular) };
        let last = deadline.checked_sub(BOOKMARK_BEFORE_DEADLINE)?;
        (last > now).then(|| regular.min(last))
    }

    fn get(&self, id: WatcherId) -> Option<&Slot> {
        self.slots.get(id.slot as usize)?.as_ref().filter(|slot| slot.serial == id.serial)
    }

    fn take(&mut self, slot: u32) {
        let Some(taken) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        self.free.push(slot);
        if let Some(at) = taken.next_bookmark {
            self.schedule.remove(&(at, WatcherId { slot, serial: taken.serial }));
        }
        let members = self.buckets.members(&taken.bucket);
        members.swap_remove(taken.position);
        let moved = members.get(taken.position).copied();
        if members.is_empty() {
            self.buckets.drop_empty(&taken.bucket);
        }
        if let Some(Some(moved)) = moved.and_then(|moved| self.slots.get_mut(moved as usize)) {
            moved.position = taken.position;
        }
        self.count();
    }

    fn count(&self) {
        self.counters.watchers.set((self.slots.len() - self.free.len()) as u64);
    }
}

impl Buckets {
    fn members(&mut self, bucket: &Bucket) -> &mut Vec<u32> {
        match bucket {
            Bucket::All => &mut self.all,
            Bucket::Namespace(namespace) => self.namespaces.entry(namespace.clone()).or_default(),
            Bucket::Object(key) => self.objects.entry(key.clone()).or_default(),
            Bucket::IndexValue(value) => self.index_values.entry(value.clone()).or_default(),
        }
    }

    fn drop_empty(&mut self, bucket: &Bucket) {
        match bucket {
            Bucket::All => {}
            Bucket::Namespace(namespace) => drop(self.namespaces.remove(namespace)),
            Bucket::Object(key) => drop(self.objects.remove(key)),
            Bucket::IndexValue(value) => drop(self.index_values.remove(value)),
        }
    }
}
