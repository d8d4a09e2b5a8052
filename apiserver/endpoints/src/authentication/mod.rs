//! Who sends a request: whom a front proxy names, a client certificate's user, a bearer token's, or nobody.
//!
//! As upstream, each is asked in this order until one knows the user. What one finds wrong does not stop the next one; if
//! none knows the user and something was wrong, the request is refused rather than anonymous.

mod certificate;
mod front_proxy;

use std::sync::Arc;

use admission::Context;
use apimachinery::aggregate;
use apimachinery::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, UserInfo};
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use authentication::request;
use authentication::{TokenAuthenticator, TokenUser};
use http::HeaderMap;
use registry::TokenReviewer;

pub use authentication::request::Headers;
pub use certificate::{Authorities, Peer};
pub use front_proxy::FrontProxy;

/// What every token is refused with that nobody knows. Also said beside every other refusal of a token: upstream's loopback
/// token is not it either.
const INVALID_TOKEN: &str = "invalid bearer token";

/// Whom tokens are for where nothing else is said.
pub const AUDIENCE: &str = "https://kubernetes.default.svc";

/// What may change while a server runs.
#[derive(Default)]
struct Trusted {
    clients: ArcSwapOption<Authorities>,
    front_proxy: ArcSwapOption<FrontProxy>,
}

/// Decides who a request is from.
#[derive(Clone)]
pub struct Authenticator {
    trusted: Arc<Trusted>,
    tokens: Vec<Arc<dyn TokenAuthenticator>>,
    anonymous: bool,
    audiences: Arc<[String]>,
}

impl Authenticator {
    /// Lets anonymous requests through as `system:anonymous`, for a server of these audiences (not none).
    pub fn new(audiences: Vec<String>) -> Self {
        Self { trusted: Arc::default(), tokens: Vec::new(), anonymous: true, audiences: audiences.into() }
    }

    /// Asks `tokens` about tokens that those before it do not know.
    #[must_use]
    pub fn with(mut self, tokens: Arc<dyn TokenAuthenticator>) -> Self {
        self.tokens.push(tokens);
        self
    }

    /// Whether a request without credentials is let through (true unless set).
    #[must_use]
    pub fn anonymous(mut self, allowed: bool) -> Self {
        self.anonymous = allowed;
        self
    }

    /// Client certificates of these authorities are taken from now on.
    pub fn trust_clients(&self, authorities: Option<Arc<Authorities>>) {
        self.trusted.clients.store(authorities);
    }

    /// Whom this proxy names is believed from now on.
    pub fn trust_front_proxy(&self, proxy: Option<Arc<FrontProxy>>) {
        self.trusted.front_proxy.store(proxy);
    }

    /// The user of a request, with `system:authenticated` (or `system:unauthenticated`) added. `context` takes warnings and
    /// audit annotations.
    ///
    /// # Errors
    /// What was wrong with the credentials, for the log; it holds none of them. Or nothing was, and there are none.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        context: &Context,
    ) -> Result<Arc<UserInfo>, String> {
        let mut errors = Vec::new();
        if let Some(proxy) = self.trusted.front_proxy.load_full() {
            match proxy.authenticate(headers, peer) {
                Ok(Some(user)) => return Ok(Arc::new(authenticated(user))),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        match peer.user(self.trusted.clients.load_full()) {
            Ok(Some(user)) => return Ok(user),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match request::bearer::token(headers, context) {
            Ok(Some(token)) => match self.token_user(&token, &self.audiences, context).await {
                Ok(known) => return Ok(Arc::new(authenticated(known.user))),
                Err(refused) => errors.extend(refused),
            },
            Ok(None) => {}
            Err(error) => errors.push(error.to_owned()),
        }
        if !errors.is_empty() {
            return Err(aggregate(errors));
        }
        if !self.anonymous {
            return Err("no credentials provided".to_owned());
        }
        Ok(Arc::new(nobody()))
    }

    /// Takes the credentials out of a request that they have been read from, so that nobody behind sees them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(http::header::AUTHORIZATION);
        request::standard().strip(headers);
        if let Some(proxy) = self.trusted.front_proxy.load_full() {
            proxy.headers().strip(headers);
        }
    }

    /// The user of a bearer token that is good for one of `audiences`.
    async fn token_user(&self, token: &str, audiences: &[String], context: &Context) -> Result<TokenUser, Vec<String>> {
        let mut errors = Vec::new();
        for tokens in &self.tokens {
            match tokens.authenticate(token, audiences, context).await {
                Ok(Some(known)) => return Ok(known),
                Ok(None) => {}
                Err(refused) => errors.extend(refused),
            }
        }
        errors.insert(0, INVALID_TOKEN.to_owned());
        Err(errors)
    }
}

#[async_trait]
impl TokenReviewer for Authenticator {
    async fn review(&self, token: &str, audiences: &[String], context: &Context) -> Result<Option<TokenUser>, String> {
        let asked = if audiences.is_empty() { &*self.audiences } else { audiences };
        // Upstream reviews a request that has nothing but the token: what is no token there is none here.
        let Some(token) = request::bearer::token_of(&format!("Bearer {token}"), context).map(str::to_owned) else {
            return Ok(self.anonymous.then(|| TokenUser { user: nobody(), audiences: asked.to_vec() }));
        };
        match self.token_user(&token, asked, context).await {
            Ok(known) => Ok(Some(TokenUser { user: authenticated(known.user), ..known })),
            Err(errors) => Err(aggregate(errors)),
        }
    }
}

fn nobody() -> UserInfo {
    UserInfo::new(ANONYMOUS, [ALL_UNAUTHENTICATED])
}

/// The user with `system:authenticated` among the groups.
fn authenticated(mut user: UserInfo) -> UserInfo {
    let told = user.is_in_group(ALL_AUTHENTICATED) || user.is_in_group(ALL_UNAUTHENTICATED);
    if !told && user.name != ANONYMOUS {
        user.groups.push(ALL_AUTHENTICATED.to_owned());
    }
    user
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use authentication::token_file::TokenFile;
    use http::header::AUTHORIZATION;

    use super::*;

    fn known() -> Authenticator {
        let tokens = HashMap::from([("good".to_owned(), UserInfo::new("alice", ["dev"]))]);
        let audiences = vec![AUDIENCE.to_owned()];
        Authenticator::new(audiences.clone()).with(Arc::new(TokenFile::new(tokens, audiences)))
    }

    async fn ask(authenticator: &Authenticator, value: Option<&str>) -> Result<(String, Vec<String>), String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
        }
        let user = authenticator.authenticate(&headers, &Peer::default(), &Context::new()).await?;
        Ok((user.name.clone(), user.groups.clone()))
    }

    #[tokio::test]
    async fn who_shows_no_credentials_is_anonymous_and_who_shows_bad_ones_is_refused() {
        let authenticator = known();
        let of = |name: &str, groups: &[&str]| Ok((name.to_owned(), groups.iter().map(|g| (*g).to_owned()).collect()));
        assert_eq!(ask(&authenticator, Some("Bearer good")).await, of("alice", &["dev", ALL_AUTHENTICATED]));
        assert_eq!(ask(&authenticator, Some("Bearer bad")).await, Err(INVALID_TOKEN.to_owned()));
        assert_eq!(ask(&authenticator, None).await, of(ANONYMOUS, &[ALL_UNAUTHENTICATED]));
        assert_eq!(ask(&authenticator, Some("Basic YTpi")).await, of(ANONYMOUS, &[ALL_UNAUTHENTICATED]));
        assert!(ask(&authenticator.anonymous(false), None).await.is_err());
    }

    #[tokio::test]
    async fn a_review_answers_for_the_audiences_asked_for() {
        let authenticator = known();
        let review = async |token: &str, audiences: &[&str]| {
            let audiences: Vec<String> = audiences.iter().map(|audience| (*audience).to_owned()).collect();
            let known = authenticator.review(token, &audiences, &Context::new()).await?;
            Ok(known.map(|known| (known.user.name, known.audiences)))
        };
        let of = |name: &str| Ok(Some((name.to_owned(), vec![AUDIENCE.to_owned()])));
        assert_eq!(review("good", &[]).await, of("alice"));
        assert_eq!(review("good", &["other", AUDIENCE]).await, of("alice"));
        assert_eq!(review("good", &["other"]).await, Err(INVALID_TOKEN.to_owned()));
        assert_eq!(review("bad", &[]).await, Err(INVALID_TOKEN.to_owned()));
        assert_eq!(review(" bad", &[]).await, of(ANONYMOUS), "what is behind a space is no token");
    }
}
