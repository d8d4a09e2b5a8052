//! The embedded store's file: what survives, and what cannot be opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use storage::embedded::{Embedded, OpenError, Options};
use storage::{Error, Event, ListOptions, Outcome, Revision, Storage, Watch};
use tempfile::TempDir;

fn open(path: &Path) -> Embedded {
    Embedded::open(path, Options::default()).expect("the store opens")
}

fn fails(path: &Path) -> OpenError {
    Embedded::open(path, Options::default()).err().expect("the file should be refused")
}

async fn put(store: &Embedded, key: &str, expected: Revision, value: &str) -> Revision {
    let value = value.to_owned().into();
    match store.compare_and_put(key.as_bytes(), expected, value, None).await.expect("put") {
        Outcome::Done(revision) => revision,
        Outcome::Mismatch(got) => panic!("a lost compare: {got:?}"),
    }
}

async fn revisions(watch: &mut Watch, count: usize) -> Vec<Revision> {
    let mut revisions = Vec::new();
    while revisions.len() < count {
        let item = tokio::time::timeout(Duration::from_secs(30), watch.events.next()).await;
        match item.expect("the events come").expect("the watch goes on").expect("the watch goes on") {
            Event::Put { kv, .. } => revisions.push(kv.mod_revision),
            Event::Delete { revision, .. } => revisions.push(revision),
            Event::Progress(_) => {}
        }
    }
    revisions
}

#[tokio::test]
async fn everything_is_there_after_a_restart_without_a_close() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new/folder/store");
    let store = open(&path);
    let identity = store.identity();
    let a1 = put(&store, "/a", 0, "1").await;
    let a2 = put(&store, "/a", a1, "2").await;
    let b1 = put(&store, "/b", 0, "1").await;
    store.compact(a2).await.expect("compact");
    drop(store);

    let store = open(&path);
    assert_eq!(store.identity(), identity);
    assert_eq!(store.current_revision().await.unwrap(), b1);
    let listed = store.list(b"/", ListOptions { revision: Some(a2), ..Default::default() }).await.unwrap();
    assert_eq!(listed.kvs.iter().map(|kv| kv.mod_revision).collect::<Vec<_>>(), [a2]);
    let before = store.list(b"/", ListOptions { revision: Some(a1), ..Default::default() }).await;
    assert!(matches!(before, Err(Error::Compacted { requested, compacted }) if (requested, compacted) == (a1, a2)));
    assert!(matches!(store.watch(b"/", a1).await.err(), Some(Error::Compacted { .. })));
    let mut watch = store.watch(b"/", a2).await.unwrap();
    let a3 = put(&store, "/a", a2, "3").await;
    assert_eq!(a3, b1 + 1, "revisions go on");
    assert_eq!(revisions(&mut watch, 2).await, [b1, a3], "history and what is new");
}

#[tokio::test]
async fn a_copy_of_the_running_file_opens_with_all_that_was_acknowledged() {
    for quick_repair in [true, false] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store");
        let options = Options { quick_repair, ..Options::default() };
        let store = Embedded::open(&path, options).expect("the store opens");
        let mut written = Vec::new();
        for number in 0..30 {
            written.push(put(&store, &format!("/{number:02}"), 0, "x").await);
            // What a crash at this moment leaves: nothing is being written, nothing was closed.
            let copy = folder.path().join(format!("copy{number}"));
            std::fs::copy(&path, &copy).unwrap();
            let listed = open(&copy).list(b"/", ListOptions::default()).await.unwrap();
            let held: Vec<_> = listed.kvs.iter().map(|kv| kv.mod_revision).collect();
            assert_eq!(held, written, "quick repair: {quick_repair}");
        }
    }
}

#[tokio::test]
async fn a_long_history_is_replayed_after_a_restart() {
    const WRITES: u64 = 3000;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = Arc::new(open(&path));
    let start = store.current_revision().await.unwrap();
    let keys: Vec<String> = (0..WRITES).map(|number| format!("/{number}")).collect();
    futures::future::join_all(keys.iter().map(|key| put(&store, key, 0, "x"))).await;
    drop(store);
    let store = open(&path);
    let mut watch = store.watch(b"/", start).await.unwrap();
    let last = put(&store, "/last", 0, "x").await;
    assert_eq!(revisions(&mut watch, WRITES as usize + 1).await, (start + 1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn values_expire_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let ttl = Some(Duration::from_millis(500));
    let Outcome::Done(revision) = store.compare_and_put(b"/a", 0, "1".into(), ttl).await.unwrap() else {
        panic!("a lost compare")
    };
    drop(store);
    let store = open(&path);
    let mut watch = store.watch(b"/", revision).await.unwrap();
    assert_eq!(revisions(&mut watch, 1).await, [revision + 1]);
    assert_eq!(store.get(b"/a").await.unwrap().kv, None);
}

#[tokio::test]
async fn a_closed_store_says_so_and_can_be_opened_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path);
    let revision = put(&store, "/a", 0, "1").await;
    let mut watch = store.watch(b"/", revision).await.unwrap();
    store.close().await.expect("close");
    store.close().await.expect("closing twice");
    let ended = watch.events.next().await;
    assert!(matches!(ended, Some(Err(Error::Unavailable(_)))), "{ended:?}");
    assert!(watch.events.next().await.is_none());
    let unavailable = |error: Option<Error>| assert!(matches!(error, Some(Error::Unavailable(_))), "{error:?}");
    unavailable(store.get(b"/a").await.err());
    unavailable(store.list(b"/", ListOptions::default()).await.err());
    unavailable(store.compare_and_delete(b"/a", revision).await.err());
    unavailable(store.watch(b"/", revision).await.err());
    unavailable(store.compact(revision).await.err());
    unavailable(store.check().await.err());
    // The old one still exists, but holds no lock.
    assert_eq!(open(&path).get(b"/a").await.unwrap().kv.unwrap().mod_revision, revision);
}

#[tokio::test]
async fn what_was_queued_before_a_close_is_done() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = Arc::new(open(&path));
    let keys: Vec<String> = (0..50).map(|number| format!("/{number}")).collect();
    let writes =
        futures::future::join_all(keys.iter().map(|key| store.compare_and_put(key.as_bytes(), 0, "x".into(), None)));
    let (outcomes, closed) = tokio::join!(writes, store.close());
    closed.expect("close");
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Done(_)))).count();
    let listed = open(&path).list(b"/", ListOptions::default()).await.unwrap();
    assert_eq!(listed.kvs.len(), done, "exactly what was acknowledged is there");
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let _store = open(&path);
    let error = fails(&path);
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert_eq!(error.to_string(), format!("the store {} is in use by another process", path.display()));
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    for (name, content) in [
        ("text", b"hello".to_vec()),
        ("sqlite", b"SQLite format 3\0................................".to_vec()),
        ("long", vec![b'x'; 100_000]),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &content).unwrap();
        let error = fails(&path);
        assert!(matches!(error, OpenError::Foreign { .. }), "{name}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), content, "{name} was changed");
    }
    let path = folder.path().join("redb");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<&str, u64>::new("theirs")).unwrap().insert("a", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = fails(&path);
    assert!(matches!(&error, OpenError::Foreign { detail, .. } if detail.contains("theirs")), "{error}");
}

#[tokio::test]
async fn another_format_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    drop(open(&path));
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<&str, u128>::new("meta")).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = fails(&path);
    assert!(matches!(error, OpenError::Version { found: 2, expected: 1, .. }), "{error}");
}

fn find<'a>(content: &'a mut [u8], what: &[u8]) -> &'a mut u8 {
    let at = content.windows(what.len()).position(|window| window == what).expect("the content is there");
    &mut content[at]
}

#[tokio::test]
async fn damaged_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let whole = folder.path().join("whole");
    let store = open(&whole);
    for number in 0..200 {
        put(&store, &format!("/{number}"), 0, &"x".repeat(2000)).await;
    }
    store.close().await.expect("close");
    let content = std::fs::read(&whole).unwrap();
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut content = content.clone();
        change(&mut content);
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    // Not any page: it may be a free one, which nobody misses.
    let page = content.windows(8).rposition(|bytes| bytes == b"xxxxxxxx").unwrap() / 4096 * 4096;
    let cases: [(PathBuf, &str); 6] = [
        (damage("cut", &|content| content.truncate(content.len() / 2)), "cut in half"),
        (damage("cut-short", &|content| content.truncate(100)), "cut to 100 bytes"),
        (damage("header", &|content| content[64..320].fill(0xa5)), "overwritten commit slots"),
        (damage("layout", &|content| content[9..40].fill(0xff)), "overwritten layout"),
        (damage("page", &|content| content[page..page + 4096].fill(0)), "a lost page"),
        (damage("bit", &|content| *find(content, b"xxxxxxxx") ^= 1), "a flipped bit in a value"),
    ];
    for (path, what) in cases {
        let opened = Embedded::open(&path, Options::default());
        let error = opened.err().unwrap_or_else(|| panic!("{what} of {} bytes should be refused", content.len()));
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error:?}");
        assert_eq!(error.to_string().lines().count(), 1, "{what}: {error}");
    }
}

#[tokio::test]
async fn a_file_whose_making_was_cut_short_is_made_anew() {
    let folder = TempDir::new().unwrap();
    for (name, content) in [("empty", vec![]), ("zeros", vec![0; 50_000])] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        put(&open(&path), "/a", 0, "1").await;
    }
}

#[test]
fn a_path_that_cannot_be_a_file_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("file"), b"").unwrap();
    for path in [folder.path().to_owned(), folder.path().join("file/store")] {
        let error = fails(&path);
        assert!(matches!(error, OpenError::Io { .. }), "{}: {error}", path.display());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let _store = open(&path);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
