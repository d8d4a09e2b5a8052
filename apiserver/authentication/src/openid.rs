//! The documents by which others verify this server's tokens: OpenID Connect's discovery document and key set.

use serde::Serialize;

use crate::key_ring::KeyRing;
use crate::keys::{Jwk, PublicKey};

/// Where the discovery document is served.
pub const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
/// Where the key set is served.
pub const KEY_SET_PATH: &str = "/openid/v1/jwks";

#[derive(Serialize)]
struct Configuration<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// What the documents are made of.
pub struct Metadata {
    issuer: String,
    key_set_uri: String,
    keys: std::sync::Arc<KeyRing>,
}

impl Metadata {
    /// The documents of an issuer whose key set is at `key_set_uri`.
    ///
    /// # Errors
    /// Why there are none: OpenID asks for an https URL without query and fragment.
    pub fn new(issuer: &str, key_set_uri: &str, keys: std::sync::Arc<KeyRing>) -> Result<Self, String> {
        if !issuer.starts_with("https://") {
            return Err(format!("issuer URL must use https scheme, got: {issuer}"));
        }
        if issuer.contains('?') {
            return Err(format!("issuer URL may not include a query, got: {issuer}"));
        }
        if issuer.contains('#') {
            return Err(format!("issuer URL may not include a fragment, got: {issuer}"));
        }
        Ok(Self { issuer: issuer.to_owned(), key_set_uri: key_set_uri.to_owned(), keys })
    }

    /// The discovery document, JSON.
    ///
    /// # Errors
    /// There is no key, and none can be made.
    pub async fn configuration(&self) -> Result<Vec<u8>, String> {
        let keys = self.keys.published().await?;
        let mut algorithms: Vec<&str> = keys.iter().map(|key| key.algorithm().name()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let configuration = Configuration {
            issuer: &self.issuer,
            jwks_uri: &self.key_set_uri,
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: algorithms,
        };
        serde_json::to_vec(&configuration).map_err(|error| error.to_string())
    }

    /// The key set, JSON.
    ///
    /// # Errors
    /// There is no key, and none can be made.
    pub async fn key_set(&self) -> Result<Vec<u8>, String> {
        let keys = self.keys.published().await?.into_iter().map(PublicKey::jwk).collect();
        serde_json::to_vec(&KeySet { keys }).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::keys::{Algorithm, PrivateKey};

    #[tokio::test]
    async fn the_documents_name_the_issuer_its_keys_and_how_they_sign() {
        let keys = Arc::new(KeyRing::new(PrivateKey::generate(Algorithm::Es256).unwrap().0));
        let of = Metadata::new("https://issuer.example", "https://server/openid/v1/jwks", keys).unwrap();
        let configuration: Value = serde_json::from_slice(&of.configuration().await.unwrap()).unwrap();
        assert_eq!(
            configuration,
            json!({
                "issuer": "https://issuer.example",
                "jwks_uri": "https://server/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            })
        );
        let set: Value = serde_json::from_slice(&of.key_set().await.unwrap()).unwrap();
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn an_issuer_that_is_no_plain_https_url_has_no_documents() {
        for issuer in ["kubernetes/serviceaccount", "http://x", "https://x?a=b", "https://x#f"] {
            let keys = Arc::new(KeyRing::made_when_needed(Box::new(|| Err(String::new()))));
            assert!(Metadata::new(issuer, "", keys).is_err(), "{issuer}");
        }
    }
}
