//! Why a patch was not applied.

use crate::status::StatusError;

/// Why a patch was not applied; displayed in upstream's words. As a [`StatusError`] it is what upstream answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is wrong (400).
    #[error("{0}")]
    Malformed(String),
    /// The patch cannot be applied to this object (422; upstream does not tell the client why).
    #[error("{0}")]
    Unprocessable(String),
    /// The patch has too many operations (413).
    #[error("{0}")]
    TooLarge(String),
    /// The patch contradicts itself or the schema in a way that upstream answers with 500.
    #[error("{0}")]
    Internal(String),
}

impl From<PatchError> for StatusError {
    fn from(error: PatchError) -> Self {
        match error {
            PatchError::Malformed(message) => Self::bad_request(message),
            PatchError::Unprocessable(_) => Self::unprocessable(),
            PatchError::TooLarge(message) => Self::request_entity_too_large(message),
            PatchError::Internal(message) => Self::unstructured(message),
        }
    }
}
