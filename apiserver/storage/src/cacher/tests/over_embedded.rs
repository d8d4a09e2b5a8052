//! The cacher over the embedded store, on several threads, while writers race.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::*;
use crate::embedded::{Embedded, Options};
use crate::{Outcome, Storage};

const WRITERS: usize = 6;
const ROUNDS: usize = 40;

/// Writes `name` over and over, each time checking that the cache shows what was acknowledged.
async fn write(storage: Arc<Embedded>, cacher: Cacher, name: String) {
    let key = format!("{PREFIX}a/{name}");
    let mut expected = 0;
    for round in 0..ROUNDS {
        let value = format!(r#"{{"metadata":{{"name":"{name}","labels":{{"app":"{round}"}}}}}}"#);
        let done = if round % 7 == 6 {
            storage.compare_and_delete(key.as_bytes(), expected).await.unwrap()
        } else {
            storage.compare_and_put(key.as_bytes(), expected, Bytes::from(value), None).await.unwrap()
        };
        let Outcome::Done(revision) = done else { panic!("{name} has one writer: {done:?}") };
        expected = if round % 7 == 6 { 0 } else { revision };
        let listed = cacher.list(newest(object("a", &name))).await.unwrap();
        let got = cacher.get("a", &name, Freshness::Consistent).await.unwrap();
        let want = (expected > 0).then_some(expected);
        assert!(listed.revision >= revision && got.revision >= revision);
        assert_eq!(listed.entries.first().map(|entry| entry.revision()), want, "listed after {revision}");
        assert_eq!(got.entry.map(|entry| entry.revision()), want, "got after {revision}");
    }
}

/// Watches from the beginning until all writes were seen, resuming when it must.
async fn follow(cacher: Cacher, seen: Arc<AtomicUsize>) -> Vec<(Revision, Kind)> {
    let mut events: Vec<(Revision, Kind)> = Vec::new();
    while events.len() < WRITERS * ROUNDS {
        let after = events.last().map_or(0, |(revision, _)| *revision);
        let mut watch = cacher.watch(WatchRequest::new(namespace("a"), Start::Revision(after))).await.unwrap();
        while let Some(item) = watch.next().await {
            match item {
                Ok(delivery) => events.push((delivery.revision(), delivery.kind())),
                Err(Error::Lagged) => break,
                Err(error) => panic!("{error}"),
            }
            seen.fetch_add(1, Ordering::Relaxed);
            if events.len() == WRITERS * ROUNDS {
                break;
            }
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_writes_are_read_and_each_event_is_watched_once_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(Embedded::open(folder.path().join("store"), Options::default()).unwrap());
    // A short queue and a short history, so that watchers are ended and catch up from the store.
    let history = HistoryLimits { min_events: 1, max_events: 30, ..HistoryLimits::default() };
    let config = Config { watcher_queue: 5, history, ..config() };
    let cacher = Cacher::new(storage.clone(), Arc::new(LabelDecoder), config);
    let seen = Arc::new(AtomicUsize::new(0));
    let watchers: Vec<_> = (0..4).map(|_| tokio::spawn(follow(cacher.clone(), seen.clone()))).collect();
    let writers = (0..WRITERS).map(|n| tokio::spawn(write(storage.clone(), cacher.clone(), format!("pod{n}"))));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut all = Vec::new();
    for watcher in watchers {
        let events = watcher.await.unwrap();
        assert!(events.is_sorted_by_key(|(revision, _)| *revision), "out of order: {events:?}");
        all.push(events);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "each watcher sees the same");
    let deleted = all[0].iter().filter(|(_, kind)| *kind == Kind::Deleted).count();
    assert_eq!(deleted, WRITERS * (ROUNDS / 7));
    cacher.shutdown().await;
}
