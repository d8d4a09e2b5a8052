//! Verifies tokens: signature, issuer, audience, and then what they say.

use std::sync::Arc;

use admission::{Context, Lister};
use apimachinery::quote::quoted;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::legacy::{self, Uses};
use super::objects::Objects;
use super::{Claims, bound};
use crate::jws::{self, Jws};
use crate::key_ring::KeyRing;
use crate::keys::PublicKey;
use crate::token::{TokenAuthenticator, TokenUser, intersect};

enum Kind {
    /// Made by `TokenRequest`.
    Bound,
    /// Kept in secrets.
    Legacy(Option<Arc<dyn Uses>>),
}

/// Knows the tokens that this server has signed.
pub struct ServiceAccountTokens {
    keys: Arc<KeyRing>,
    issuers: Vec<String>,
    /// This server's audiences.
    audiences: Vec<String>,
    objects: Objects,
    kind: Kind,
}

impl ServiceAccountTokens {
    /// Knows the tokens of `TokenRequest` that one of these issuers has signed.
    pub fn bound(keys: Arc<KeyRing>, issuers: Vec<String>, audiences: Vec<String>, lister: Arc<dyn Lister>) -> Self {
        Self { keys, issuers, audiences, objects: Objects(lister), kind: Kind::Bound }
    }

    /// Knows the tokens that are kept in secrets; `uses` is told when one is shown.
    pub fn legacy(
        keys: Arc<KeyRing>,
        audiences: Vec<String>,
        lister: Arc<dyn Lister>,
        uses: Option<Arc<dyn Uses>>,
    ) -> Self {
        let issuers = vec![legacy::ISSUER.to_owned()];
        Self { keys, issuers, audiences, objects: Objects(lister), kind: Kind::Legacy(uses) }
    }

    /// The same at a time that is given.
    pub(super) async fn authenticate_at(
        &self,
        token: &str,
        audiences: &[String],
        context: &Context,
        now: Timestamp,
    ) -> Result<Option<TokenUser>, Vec<String>> {
        if !self.is_of_an_issuer(token) {
            return Ok(None);
        }
        let Some(jws) = Jws::parse(token) else { return Ok(None) };
        let claims = self.signed_claims(&jws)?;
        let one = |error: String| vec![error];
        if !self.issuers.contains(&claims.issuer) {
            return Err(one(format!("token issuer {} is invalid", quoted(&claims.issuer))));
        }
        let of_token = if claims.audiences.is_empty() {
            context.annotate("authentication.k8s.io/legacy-token", claims.subject.clone());
            &self.audiences
        } else {
            &claims.audiences
        };
        let good = intersect(of_token, audiences);
        if good.is_empty() && !self.audiences.is_empty() {
            return Err(one(format!(
                "token audiences {} is invalid for the target audiences {}",
                list(of_token),
                list(audiences)
            )));
        }
        let account = match &self.kind {
            Kind::Bound => bound::validate(&self.objects, &claims, now, context).await,
            Kind::Legacy(uses) => legacy::validate(&self.objects, uses.as_ref(), token, &claims, context).await,
        };
        let account = account.map_err(one)?;
        Ok(Some(TokenUser { user: account.user(), audiences: good }))
    }

    /// Whether a token says to be made by an issuer of ours. Nothing is verified yet.
    fn is_of_an_issuer(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            iss: String,
        }
        let said = jws::unverified_payload(token).and_then(|payload| serde_json::from_slice::<Said>(&payload).ok());
        said.is_some_and(|said| self.issuers.contains(&said.iss))
    }

    fn signed_claims(&self, jws: &Jws<'_>) -> Result<Claims, Vec<String>> {
        let named = |key: &&PublicKey| jws.key_id().is_empty() || key.id() == jws.key_id();
        let mut errors = Vec::new();
        for key in self.keys.verifying().filter(named) {
            let claims = jws.verify(key).map_err(str::to_owned);
            let claims = claims.and_then(|payload| serde_json::from_slice(payload).map_err(|error| error.to_string()));
            match claims {
                Ok(claims) => return Ok(claims),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            errors.push("invalid signature, no keys found".to_owned());
        }
        Err(errors)
    }
}

#[async_trait]
impl TokenAuthenticator for ServiceAccountTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
        context: &Context,
    ) -> Result<Option<TokenUser>, Vec<String>> {
        self.authenticate_at(token, audiences, context, Timestamp::now()).await
    }
}

/// Strings as Go prints a list of them.
fn list(strings: &[String]) -> String {
    let quoted: Vec<String> = strings.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(" "))
}
