//! The flow control filter: how many requests are served at once.

use std::sync::Arc;

use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::Body;
use crate::request_info::RequestInfo;
use crate::response::text;

/// A place among the requests that are served: free again when the last of this is dropped, which is when the answer has
/// left. `None` for who is not counted.
#[derive(Clone, Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held")] Option<Arc<OwnedSemaphorePermit>>);

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

    /// A place for the request; `None` if all are taken.
    pub(crate) fn admit(&self, info: &RequestInfo, user: &UserInfo) -> Option<Place> {
        if info.long_running() {
            return Some(Place(None));
        }
        let Some(limit) = (if info.read_only() { &self.reads } else { &self.writes }) else { return Some(Place(None)) };
        match limit.clone().try_acquire_owned() {
            Ok(permit) => Some(Place(Some(Arc::new(permit)))),
            Err(_) => user.is_in_group(SYSTEM_MASTERS).then_some(Place(None)),
        }
    }
}

/// The 429 of a request that found no place: text, not a Status.
pub(crate) fn refused() -> Response<Body> {
    let mut response = text(StatusCode::TOO_MANY_REQUESTS, "Too many requests, please try again later.\n");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
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
        assert!(limits.admit(&info("/api/v1/pods"), &user).is_none());
        let answer = refused();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        assert!(limits.admit(&info("/api/v1/watch/pods"), &user).is_some(), "watches are not counted");
        assert!(limits.admit(&info("/api/v1/pods"), &UserInfo::new("admin", [SYSTEM_MASTERS])).is_some());
        drop(held);
        assert!(limits.admit(&info("/api/v1/pods"), &user).is_some());
    }
}
