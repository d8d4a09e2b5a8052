//! What a store's error means to a client. [`storage::Error`] is interpreted here alone, once a verb.

use apimachinery::StatusError;
use storage::Error;

use crate::context::Target;

/// The error of a write or of a read of one object.
pub(crate) fn write(error: &Error, target: &Target, operation: &str) -> StatusError {
    let resource = target.row.group_resource();
    match error {
        Error::Compacted { .. } => {
            StatusError::resource_expired("The resourceVersion for the provided request is too old.")
        }
        Error::FutureRevision { requested, current } => {
            StatusError::too_large_resource_version(*requested, *current, 1)
        }
        Error::Unavailable(_) => {
            tracing::warn!(%error, %resource, operation, "the store did not serve");
            StatusError::server_timeout(&resource, operation, 2)
        }
        Error::Timeout => StatusError::server_timeout(&resource, operation, 0),
        Error::TooLarge { size, limit } => {
            tracing::debug!(size, limit, %resource, operation, "an object is too large for the store");
            // Upstream hands on what etcd says.
            StatusError::unstructured("etcdserver: request is too large")
        }
        Error::Lagged | Error::Corrupt(_) => StatusError::internal(error.to_string()),
    }
}

/// The error of a list or of the start of a watch.
pub(crate) fn list(error: &Error, target: &Target, continued: bool) -> StatusError {
    match error {
        Error::Compacted { .. } if continued => StatusError::resource_expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
             the continue parameter.",
        ),
        _ => write(error, target, "list"),
    }
}

/// The error that ends a watch, or that refuses to begin it.
pub(crate) fn watch(error: &Error, target: &Target) -> StatusError {
    match error {
        Error::Compacted { requested, compacted } => {
            StatusError::resource_expired(format!("too old resource version: {requested} ({compacted})"))
        }
        _ => write(error, target, "watch"),
    }
}
