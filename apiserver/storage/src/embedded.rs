//! The store for one server: one file (redb), group commit, history until it is compacted.

mod open_error;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Got, ListOptions, Listed, Outcome, Result, Revision, Storage, Watch};

pub use open_error::OpenError;

/// How an [`Embedded`] store behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for file pages, in bytes.
    pub cache_size: usize,
    /// How many writes may wait for the committer; those beyond wait for room.
    pub queue: usize,
    /// How many events may wait in one watch before it is ended with [`crate::Error::Lagged`].
    pub watch_queue: usize,
    /// The largest key and value together that is taken, in bytes (etcd's default request limit).
    pub max_request_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_size: 4 << 20, queue: 1024, watch_queue: 4096, max_request_bytes: 3 << 19 }
    }
}

/// A store in one file, which it locks.
pub struct Embedded {
    _path: PathBuf,
}

impl Embedded {
    /// Opens the file at `path`, and makes it and its folder if there is none.
    pub fn open(_path: impl AsRef<Path>, _options: Options) -> Result<Self, OpenError> {
        todo!()
    }

    /// A number drawn when the file was made: the same as long as the revisions are of one history.
    pub fn identity(&self) -> u128 {
        todo!()
    }

    /// Commits what was queued, ends the watches and closes the file. Later operations fail with
    /// [`crate::Error::Unavailable`].
    pub async fn close(&self) -> Result<()> {
        todo!()
    }
}

#[async_trait]
impl Storage for Embedded {
    async fn get(&self, _key: &[u8]) -> Result<Got> {
        todo!()
    }
    async fn list(&self, _prefix: &[u8], _options: ListOptions) -> Result<Listed> {
        todo!()
    }
    async fn compare_and_put(
        &self,
        _key: &[u8],
        _expected: Revision,
        _value: Bytes,
        _ttl: Option<Duration>,
    ) -> Result<Outcome> {
        todo!()
    }
    async fn compare_and_delete(&self, _key: &[u8], _expected: Revision) -> Result<Outcome> {
        todo!()
    }
    async fn watch(&self, _prefix: &[u8], _after: Revision) -> Result<Watch> {
        todo!()
    }
    async fn current_revision(&self) -> Result<Revision> {
        todo!()
    }
    async fn compact(&self, _revision: Revision) -> Result<()> {
        todo!()
    }
    async fn check(&self) -> Result<()> {
        todo!()
    }
}
