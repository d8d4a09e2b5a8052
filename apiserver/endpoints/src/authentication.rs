//! Who sends a request: a client certificate, a bearer token, or nobody.

use std::collections::HashMap;
use std::sync::Arc;

use apimachinery::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, UserInfo};
use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use registry::{TokenReviewer, TokenUser};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

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
    audiences: Vec<String>,
}

/// Whom tokens are for where nothing else is said.
const AUDIENCE: &str = "https://kubernetes.default.svc";

impl Authenticator {
    /// Knows the tokens of a table; anonymous requests are let through as `system:anonymous`.
    pub fn new(tokens: HashMap<String, UserInfo>) -> Self {
        let tokens = tokens.into_iter().map(|(token, user)| (token, Arc::new(authenticated(user)))).collect();
        Self { tokens, others: Vec::new(), anonymous: true, audiences: vec![AUDIENCE.to_owned()] }
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

impl Authenticator {
    /// The user of a request, with `system:authenticated` (or `system:unauthenticated`) added. `None`: the credentials
    /// are not good, or there are none and anonymous requests are not let through.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        certificate: Option<&Arc<UserInfo>>,
    ) -> Option<Arc<UserInfo>> {
        if let Some(user) = certificate {
            return Some(user.clone());
        }
        if let Some(token) = bearer_token(headers) {
            return self.token_user(token).await;
        }
        self.anonymous.then(|| Arc::new(UserInfo::new(ANONYMOUS, [ALL_UNAUTHENTICATED])))
    }
}

impl Authenticator {
    /// The user of a bearer token.
    async fn token_user(&self, token: &str) -> Option<Arc<UserInfo>> {
        if let Some(user) = self.tokens.get(token) {
            return Some(user.clone());
        }
        for other in &self.others {
            if let Some(user) = other.authenticate(token).await {
                return Some(Arc::new(authenticated(user)));
            }
        }
        None
    }
}

#[async_trait]
impl TokenReviewer for Authenticator {
    async fn review(&self, token: &str, audiences: &[String]) -> Result<TokenUser, String> {
        // Tokens that name no audience are for the server itself.
        let asked = if audiences.is_empty() { &self.audiences } else { audiences };
        let good: Vec<String> = asked.iter().filter(|audience| self.audiences.contains(audience)).cloned().collect();
        match self.token_user(token).await {
            Some(user) if !good.is_empty() => Ok(TokenUser { user: UserInfo::clone(&user), audiences: good }),
            _ => Err("invalid bearer token".to_owned()),
        }
    }
}

/// The user with `system:authenticated` among the groups.
fn authenticated(mut user: UserInfo) -> UserInfo {
    if !user.is_in_group(ALL_AUTHENTICATED) && user.name != ANONYMOUS {
        user.groups.push(ALL_AUTHENTICATED.to_owned());
    }
    user
}

/// The token of `Authorization: Bearer …` (the word in any case); an empty one is none.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    let (scheme, token) = value.split_once(' ')?;
    let token = token.split(' ').next().unwrap_or_default();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The user of a verified client certificate: the subject's common name, and its organizations as groups. `None` if it
/// cannot be read or has no common name.
pub fn certificate_user(certificate: &CertificateDer<'_>) -> Option<UserInfo> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let subject = parsed.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    if name.is_empty() {
        return None;
    }
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned));
    let mut user = UserInfo::new(name, groups);
    let digest = Sha256::digest(certificate);
    let id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    user.extra.insert("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("X509SHA256={id}")]);
    Some(authenticated(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_in_any_case_and_nothing_else_is_one() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER abc", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer_token(&headers), token, "{value}");
        }
    }

    #[tokio::test]
    async fn who_shows_no_credentials_is_anonymous_and_who_shows_bad_ones_is_refused() {
        let tokens = HashMap::from([("good".to_owned(), UserInfo::new("alice", ["dev"]))]);
        let authenticator = Authenticator::new(tokens);
        let ask = async |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            authenticator.authenticate(&headers, None).await.map(|user| (user.name.clone(), user.groups.clone()))
        };
        let of =
            |name: &str, groups: &[&str]| Some((name.to_owned(), groups.iter().map(|g| (*g).to_owned()).collect()));
        assert_eq!(ask(Some("Bearer good")).await, of("alice", &["dev", ALL_AUTHENTICATED]));
        assert_eq!(ask(Some("Bearer bad")).await, None);
        assert_eq!(ask(None).await, of(ANONYMOUS, &[ALL_UNAUTHENTICATED]));
    }
}
