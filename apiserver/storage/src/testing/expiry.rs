//! Values with a time to live.

use std::time::Duration;

use super::{Store, changes, describe_all, done, get, kv, put, text, watch};
use crate::{Event, ListOptions};

/// Near the shortest that etcd grants.
const TTL: Duration = Duration::from_secs(1);

/// The deletion is an ordinary one, with a revision and an event.
pub async fn a_value_with_a_ttl_is_deleted(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/t/", start).await;
    let put = done(store.compare_and_put(b"/t/a", 0, "1".into(), Some(TTL)).await, "put with a ttl");
    assert_eq!(get(&store, "/t/a").await, Some(kv("/t/a", "1", put)));
    let events = changes(&mut watch, 2).await;
    let gone = put + 1;
    assert_eq!(describe_all(&events), [format!("put /t/a=1@{put}"), format!("delete /t/a@{gone} was 1@{put}")]);
    assert_eq!(get(&store, "/t/a").await, None);
    assert_eq!(store.current_revision().await.expect("current_revision"), gone);
    let before = ListOptions { revision: Some(put), ..Default::default() };
    assert_eq!(store.list(b"/t/", before).await.expect("list").kvs.len(), 1, "the past keeps it");
}

/// The last write decides: without a ttl, the key stays; with one, it counts from that write.
pub async fn a_write_without_a_ttl_stays(store: Store) {
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/t/", start).await;
    let first = done(store.compare_and_put(b"/t/stays", 0, "1".into(), Some(TTL)).await, "put with a ttl");
    let again = done(store.compare_and_put(b"/t/goes", 0, "1".into(), Some(TTL * 100)).await, "put with a ttl");
    let second = put(&store, "/t/stays", first, "2").await;
    done(store.compare_and_put(b"/t/goes", again, "2".into(), Some(TTL)).await, "put with a ttl");
    // Of the same ttl and written later, so that this one's end comes after the first one's would have.
    done(store.compare_and_put(b"/t/later", 0, "1".into(), Some(TTL * 3)).await, "put with a ttl");
    let deleted: Vec<String> = changes(&mut watch, 7)
        .await
        .iter()
        .filter_map(|event| match event {
            Event::Delete { key, .. } => Some(text(key)),
            _ => None,
        })
        .collect();
    assert_eq!(deleted, ["/t/goes", "/t/later"]);
    assert_eq!(get(&store, "/t/stays").await, Some(kv("/t/stays", "2", second)));
}

/// However many, each with its event.
pub async fn values_with_like_ttls_all_expire(store: Store) {
    const COUNT: usize = 40;
    let start = store.current_revision().await.expect("current_revision");
    let mut watch = watch(&store, "/t/", start).await;
    for number in 0..COUNT {
        let ttl = TTL + Duration::from_millis(number as u64);
        done(store.compare_and_put(format!("/t/{number}").as_bytes(), 0, "1".into(), Some(ttl)).await, "put");
    }
    let events = changes(&mut watch, 2 * COUNT).await;
    let deletions = events.iter().filter(|event| matches!(event, Event::Delete { .. })).count();
    assert_eq!(deletions, COUNT);
    assert!(store.list(b"/t/", ListOptions::default()).await.expect("list").kvs.is_empty());
}
