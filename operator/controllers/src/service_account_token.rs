//! The controller of secrets that hold a service account's token (type `kubernetes.io/service-account-token`): it fills those of
//! accounts that are there, and deletes the others.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jose::jws;
use jose::keys::PrivateKey;
use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use runtime::{Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;
use tokio::sync::OnceCell;
use tracing::warn;

use crate::informers::{Informers, TOKEN_SECRETS_BY_NAMESPACE};

/// The type of these secrets.
pub const TYPE: &str = "kubernetes.io/service-account-token";
const NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
const UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";
/// Who such tokens say has made them.
const ISSUER: &str = "kubernetes/serviceaccount";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Secrets worked on at once; upstream's.
const CONCURRENT: usize = 5;

struct Controller {
    client: Client,
    secrets: Store<Secret>,
    accounts: Store<PartialObjectMeta<ServiceAccount>>,
    root_ca: Option<Arc<str>>,
    key_file: PathBuf,
    key: OnceCell<PrivateKey>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled. Tokens are signed with the key in
/// `key_file`; `root_ca` is PEM.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
    key_file: PathBuf,
    root_ca: Option<Arc<str>>,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, context.metrics.queue("serviceaccount_tokens"));
    let secrets = informers.token_secrets().store();
    informers.token_secrets().on_change({
        let queue = queue.clone();
        move |change| queue.add(ObjectKey::of(&**change.object()))
    });
    informers.service_accounts().on_change({
        let (queue, secrets) = (queue.clone(), secrets.clone());
        move |change| {
            let account = change.object();
            let namespace = account.namespace().unwrap_or_default();
            for secret in secrets.by_index(TOKEN_SECRETS_BY_NAMESPACE, &namespace) {
                if account_of(&secret) == account.name_any() {
                    queue.add(ObjectKey::of(&*secret));
                }
            }
        }
    });
    let controller = Arc::new(Controller {
        client: context.client.clone(),
        secrets,
        accounts: informers.service_accounts().store(),
        root_ca,
        key_file,
        key: OnceCell::new(),
    });
    async move {
        controller.secrets.synced().await;
        controller.accounts.synced().await;
        let work = |key| {
            let controller = controller.clone();
            async move { controller.sync(key).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

/// The account that a secret is for; empty if it names none.
fn account_of(secret: &Secret) -> &str {
    secret.annotations().get(NAME_ANNOTATION).map(String::as_str).unwrap_or_default()
}

impl Controller {
    async fn sync(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(secret) = self.secrets.get(&key) else { return Ok(Outcome::Done) };
        let name = account_of(&secret);
        if name.is_empty() {
            return Ok(Outcome::Done);
        }
        let namespace = secret.namespace().unwrap_or_default();
        let api = Api::<Secret>::namespaced(self.client.clone(), &namespace);
        let uid = secret.annotations().get(UID_ANNOTATION).map(String::as_str).unwrap_or_default();
        let Some(account) = self.account(&namespace, name).await?.filter(|of| uid.is_empty() || uid == of) else {
            let params = DeleteParams {
                preconditions: Some(Preconditions { uid: secret.uid(), resource_version: None }),
                ..DeleteParams::default()
            };
            return match api.delete(&secret.name_any(), &params).await {
                // It is gone, or another one by now.
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
                deleted => deleted.map(|_| Outcome::Done),
            };
        };
        let missing = missing(&secret, self.root_ca.as_deref());
        if missing.is_none() {
            return Ok(Outcome::Done);
        }
        // What the cache shows may be filled by now, and a token is not to be replaced.
        let Some(now) = api.get_opt(&secret.name_any()).await?.filter(|now| now.uid() == secret.uid()) else {
            return Ok(Outcome::Done);
        };
        let Some(missing) = self::missing(&now, self.root_ca.as_deref()) else { return Ok(Outcome::Done) };
        let token = match missing.token {
            true => match self.token(&now, name, &account).await {
                Ok(token) => Some(token),
                Err(why) => {
                    warn!(why, file = %self.key_file.display(), "a token of a service account cannot be signed");
                    return Ok(Outcome::Retry);
                }
            },
            false => None,
        };
        let filled = fill(now, &account, self.root_ca.as_deref(), token);
        match api.replace(&filled.name_any(), &PostParams::default(), &filled).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Done),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Retry),
            written => written.map(|_| Outcome::Done),
        }
    }

    /// The uid of an account, if there is one of that name.
    async fn account(&self, namespace: &str, name: &str) -> kube::Result<Option<String>> {
        if let Some(known) = self.accounts.get(&ObjectKey::new(namespace, name)) {
            return Ok(known.uid());
        }
        // The cache may not know it yet, and what is deleted here does not come back.
        let api = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        Ok(api.get_opt(name).await?.and_then(|account| account.uid()))
    }

    async fn token(&self, secret: &Secret, name: &str, uid: &str) -> Result<String, String> {
        let namespace = secret.namespace().unwrap_or_default();
        let key = self.key.get_or_try_init(|| self.open(&namespace, name)).await?;
        let claims = json!({
            "iss": ISSUER,
            "kubernetes.io/serviceaccount/namespace": namespace,
            "kubernetes.io/serviceaccount/secret.name": secret.name_any(),
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": uid,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        });
        jws::sign(key, claims.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    /// Opens the key. A server makes its own with the first token that it is asked for.
    async fn open(&self, namespace: &str, name: &str) -> Result<PrivateKey, String> {
        let read = || std::fs::read_to_string(&self.key_file).map_err(|error| error.to_string());
        let pem = match read() {
            Ok(pem) => pem,
            Err(_) => {
                let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
                let asked = accounts.create_token_request(name, &PostParams::default(), &TokenRequest::default()).await;
                asked.map_err(|error| error.to_string())?;
                read()?
            }
        };
        PrivateKey::from_pem(&pem).map_err(|error| error.to_string())
    }
}

/// What a secret lacks, but for its annotations.
#[derive(Debug, PartialEq, Eq)]
struct Missing {
    token: bool,
}

/// What there is to write into a secret, if anything. Pure.
fn missing(secret: &Secret, root_ca: Option<&str>) -> Option<Missing> {
    let field = |name: &str| secret.data.as_ref().and_then(|data| data.get(name)).map(|bytes| bytes.0.as_slice());
    let empty = |name: &str| field(name).is_none_or(<[u8]>::is_empty);
    let other_ca = root_ca.is_some_and(|pem| field("ca.crt") != Some(pem.as_bytes()));
    let token = empty("token");
    (token || empty("namespace") || other_ca).then_some(Missing { token })
}

/// The secret with all that belongs into it. Pure.
fn fill(mut secret: Secret, uid: &str, root_ca: Option<&str>, token: Option<String>) -> Secret {
    let namespace = secret.namespace().unwrap_or_default();
    secret.annotations_mut().insert(UID_ANNOTATION.to_owned(), uid.to_owned());
    let data = secret.data.get_or_insert_default();
    let mut set = |name: &str, text: &str| data.insert(name.to_owned(), ByteString(text.as_bytes().to_vec()));
    if let Some(pem) = root_ca {
        set("ca.crt", pem);
    }
    set("namespace", &namespace);
    if let Some(token) = token {
        set("token", &token);
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(data: &[(&str, &str)]) -> Secret {
        let data: serde_json::Map<_, _> =
            data.iter().map(|(name, text)| ((*name).to_owned(), json!(ByteString(text.as_bytes().to_vec())))).collect();
        serde_json::from_value(json!({"metadata": {"name": "s", "namespace": "ns"}, "data": data})).unwrap()
    }

    #[test]
    fn a_secret_is_filled_once_and_its_token_stays() {
        let new = secret(&[]);
        assert_eq!(missing(&new, Some("PEM")), Some(Missing { token: true }));
        let filled = fill(new, "uid", Some("PEM"), Some("TOKEN".to_owned()));
        assert_eq!(missing(&filled, Some("PEM")), None);
        assert_eq!(filled.annotations()[UID_ANNOTATION], "uid");
        let data = filled.data.as_ref().unwrap();
        for (name, text) in [("ca.crt", "PEM"), ("namespace", "ns"), ("token", "TOKEN")] {
            assert_eq!(data[name].0, text.as_bytes(), "{name}");
        }
        assert_eq!(missing(&filled, Some("OTHER")), Some(Missing { token: false }), "another authority");
        assert_eq!(missing(&filled, None), None, "none is known");
    }
}
