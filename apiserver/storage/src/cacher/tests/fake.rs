//! A store in memory, as simple as it can be, with levers for what goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc;
use parking_lot::Mutex;

use super::PREFIX;
use crate::{
    Error, Event, Got, KeyValue, ListOptions, Listed, Outcome, ProgressRequester, Result, Revision, Storage, Watch,
};

#[derive(Default)]
struct State {
    revision: Revision,
    compacted: Revision,
    /// Every write there ever was: revision, key, value.
    writes: Vec<(Revision, Bytes, Option<Bytes>)>,
    /// By a number that is never used again: prefix and events.
    watches: BTreeMap<usize, (Bytes, mpsc::UnboundedSender<Result<Event>>)>,
    watches_started: usize,
    /// While set, events and progress wait here.
    held: Option<Vec<(usize, Event)>>,
    unavailable: bool,
    /// Whether the present revision is known without I/O.
    local: bool,
    lists: usize,
    gets: usize,
}

/// Everything under a lock, every list a replay of all writes.
#[derive(Default)]
pub struct Fake(Arc<Mutex<State>>);

impl State {
    fn at(&self, revision: Revision) -> BTreeMap<Bytes, KeyValue> {
        let mut state = BTreeMap::new();
        for (mod_revision, key, value) in self.writes.iter().take_while(|write| write.0 <= revision) {
            match value.clone() {
                Some(value) => {
                    let kv = KeyValue { key: key.clone(), value, mod_revision: *mod_revision };
                    state.insert(key.clone(), kv);
                }
                None => drop(state.remove(key)),
            }
        }
        state
    }

    fn event(&self, index: usize) -> Event {
        let (revision, key, value) = self.writes[index].clone();
        let previous = self.at(revision - 1).remove(&key);
        match value {
            Some(value) => Event::Put { kv: KeyValue { key, value, mod_revision: revision }, previous },
            None => Event::Delete { key, revision, previous },
        }
    }

    fn write(&mut self, key: &str, value: Option<Bytes>) -> Revision {
        self.revision += 1;
        let key = Bytes::copy_from_slice(key.as_bytes());
        self.writes.push((self.revision, key.clone(), value));
        let event = self.event(self.writes.len() - 1);
        let concerned = self.watches.iter().filter(|(_, (prefix, _))| key.starts_with(prefix));
        for watch in concerned.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.send(watch, event.clone());
        }
        self.revision
    }

    fn send(&mut self, watch: usize, event: Event) {
        match &mut self.held {
            Some(held) => held.push((watch, event)),
            None => {
                if let Some((_, events)) = self.watches.get(&watch) {
                    let _ = events.unbounded_send(Ok(event));
                }
            }
        }
    }
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One that knows its revision without I/O, as the embedded store does.
    pub fn local() -> Arc<Self> {
        let fake = Self::new();
        fake.0.lock().local = true;
        fake
    }

    /// Writes the object `name` (`<namespace>/<name>` or `<name>`) with a label.
    pub fn put(&self, name: &str, app: &str) -> Revision {
        let value = format!(r#"{{"kind":"Pod","metadata":{{"name":"{name}","labels":{{"app":"{app}"}}}}}}"#);
        self.put_raw(&format!("{PREFIX}{name}"), &value)
    }

    pub fn put_raw(&self, key: &str, value: &str) -> Revision {
        self.0.lock().write(key, Some(Bytes::copy_from_slice(value.as_bytes())))
    }

    pub fn delete(&self, name: &str) -> Revision {
        self.0.lock().write(&format!("{PREFIX}{name}"), None)
    }

    /// Deletes all of these at one revision, as the end of a lease does.
    pub fn expire(&self, names: &[String]) -> Revision {
        let mut state = self.0.lock();
        let before = state.revision;
        for name in names {
            state.revision = before;
            state.write(&format!("{PREFIX}{name}"), None);
        }
        state.revision
    }

    /// A write that is not under the prefix.
    pub fn put_elsewhere(&self) -> Revision {
        self.put_raw("/registry/leases/x", "{}")
    }

    pub fn revision(&self) -> Revision {
        self.0.lock().revision
    }

    /// How many lists were asked for.
    pub fn lists(&self) -> usize {
        self.0.lock().lists
    }

    /// How many single objects were asked for.
    pub fn gets(&self) -> usize {
        self.0.lock().gets
    }

    /// How many watches run.
    pub fn watches(&self) -> usize {
        self.0.lock().watches.values().filter(|(_, events)| !events.is_closed()).count()
    }

    /// Keeps events and progress back until [`Fake::release`].
    pub fn hold(&self) {
        self.0.lock().held.get_or_insert_default();
    }

    pub fn release(&self) {
        let mut state = self.0.lock();
        for (watch, event) in state.held.take().unwrap_or_default() {
            state.send(watch, event);
        }
    }

    /// Ends all watches with an error; what is held is lost.
    pub fn break_watches(&self) {
        let mut state = self.0.lock();
        state.held = None;
        for (_, events) in std::mem::take(&mut state.watches).into_values() {
            let _ = events.unbounded_send(Err(Error::Unavailable("broken".into())));
        }
    }

    pub fn set_unavailable(&self, unavailable: bool) {
        self.0.lock().unavailable = unavailable;
    }

    pub fn compact_to(&self, revision: Revision) {
        self.0.lock().compacted = revision;
    }

    fn available(&self) -> Result<parking_lot::MutexGuard<'_, State>> {
        let state = self.0.lock();
        if state.unavailable { Err(Error::Unavailable("the fake is down".into())) } else { Ok(state) }
    }
}

#[async_trait]
impl Storage for Fake {
    async fn get(&self, key: &[u8]) -> Result<Got> {
        let mut state = self.available()?;
        state.gets += 1;
        Ok(Got { revision: state.revision, kv: state.at(state.revision).remove(key) })
    }

    async fn list(&self, prefix: &[u8], options: ListOptions) -> Result<Listed> {
        let mut state = self.available()?;
        state.lists += 1;
        let revision = options.revision.unwrap_or(state.revision);
        if revision < state.compacted {
            return Err(Error::Compacted { requested: revision, compacted: state.compacted });
        }
        if revision > state.revision {
            return Err(Error::FutureRevision { requested: revision, current: state.revision });
        }
        let start = options.start.unwrap_or_default();
        let mut kvs: Vec<_> =
            state.at(revision).into_values().filter(|kv| kv.key.starts_with(prefix) && kv.key >= start).collect();
        let limit = if options.limit == 0 { kvs.len() } else { options.limit.min(kvs.len()) };
        let remaining = (kvs.len() - limit) as u64;
        kvs.truncate(limit);
        Ok(Listed { revision, kvs, remaining })
    }

    async fn compare_and_put(&self, _: &[u8], _: Revision, _: Bytes, _: Option<Duration>) -> Result<Outcome> {
        unreachable!("a cacher never writes")
    }

    async fn compare_and_delete(&self, _: &[u8], _: Revision) -> Result<Outcome> {
        unreachable!("a cacher never writes")
    }

    async fn watch(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        let mut state = self.available()?;
        if after < state.compacted {
            return Err(Error::Compacted { requested: after, compacted: state.compacted });
        }
        let (events, receiver) = mpsc::unbounded();
        let past = 0..state.writes.len();
        for index in past.filter(|index| state.writes[*index].0 > after && state.writes[*index].1.starts_with(prefix)) {
            let _ = events.unbounded_send(Ok(state.event(index)));
        }
        state.watches_started += 1;
        let number = state.watches_started;
        state.watches.insert(number, (Bytes::copy_from_slice(prefix), events));
        let shared = self.0.clone();
        let progress = ProgressRequester::new(move || {
            let mut state = shared.lock();
            let progress = Event::Progress(state.revision);
            state.send(number, progress);
        });
        Ok(Watch { events: receiver.boxed(), progress })
    }

    async fn current_revision(&self) -> Result<Revision> {
        Ok(self.available()?.revision)
    }

    fn local_revision(&self) -> Option<Revision> {
        let state = self.0.lock();
        state.local.then_some(state.revision)
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        self.compact_to(revision);
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        self.available().map(drop)
    }
}
