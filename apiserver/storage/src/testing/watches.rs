//! Watches: ordered, unique, complete.

use bytes::Bytes;

use super::{Store, changes, delete, describe, describe_all, next, put, revision_of, until, watch};
use crate::{Error, Event};

/// Some writes and, for each, the event that a watch must bring.
async fn history(store: &Store) -> Vec<String> {
    let a1 = put(store, "/w/a", 0, "1").await;
    let b1 = put(store, "/w/b", 0, "1").await;
    let a2 = put(store, "/w/a", a1, "2").await;
    let ad = delete(store, "/w/a", a2).await;
    let a3 = put(store, "/w/a", 0, "3").await;
    let b2 = put(store, "/w/b", b1, "1").await;
    vec![
        format!("put /w/a=1@{a1}"),
        format!("put /w/b=1@{b1}"),
        format!("put /w/a=2@{a2} was 1@{a1}"),
        format!("delete /w/a@{ad} was 2@{a2}"),
        format!("put /w/a=3@{a3}"),
        format!("put /w/b=1@{b2} was 1@{b1}"),
    ]
}

/// From every revision on: what came after it, and nothing else.
pub async fn a_watch_gets_exactly_what_came_after_its_start(store: Store) {
    let before = store.current_revision().await.expect("current_revision");
    let expected = history(&store).await;
    let end = store.current_revision().await.expect("current_revision");
    for (skipped, after) in (before..=end).enumerate() {
        let mut watch = watch(&store, "/w/", after).await;
        let events = until(&mut watch, end).await;
        assert_eq!(describe_all(&events), expected[skipped..], "after revision {after}");
    }
    let mut watch = watch(&store, "/w/", end).await;
    let more = put(&store, "/w/c", 0, "1").await;
    assert_eq!(describe(&changes(&mut watch, 1).await[0]), format!("put /w/c=1@{more}"));
}

/// Live events bring the previous values too.
pub async fn a_watch_gets_the_previous_values(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/w/", start).await;
    let expected = history(&store).await;
    assert_eq!(describe_all(&changes(&mut watch, expected.len()).await), expected);
}

/// Neighbours of the prefix stay out.
pub async fn a_watch_sees_its_prefix_only(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut live = watch(&store, "/w/", start).await;
    for key in ["/w", "/w0", "/v/a", "/w/", "/x/w/a", "/w/a"] {
        put(&store, key, 0, "1").await;
    }
    let end = store.current_revision().await.expect("current_revision");
    let mut replayed = watch(&store, "/w/", start).await;
    let mut all = watch(&store, "", start).await;
    for watch in [&mut live, &mut replayed] {
        let events = until(watch, end).await;
        assert_eq!(describe_all(&events), [format!("put /w/=1@{}", end - 2), format!("put /w/a=1@{end}")]);
    }
    assert_eq!(until(&mut all, end).await.len(), 6, "an empty prefix is everything");
}

/// A watch that starts in the past, while writes go on, misses nothing and repeats nothing.
pub async fn history_and_live_events_join_without_gap_or_repeat(store: Store) {
    const WRITES: usize = 400;
    let start = store.current_revision().await.expect("current_revision");
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let mut revision = 0;
            for number in 0..WRITES {
                revision = put(&store, "/j/a", revision, format!("{number}")).await;
            }
        }
    });
    let mut watchers = Vec::new();
    for share in 0..8 {
        // Join at different moments of the writing.
        while store.current_revision().await.expect("current_revision") < start + share * WRITES as u64 / 10 {
            tokio::task::yield_now().await;
        }
        let mut watch = watch(&store, "/j/", start).await;
        watchers.push(tokio::spawn(async move { changes(&mut watch, WRITES).await }));
    }
    writer.await.expect("the writer");
    for watcher in watchers {
        let events = watcher.await.expect("the watcher");
        let revisions: Vec<_> = events.iter().map(|event| revision_of(event) - start).collect();
        assert_eq!(revisions, (1..=WRITES as u64).collect::<Vec<_>>());
    }
}

/// Watches do not take events from each other.
pub async fn every_watch_gets_every_event(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watches = Vec::new();
    for _ in 0..20 {
        watches.push(watch(&store, "/w/", start).await);
    }
    let expected = history(&store).await;
    for watch in &mut watches {
        assert_eq!(describe_all(&changes(watch, expected.len()).await), expected);
    }
}

/// Progress at a revision means that all events up to it have come; it also comes where there is nothing to see.
pub async fn progress_comes_after_all_events_before_it(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut quiet = watch(&store, "/quiet/", start).await;
    let mut busy = watch(&store, "/w/", start).await;
    let mut revision = 0;
    for round in 0..20 {
        revision = put(&store, "/w/a", revision, format!("{round}")).await;
        busy.progress.request();
    }
    assert!(until(&mut quiet, revision).await.is_empty(), "events under another prefix");
    let mut seen = start;
    let mut count = 0;
    busy.progress.request();
    while seen < revision || count < 20 {
        let event = next(&mut busy).await.expect("the watch goes on");
        if let Event::Progress(reached) = event {
            assert!(reached <= seen.max(start) || reached == seen, "progress {reached} before the events after {seen}");
            busy.progress.request();
        } else {
            count += 1;
            assert_eq!(revision_of(&event), start + count, "an event out of order");
            seen = revision_of(&event);
        }
    }
    assert!(until(&mut busy, revision).await.is_empty(), "an event after its own progress");
}

/// A watch may name a revision that is not reached yet: it begins there.
pub async fn a_watch_can_start_in_the_future(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/w/", start + 2).await;
    let expected = history(&store).await;
    assert_eq!(describe_all(&changes(&mut watch, expected.len() - 2).await), expected[2..]);
}

/// Values as large as writes allow come through a watch, with their previous values, replayed and live.
pub async fn a_watch_brings_large_values(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut live = watch(&store, "/w/", start).await;
    let mut revision = 0;
    for number in 0..6 {
        revision = put(&store, "/w/large", revision, Bytes::from(vec![number; 1 << 20])).await;
    }
    let mut replayed = watch(&store, "/w/", start).await;
    for watch in [&mut live, &mut replayed] {
        for (number, event) in changes(watch, 6).await.into_iter().enumerate() {
            let Event::Put { kv, previous } = event else { panic!("a deletion: {}", revision_of(&event)) };
            let whole = |value: &[u8], byte| value.len() == 1 << 20 && value.iter().all(|&held| held == byte);
            assert!(whole(&kv.value, number as u8), "value {number} changed");
            let previous = previous.map(|kv| kv.value);
            assert_eq!(previous.is_some(), number > 0);
            assert!(previous.is_none_or(|value| whole(&value, number as u8 - 1)), "previous value {number} changed");
        }
    }
}

/// Watches come and go.
pub async fn a_dropped_watch_harms_nobody(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut kept = watch(&store, "/w/", start).await;
    for _ in 0..50 {
        drop(watch(&store, "/w/", start).await);
    }
    let expected = history(&store).await;
    assert_eq!(describe_all(&changes(&mut kept, expected.len()).await), expected);
    drop(kept);
    put(&store, "/w/z", 0, "1").await;
}

/// The first item or the call itself says that the start is gone.
pub(super) async fn assert_watch_compacted(store: &Store, prefix: &str, after: u64) {
    match store.watch(prefix.as_bytes(), after).await {
        Err(Error::Compacted { .. }) => {}
        Err(error) => panic!("a watch after {after} should be compacted, but: {error}"),
        Ok(mut watch) => match next(&mut watch).await {
            Err(Error::Compacted { .. }) => {}
            other => panic!("a watch after {after} should be compacted, but: {other:?}"),
        },
    }
}
