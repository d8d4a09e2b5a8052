//! The authority that signs serving certificates: shared by all replicas through a secret of the host, and succeeded by
//! another one before it ends.

use std::path::PathBuf;

use apimachinery::gvk::GroupVersionResource;
use authentication::pem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use serde_json::{Value, json};

use crate::error::Error;
use crate::host;
use crate::pki::{self, Authority, Pair};
use crate::serving::certificates;

/// The secret's name.
const SECRET: &str = "coxswain-serving-ca";
/// How long before its end an authority is succeeded: more than what it signs is good for.
const SUCCEED_BEFORE: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);

/// The authority of the secret.
pub(super) struct SharedAuthority {
    secrets: Api<DynamicObject>,
    namespace: String,
    folder: PathBuf,
}

/// What the secret says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shared {
    /// Who signs.
    pub pair: Pair,
    /// Whom to trust: who signs, and who signed before. PEM.
    pub bundle: String,
}

impl SharedAuthority {
    /// That of the secret in `namespace`, to be kept in `folder`.
    pub fn new(client: &Client, namespace: &str, folder: PathBuf) -> Self {
        let secrets = host::api(client, &GroupVersionResource::new("", "v1", "secrets"), namespace);
        Self { secrets, namespace: namespace.to_owned(), folder }
    }

    /// What the secret says. Where there is none, the folder's authority goes there; where it ends soon, another one does.
    ///
    /// # Errors
    /// The host does not answer, or holds something else under that name.
    pub async fn read(&self) -> Result<Shared, Error> {
        let place = format!("secret {}/{SECRET}", self.namespace);
        let failed = |error: kube::Error| Error::Host(format!("{place}: {}", host::chain(&error)));
        loop {
            let (shared, written) = match self.secrets.get_opt(SECRET).await.map_err(failed)? {
                None => {
                    let pair = Authority::open(&self.folder)?.pair();
                    let shared = Shared { bundle: pair.certificate.clone(), pair };
                    let secret = object(&shared.render(json!({"metadata": {"name": SECRET}})))?;
                    (shared, self.secrets.create(&PostParams::default(), &secret).await)
                }
                Some(secret) => {
                    let now = Timestamp::now();
                    let shared =
                        Shared::parse(&secret.data).map_err(|wrong| Error::Host(format!("{place}: {wrong}")))?;
                    if !shared.ends_soon(now) {
                        return Ok(shared);
                    }
                    let shared = shared.succeeded_by(Authority::make()?, now)?;
                    let secret = serde_json::to_value(&secret).map_err(|error| Error::Host(error.to_string()))?;
                    let secret = object(&shared.render(secret))?;
                    (shared, self.secrets.replace(SECRET, &PostParams::default(), &secret).await)
                }
            };
            match written {
                Ok(_) => return Ok(shared),
                // Another replica was faster.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Signs with it from now on.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn adopt(&self, shared: &Shared) -> Result<(), Error> {
        Ok(Authority::replace(&self.folder, &shared.pair)?)
    }
}

impl Shared {
    fn parse(secret: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            let decoded = secret["data"][key].as_str().and_then(|encoded| STANDARD.decode(encoded).ok());
            decoded.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty())
        };
        let needed = |key: &str| text(key).ok_or_else(|| format!("it has no {key}"));
        let pair = Pair { certificate: needed("tls.crt")?, key: needed("tls.key")? };
        let bundle = text("ca.crt").unwrap_or_else(|| pair.certificate.clone());
        Ok(Self { pair, bundle })
    }

    /// The secret that says this; `secret` is what it says besides.
    fn render(&self, mut secret: Value) -> Value {
        secret["apiVersion"] = "v1".into();
        secret["kind"] = "Secret".into();
        secret["type"] = "kubernetes.io/tls".into();
        secret["data"] = json!({
            "tls.crt": STANDARD.encode(&self.pair.certificate),
            "tls.key": STANDARD.encode(&self.pair.key),
            "ca.crt": STANDARD.encode(&self.bundle),
        });
        secret
    }

    fn ends_soon(&self, now: Timestamp) -> bool {
        pki::ends(&self.pair.certificate).is_none_or(|end| end < now + SUCCEED_BEFORE)
    }

    /// Those before it are trusted until they end.
    fn succeeded_by(&self, pair: Pair, now: Timestamp) -> Result<Self, Error> {
        let mut bundle = pair.certificate.clone();
        for certificate in certificates(&self.bundle, SECRET)? {
            let text = pem::encode("CERTIFICATE", &certificate);
            if pki::ends(&text).is_some_and(|end| end > now) {
                bundle.push_str(&text);
            }
        }
        Ok(Self { pair, bundle })
    }
}

fn object(secret: &Value) -> Result<DynamicObject, Error> {
    serde_json::from_value(secret.clone()).map_err(|error| Error::Host(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_signs_and_those_before_it_are_trusted_until_they_end() {
        let now = Timestamp::now();
        let first = Authority::make().unwrap();
        let shared = Shared { bundle: first.certificate.clone(), pair: first.clone() };
        assert!(!shared.ends_soon(now));
        let late = now + SignedDuration::from_hours(9 * 366 * 24);
        assert!(shared.ends_soon(late));
        let second = shared.succeeded_by(Authority::make().unwrap(), now).unwrap();
        let read = Shared::parse(&second.render(json!({"metadata": {"name": SECRET}}))).unwrap();
        assert!(read == second, "what is written is read");
        assert_eq!(certificates(&read.bundle, SECRET).unwrap().len(), 2);
        assert_ne!(read.pair.certificate, first.certificate);
        let much_later = now + SignedDuration::from_hours(20 * 366 * 24);
        let third = second.succeeded_by(Authority::make().unwrap(), much_later).unwrap();
        assert_eq!(certificates(&third.bundle, SECRET).unwrap().len(), 1);
    }

    #[test]
    fn a_secret_that_holds_something_else_is_not_taken() {
        for (data, words) in [
            (json!({}), "it has no tls.crt"),
            (json!({"tls.crt": "#"}), "it has no tls.crt"),
            (json!({"tls.crt": "eA==", "tls.key": ""}), "it has no tls.key"),
        ] {
            assert_eq!(Shared::parse(&json!({ "data": data })).err().as_deref(), Some(words));
        }
    }
}
