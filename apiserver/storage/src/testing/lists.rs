//! Lists of a prefix, now and then.

use bytes::Bytes;

use super::{Store, delete, list, pairs, put};
use crate::{Error, KeyValue, ListOptions};

async fn fill(store: &Store, keys: &[&str]) {
    for key in keys {
        put(store, key, 0, key.to_string()).await;
    }
}

fn keys(kvs: &[KeyValue]) -> Vec<&str> {
    kvs.iter().map(|kv| std::str::from_utf8(&kv.key).expect("the tests' keys are text")).collect()
}

/// In order, without those beside the prefix and without those deleted.
pub async fn a_list_has_the_keys_of_the_prefix_in_order(store: Store) {
    fill(&store, &["/pods/b", "/pods/a/2", "/pods/a/10", "/pods", "/pods0", "/podsecurity/x", "/pod/x", "/pods/a-b"])
        .await;
    let gone = put(&store, "/pods/gone", 0, "x").await;
    let last = delete(&store, "/pods/gone", gone).await;
    let listed = list(&store, "/pods/", ListOptions::default()).await;
    assert_eq!(keys(&listed.kvs), ["/pods/a-b", "/pods/a/10", "/pods/a/2", "/pods/b"]);
    assert_eq!((listed.revision, listed.remaining), (last, 0));
    for kv in &listed.kvs {
        assert_eq!(kv.key, kv.value, "a value came with another's key");
    }
    let all = list(&store, "", ListOptions::default()).await;
    assert_eq!(all.kvs.len(), 8, "an empty prefix is everything: {:?}", keys(&all.kvs));
    assert!(list(&store, "/none/", ListOptions::default()).await.kvs.is_empty());
}

/// `remaining` counts what a limit cut off.
pub async fn a_limited_list_tells_how_many_remain(store: Store) {
    fill(&store, &["/a/1", "/a/2", "/a/3", "/a/4", "/a/5", "/b/1"]).await;
    let gone = put(&store, "/a/6", 0, "x").await;
    delete(&store, "/a/6", gone).await;
    for (limit, count, remaining) in [(1, 1, 4), (2, 2, 3), (4, 4, 1), (5, 5, 0), (6, 5, 0), (0, 5, 0)] {
        let listed = list(&store, "/a/", ListOptions { limit, ..Default::default() }).await;
        assert_eq!((listed.kvs.len(), listed.remaining), (count, remaining), "limit {limit}");
        let listed = list(&store, "/a/", ListOptions { limit, uncounted: true, ..Default::default() }).await;
        assert_eq!((listed.kvs.len(), listed.remaining > 0), (count, remaining > 0), "limit {limit}, uncounted");
    }
    let start = Some(Bytes::from_static(b"/a/3"));
    let listed = list(&store, "/a/", ListOptions { limit: 2, start, ..Default::default() }).await;
    assert_eq!((keys(&listed.kvs), listed.remaining), (vec!["/a/3", "/a/4"], 1));
}

/// Paging by the key after the last one, at the first page's revision, gives that revision's list, whatever is written
/// meanwhile.
pub async fn pages_of_one_revision_are_one_list(store: Store) {
    let names: Vec<String> = (0..25).map(|number| format!("/p/{number:02}")).collect();
    fill(&store, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let whole = list(&store, "/p/", ListOptions::default()).await;
    let mut paged: Vec<KeyValue> = Vec::new();
    let mut start = None;
    loop {
        let options = ListOptions { revision: Some(whole.revision), start, limit: 4, uncounted: false };
        let page = list(&store, "/p/", options).await;
        assert_eq!(page.revision, whole.revision);
        paged.extend(page.kvs);
        assert_eq!(page.remaining as usize, whole.kvs.len() - paged.len(), "after {} keys", paged.len());
        // Disturb what comes next, and what was.
        put(&store, format!("/p/{:02}x", paged.len()), 0, "new").await;
        if let Some(next) = whole.kvs.get(paged.len()) {
            delete(&store, &next.key, next.mod_revision).await;
        }
        if page.remaining == 0 {
            break;
        }
        let last = &paged[paged.len() - 1].key;
        start = Some(Bytes::from([&last[..], b"\0"].concat()));
    }
    assert_eq!(paged, whole.kvs);
}

/// A start before the prefix is the prefix; one after it gives nothing.
pub async fn a_list_can_start_anywhere(store: Store) {
    fill(&store, &["/a/1", "/a/2", "/b/1", "/b/2", "/c/1"]).await;
    for (start, expected) in [
        ("", &["/b/1", "/b/2"][..]),
        ("/a/2", &["/b/1", "/b/2"]),
        ("/b/1", &["/b/1", "/b/2"]),
        ("/b/1\0", &["/b/2"]),
        ("/b/11", &["/b/2"]),
        ("/b/3", &[]),
        ("/b0", &[]),
        ("/c/1", &[]),
    ] {
        let options = ListOptions { start: Some(Bytes::from_static(start.as_bytes())), ..Default::default() };
        let listed = list(&store, "/b/", options).await;
        assert_eq!((keys(&listed.kvs), listed.remaining), (expected.to_vec(), 0), "start {start:?}");
    }
}

/// Every revision's state can be listed, whatever came later.
pub async fn a_list_shows_the_state_of_the_revision_asked_for(store: Store) {
    let mut states = Vec::new();
    let mut present = std::collections::BTreeMap::new();
    for round in 0u64..30 {
        let key = format!("/s/{}", round * 7 % 5);
        let revision = match present.get(&key) {
            Some(&(_, revision)) if round % 3 == 0 => {
                present.remove(&key);
                delete(&store, &key, revision).await
            }
            held => {
                let expected = held.map_or(0, |&(_, revision)| revision);
                let value = format!("{round}");
                let revision = put(&store, &key, expected, value.clone()).await;
                present.insert(key, (value, revision));
                revision
            }
        };
        states.push((revision, present.clone()));
    }
    for (revision, state) in states {
        let options = ListOptions { revision: Some(revision), ..Default::default() };
        let listed = list(&store, "/s/", options).await;
        let expected: Vec<_> = state.into_iter().map(|(key, (value, _))| (key, value)).collect();
        assert_eq!(pairs(&listed), expected, "the state of revision {revision}");
        assert_eq!(listed.revision, revision);
    }
}

/// A list of the future is refused, not made to wait.
pub async fn a_revision_not_reached_cannot_be_listed(store: Store) {
    let current = put(&store, "/a", 0, "1").await;
    for requested in [current + 1, current + 1000] {
        let options = ListOptions { revision: Some(requested), ..Default::default() };
        match store.list(b"/", options).await {
            Err(Error::FutureRevision { requested: told, current: now }) => {
                assert_eq!((told, now), (requested, current));
            }
            other => panic!("revision {requested} of {current} should be in the future, but: {other:?}"),
        }
    }
}

/// A list without a limit has no limit.
pub async fn a_large_list_is_complete(store: Store) {
    const COUNT: usize = 1200;
    let value = Bytes::from(vec![b'x'; 8 << 10]);
    let writes = (0..COUNT).map(|number| {
        let (store, value) = (store.clone(), value.clone());
        async move { put(&store, format!("/large/{number:05}"), 0, value).await }
    });
    futures::future::join_all(writes).await;
    let listed = list(&store, "/large/", ListOptions::default()).await;
    assert_eq!((listed.kvs.len(), listed.remaining), (COUNT, 0));
    assert!(listed.kvs.is_sorted_by_key(|kv| kv.key.clone()), "the keys are out of order");
    assert!(listed.kvs.iter().all(|kv| kv.value == value), "a value changed");
}
