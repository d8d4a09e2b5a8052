//! What every [`Storage`] promises, as functions that fail by panicking with what a person needs to know.
//!
//! Each wants a store of its own, new and empty. [`crate::test_storage`] makes a test of each:
//!
//! ```text
//! async fn open() -> Option<(Arc<dyn Storage>, TempDir)> { … } // `None` skips the test
//! storage::test_storage!(open);
//! ```

mod compaction;
mod concurrency;
mod expiry;
mod lists;
mod watches;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;

use crate::{Error, Event, KeyValue, ListOptions, Listed, Outcome, Revision, Storage, Watch};

pub use compaction::*;
pub use concurrency::*;
pub use expiry::*;
pub use lists::*;
pub use watches::*;
pub use writes::*;

/// Makes a test of every promise, over the store that `open` gives (with whatever must live as long as it).
#[macro_export]
macro_rules! test_storage {
    ($open:path) => {
        $crate::test_storage! { $open:
            a_new_store_has_a_revision
            creating_needs_the_key_to_be_absent
            updating_needs_the_present_revision
            deleting_needs_the_present_revision
            a_lost_compare_changes_nothing
            revisions_are_one_line_over_all_keys
            a_deleted_key_can_be_made_again
            an_acknowledged_write_is_visible_to_every_later_read
            any_bytes_can_be_a_key_or_a_value
            large_values_are_kept_and_larger_ones_are_refused
            a_list_has_the_keys_of_the_prefix_in_order
            a_limited_list_tells_how_many_remain
            pages_of_one_revision_are_one_list
            a_list_can_start_anywhere
            a_list_shows_the_state_of_the_revision_asked_for
            a_revision_not_reached_cannot_be_listed
            a_large_list_is_complete
            a_watch_gets_exactly_what_came_after_its_start
            a_watch_gets_the_previous_values
            a_watch_sees_its_prefix_only
            history_and_live_events_join_without_gap_or_repeat
            every_watch_gets_every_event
            progress_comes_after_all_events_before_it
            a_watch_can_start_in_the_future
            a_watch_brings_large_values
            a_dropped_watch_harms_nobody
            a_compacted_revision_cannot_be_listed
            the_compacted_state_itself_stays
            events_before_the_compaction_cannot_be_watched
            a_running_watch_survives_a_compaction
            compacting_twice_or_too_far_is_harmless
            one_of_several_servers_compacts
            a_value_with_a_ttl_is_deleted
            a_write_without_a_ttl_stays
            values_with_like_ttls_all_expire
            no_update_is_lost_among_many_writers
            one_of_many_creators_wins
            events_chain_through_the_previous_revisions
            a_healthy_store_passes_its_check
        }
    };
    ($open:path: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                if let Some((store, _guard)) = $open().await {
                    $crate::testing::$promise(store).await;
                }
            }
        )*
    };
}

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Store = Arc<dyn Storage>;

/// A healthy store says so.
pub async fn a_healthy_store_passes_its_check(store: Store) {
    store.check().await.expect("a new store is healthy");
    put(&store, "/a", 0, "1").await;
    store.check().await.expect("a used store is healthy");
}

/// A write that must succeed.
async fn put(store: &Store, key: impl AsRef<[u8]>, expected: Revision, value: impl Into<Bytes>) -> Revision {
    let key = key.as_ref();
    done(store.compare_and_put(key, expected, value.into(), None).await, &format!("put {}", key.escape_ascii()))
}

/// A deletion that must succeed.
async fn delete(store: &Store, key: impl AsRef<[u8]>, expected: Revision) -> Revision {
    let key = key.as_ref();
    done(store.compare_and_delete(key, expected).await, &format!("delete {}", key.escape_ascii()))
}

fn done(outcome: crate::Result<Outcome>, what: &str) -> Revision {
    match outcome {
        Ok(Outcome::Done(revision)) => revision,
        other => panic!("{what} should be done, but: {other:?}"),
    }
}

/// What a lost compare found.
fn mismatch(outcome: crate::Result<Outcome>, what: &str) -> crate::Got {
    match outcome {
        Ok(Outcome::Mismatch(got)) => got,
        other => panic!("{what} should lose its compare, but: {other:?}"),
    }
}

async fn get(store: &Store, key: impl AsRef<[u8]>) -> Option<KeyValue> {
    store.get(key.as_ref()).await.expect("get").kv
}

async fn list(store: &Store, prefix: &str, options: ListOptions) -> Listed {
    store.list(prefix.as_bytes(), options).await.unwrap_or_else(|error| panic!("list {prefix}: {error}"))
}

fn kv(key: impl AsRef<[u8]>, value: impl Into<Bytes>, mod_revision: Revision) -> KeyValue {
    KeyValue { key: Bytes::copy_from_slice(key.as_ref()), value: value.into(), mod_revision }
}

/// A list as text, for comparison.
fn pairs(listed: &Listed) -> Vec<(String, String)> {
    listed.kvs.iter().map(|kv| (text(&kv.key), text(&kv.value))).collect()
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

async fn watch(store: &Store, prefix: &str, after: Revision) -> Watch {
    store.watch(prefix.as_bytes(), after).await.unwrap_or_else(|error| panic!("watch {prefix} from {after}: {error}"))
}

/// The next item, within [`PATIENCE`].
async fn next(watch: &mut Watch) -> crate::Result<Event> {
    match tokio::time::timeout(PATIENCE, watch.events.next()).await {
        Ok(Some(item)) => item,
        Ok(None) => panic!("the watch ended without an error"),
        Err(_) => panic!("the watch brought nothing in {PATIENCE:?}"),
    }
}

/// The next `count` changes.
async fn changes(watch: &mut Watch, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        match next(watch).await {
            Ok(Event::Progress(_)) => {}
            Ok(event) => events.push(event),
            Err(error) => panic!("the watch failed after {} of {count} events: {error}", events.len()),
        }
    }
    events
}

/// Asks for progress until it reaches `revision`; the changes on the way.
async fn until(watch: &mut Watch, revision: Revision) -> Vec<Event> {
    let mut events = Vec::new();
    watch.progress.request();
    loop {
        match next(watch).await {
            Ok(Event::Progress(reached)) if reached >= revision => return events,
            Ok(Event::Progress(_)) => watch.progress.request(),
            Ok(event) => events.push(event),
            Err(error) => panic!("the watch failed before revision {revision}: {error}"),
        }
    }
}

/// An event as text, e.g. `put /a=1@5 was 0@4`.
fn describe(event: &Event) -> String {
    let was = |previous: &Option<KeyValue>| match previous {
        Some(kv) => format!(" was {}@{}", text(&kv.value), kv.mod_revision),
        None => String::new(),
    };
    match event {
        Event::Put { kv, previous } => {
            format!("put {}={}@{}{}", text(&kv.key), text(&kv.value), kv.mod_revision, was(previous))
        }
        Event::Delete { key, revision, previous } => format!("delete {}@{revision}{}", text(key), was(previous)),
        Event::Progress(revision) => format!("progress {revision}"),
    }
}

fn describe_all(events: &[Event]) -> Vec<String> {
    events.iter().map(describe).collect()
}

fn revision_of(event: &Event) -> Revision {
    match event {
        Event::Put { kv, .. } => kv.mod_revision,
        Event::Delete { revision, .. } | Event::Progress(revision) => *revision,
    }
}

fn assert_compacted<T>(result: crate::Result<T>, what: &str) {
    match result {
        Err(Error::Compacted { .. }) => {}
        Err(error) => panic!("{what} should be compacted, but: {error}"),
        Ok(_) => panic!("{what} should be compacted, but it was answered"),
    }
}
