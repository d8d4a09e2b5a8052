//! What the disk may do to a store.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, StorageBackend};
use tempfile::TempDir;

use super::*;
use crate::Event;
use futures::StreamExt;

/// What goes wrong at the moment.
#[derive(Debug, Default)]
struct Faults {
    full: AtomicBool,
    no_sync: AtomicBool,
    no_read: AtomicBool,
}

/// A file on a disk that can be made to fail.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    faults: Arc<Faults>,
}

impl Disk {
    fn fail(on: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
        if on.load(Ordering::SeqCst) { Err(io::Error::from(kind)) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        Self::fail(&self.faults.no_read, io::ErrorKind::Other)?;
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::fail(&self.faults.full, io::ErrorKind::StorageFull)?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        Self::fail(&self.faults.no_sync, io::ErrorKind::Other)?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // A full disk still takes what overwrites a block; redb does that to its first page only.
        if offset != 0 {
            Self::fail(&self.faults.full, io::ErrorKind::StorageFull)?;
        }
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    fn try_lock_range(
        &self,
        start: std::ops::Bound<u64>,
        end: std::ops::Bound<u64>,
    ) -> std::result::Result<bool, redb::BackendError> {
        self.file.try_lock_range(start, end)
    }
    fn unlock_range(
        &self,
        start: std::ops::Bound<u64>,
        end: std::ops::Bound<u64>,
    ) -> std::result::Result<(), redb::BackendError> {
        self.file.unlock_range(start, end)
    }
}

fn open_on_disk(path: &Path, options: Options) -> (Embedded, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let opener: Opener = Box::new({
        let (path, faults) = (path.to_owned(), faults.clone());
        move || {
            let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            let disk = Disk { file: FileBackend::new(file)?, faults: faults.clone() };
            // No memory for pages, so that reads reach the disk.
            Builder::new().set_cache_size(0).create_with_backend(disk)
        }
    });
    (Embedded::open_with(path, opener, &options).expect("the store opens"), faults)
}

async fn put(store: &Embedded, key: &str, expected: Revision, value: &str) -> Result<Revision> {
    match store.compare_and_put(key.as_bytes(), expected, Bytes::copy_from_slice(value.as_bytes()), None).await? {
        Outcome::Done(revision) => Ok(revision),
        Outcome::Mismatch(got) => panic!("a lost compare: {got:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_serves_reads_until_there_is_room() {
    let folder = TempDir::new().unwrap();
    let (store, faults) = open_on_disk(&folder.path().join("store"), Options::default());
    let first = put(&store, "/a", 0, "1").await.unwrap();
    let mut watch = store.watch(b"/", first).await.unwrap();

    faults.full.store(true, Ordering::SeqCst);
    for attempt in 0..3 {
        let error = put(&store, "/a", first, "2").await.expect_err("the disk is full");
        assert!(matches!(error, Error::Unavailable(_)), "attempt {attempt}: {error}");
        let got = store.get(b"/a").await.unwrap();
        assert_eq!((got.revision, got.kv.map(|kv| kv.mod_revision)), (first, Some(first)));
        assert_eq!(store.list(b"/", ListOptions::default()).await.unwrap().kvs.len(), 1);
        store.check().await.expect_err("a store that takes no writes is not healthy");
    }

    faults.full.store(false, Ordering::SeqCst);
    let second = put(&store, "/a", first, "2").await.expect("there is room again");
    assert_eq!(second, first + 1, "the failed writes took no revision");
    store.check().await.expect("healthy again");
    let event = watch.events.next().await.unwrap().expect("the watch outlives the failure");
    assert!(matches!(event, Event::Put { kv, .. } if kv.mod_revision == second && kv.value == "2"));
}

#[tokio::test]
async fn a_failed_sync_leaves_a_store_that_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let (store, faults) = open_on_disk(&path, Options::default());
    let first = put(&store, "/a", 0, "1").await.unwrap();
    faults.no_sync.store(true, Ordering::SeqCst);
    let error = put(&store, "/a", first, "2").await.expect_err("nothing can be made durable");
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    faults.no_sync.store(false, Ordering::SeqCst);
    // The write may have been done or not; either way the store knows which.
    let got = store.get(b"/a").await.unwrap();
    let held = got.kv.expect("the key stays").mod_revision;
    assert_eq!(store.current_revision().await.unwrap(), got.revision);
    let next = put(&store, "/a", held, "3").await.expect("the disk works again");
    assert_eq!(next, got.revision + 1);
    drop(store);
    let (store, _) = open_on_disk(&path, Options::default());
    assert_eq!(store.get(b"/a").await.unwrap().kv.unwrap().value, "3");
}

#[tokio::test]
async fn a_failed_read_is_an_error_once_and_no_more() {
    let folder = TempDir::new().unwrap();
    let (store, faults) = open_on_disk(&folder.path().join("store"), Options::default());
    let first = put(&store, "/a", 0, "1").await.unwrap();
    faults.no_read.store(true, Ordering::SeqCst);
    let error = store.get(b"/a").await.expect_err("the disk cannot be read");
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    faults.no_read.store(false, Ordering::SeqCst);
    assert_eq!(store.get(b"/a").await.expect("it can again").kv.unwrap().mod_revision, first);
    put(&store, "/a", first, "2").await.expect("and written");
}

#[tokio::test]
async fn a_slow_watch_is_ended_and_can_go_on_from_where_it_was() {
    let folder = TempDir::new().unwrap();
    let options = Options { watch_queue: 4, ..Options::default() };
    let store = Embedded::open(folder.path().join("store"), options).unwrap();
    let start = store.current_revision().await.unwrap();
    let mut slow = store.watch(b"/", start).await.unwrap();
    for number in 0..10 {
        put(&store, &format!("/{number}"), 0, "x").await.expect("a slow watch holds up no writer");
    }
    let mut seen = start;
    let ended = loop {
        match slow.events.next().await.expect("an error comes before the end") {
            Ok(Event::Put { kv, .. }) => seen = kv.mod_revision,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, Error::Lagged), "{ended}");
    assert_eq!(seen, start + 4, "what was queued is still delivered");
    assert!(slow.events.next().await.is_none(), "after an error a watch is over");
    let mut resumed = store.watch(b"/", seen).await.unwrap();
    for revision in seen + 1..=start + 10 {
        match resumed.events.next().await {
            Some(Ok(Event::Put { kv, .. })) => assert_eq!(kv.mod_revision, revision),
            other => panic!("revision {revision}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_queue_makes_writers_wait_and_fails_none() {
    let folder = TempDir::new().unwrap();
    let options = Options { queue: 1, ..Options::default() };
    let store = Arc::new(Embedded::open(folder.path().join("store"), options).unwrap());
    let start = store.current_revision().await.unwrap();
    let keys: Vec<String> = (0..100).map(|number| format!("/{number}")).collect();
    let writes = keys.iter().map(|key| put(&store, key, 0, "x"));
    let mut revisions: Vec<_> =
        futures::future::join_all(writes).await.into_iter().map(|written| written.unwrap()).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (start + 1..=start + 100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_swept_file_holds_no_more_than_the_present() {
    let folder = TempDir::new().unwrap();
    let store = Embedded::open(folder.path().join("store"), Options::default()).unwrap();
    let writes = 2 * 512 + 100;
    let mut revision = 0;
    for number in 0..writes {
        revision = put(&store, "/a", revision, &number.to_string()).await.unwrap();
    }
    let gone = put(&store, "/b", 0, "x").await.unwrap();
    store.compare_and_delete(b"/b", gone).await.unwrap();
    let end = store.current_revision().await.unwrap();
    store.compact(end).await.unwrap();
    // Closing waits for the committer, but not for the sweep: that goes on at the next start.
    while store.shared.file.read(|snapshot| Ok(snapshot.progress()?.swept)).unwrap() < end {
        tokio::task::yield_now().await;
    }
    let held = store.shared.file.read(|snapshot| snapshot.sizes()).unwrap();
    assert_eq!(held, (1, 1), "index and log entries for one live key");
    assert_eq!(store.get(b"/a").await.unwrap().kv.unwrap().mod_revision, revision);
    put(&store, "/b", 0, "again").await.expect("a swept deletion leaves no trace");
}

#[tokio::test]
async fn who_has_read_a_write_is_never_shown_an_older_state() {
    let folder = TempDir::new().unwrap();
    let store = Embedded::open(folder.path().join("store"), Options::default()).unwrap();
    let commit = |key: &'static [u8]| {
        let feed = feed::Feed::new(1);
        // Between the commit and the committer's word of it.
        let (written, _) = store.shared.file.write(|transaction| {
            let mut batch = batch::Batch::begin(transaction, &feed, 0)?;
            batch.apply(&Operation::Put { key: key.into(), expected: 0, value: "1".into(), ttl: None })?;
            batch.finish()?;
            Ok(((), file::Commit::Yes))
        });
        assert!(written.is_ok());
    };
    commit(b"/a");
    let got = store.get(b"/a").await.unwrap();
    assert_eq!((got.kv.is_some(), store.local_revision()), (true, Some(got.revision)), "after a get");
    commit(b"/b");
    let listed = store.list(b"/", ListOptions::default()).await.unwrap();
    assert_eq!((listed.kvs.len(), store.local_revision()), (2, Some(listed.revision)), "after a list");
}

#[tokio::test]
async fn a_store_that_is_closed_through_the_trait_lets_go_of_its_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store: Arc<dyn Storage> = Arc::new(Embedded::open(&path, Options::default()).unwrap());
    let user = store.clone();
    store.compare_and_put(b"/a", 0, "1".into(), None).await.unwrap();
    store.close().await;
    assert!(matches!(user.get(b"/a").await, Err(Error::Unavailable(_))));
    let again = Embedded::open(&path, Options::default()).expect("nobody holds the file");
    assert!(again.get(b"/a").await.unwrap().kv.is_some());
}
