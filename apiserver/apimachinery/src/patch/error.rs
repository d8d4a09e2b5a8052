//! Why a patch was not applied.

/// Why a patch was not applied; displayed in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is wrong (400).
    #[error("{0}")]
    Malformed(String),
    /// The patch cannot be applied to this object (422).
    #[error("{0}")]
    Unprocessable(String),
    /// The patch has too many operations (413).
    #[error("{0}")]
    TooLarge(String),
}
