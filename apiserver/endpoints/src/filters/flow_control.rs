//! The flow control filter: how many requests are served at once.

use std::sync::Arc;

use apimachinery::status::StatusError;
use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::request_info::RequestInfo;

/// Upstream's max-in-flight limits: reads and writes are counted apart; requests that last are not counted, and
/// `system:masters` is always let in.
pub(crate) struct FlowControl {
    reads: Option<Arc<Semaphore>>,
    writes: Option<Arc<Semaphore>>,
}

impl FlowControl {
    /// These many at once; 0 is no limit.
    pub(crate) fn new(reads: usize, writes: usize) -> Self {
        let limit = |limit: usize| (limit > 0).then(|| Arc::new(Semaphore::new(limit)));
        Self { reads: limit(reads), writes: limit(writes) }
    }

    /// A place for the request, held until the permit is dropped; 429 if there is none.
    pub(crate) fn admit(
        &self,
        info: &RequestInfo,
        user: &UserInfo,
    ) -> Result<Option<OwnedSemaphorePermit>, StatusError> {
        if info.long_running() {
            return Ok(None);
        }
        let Some(limit) = (if info.read_only() { &self.reads } else { &self.writes }) else { return Ok(None) };
        match limit.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) if user.is_in_group(SYSTEM_MASTERS) => Ok(None),
            Err(_) => Err(StatusError::too_many_requests("Too many requests, please try again later.", 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    #[test]
    fn too_many_requests_are_told_to_come_back() {
        let limits = FlowControl::new(1, 0);
        let info = |path| RequestInfo::new(&http::Method::GET, path, &Query::parse(None)).unwrap();
        let user = UserInfo::new("alice", ["dev"]);
        let held = limits.admit(&info("/api/v1/pods"), &user).unwrap();
        let refused = limits.admit(&info("/api/v1/pods"), &user).unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_seconds()), (429, Some(1)));
        assert!(limits.admit(&info("/api/v1/watch/pods"), &user).is_ok(), "watches are not counted");
        assert!(limits.admit(&info("/api/v1/pods"), &UserInfo::new("admin", [SYSTEM_MASTERS])).is_ok());
        drop(held);
        assert!(limits.admit(&info("/api/v1/pods"), &user).is_ok());
    }
}
