//! Whose a token is the host is asked by a `TokenReview`; its answers are remembered for a while.

use std::time::Duration;

use admission::Context;
use apimachinery::user::UserInfo;
use async_trait::async_trait;
use authentication::token::intersect;
use authentication::{TokenAuthenticator, TokenUser};
use kube::Client;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::host::{Kind, Reviews};
use crate::lru_expire_cache::LruExpireCache;
use crate::webhook::Backoff;

/// How long answers are remembered (upstream's, of delegated authentication).
const TTL: Duration = Duration::from_secs(10);
/// How many are.
const REMEMBERED: usize = 8192;

/// Knows the tokens that the host knows.
pub(super) struct HostTokens {
    reviews: Reviews,
    /// Whom tokens must be for; none: the host decides.
    audiences: Vec<String>,
    /// By a digest of the token: none is kept.
    answers: LruExpireCache<Status>,
}

#[derive(Deserialize)]
struct Review {
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    authenticated: bool,
    user: Option<UserInfo>,
    audiences: Vec<String>,
    error: String,
}

impl HostTokens {
    /// Asks through `client` about tokens for one of `audiences`, or, where there is none, for the host.
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self { reviews: Reviews::new(client, Kind::Token), audiences, answers: LruExpireCache::new(REMEMBERED) }
    }

    async fn status(&self, token: &str) -> Result<Status, String> {
        let key = Sha256::digest(token);
        if let Some(status) = self.answers.get(&key) {
            return Ok(status);
        }
        let mut spec = json!({ "token": token });
        if !self.audiences.is_empty() {
            spec["audiences"] = json!(self.audiences);
        }
        let question = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "metadata": {},
            "spec": spec,
        });
        let answer = Backoff::default().ask(&self.reviews, question.to_string().into()).await?;
        let status = read(&answer)?;
        // As upstream: what went wrong may go right the next time.
        if status.error.is_empty() || status.authenticated {
            self.answers.put(&key, status.clone(), TTL);
        }
        Ok(status)
    }
}

fn read(answer: &[u8]) -> Result<Status, String> {
    let review: Review = serde_json::from_slice(answer).map_err(|error| format!("the answer is no review: {error}"))?;
    Ok(review.status)
}

#[async_trait]
impl TokenAuthenticator for HostTokens {
    async fn authenticate(
        &self,
        token: &str,
        _audiences: &[String],
        _context: &Context,
    ) -> Result<Option<TokenUser>, Vec<String>> {
        let status = self.status(token).await.map_err(|error| vec![error])?;
        known(status, &self.audiences).map_err(|error| vec![error])
    }
}

/// The user of a token that is for one of `wanted`, where anything is wanted.
fn known(status: Status, wanted: &[String]) -> Result<Option<TokenUser>, String> {
    let Status { authenticated, user, audiences, error } = status;
    if !authenticated {
        return if error.is_empty() { Ok(None) } else { Err(error) };
    }
    // Who does not say for whom a token is knows nothing of audiences.
    let audiences = match (wanted.is_empty(), audiences.is_empty()) {
        (true, _) => audiences,
        (false, true) => wanted.to_vec(),
        (false, false) => intersect(&audiences, wanted),
    };
    if audiences.is_empty() && !wanted.is_empty() {
        return Ok(None);
    }
    Ok(user.filter(|user| !user.name.is_empty()).map(|user| TokenUser { user, audiences }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_token_is_whose_the_host_says_and_for_whom() {
        let of = |status: Value, wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            let answer = json!({"kind": "TokenReview", "status": status}).to_string();
            known(read(answer.as_bytes()).unwrap(), &wanted).map(|found| found.map(|known| known.user.name))
        };
        let good = json!({"authenticated": true, "user": {"username": "alice", "groups": ["g"]}, "audiences": ["a"]});
        assert_eq!(of(good.clone(), &[]), Ok(Some("alice".into())));
        assert_eq!(of(good.clone(), &["b", "a"]), Ok(Some("alice".into())));
        assert_eq!(of(good, &["b"]), Ok(None));
        assert_eq!(of(json!({"authenticated": true, "user": {}}), &[]), Ok(None));
        assert_eq!(of(json!({"user": {"username": "alice"}}), &[]), Ok(None));
        assert_eq!(of(json!({"error": "[invalid bearer token]"}), &[]), Err("[invalid bearer token]".into()));
        assert_eq!(of(json!({}), &[]), Ok(None));
        assert!(read(b"<html>").is_err());
    }
}
