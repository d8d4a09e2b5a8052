//! What etcd's errors mean.

use std::io;

use crate::Error;

/// etcd's default for `--max-request-bytes`; a refusal does not tell it.
pub(super) const DEFAULT_LIMIT: usize = 3 << 19;

/// gRPC's status codes.
mod code {
    pub(super) const CANCELLED: i32 = 1;
    pub(super) const DEADLINE_EXCEEDED: i32 = 4;
    pub(super) const UNAVAILABLE: i32 = 14;
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The revision is compacted.
    #[error("the revision has been compacted")]
    Compacted,
    /// The revision is not reached.
    #[error("the revision has not been reached")]
    Future,
    /// The request is over etcd's limit.
    #[error("the request is too large")]
    TooLarge,
    /// The lease ended meanwhile.
    #[error("requested lease not found")]
    LeaseNotFound,
    /// No connection could be made: the request was not sent.
    #[error("{0}")]
    Unsent(String),
    /// Something between us and etcd, or in it; repeating a read may help.
    #[error("{0}")]
    Transient(String),
    /// etcd's refusal of what no repetition makes right.
    #[error("{0}")]
    Refused(String),
    /// Nothing that repeating helps.
    #[error("{0}")]
    Other(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Unsent(detail) | Self::Transient(detail) | Self::Refused(detail) => {
                Error::Unavailable(format!("etcd: {detail}"))
            }
            Self::Other(error) => error,
            // Callers that name a revision, a value or a lease have told these apart before.
            Self::Compacted => Error::Compacted { requested: 0, compacted: 0 },
            Self::Future => Error::FutureRevision { requested: 0, current: 0 },
            Self::TooLarge => Error::TooLarge { size: 0, limit: DEFAULT_LIMIT },
            Self::LeaseNotFound => Error::Unavailable("etcd: requested lease not found".to_owned()),
        }
    }
}

impl From<etcd_client::Error> for Failure {
    fn from(error: etcd_client::Error) -> Self {
        let detail = detail(&error);
        let etcd_client::Error::GRpcStatus(status) = &error else {
            return match &error {
                etcd_client::Error::TransportError(_) | etcd_client::Error::IoError(_) => Self::Transient(detail),
                _ => Self::Refused(detail),
            };
        };
        let message = status.message();
        // etcd's words are its interface here: one status code stands for several of them.
        let says = |words: &str| message.contains(words);
        match status.code() as i32 {
            _ if says("required revision has been compacted") => Self::Compacted,
            _ if says("required revision is a future revision") => Self::Future,
            _ if says("request is too large") || says("larger than max") => Self::TooLarge,
            _ if says("requested lease not found") => Self::LeaseNotFound,
            _ if says("request timed out") => Self::Other(Error::Timeout),
            code::DEADLINE_EXCEEDED => Self::Other(Error::Timeout),
            code::UNAVAILABLE if never_connected(status) => Self::Unsent(detail),
            code::UNAVAILABLE | code::CANCELLED => Self::Transient(detail),
            _ if broken_stream(status) => Self::Transient(detail),
            _ => Self::Refused(detail),
        }
    }
}

/// The innermost causes of an error, as `Display` of the outer ones leaves them out.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn never_connected(status: &(dyn std::error::Error + 'static)) -> bool {
    causes(status).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
        )
    })
}

/// The connection went away under the request: no answer of etcd's.
fn broken_stream(status: &(dyn std::error::Error + 'static)) -> bool {
    status.source().is_some()
}

/// One line: the outermost message and the innermost cause.
pub(super) fn detail(error: &etcd_client::Error) -> String {
    match error {
        etcd_client::Error::GRpcStatus(status) => described(status.message(), status),
        etcd_client::Error::TransportError(error) => described(&error.to_string(), error),
        other => other.to_string(),
    }
}

fn described(message: &str, error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = causes(error).skip(1).last().map(ToString::to_string);
    match innermost {
        Some(cause) if message.is_empty() => cause,
        Some(cause) if !message.contains(&cause) => format!("{message}: {cause}"),
        _ => message.to_owned(),
    }
}
