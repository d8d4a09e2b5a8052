//! Many at once.

use std::collections::BTreeMap;

use super::{Store, changes, get, put, revision_of, watch};
use crate::{Event, Outcome};

/// Compare-and-put is enough to count.
pub async fn no_update_is_lost_among_many_writers(store: Store) {
    const WRITERS: usize = 16;
    const INCREMENTS: usize = 15;
    let start = store.current_revision().await.expect("current_revision");
    put(&store, "/n", 0, "0").await;
    let writers = (0..WRITERS).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..INCREMENTS {
                let mut held = get(&store, "/n").await;
                loop {
                    let kv = held.expect("nobody deletes the counter");
                    let count: usize =
                        std::str::from_utf8(&kv.value).ok().and_then(|n| n.parse().ok()).expect("a number");
                    let next = (count + 1).to_string().into();
                    match store.compare_and_put(b"/n", kv.mod_revision, next, None).await.expect("compare_and_put") {
                        Outcome::Done(_) => break,
                        Outcome::Mismatch(got) => held = got.kv,
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    let kv = get(&store, "/n").await.expect("the counter");
    assert_eq!(kv.value, (WRITERS * INCREMENTS).to_string());
    assert_eq!(kv.mod_revision, start + 1 + (WRITERS * INCREMENTS) as u64, "one revision an increment");
}

/// Creation is exclusive.
pub async fn one_of_many_creators_wins(store: Store) {
    for round in 0..10 {
        let key = format!("/once/{round}");
        let creators: Vec<_> = (0..10)
            .map(|creator| {
                let (store, key) = (store.clone(), key.clone());
                tokio::spawn(async move {
                    let value = format!("{creator}");
                    match store.compare_and_put(key.as_bytes(), 0, value.clone().into(), None).await.expect("create") {
                        Outcome::Done(_) => (true, value),
                        Outcome::Mismatch(got) => {
                            let winner = got.kv.expect("who lost sees who won").value;
                            (false, String::from_utf8_lossy(&winner).into_owned())
                        }
                    }
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for creator in creators {
            outcomes.push(creator.await.expect("a creator"));
        }
        let winners: Vec<_> = outcomes.iter().filter(|(won, _)| *won).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|(_, seen)| *seen == winners[0].1), "{outcomes:?}");
    }
}

/// Under concurrent writes each event's previous value is the one that the watch saw last for the key, and revisions
/// only rise.
pub async fn events_chain_through_the_previous_revisions(store: Store) {
    const WRITERS: usize = 4;
    const WRITES: usize = 60;
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/x/", start).await;
    for writer in 0..WRITERS {
        let store = store.clone();
        tokio::spawn(async move {
            let key = format!("/x/{writer}");
            let mut revision = 0;
            for number in 0..WRITES {
                let outcome = if number % 5 == 4 {
                    store.compare_and_delete(key.as_bytes(), revision).await
                } else {
                    store.compare_and_put(key.as_bytes(), revision, format!("{number}").into(), None).await
                };
                let written = super::done(outcome, "a write of a key that nobody else writes");
                revision = if number % 5 == 4 { 0 } else { written };
            }
        });
    }
    let mut last = start;
    let mut held: BTreeMap<_, _> = BTreeMap::new();
    for event in changes(&mut watch, WRITERS * WRITES).await {
        assert_eq!(revision_of(&event), last + 1, "a revision out of line");
        last = revision_of(&event);
        match event {
            Event::Put { kv, previous } => assert_eq!(previous, held.insert(kv.key.clone(), kv)),
            Event::Delete { key, previous, .. } => assert_eq!(previous, held.remove(&key)),
            Event::Progress(_) => {}
        }
    }
}
