//! Makes tokens.

use std::sync::Arc;

use apimachinery::ObjectExt as _;
use jiff::Timestamp;
use serde_json::Value;

use super::{Claims, Kubernetes, Reference, username};
use crate::jws;
use crate::key_ring::KeyRing;

/// What the tokens ask for that the admission plugin mounts into pods, in seconds: an hour, and upstream's mark.
pub const WARN_ONLY_EXPIRATION: i64 = 60 * 60 + 7;
/// How long such tokens are good all the same, for clients that read theirs but once.
const EXTENDED_EXPIRATION: i64 = 365 * 24 * 60 * 60;

/// What a token is bound to; nothing, a pod and its node, a secret, or a node.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// The pod.
    pub pod: Option<Reference>,
    /// The secret.
    pub secret: Option<Reference>,
    /// The node, or the pod's.
    pub node: Option<Reference>,
}

/// A token that was made.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its id.
    pub id: String,
}

/// Signs tokens in an issuer's name.
pub struct Issuer {
    name: String,
    keys: Arc<KeyRing>,
    audiences: Vec<String>,
    max_expiration: Option<i64>,
    extend: bool,
}

impl Issuer {
    /// An issuer of that name for a server of those audiences.
    pub fn new(name: impl Into<String>, keys: Arc<KeyRing>, audiences: Vec<String>) -> Self {
        Self { name: name.into(), keys, audiences, max_expiration: None, extend: true }
    }

    /// Tokens are good for so many seconds at most.
    #[must_use]
    pub fn max_expiration(mut self, seconds: Option<i64>) -> Self {
        self.max_expiration = seconds;
        self
    }

    /// Whether the tokens that the admission plugin mounts into pods are good for longer than they ask (so unless set).
    #[must_use]
    pub fn extend_expiration(mut self, extend: bool) -> Self {
        self.extend = extend;
        self
    }

    /// Whom tokens are for that name nobody.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The longest that a token may be good for, if `seconds` is more.
    pub fn shortened(&self, seconds: i64) -> Option<i64> {
        self.max_expiration.filter(|max| seconds > *max)
    }

    /// Makes a token of a service account that is good for so many seconds.
    ///
    /// # Errors
    /// There is no key to sign with.
    pub async fn issue(
        &self,
        account: &Value,
        bound: Bound,
        seconds: i64,
        audiences: Vec<String>,
        now: Timestamp,
    ) -> Result<Issued, String> {
        let mut claims = self.claims(account, bound, seconds, audiences, now);
        claims.issuer.clone_from(&self.name);
        let key = self.keys.signing().await?;
        let payload = serde_json::to_vec(&claims).map_err(|error| error.to_string())?;
        let token = jws::sign(key, &payload).map_err(|error| error.to_string())?;
        Ok(Issued { token, id: claims.id })
    }

    fn claims(&self, account: &Value, bound: Bound, seconds: i64, audiences: Vec<String>, now: Timestamp) -> Claims {
        let extended = self.extend
            && bound.pod.is_some()
            && seconds == WARN_ONLY_EXPIRATION
            && audiences.iter().all(|audience| self.audiences.contains(audience));
        let (seconds, warn_after) = if extended { (EXTENDED_EXPIRATION, Some(seconds)) } else { (seconds, None) };
        let (namespace, name) = (account.namespace(), account.name());
        let made = now.as_second();
        Claims {
            audiences,
            expiry: Some(made.saturating_add(seconds)),
            issued_at: Some(made),
            not_before: Some(made),
            id: uuid::Uuid::new_v4().to_string(),
            subject: username(namespace, name),
            kubernetes: Some(Kubernetes {
                namespace: namespace.to_owned(),
                account: Reference { name: name.to_owned(), uid: account.uid().to_owned() },
                pod: bound.pod,
                node: bound.node,
                secret: bound.secret,
                warn_after: warn_after.map(|after| made + after),
            }),
            ..Claims::default()
        }
    }
}
