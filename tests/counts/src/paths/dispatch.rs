//! The cache of one resource: events to watchers, and lists. Its store is a feed that this process fills.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use storage::cacher::{
    At, Cacher, Config, Decoded, Decoder, Entry, Freshness, KeyOrder, ListRequest, Predicate, Scope, Start,
    WatchRequest, WatchStream, with_resource_version,
};
use storage::{
    Error, Event, Got, KeyValue, ListOptions, Listed, Outcome, ProgressRequester, Result, Revision, Storage, Watch,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const PREFIX: &str = "/registry/counts/";
const OBJECTS: u64 = 1000;
const WATCHERS: usize = 100;

/// A store that has what it began with, and tells its watch what it is given.
struct Fed(Mutex<Option<mpsc::UnboundedReceiver<Event>>>);

fn object(number: u64, revision: Revision) -> KeyValue {
    let text = "0123456789abcdef".repeat(80);
    let value = format!(
        r#"{{"kind":"Counted","apiVersion":"v1","metadata":{{"name":"object-{number}","namespace":"default","uid":"u","labels":{{"group":"group-{}"}}}},"data":{{"text":"{text}"}}}}"#,
        number % 10
    );
    KeyValue { key: format!("{PREFIX}default/object-{number}").into(), value: value.into(), mod_revision: revision }
}

#[async_trait]
impl Storage for Fed {
    async fn get(&self, _: &[u8]) -> Result<Got> {
        Ok(Got { revision: OBJECTS, kv: None })
    }

    async fn list(&self, _: &[u8], _: ListOptions) -> Result<Listed> {
        let mut kvs: Vec<KeyValue> = (1..=OBJECTS).map(|number| object(number, number)).collect();
        kvs.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Listed { revision: OBJECTS, kvs, remaining: 0 })
    }

    async fn compare_and_put(&self, _: &[u8], _: Revision, _: Bytes, _: Option<Duration>) -> Result<Outcome> {
        Err(Error::Unavailable("it is not written to".into()))
    }

    async fn compare_and_delete(&self, _: &[u8], _: Revision) -> Result<Outcome> {
        Err(Error::Unavailable("it is not written to".into()))
    }

    async fn watch(&self, _: &[u8], _: Revision) -> Result<Watch> {
        let events = self.0.lock().ok().and_then(|mut events| events.take());
        let events = events.ok_or_else(|| Error::Unavailable("it is watched once".into()))?;
        let events = futures::stream::unfold(events, |mut events| async { Some((Ok(events.recv().await?), events)) });
        Ok(Watch { events: events.boxed(), progress: ProgressRequester::new(|| ()) })
    }

    async fn current_revision(&self) -> Result<Revision> {
        Ok(OBJECTS)
    }

    async fn compact(&self, _: Revision) -> Result<()> {
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

struct Served;

impl Decoder for Served {
    fn decode(&self, kv: &KeyValue) -> Result<Decoded> {
        let group = kv.value.windows(8).position(|bytes| bytes == b"\"group-0").map_or("other", |_| "group-0");
        let object = with_resource_version(&kv.value, kv.mod_revision, KeyOrder::Declared)?;
        Ok(Decoded { labels: [("group", group)].into_iter().collect(), object, ..Decoded::default() })
    }
}

/// A running cache.
struct Cache {
    runtime: Runtime,
    cacher: Cacher,
    feed: mpsc::UnboundedSender<Event>,
    revision: Revision,
}

impl Cache {
    fn start() -> Self {
        // One thread: each run goes the same way.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (feed, events) = mpsc::unbounded_channel();
        let storage = Arc::new(Fed(Mutex::new(Some(events))));
        let cacher = Cacher::new(storage, Arc::new(Served), Config::new(PREFIX));
        let mut cache = Self { runtime, cacher, feed, revision: OBJECTS };
        assert_eq!(cache.list(None), OBJECTS as usize);
        cache.update();
        cache
    }

    fn list(&self, predicate: Option<Predicate>) -> usize {
        let request = ListRequest { predicate, ..ListRequest::new(Scope::All, At::Newest(Freshness::Any)) };
        self.runtime.block_on(self.cacher.list(request)).expect("a list").entries.len()
    }

    fn watch(&self, scope: Scope) -> WatchStream {
        let start = Start::Revision(self.revision);
        self.runtime.block_on(self.cacher.watch(WatchRequest::new(scope, start))).expect("a watch")
    }

    /// The first object changes.
    fn update(&mut self) {
        self.revision += 1;
        let event = Event::Put { kv: object(1, self.revision), previous: None };
        self.feed.send(event).expect("the cache listens");
    }
}

fn in_group_0() -> Predicate {
    Arc::new(|entry: &Entry| entry.label("group") == Some("group-0"))
}

/// An event to watchers of everything.
pub fn to_watchers() -> Box<dyn FnMut()> {
    let mut cache = Cache::start();
    let mut watches: Vec<WatchStream> = (0..WATCHERS).map(|_| cache.watch(Scope::All)).collect();
    Box::new(move || {
        cache.update();
        cache.runtime.block_on(async {
            for watch in &mut watches {
                black_box(watch.next().await.expect("the watch goes on").expect("an event"));
            }
        });
    })
}

/// An event that concerns one of many watchers, each of one object.
pub fn past_watchers() -> Box<dyn FnMut()> {
    let mut cache = Cache::start();
    let one = |number: usize| Scope::Object { namespace: "default".into(), name: format!("object-{number}").into() };
    let mut watches: Vec<WatchStream> = (1..=WATCHERS).map(|number| cache.watch(one(number))).collect();
    Box::new(move || {
        cache.update();
        let first = watches.first_mut().expect("watchers");
        cache.runtime.block_on(async { black_box(first.next().await.expect("the watch goes on").expect("an event")) });
    })
}

/// Everything.
pub fn list_all() -> Box<dyn FnMut()> {
    let cache = Cache::start();
    Box::new(move || assert_eq!(cache.list(None), OBJECTS as usize))
}

/// A tenth.
pub fn list_by_label() -> Box<dyn FnMut()> {
    let cache = Cache::start();
    Box::new(move || assert_eq!(cache.list(Some(in_group_0())), OBJECTS as usize / 10))
}
