//! Single writes and what they leave.

use bytes::Bytes;

use super::{Store, delete, get, kv, mismatch, put};
use crate::{Error, ListOptions};

/// Even an empty list has a revision that a watch can start from, and that is not 0.
pub async fn a_new_store_has_a_revision(store: Store) {
    let listed = store.list(b"/", ListOptions::default()).await.expect("list");
    assert!(listed.revision > 0, "an empty list has revision {}", listed.revision);
    assert!(listed.kvs.is_empty() && listed.remaining == 0, "a new store holds {listed:?}");
    let got = store.get(b"/a").await.expect("get");
    assert_eq!((got.revision, got.kv), (listed.revision, None));
    assert_eq!(store.current_revision().await.expect("current_revision"), listed.revision);
}

/// Expected revision 0 creates, once.
pub async fn creating_needs_the_key_to_be_absent(store: Store) {
    let revision = put(&store, "/a", 0, "1").await;
    let got = mismatch(store.compare_and_put(b"/a", 0, "2".into(), None).await, "creating a key that exists");
    assert_eq!(got.kv, Some(kv("/a", "1", revision)), "the answer holds what is there");
    assert!(got.revision >= revision);
    assert_eq!(get(&store, "/a").await, Some(kv("/a", "1", revision)));
}

/// An update needs the revision of the value it replaces.
pub async fn updating_needs_the_present_revision(store: Store) {
    let first = put(&store, "/a", 0, "1").await;
    let second = put(&store, "/a", first, "2").await;
    for stale in [first, second + 1, u64::MAX] {
        let got = mismatch(store.compare_and_put(b"/a", stale, "3".into(), None).await, "a stale update");
        assert_eq!(got.kv, Some(kv("/a", "2", second)), "expecting {stale}");
    }
    let got = mismatch(store.compare_and_put(b"/b", first, "1".into(), None).await, "updating a missing key");
    assert_eq!(got.kv, None);
}

/// A deletion needs the revision of the value it deletes; deleting what is not there is a lost compare.
pub async fn deleting_needs_the_present_revision(store: Store) {
    let first = put(&store, "/a", 0, "1").await;
    let second = put(&store, "/a", first, "2").await;
    for stale in [0, first, second + 1] {
        let got = mismatch(store.compare_and_delete(b"/a", stale).await, "a stale deletion");
        assert_eq!(got.kv, Some(kv("/a", "2", second)), "expecting {stale}");
    }
    let third = delete(&store, "/a", second).await;
    assert!(third > second, "a deletion is a write: {third} after {second}");
    assert_eq!(get(&store, "/a").await, None);
    for expected in [0, second, third] {
        let got = mismatch(store.compare_and_delete(b"/a", expected).await, "deleting a missing key");
        assert_eq!(got.kv, None, "expecting {expected}");
    }
}

/// A write that did not happen has no revision and leaves no trace.
pub async fn a_lost_compare_changes_nothing(store: Store) {
    let first = put(&store, "/a", 0, "1").await;
    mismatch(store.compare_and_put(b"/a", 0, "2".into(), None).await, "creating a key that exists");
    mismatch(store.compare_and_put(b"/b", first, "2".into(), None).await, "updating a missing key");
    mismatch(store.compare_and_delete(b"/b", first).await, "deleting a missing key");
    mismatch(store.compare_and_delete(b"/c", 0).await, "deleting a missing key as absent");
    assert_eq!(store.current_revision().await.expect("current_revision"), first);
    assert_eq!(put(&store, "/c", 0, "1").await, first + 1, "the next write has the next revision");
}

/// Every write of any key gets a revision one above the last.
pub async fn revisions_are_one_line_over_all_keys(store: Store) {
    let mut last = store.current_revision().await.expect("current_revision");
    for round in 0..10 {
        let key = format!("/{}/x", round % 3);
        let present = get(&store, &key).await.map_or(0, |kv| kv.mod_revision);
        let revision = if round % 4 == 3 {
            delete(&store, &key, present).await
        } else {
            put(&store, &key, present, format!("{round}")).await
        };
        assert_eq!(revision, last + 1, "write {round} of {key}");
        last = revision;
        assert_eq!(store.get(b"/none").await.expect("get").revision, last);
        assert!(store.local_revision().is_none_or(|local| local == last));
    }
}

/// Deletion leaves a key as if it had never been.
pub async fn a_deleted_key_can_be_made_again(store: Store) {
    let first = put(&store, "/a", 0, "1").await;
    delete(&store, "/a", first).await;
    let again = put(&store, "/a", 0, "2").await;
    assert_eq!(get(&store, "/a").await, Some(kv("/a", "2", again)));
    mismatch(store.compare_and_put(b"/a", first, "3".into(), None).await, "an update of the former key");
}

/// What was acknowledged is in every read that begins later.
pub async fn an_acknowledged_write_is_visible_to_every_later_read(store: Store) {
    let mut revision = 0;
    for round in 0..20 {
        revision = put(&store, "/a", revision, format!("{round}")).await;
        assert!(store.current_revision().await.expect("current_revision") >= revision);
        assert_eq!(get(&store, "/a").await, Some(kv("/a", format!("{round}"), revision)));
        let listed = store.list(b"/", ListOptions::default()).await.expect("list");
        assert!(listed.revision >= revision);
        assert_eq!(listed.kvs, [kv("/a", format!("{round}"), revision)]);
    }
}

/// Keys and values are bytes, not text.
pub async fn any_bytes_can_be_a_key_or_a_value(store: Store) {
    let keys: [&[u8]; 9] =
        [b"\0", b"\0\0", b"\0\xff", b"/", b"/a\0b", "/ä/ß".as_bytes(), b"\xff", b"\xff\0", b"\xff\xff"];
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for key in keys {
        let revision = put(&store, key, 0, all.clone()).await;
        assert_eq!(get(&store, key).await, Some(kv(key, all.clone(), revision)));
    }
    let listed = store.list(b"", ListOptions::default()).await.expect("list");
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed.kvs.iter().map(|kv| &kv.key[..]).collect::<Vec<_>>(), sorted);
    let listed = store.list(b"\xff", ListOptions::default()).await.expect("list");
    assert_eq!(listed.kvs.len(), 3, "a prefix that no key comes after: {:?}", listed.kvs);
    let listed = store.list(b"\0", ListOptions::default()).await.expect("list");
    assert_eq!(listed.kvs.len(), 3, "{:?}", listed.kvs);
    let revision = put(&store, "/empty", 0, "").await;
    assert_eq!(get(&store, "/empty").await, Some(kv("/empty", "", revision)), "an empty value is a value");
}

/// One mebibyte is taken; what is too large is refused with [`Error::TooLarge`] and leaves no trace.
pub async fn large_values_are_kept_and_larger_ones_are_refused(store: Store) {
    let large = Bytes::from(vec![7; 1 << 20]);
    let revision = put(&store, "/large", 0, large.clone()).await;
    assert!(get(&store, "/large").await == Some(kv("/large", large, revision)), "a large value changed");
    for size in [(3 << 19) + 1, 1 << 21, 1 << 23] {
        match store.compare_and_put(b"/larger", 0, Bytes::from(vec![7; size]), None).await {
            Err(Error::TooLarge { size: told, limit }) => assert!(told > limit && limit >= 1 << 20, "{told}, {limit}"),
            other => panic!("a value of {size} bytes should be too large, but: {other:?}"),
        }
    }
    assert_eq!(store.current_revision().await.expect("current_revision"), revision);
    assert_eq!(get(&store, "/larger").await, None);
}
