//! Forgetting history.

use super::watches::assert_watch_compacted;
use super::{Store, assert_compacted, changes, delete, describe_all, list, pairs, put, until, watch};
use crate::compactor::{self, Memory};
use crate::{Error, ListOptions, Revision};

fn at(revision: Revision) -> ListOptions {
    ListOptions { revision: Some(revision), ..Default::default() }
}

/// Writes `/c/a` 1, 2, 3 and `/c/b` 1, then deletes `/c/b`; the revisions.
async fn history(store: &Store) -> [Revision; 5] {
    let a1 = put(store, "/c/a", 0, "1").await;
    let b1 = put(store, "/c/b", 0, "1").await;
    let a2 = put(store, "/c/a", a1, "2").await;
    let bd = delete(store, "/c/b", b1).await;
    let a3 = put(store, "/c/a", a2, "3").await;
    [a1, b1, a2, bd, a3]
}

/// States before the compaction are refused.
pub async fn a_compacted_revision_cannot_be_listed(store: Store) {
    let [a1, b1, a2, bd, a3] = history(&store).await;
    store.compact(a2).await.expect("compact");
    for revision in [a1, b1] {
        assert_compacted(store.list(b"/c/", at(revision)).await, &format!("a list at {revision}"));
    }
    store.compact(a3).await.expect("compact");
    for revision in [a1, b1, a2, bd] {
        assert_compacted(store.list(b"/c/", at(revision)).await, &format!("a list at {revision}"));
    }
}

/// The state at the compacted revision, and every later one, stays as it was.
pub async fn the_compacted_state_itself_stays(store: Store) {
    let revisions = history(&store).await;
    let expected: [&[(&str, &str)]; 5] = [
        &[("/c/a", "1")],
        &[("/c/a", "1"), ("/c/b", "1")],
        &[("/c/a", "2"), ("/c/b", "1")],
        &[("/c/a", "2")],
        &[("/c/a", "3")],
    ];
    for compacted in 0..revisions.len() {
        store.compact(revisions[compacted]).await.expect("compact");
        for kept in compacted..revisions.len() {
            let listed = list(&store, "/c/", at(revisions[kept])).await;
            let listed = pairs(&listed);
            let listed: Vec<_> = listed.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(listed, expected[kept], "the state {kept}, compacted to {compacted}");
        }
    }
    let end = list(&store, "/c/", ListOptions::default()).await;
    assert_eq!(pairs(&end), [("/c/a".to_owned(), "3".to_owned())]);
    put(&store, "/c/b", 0, "again").await;
}

/// A watch from before the compaction would miss events, so it is refused; one from there on gets all, with their
/// previous values.
pub async fn events_before_the_compaction_cannot_be_watched(store: Store) {
    let before = store.current_revision().await.expect("current_revision");
    let [a1, b1, a2, bd, a3] = history(&store).await;
    store.compact(a2).await.expect("compact");
    // At a2 - 1 etcd still has the event of a2 itself, but not the value before it.
    for after in [before, a1, a2 - 1] {
        assert_watch_compacted(&store, "/c/", after).await;
    }
    let mut watch = watch(&store, "/c/", a2).await;
    let events = until(&mut watch, a3).await;
    let expected = [format!("delete /c/b@{bd} was 1@{b1}"), format!("put /c/a=3@{a3} was 2@{a2}")];
    assert_eq!(describe_all(&events), expected);
}

/// Compaction is about those who come later.
pub async fn a_running_watch_survives_a_compaction(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/c/", start).await;
    let [_, _, _, _, a3] = history(&store).await;
    changes(&mut watch, 5).await;
    store.compact(a3).await.expect("compact");
    let a4 = put(&store, "/c/a", a3, "4").await;
    assert_eq!(describe_all(&changes(&mut watch, 1).await), [format!("put /c/a=4@{a4} was 3@{a3}")]);
}

/// What is forgotten can be forgotten again; the future cannot.
pub async fn compacting_twice_or_too_far_is_harmless(store: Store) {
    let [a1, _, a2, _, a3] = history(&store).await;
    store.compact(a2).await.expect("compact");
    store.compact(a2).await.expect("compacting to the same revision");
    store.compact(a1).await.expect("compacting to an older revision");
    list(&store, "/c/", at(a2)).await;
    match store.compact(a3 + 10).await {
        Err(Error::FutureRevision { requested, current }) => assert_eq!((requested, current), (a3 + 10, a3)),
        other => panic!("compacting the future should be refused, but: {other:?}"),
    }
    list(&store, "/c/", at(a2)).await;
}

/// Of two servers, each interval one compacts, to what was an interval old; if it goes away, the other takes over.
pub async fn one_of_several_servers_compacts(store: Store) {
    let (mut first, mut second) = (Memory::default(), Memory::default());
    let round = compactor::round;
    assert_eq!(round(store.as_ref(), &mut first).await.expect("a round"), None, "nothing is known to be old yet");
    assert_eq!(round(store.as_ref(), &mut second).await.expect("a round"), None);
    let old = store.current_revision().await.expect("current_revision");
    let a1 = put(&store, "/c/a", 0, "1").await;
    let a2 = put(&store, "/c/a", a1, "2").await;
    assert_eq!(round(store.as_ref(), &mut first).await.expect("a round"), Some(old));
    assert_eq!(round(store.as_ref(), &mut second).await.expect("a round"), None, "the other one did it");
    list(&store, "/c/", at(a1)).await;
    let compacted = round(store.as_ref(), &mut second).await.expect("a round");
    assert!(compacted.is_some_and(|revision| revision > a2), "the second takes over: {compacted:?}");
    assert_compacted(store.list(b"/c/", at(a1)).await, "what the second server compacted");
    assert_eq!(round(store.as_ref(), &mut first).await.expect("a round"), None, "the first one notices");
}
