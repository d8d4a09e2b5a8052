//! Whose certificates are taken: those of clients, and of front proxies. The same is told to others in the ConfigMap
//! `extension-apiserver-authentication`, so that servers behind this one can take them too.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::fields;
use apimachinery::status::{Reason, StatusError};
use authentication::pem;
use endpoints::authentication::{Authenticator, Authorities, FrontProxy, Headers};
use futures::StreamExt as _;
use registry::{CreateOptions, GetOptions, ListOptions, Registry, RequestContext, Row, Target, UpdateOptions};
use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::config::Config;
use crate::error::Error;
use crate::pki::Authority;
use crate::serving::certificates;
use crate::{bootstrap, files, identity};

const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
/// The common name of this server's own certificate as a front proxy.
pub(crate) const PROXY_NAME: &str = "front-proxy-client";
/// How long to wait before trying again what failed.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked at without need; another server may have had an expired certificate to tell.
const RESYNC: Duration = Duration::from_secs(60);
/// A certificate is told of until so long after its end.
const EXPIRED_FOR: i64 = 5 * 60;

type Certificates = Vec<CertificateDer<'static>>;

/// Whose certificates are taken.
#[derive(Clone)]
pub struct ClientTrust {
    clients: Certificates,
    proxies: Certificates,
    /// The authority of this server's own certificate as a front proxy: told to others, not believed here.
    own_proxy: Certificates,
    headers: Headers,
    /// What the ConfigMap says beside certificates: key and values.
    told: Vec<(&'static str, Vec<String>)>,
    allowed_names: Vec<String>,
}

impl ClientTrust {
    /// Reads the certificates that are given; the server's own authority is one of clients. `own_proxy` signed what this
    /// server shows to aggregated ones, unless that was given.
    pub fn open(config: &Config, authority: &Authority, own_proxy: Option<&Authority>) -> Result<Self, Error> {
        let options = config.options();
        let read = |file: &std::path::Path| certificates(&files::read(file)?, &file.display().to_string());
        let own = certificates(authority.certificate(), "ca.crt")?;
        let mut clients = own.clone();
        if let Some(file) = &options.client_ca_file {
            clients.extend(read(file)?);
        }
        let given = &options.authentication;
        let proxies = given.requestheader_client_ca_file.as_deref().map(read).transpose()?.unwrap_or_default();
        let allowed_names = given.requestheader_allowed_names.clone();
        if allowed_names.is_empty() && proxies.iter().any(|proxy| clients.contains(proxy)) {
            return Err(Error::Options(
                "--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; \
                 --requestheader-allowed-names must be specified to ensure regular client certificates cannot set \
                 authenticating proxy headers for arbitrary users"
                    .to_owned(),
            ));
        }
        // Whoever says which proxies to believe says all of them.
        let own_proxy = own_proxy.filter(|_| proxies.is_empty());
        let own_proxy = own_proxy.map(|own| certificates(own.certificate(), "front-proxy-ca.crt")).transpose()?;
        // Where nothing is said of proxies, this server is the only one, and these are the headers it sends.
        let own = |given: &[String], own: &str| match own_proxy {
            Some(_) if given.is_empty() => vec![own.to_owned()],
            _ => given.to_vec(),
        };
        let told = vec![
            ("requestheader-username-headers", own(&given.requestheader_username_headers, "X-Remote-User")),
            ("requestheader-uid-headers", own(&given.requestheader_uid_headers, "X-Remote-Uid")),
            ("requestheader-group-headers", own(&given.requestheader_group_headers, "X-Remote-Group")),
            ("requestheader-extra-headers-prefix", own(&given.requestheader_extra_headers_prefix, "X-Remote-Extra-")),
            ("requestheader-allowed-names", own(&allowed_names, PROXY_NAME)),
        ];
        let own_proxy = own_proxy.unwrap_or_default();
        Ok(Self { clients, proxies, own_proxy, headers: given.headers()?, told, allowed_names })
    }

    /// The certificates of all authorities, for clients to choose theirs by.
    pub fn certificates(&self) -> Certificates {
        self.clients.iter().chain(&self.proxies).cloned().collect()
    }

    /// Makes an authenticator take these certificates.
    pub fn apply(&self, authenticator: &Authenticator) -> Result<(), Error> {
        authenticator.trust_clients(Some(Arc::new(Authorities::new(self.clients.clone())?)));
        if !self.proxies.is_empty() {
            let authorities = Arc::new(Authorities::new(self.proxies.clone())?);
            let proxy = FrontProxy::new(self.headers.clone(), authorities, self.allowed_names.clone());
            authenticator.trust_front_proxy(Some(Arc::new(proxy)));
        }
        Ok(())
    }

    /// Keeps the ConfigMap until `stop` is cancelled.
    pub async fn publish(self, registry: Arc<Registry>, stop: CancellationToken) {
        let keep = async {
            loop {
                if let Err(error) = self.keep(&registry).await {
                    debug!(%error, "{NAMESPACE}/{NAME} is not followed");
                }
                tokio::time::sleep(RETRY).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep => {}
        }
    }

    /// Brings the ConfigMap to what it should be, now and whenever it changes; until the watch on it ends.
    async fn keep(&self, registry: &Arc<Registry>) -> Result<(), StatusError> {
        let table = registry.table();
        let row: &Arc<Row> = table.row("", "v1", "configmaps").ok_or_else(StatusError::unknown_resource)?;
        let ctx = RequestContext::new(identity::loopback(), bootstrap::FIELD_MANAGER);
        let options = ListOptions {
            field_selector: Some(fields::Selector::equals("metadata.name", NAME)),
            // Begins with what is there now.
            resource_version: "0".to_owned(),
            ..ListOptions::default()
        };
        let mut events = registry.watch(&ctx, &Target::new(row.clone(), NAMESPACE, ""), &options).await?;
        loop {
            if let Err(error) = self.sync(registry, &ctx, row).await {
                warn!(%error, "{NAMESPACE}/{NAME} cannot be written");
                return Err(error);
            }
            if let Ok(None) = tokio::time::timeout(RESYNC, events.next()).await {
                return Ok(());
            }
        }
    }

    async fn sync(&self, registry: &Registry, ctx: &RequestContext, row: &Arc<Row>) -> Result<(), StatusError> {
        let target = Target::new(row.clone(), NAMESPACE, NAME);
        let there = match registry.get(ctx, &target, &GetOptions::default()).await {
            Ok(there) => Some(Value::clone(&*there.value()?)),
            Err(error) if *error.reason() == Reason::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut wanted = there.clone().unwrap_or_else(|| {
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": NAME, "namespace": NAMESPACE},
            })
        });
        let data = self.data(there.as_ref().and_then(|there| there["data"].as_object()), jiff::Timestamp::now());
        wanted["data"] = Value::Object(data);
        if there.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let written = if there.is_some() {
            registry.update(ctx, &target, wanted.into(), &UpdateOptions::default()).await.map(drop)
        } else {
            let collection = Target::new(row.clone(), NAMESPACE, "");
            registry.create(ctx, &collection, wanted.into(), &CreateOptions::default()).await.map(drop)
        };
        match written {
            // Another server was faster; the event of its write leads here again.
            Err(error) if matches!(*error.reason(), Reason::AlreadyExists | Reason::Conflict) => Ok(()),
            written => written,
        }
    }

    /// What others are to be told: what they are told already, and what is known here. Other keys go, as upstream's do.
    fn data(&self, there: Option<&Map<String, Value>>, now: jiff::Timestamp) -> Map<String, Value> {
        let text = |key: &str| there.and_then(|there| there.get(key)).and_then(Value::as_str).unwrap_or_default();
        let bundle = |key: &str, known: &[&Certificates]| {
            let mut all = certificates(text(key), key).unwrap_or_default();
            all.extend(known.iter().copied().flatten().cloned());
            let mut once: Certificates = Vec::new();
            for certificate in all {
                if !once.contains(&certificate) && is_good(&certificate, now) {
                    once.push(certificate);
                }
            }
            once.iter().map(|certificate| pem::encode("CERTIFICATE", certificate)).collect::<String>()
        };
        let mut data = Map::new();
        let mut tell = |key: &str, value: String| data.insert(key.to_owned(), value.into());
        let clients = bundle("client-ca-file", &[&self.clients]);
        if !clients.is_empty() {
            tell("client-ca-file", clients);
        }
        let proxies = bundle("requestheader-client-ca-file", &[&self.proxies, &self.own_proxy]);
        if !proxies.is_empty() {
            tell("requestheader-client-ca-file", proxies);
            for (key, known) in &self.told {
                let mut values: Vec<String> = serde_json::from_str(text(key)).unwrap_or_default();
                values.extend(known.iter().cloned());
                let mut once: Vec<&String> = Vec::new();
                for value in &values {
                    if !once.contains(&value) {
                        once.push(value);
                    }
                }
                tell(key, json!(once).to_string());
            }
        }
        data
    }
}

/// Whether a certificate has not long ended.
fn is_good(certificate: &CertificateDer<'static>, now: jiff::Timestamp) -> bool {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.is_ok_and(|(_, parsed)| parsed.validity().not_after.timestamp() > now.as_second() - EXPIRED_FOR)
}
