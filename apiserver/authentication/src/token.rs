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

/// Several errors as upstream's aggregate writes them: each message once, in brackets if there is more than one.
pub fn aggregate(errors: impl IntoIterator<Item = String>) -> String {
    let mut messages: Vec<String> = Vec::new();
    for error in errors {
        if !messages.contains(&error) {
            messages.push(error);
        }
    }
    match messages.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_once_and_in_brackets_if_there_are_several() {
        for (errors, expected) in [(&["a"][..], "a"), (&["a", "a"], "a"), (&["a", "b", "a"], "[a, b]")] {
            assert_eq!(aggregate(errors.iter().map(|error| (*error).to_owned())), expected);
        }
    }
}
