//! A front proxy has authenticated the client and names it in headers. They are believed from a proxy that shows a certificate
//! of the proxies' own authority, and from nobody else.

use std::sync::Arc;

use apimachinery::user::UserInfo;
use authentication::request::Headers;
use http::HeaderMap;

use super::certificate::{Authorities, Peer};

/// The proxies that are believed.
#[derive(Debug)]
pub struct FrontProxy {
    headers: Headers,
    authorities: Arc<Authorities>,
    allowed_names: Vec<String>,
}

impl FrontProxy {
    /// Believes proxies with a certificate of `authorities` and one of these common names (none: any).
    pub fn new(headers: Headers, authorities: Arc<Authorities>, allowed_names: Vec<String>) -> Self {
        Self { headers, authorities, allowed_names }
    }

    /// The headers that it names users in.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The user whom a proxy names, without `system:authenticated`; `None` if no certificate was shown, or nobody is named.
    ///
    /// # Errors
    /// Why the client is no proxy that is believed.
    pub(super) fn authenticate(&self, headers: &HeaderMap, peer: &Peer) -> Result<Option<UserInfo>, String> {
        let Some(name) = peer.common_name(&self.authorities)? else { return Ok(None) };
        if !self.allowed_names.is_empty() && !self.allowed_names.contains(&name) {
            return Err(format!("x509: subject with cn={name} is not in the allowed list"));
        }
        Ok(self.headers.user(headers))
    }
}
