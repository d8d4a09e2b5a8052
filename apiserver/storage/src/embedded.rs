//! The store for one server: one file (redb), group commit, history until it is compacted.
//!
//! One thread writes. It takes what is queued, commits it in one transaction, tells the watches and answers
//! everybody; so many small writes share the wait for the disk, and watches see what was committed, in order. It waits a little
//! for [writes that are expected](Storage::expect_write).
//! Reads use the newest committed state and wait for nobody.

mod batch;
mod committer;
mod compaction;
mod feed;
mod file;
mod format;
mod open_error;
mod read;
mod start;
mod watch_feed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::expected::Coming;
use crate::{Error, Expected, Got, ListOptions, Listed, Outcome, Result, Revision, Storage, Watch};
use batch::Operation;
use committer::{Command, Committer, ask};
use feed::Watched;
use file::{File, Opener};

pub use open_error::OpenError;

/// How an [`Embedded`] store behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for file pages, in bytes.
    pub cache_size: usize,
    /// Commit so that the start after a crash need not read the whole file, at the price of a second sync a commit.
    pub quick_repair: bool,
    /// Files up to this size, in bytes, are verified in whole when they are opened (about 1 ms a MiB). Damage in a larger
    /// one shows when it is read.
    pub verify_up_to: u64,
    /// How many writes may wait for the committer; those beyond wait for room.
    pub queue: usize,
    /// How many events may wait in one watch before it is ended with [`Error::Lagged`].
    pub watch_queue: usize,
    /// The largest key and value together that is taken, in bytes (etcd's default request limit).
    pub max_request_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_size: 4 << 20,
            quick_repair: false,
            verify_up_to: 16 << 20,
            queue: 1024,
            watch_queue: 4096,
            max_request_bytes: 3 << 19,
        }
    }
}

/// A store in one file, which it locks. Dropping it does what [`Self::close`] does, and waits for it.
pub struct Embedded {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
    committer: Mutex<Option<JoinHandle<Result<()>>>>,
    identity: u128,
    max_request_bytes: usize,
}

/// What reads, watches and the committer share.
struct Shared {
    file: File,
    /// The revision of the newest committed write; moved before any watch or read shows that write.
    revision: AtomicU64,
    /// Every event up to this revision is in the queues of those who watch it.
    published: watch::Sender<Revision>,
    /// Why the store takes no writes at the moment.
    health: Mutex<Option<String>>,
    /// Writes that are to come.
    coming: Arc<Coming>,
}

impl Shared {
    fn revision(&self) -> Revision {
        self.revision.load(Ordering::Acquire)
    }

    fn set_revision(&self, revision: Revision) {
        self.revision.store(revision, Ordering::Release);
    }

    /// Somebody was shown this revision. It is committed, but the committer may not have said so yet; nobody may be shown
    /// an older state after that.
    fn seen(&self, revision: Revision) {
        self.revision.fetch_max(revision, Ordering::AcqRel);
    }
}

impl Embedded {
    /// Opens the file at `path`, and makes it (for its owner only) and its folder if there is none.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        file::prepare(path)?;
        Self::open_with(path, file::opener(path.to_owned(), &options), &options)
    }

    fn open_with(path: &Path, opener: Opener, options: &Options) -> Result<Self, OpenError> {
        let file = File::open(path, opener, options.quick_repair)?;
        let (identity, progress) = start::start(&file, path)?;
        let shared = Arc::new(Shared {
            file,
            revision: AtomicU64::new(progress.revision),
            published: watch::Sender::new(progress.revision),
            health: Mutex::new(None),
            coming: Arc::default(),
        });
        let (commands, queue) = mpsc::channel(options.queue.max(1));
        let stop = CancellationToken::new();
        let committer = Committer::new(shared.clone(), queue, stop.clone(), progress, options.watch_queue);
        let failed = |source| OpenError::Io { path: PathBuf::from(path), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let thread = thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || runtime.block_on(committer.run()))
            .map_err(failed)?;
        Ok(Self {
            shared,
            commands,
            stop,
            committer: Mutex::new(Some(thread)),
            identity,
            max_request_bytes: options.max_request_bytes,
        })
    }

    /// A number drawn when the file was made: the same as long as the revisions are of one history.
    pub fn identity(&self) -> u128 {
        self.identity
    }

    /// Commits what was queued, ends the watches and closes the file. Later operations fail with
    /// [`Error::Unavailable`].
    pub async fn close(&self) -> Result<()> {
        self.stop.cancel();
        let committer = self.committer.lock().take();
        match committer {
            Some(committer) => off_thread(move || join(committer)).await,
            None => Ok(()),
        }
    }

    async fn write(&self, operation: Operation) -> Result<Outcome> {
        let (size, limit) = (operation.size(), self.max_request_bytes);
        if size > limit {
            return Err(Error::TooLarge { size, limit });
        }
        let place = self.commands.reserve().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        self.shared.coming.queue();
        place.send(Command::Write { operation, reply });
        self.shared.coming.tell();
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(committer) = self.committer.lock().take()
            && let Err(error) = join(committer)
        {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}

fn join(committer: JoinHandle<Result<()>>) -> Result<()> {
    committer.join().unwrap_or_else(|_| Err(Error::Unavailable("the committer failed".to_owned())))
}

/// Runs `work`, which may wait for the disk, where it holds up no other task.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Unavailable(error.to_string())),
    }
}

fn closed() -> Error {
    Error::Unavailable("the store is closed".to_owned())
}

#[async_trait]
impl Storage for Embedded {
    async fn get(&self, key: &[u8]) -> Result<Got> {
        let got = self.shared.file.read(|snapshot| snapshot.get(key))?;
        self.shared.seen(got.revision);
        Ok(got)
    }

    async fn list(&self, prefix: &[u8], options: ListOptions) -> Result<Listed> {
        let (shared, prefix) = (self.shared.clone(), prefix.to_vec());
        let listed = off_thread(move || shared.file.read(|snapshot| snapshot.list(&prefix, &options))).await?;
        self.shared.seen(listed.revision);
        Ok(listed)
    }

    async fn compare_and_put(
        &self,
        key: &[u8],
        expected: Revision,
        value: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Outcome> {
        self.write(Operation::Put { key: Bytes::copy_from_slice(key), expected, value, ttl }).await
    }

    async fn compare_and_delete(&self, key: &[u8], expected: Revision) -> Result<Outcome> {
        self.write(Operation::Delete { key: Bytes::copy_from_slice(key), expected }).await
    }

    fn expect_write(&self) -> Expected {
        self.shared.coming.expect()
    }

    async fn watch(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        let watched = Watched { prefix: Bytes::copy_from_slice(prefix), previous: true };
        watch_feed::start(self.shared.clone(), &self.commands, watched, after).await
    }

    async fn follow(&self, prefix: &[u8], after: Revision) -> Result<Watch> {
        let watched = Watched { prefix: Bytes::copy_from_slice(prefix), previous: false };
        watch_feed::start(self.shared.clone(), &self.commands, watched, after).await
    }

    async fn current_revision(&self) -> Result<Revision> {
        Ok(self.shared.revision())
    }

    fn local_revision(&self) -> Option<Revision> {
        Some(self.shared.revision())
    }

    async fn compact(&self, revision: Revision) -> Result<()> {
        ask(&self.commands, |reply| Command::Compact { revision, reply }).await?
    }

    async fn check(&self) -> Result<()> {
        if let Some(reason) = self.shared.health.lock().as_ref() {
            return Err(Error::Unavailable(reason.clone()));
        }
        if self.commands.is_closed() {
            return Err(closed());
        }
        self.shared.file.read(|_| Ok(()))
    }

    async fn close(&self) {
        if let Err(error) = Self::close(self).await {
            tracing::error!(%error, "the store was not closed cleanly");
        }
    }
}

#[cfg(test)]
mod tests;
