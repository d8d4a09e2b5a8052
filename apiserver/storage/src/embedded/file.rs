//! The open file: taken anew after an I/O error, since redb then refuses everything on the old handle.

use std::any::Any;
use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, WriteTransaction};

use super::read::Snapshot;
use super::{OpenError, Options};
use crate::{Error, Result};

/// What stands in the way of an operation.
pub(super) enum Failure {
    /// This is the answer.
    Answer(Error),
    /// The file did not work.
    File(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::File(error.into())
    }
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Answer(error) => error,
            Self::File(redb::Error::Corrupted(detail)) => Error::Corrupt(detail),
            Self::File(error) => Error::Unavailable(error.to_string()),
        }
    }

    /// For what no file that this program wrote can hold.
    pub(super) fn corrupt(detail: impl Into<String>) -> Self {
        Self::File(redb::Error::Corrupted(detail.into()))
    }

    fn from_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
        Self::corrupt(format!("reading or writing the store failed: {text}"))
    }
}

/// Opens the database; called again after an I/O error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The handle that all reads and writes go through.
pub(super) struct File {
    opener: Opener,
    quick_repair: bool,
    slot: RwLock<Slot>,
}

struct Slot {
    /// `None` after [`File::close`], or while the file cannot be opened again.
    database: Option<Database>,
    closed: bool,
    /// How often the file was opened.
    generation: u64,
}

impl File {
    /// Opens with `opener`, for the file at `path` which errors name.
    pub(super) fn open(path: &Path, opener: Opener, quick_repair: bool) -> Result<Self, OpenError> {
        let database = match catch_unwind(AssertUnwindSafe(&opener)) {
            Ok(opened) => opened.map_err(|error| explain(path, error))?,
            Err(_) => return Err(damaged(path, "its structure cannot be read")),
        };
        let slot = RwLock::new(Slot { database: Some(database), closed: false, generation: 1 });
        Ok(Self { opener, quick_repair, slot })
    }

    /// Runs `read` on the newest committed state; once more on a fresh handle if this one had failed.
    pub(super) fn read<T>(&self, read: impl Fn(&Snapshot) -> Result<T, Failure>) -> Result<T> {
        let (first, generation) = self.attempt(&read);
        match first {
            Err(Failure::File(redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)) => {
                self.recover(generation).map_err(Failure::into_error)?;
                self.attempt(&read).0.map_err(Failure::into_error)
            }
            other => other.map_err(Failure::into_error),
        }
    }

    fn attempt<T>(&self, read: &impl Fn(&Snapshot) -> Result<T, Failure>) -> (Result<T, Failure>, u64) {
        let (transaction, generation) = {
            let slot = self.slot.read();
            (slot.database.as_ref().map(ReadableDatabase::begin_read), slot.generation)
        };
        let Some(transaction) = transaction else { return (Err(redb::Error::DatabaseClosed.into()), generation) };
        let run = || read(&Snapshot::open(transaction?)?);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Failure::from_panic(&*panic)));
        (result, generation)
    }

    /// Runs `write` in a transaction, and commits it if the answer says so. The number is the handle's generation:
    /// another one than before means that the file was opened again.
    pub(super) fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(T, Commit), Failure>,
    ) -> (Result<T, Failure>, u64) {
        let (transaction, generation) = {
            let slot = self.slot.read();
            (slot.database.as_ref().map(Database::begin_write), slot.generation)
        };
        let run = || {
            let mut transaction = transaction.ok_or(redb::Error::DatabaseClosed)??;
            transaction.set_quick_repair(self.quick_repair);
            match write(&transaction)? {
                (answer, Commit::Yes) => {
                    transaction.commit()?;
                    Ok(answer)
                }
                (answer, Commit::No) => {
                    transaction.abort()?;
                    Ok(answer)
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Failure::from_panic(&*panic)));
        (result, generation)
    }

    /// Opens the file again, unless that was done since `generation`.
    pub(super) fn recover(&self, generation: u64) -> Result<(), Failure> {
        let mut slot = self.slot.write();
        if slot.closed {
            return Err(redb::Error::DatabaseClosed.into());
        }
        if slot.generation != generation && slot.database.is_some() {
            return Ok(());
        }
        slot.database = None;
        slot.generation += 1;
        match catch_unwind(AssertUnwindSafe(&self.opener)) {
            Ok(opened) => slot.database = Some(opened?),
            Err(panic) => return Err(Failure::from_panic(&*panic)),
        }
        tracing::info!("opened the store's file again after a failure");
        Ok(())
    }

    /// Closes the file for good.
    pub(super) fn close(&self) -> Result<()> {
        let mut slot = self.slot.write();
        slot.closed = true;
        match slot.database.take() {
            Some(database) => database.close().map_err(|error| Error::Unavailable(error.to_string())),
            None => Ok(()),
        }
    }
}

/// What becomes of a transaction.
pub(super) enum Commit {
    /// Make it durable.
    Yes,
    /// It changed nothing.
    No,
}

/// Opens the file at `path`.
pub(super) fn opener(path: PathBuf, options: &Options) -> Opener {
    let &Options { cache_size, verify_up_to, .. } = options;
    Box::new(move || {
        let file = read_write().open(&path)?;
        let size = file.metadata()?.len();
        let mut builder = Builder::new();
        builder.set_cache_size(cache_size).set_check_integrity_on_open((1..=verify_up_to).contains(&size));
        builder.create_with_backend(FileBackend::new(file)?)
    })
}

fn read_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the folder and the file where they are missing, durably, and tells a foreign file before anything is written.
pub(super) fn prepare(path: &Path) -> Result<(), OpenError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let mut file = read_write().open(path).map_err(failed)?;
    // Else the file's name could be lost in a power cut, with all that was acknowledged since. Also if it was there before:
    // its maker may have died before this.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let mut start = Vec::with_capacity(MAGIC.len());
    io::Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() || start == MAGIC {
        return Ok(());
    }
    if start == [0; MAGIC.len()] {
        // redb writes its first bytes last: this file was being made when its maker died. The lock is redb's own.
        return match file.try_lock() {
            Ok(()) => file.set_len(0).and_then(|()| file.sync_all()).map_err(failed),
            Err(fs::TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        };
    }
    Err(OpenError::Foreign { path: path.to_owned(), detail: "it does not start as one".to_owned() })
}

/// How every redb file starts.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

fn damaged(path: &Path, detail: impl Into<String>) -> OpenError {
    OpenError::Damaged { path: path.to_owned(), detail: detail.into() }
}

fn explain(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::Locked { path: path.to_owned() }
        }
        DatabaseError::UpgradeRequired(found) => {
            OpenError::Foreign { path: path.to_owned(), detail: format!("its file format is {found}") }
        }
        // Reading past the end of a file that was cut.
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
        {
            damaged(path, error.to_string())
        }
        DatabaseError::Storage(StorageError::Io(source)) => OpenError::Io { path: path.to_owned(), source },
        DatabaseError::Storage(StorageError::Corrupted(detail)) => damaged(path, detail),
        other => damaged(path, other.to_string()),
    }
}
