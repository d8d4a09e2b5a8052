//! The tokens of service accounts: the keys they are signed and verified with, who makes them and who knows them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use admission::Lister;
use apimachinery::ObjectExt as _;
use async_trait::async_trait;
use authentication::keys::{Algorithm, PrivateKey, PublicKey};
use authentication::openid::{KEY_SET_PATH, Metadata};
use authentication::service_account::{Issuer, LAST_USED_LABEL, ServiceAccountTokens, Uses};
use authentication::{KeyRing, TokenAuthenticator};
use registry::{Patch, PatchOptions, Registry, RequestContext, Target};
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::config::Config;
use crate::error::Error;
use crate::{files, identity};

/// What there is for service accounts.
pub struct ServiceAccounts {
    keys: Arc<KeyRing>,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

impl ServiceAccounts {
    /// Opens the keys that are given. Without any, one is made when it is first needed.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let options = &config.options().authentication;
        let unusable = |path: &Path, error: &authentication::keys::Error| Error::Pem {
            file: path.display().to_string(),
            problem: error.to_string(),
        };
        let read = |path: &Path| PrivateKey::from_pem(&files::read(path)?).map_err(|error| unusable(path, &error));
        let signing = config.service_account_signing_key_file();
        let mut keys = if options.service_account_signing_key_file.is_some() || signing.exists() {
            KeyRing::new(read(&signing)?)
        } else {
            KeyRing::made_when_needed(Box::new(move || make(&signing)))
        };
        if !options.service_account_key_file.is_empty() {
            let mut verifying = Vec::new();
            for path in &options.service_account_key_file {
                let found = PublicKey::all_from_pem(&files::read(path)?);
                verifying.extend(found.map_err(|error| unusable(path, &error))?);
            }
            keys = keys.verified_with(verifying);
        }
        Ok(Self { keys: Arc::new(keys), issuers: options.issuers(), audiences: options.audiences() })
    }

    /// Who makes tokens.
    pub fn issuer(&self, config: &Config) -> Issuer {
        let options = &config.options().authentication;
        let most = options.service_account_max_token_expiration.as_secs();
        let name = self.issuers.first().map(String::as_str).unwrap_or_default();
        Issuer::new(name, self.keys.clone(), self.audiences.clone())
            .max_expiration(i64::try_from(most).ok().filter(|most| *most > 0))
            .extend_expiration(options.service_account_extend_token_expiration)
    }

    /// Who knows tokens, in upstream's order.
    pub fn authenticators(&self, registry: &Arc<Registry>) -> [Arc<dyn TokenAuthenticator>; 2] {
        let lister: Arc<dyn Lister> = registry.lister();
        let uses: Arc<dyn Uses> = Arc::new(LastUsed(registry.clone()));
        let (keys, audiences) = (&self.keys, &self.audiences);
        [
            Arc::new(ServiceAccountTokens::legacy(keys.clone(), audiences.clone(), lister.clone(), Some(uses))),
            Arc::new(ServiceAccountTokens::bound(keys.clone(), self.issuers.clone(), audiences.clone(), lister)),
        ]
    }

    /// The documents by which others verify tokens, for a server that is reached at `address`; `None` if the issuer's name
    /// allows none.
    pub fn openid(&self, config: &Config, address: &str) -> Option<Metadata> {
        let given = config.options().authentication.service_account_jwks_uri.clone();
        let uri = given.unwrap_or_else(|| format!("https://{address}{KEY_SET_PATH}"));
        let issuer = self.issuers.first().map(String::as_str).unwrap_or_default();
        match Metadata::new(issuer, &uri, self.keys.clone()) {
            Ok(documents) => Some(documents),
            Err(why) => {
                info!(why, "OpenID discovery of the issuer of service account tokens is not served");
                None
            }
        }
    }
}

/// Makes the signing key, or opens the one that another process has made by now.
fn make(path: &Path) -> Result<PrivateKey, String> {
    let open = || {
        let pem = files::read(path).map_err(|error| error.to_string())?;
        PrivateKey::from_pem(&pem).map_err(|error| format!("{}: {error}", path.display()))
    };
    if path.exists() {
        return open();
    }
    let (key, pem) = PrivateKey::generate(Algorithm::Rs256).map_err(|error| error.to_string())?;
    let fresh = path.with_extension(format!("key.{}.new", std::process::id()));
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    // A link is made whole or not at all, and never in another's place.
    let linked = written.and_then(|()| std::fs::hard_link(&fresh, path));
    let _ = std::fs::remove_file(&fresh);
    match linked {
        Ok(()) => {
            info!(key = key.public().id(), "the key that signs tokens of service accounts is made");
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => open(),
        Err(error) => Err(failed(error)),
    }
}

/// Notes on secrets on which day their tokens were last used.
struct LastUsed(Arc<Registry>);

#[async_trait]
impl Uses for LastUsed {
    async fn note(&self, secret: &Value) {
        let now = jiff::Timestamp::now();
        let day = |time: jiff::Timestamp| time.strftime("%Y-%m-%d").to_string();
        let (today, tomorrow) = (day(now), day(now + jiff::SignedDuration::from_hours(24)));
        let noted = secret.label(LAST_USED_LABEL).unwrap_or_default();
        if noted == today || noted == tomorrow {
            return;
        }
        let table = self.0.table();
        let Some(row) = table.row("", "v1", "secrets") else { return };
        let target = Target::new(row.clone(), secret.namespace(), secret.name());
        let patch = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"uid": secret.uid(), "labels": {LAST_USED_LABEL: today}},
        });
        let ctx = RequestContext::new(identity::loopback(), "kube-apiserver");
        if let Err(error) =
            self.0.patch(&ctx, &target, Patch::Merge(patch.to_string().into()), &PatchOptions::default()).await
        {
            let (namespace, name) = (secret.namespace(), secret.name());
            warn!(%error, namespace, name, "the use of a token of a service account cannot be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_is_made_is_found_again_and_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sa.key");
        let made = make(&path).unwrap();
        assert_eq!(make(&path).unwrap().public().id(), made.public().id());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
