//! What a store answers when it cannot do what it was asked.

use crate::Revision;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store operation failed. A lost compare is not an error: see [`crate::Outcome`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The revision asked for has been compacted.
    #[error("revision {requested} has been compacted (the oldest is {compacted})")]
    Compacted {
        /// What was asked for.
        requested: Revision,
        /// The revision of the last compaction, 0 where the store did not say.
        compacted: Revision,
    },
    /// The revision asked for is newer than the store.
    #[error("revision {requested} has not been reached (the newest is {current})")]
    FutureRevision {
        /// What was asked for.
        requested: Revision,
        /// The store's own.
        current: Revision,
    },
    /// The store cannot be reached or is shutting down; the operation may or may not have been done.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// No answer in time; the operation may or may not have been done.
    #[error("the store did not answer in time")]
    Timeout,
    /// The value is larger than the store takes.
    #[error("the value of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// The value's size.
        size: usize,
        /// The largest that is taken.
        limit: usize,
    },
    /// A watch could not keep up and was ended; resume after the last revision seen.
    #[error("the watch fell behind and was ended")]
    Lagged,
    /// The store's file or answer is damaged or foreign.
    #[error("{0}")]
    Corrupt(String),
}
