//! The question whose a bearer token is.

use admission::Context;
use apimachinery::user::UserInfo;
use async_trait::async_trait;

/// The user of a token, and the audiences it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUser {
    /// The user.
    pub user: UserInfo,
    /// Of the audiences asked for, those that the token is for.
    pub audiences: Vec<String>,
}

/// Knows some bearer tokens (upstream's `authenticator.Token`).
#[async_trait]
pub trait TokenAuthenticator: Send + Sync + 'static {
    /// The token's user, without `system:authenticated`; `None` if this authenticator does not know the token. `audiences`
    /// is never empty: the token is to be good for one of them. `context` takes warnings and audit annotations.
    ///
    /// # Errors
    /// Why a token that this authenticator knows is not good, in upstream's words. They never hold the token.
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
        context: &Context,
    ) -> Result<Option<TokenUser>, Vec<String>>;
}

/// Those of the `wanted` audiences that are among `audiences`.
pub fn intersect(audiences: &[String], wanted: &[String]) -> Vec<String> {
    wanted.iter().filter(|audience| audiences.contains(audience)).cloned().collect()
}
