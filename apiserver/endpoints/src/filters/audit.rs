//! The audit filter: an event for each finished request, for whoever listens.

use std::time::Duration;

use apimachinery::user::UserInfo;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;

use crate::request_info::RequestInfo;

/// Names a request in logs and at the client.
pub(crate) const AUDIT_ID: &str = "audit-id";

/// A finished request.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id, also in the answer's `Audit-Id`.
    pub id: String,
    /// What it was about.
    pub info: RequestInfo,
    /// Who sent it (after impersonation); `None` if nobody was authenticated.
    pub user: Option<Arc<UserInfo>>,
    /// What it was answered with.
    pub code: StatusCode,
    /// How long it took to the first byte of the answer.
    pub latency: Duration,
    /// What admission plugins had to say.
    pub annotations: Vec<(String, String)>,
}

/// Receives events. Called on the request's path: must not block.
pub trait Sink: Send + Sync + 'static {
    /// Takes an event.
    fn record(&self, event: Event);
}

/// The id the client chose, or a new one.
pub(crate) fn id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(AUDIT_ID) {
        Some(id) if !id.is_empty() && id.len() <= 64 => id.clone(),
        _ => {
            let id = registry::random_uuid();
            HeaderValue::from_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
                .unwrap_or_else(|_| HeaderValue::from_static(""))
        }
    }
}
