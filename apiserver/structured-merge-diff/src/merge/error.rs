//! What can go wrong with a write.

use thiserror::Error;

use super::Conflicts;
use crate::fieldpath::ApiVersion;
use crate::typed::ValidationErrors;

/// Why an object cannot be converted to a version.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// The version does not exist (any more).
    #[error("{0}")]
    MissingVersion(String),
    /// The conversion failed.
    #[error(transparent)]
    Failed(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a write's ownership cannot be computed. The words are upstream's, causes included.
#[derive(Debug, Error)]
pub enum Error {
    /// Other managers own fields that an apply without force would change.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// The live and new objects do not compare.
    #[error("failed to compare objects: {0}")]
    Compare(ValidationErrors),
    /// The applied object does not merge into the live one.
    #[error("failed to merge config: {0}")]
    Merge(ValidationErrors),
    /// The applied object has no field set.
    #[error("failed to get field set: {0}")]
    FieldSet(ValidationErrors),
    /// A manager's set does not fit the object's schema.
    #[error("errors reconciling field set with schema: {0}")]
    Reconcile(ValidationErrors),
    /// An object does not convert to a manager's version.
    #[error("failed to convert {object} object: {error}")]
    Convert {
        /// Which object: `old` or `new`.
        object: &'static str,
        /// Why.
        error: ConvertError,
    },
    /// The live object does not convert to the version of a manager's set.
    #[error("{0}")]
    ConvertLive(ConvertError),
    /// Fields no longer applied cannot be removed.
    #[error("failed to prune fields: {0}")]
    Prune(PruneError),
}

/// Why fields no longer applied cannot be removed.
#[derive(Debug, Error)]
pub enum PruneError {
    /// An object does not convert.
    #[error("failed to convert {object} object {target}: {error}")]
    Convert {
        /// Which object: `merged` or `pruned`.
        object: &'static str,
        /// To what version.
        target: Target,
        /// Why.
        error: ConvertError,
    },
    /// An object has no field set.
    #[error("failed to create field set from {object} object {target}: {error}")]
    FieldSet {
        /// Which object: `merged` or `pruned`.
        object: &'static str,
        /// In what version.
        target: Target,
        /// Why.
        error: ValidationErrors,
    },
    /// The result does not convert back to the applied version.
    #[error("{0}")]
    ConvertBack(ConvertError),
    /// What others own cannot be put back.
    #[error("failed add back owned items: {0}")]
    Owned(Box<PruneError>),
    /// What was not the manager's cannot be put back.
    #[error("failed add back dangling items: {0}")]
    Dangling(Box<PruneError>),
}

/// A version an object is converted to while pruning, in upstream's words.
#[derive(Debug)]
pub enum Target {
    /// A manager's version.
    Version(ApiVersion),
    /// The version the manager applied before.
    ToLastApplied,
    /// The same, of an object already in it.
    InLastApplied,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(f, "at version {version}"),
            Self::ToLastApplied => f.write_str("to last applied version"),
            Self::InLastApplied => f.write_str("in last applied version"),
        }
    }
}
