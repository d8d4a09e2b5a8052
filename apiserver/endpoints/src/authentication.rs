//! Who sends a request: a client certificate, a bearer token, or nobody.

use std::collections::HashMap;
use std::sync::Arc;

use apimachinery::user::UserInfo;
use async_trait::async_trait;

/// The group of everyone who was authenticated.
pub const ALL_AUTHENTICATED: &str = "system:authenticated";
/// The group of everyone who was not.
pub const ALL_UNAUTHENTICATED: &str = "system:unauthenticated";
/// The user of requests without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group that may do everything.
pub const MASTERS: &str = "system:masters";

/// Knows some bearer tokens.
#[async_trait]
pub trait TokenAuthenticator: Send + Sync + 'static {
    /// The token's user, without `system:authenticated`; `None` if this authenticator does not know it.
    async fn authenticate(&self, token: &str) -> Option<UserInfo>;
}

/// Decides who a request is from: client certificate first, then bearer token, then anonymous.
#[derive(Clone)]
pub struct Authenticator {
    tokens: HashMap<String, Arc<UserInfo>>,
    others: Vec<Arc<dyn TokenAuthenticator>>,
    anonymous: bool,
}

impl Authenticator {
    /// Knows the tokens of a table; anonymous requests are let through as `system:anonymous`.
    pub fn new(tokens: HashMap<String, UserInfo>) -> Self {
        let tokens = tokens.into_iter().map(|(token, user)| (token, Arc::new(user))).collect();
        Self { tokens, others: Vec::new(), anonymous: true }
    }

    /// Asks `other` about tokens that are not in the table.
    #[must_use]
    pub fn with(mut self, other: Arc<dyn TokenAuthenticator>) -> Self {
        self.others.push(other);
        self
    }

    /// Whether a request without credentials is let through (true unless set).
    #[must_use]
    pub fn anonymous(mut self, allowed: bool) -> Self {
        self.anonymous = allowed;
        self
    }
}
