use std::io;
use std::path::PathBuf;

/// Why a file could not be opened as a store; each is one line for the person who started the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another [`super::Embedded`], has it open.
    #[error("the store {} is in use by another process", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Some other program's file.
    #[error("{} is not a store of this program: {detail}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A store, but of a format that this build does not know.
    #[error("the store {} has format {found}; this build reads format {expected}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u64,
        /// This build's format.
        expected: u64,
    },
    /// A store whose content contradicts itself.
    #[error("the store {} is damaged: {detail}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file or its folder cannot be made, read or written.
    #[error("the store {} cannot be opened: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}
