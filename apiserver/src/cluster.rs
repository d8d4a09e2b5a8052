//! A server that keeps a whole cluster: its first objects, its service accounts and rights, and what other servers add.

use std::net::SocketAddr;
use std::sync::Arc;

use admission::Lister;
use apimachinery::StatusError;
use apimachinery::gvk::GroupVersionResource;
use async_trait::async_trait;
use authentication::bootstrap_token::BootstrapTokens;
use authentication::token_file::{self, TokenFile};
use endpoints::authentication::Authenticator;
use registry::{Registry, Reviewers, Table};
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::aggregator::{Aggregator, ProxyCertificate};
use crate::client_trust::{ClientTrust, PROXY_NAME};
use crate::config::Config;
use crate::error::Error;
use crate::identity::{ADMIN, Identity, OPERATORS};
use crate::options::AuthorizationMode;
use crate::pki::{Authority, Leaf};
use crate::service_accounts::ServiceAccounts;
use crate::surroundings::Surroundings;
use crate::{authorization, bootstrap, files, kubernetes_service};

/// A cluster's own server.
pub(crate) struct Cluster {
    config: Config,
    /// Where other members of the cluster reach it.
    advertised: SocketAddr,
    /// Signs what is shown, by the server and by clients.
    authority: Arc<Authority>,
    trust: ClientTrust,
    /// Shown to other servers.
    proxy: Arc<ProxyCertificate>,
    /// Knows other servers once all is complete.
    aggregator: Option<Aggregator>,
    stop: CancellationToken,
}

impl Cluster {
    /// A server that other members of the cluster reach at `advertised`. What it begins ends with `stop`.
    ///
    /// # Errors
    /// Certificates that are given cannot be read.
    pub fn open(config: &Config, advertised: SocketAddr, stop: CancellationToken) -> Result<Self, Error> {
        let authority = Arc::new(Authority::open(&config.cert_dir())?);
        let (proxy, own_proxy) = proxy_certificate(config)?;
        let trust = ClientTrust::open(config, &authority, own_proxy.as_ref())?;
        Ok(Self { config: config.clone(), advertised, authority, trust, proxy, aggregator: None, stop })
    }

    /// Publishes what other servers serve, beside what is served here without `disabled`.
    async fn aggregate(
        &mut self,
        registry: &Arc<Registry>,
        disabled: &[GroupVersionResource],
    ) -> Result<&Aggregator, Error> {
        let mut built_in = bootstrap::api_services().map_err(prepare)?;
        let shown = registry.table().without_builtin(disabled);
        built_in.retain(|service| {
            let text = |field: &str| service["spec"][field].as_str().unwrap_or_default();
            shown.has_version(text("group"), text("version"))
        });
        let aggregator = Aggregator::start(registry.clone(), self.proxy.clone(), built_in).await.map_err(prepare)?;
        Ok(self.aggregator.insert(aggregator))
    }
}

#[async_trait]
impl Surroundings for Cluster {
    fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn client_authority(&self) -> &Authority {
        &self.authority
    }

    fn client_certificates(&self) -> Vec<CertificateDer<'static>> {
        self.trust.certificates()
    }

    fn identities(&self) -> Vec<Identity> {
        OPERATORS.into_iter().chain([ADMIN]).collect()
    }

    fn lister(&self, registry: &Arc<Registry>) -> Arc<dyn Lister> {
        registry.lister()
    }

    fn admission_plugins(&self) -> Vec<&'static str> {
        self.config.admission_plugins().collect()
    }

    async fn prepare(&mut self, registry: &Arc<Registry>) -> Result<(), Error> {
        bootstrap::create_missing(registry).await.map_err(prepare)
    }

    async fn complete(&mut self, server: &mut endpoints::Config) -> Result<(), Error> {
        let registry = server.registry.clone();
        let nodes = self.config.authorization_modes().contains(&AuthorizationMode::Node);
        let advertised = self.advertised;
        let disabled = disabled(&self.config, &registry.table())?;
        let (aggregation, known, ()) = tokio::try_join!(
            self.aggregate(&registry, &disabled),
            async { registry.follow_authorization(nodes).await.map_err(prepare) },
            async { kubernetes_service::publish(&registry, advertised).await.map_err(prepare) },
        )?;
        server.aggregation = aggregation.aggregation();
        if !disabled.is_empty() {
            // Not before: what has been made and is followed by now may be of such kinds too.
            registry.update_table(|table| table.without_builtin(&disabled));
        }
        let config = &self.config;
        let accounts = ServiceAccounts::open(config)?;
        registry.set_token_issuer(Arc::new(accounts.issuer(config)));
        server.openid = accounts.openid(config, &self.advertised.to_string()).map(Arc::new);
        let authenticator = authenticator(config, &accounts, &registry)?;
        self.trust.apply(&authenticator)?;
        server.authorizer = authorization::authorizer(config, &known)?;
        let tokens = Arc::new(authenticator.clone());
        registry.set_reviewers(Reviewers { authorizer: server.authorizer.clone(), tokens });
        server.authenticator = authenticator;
        Ok(())
    }

    fn spawn(self: Box<Self>, registry: &Arc<Registry>, tasks: &TaskTracker) {
        let Self { trust, aggregator, stop, .. } = *self;
        tasks.spawn(trust.publish(registry.clone(), stop.clone()));
        if let Some(aggregator) = aggregator {
            tasks.spawn(aggregator.run(stop));
        }
    }
}

fn prepare(error: StatusError) -> Error {
    Error::Prepare(error.to_string())
}

/// The built-in resources that are not to be served.
fn disabled(config: &Config, table: &Table) -> Result<Vec<GroupVersionResource>, Error> {
    let disabled = config.runtime_config().disabled(table).map_err(Error::Options)?;
    for missing in config.runtime_config().missing(table) {
        warn!("--runtime-config: this server has no {missing}");
    }
    Ok(disabled)
}

fn authenticator(
    config: &Config,
    accounts: &ServiceAccounts,
    registry: &Arc<Registry>,
) -> Result<Authenticator, Error> {
    let options = config.options();
    let audiences = options.authentication.audiences();
    let mut authenticator = Authenticator::new(audiences.clone()).anonymous(options.anonymous_auth);
    if let Some(file) = &options.token_auth_file {
        let users = token_file::parse(&files::read(file)?);
        let users = users.map_err(|problem| Error::Tokens { file: file.display().to_string(), problem })?;
        authenticator = authenticator.with(Arc::new(TokenFile::new(users, audiences.clone())));
    }
    let mut authenticator = accounts.authenticators(registry).into_iter().fold(authenticator, Authenticator::with);
    if options.enable_bootstrap_token_auth {
        authenticator = authenticator.with(Arc::new(BootstrapTokens::new(registry.lister(), audiences)));
    }
    Ok(authenticator)
}

/// What is shown to aggregated servers: what was given, or what an authority of our own signs.
fn proxy_certificate(config: &Config) -> Result<(Arc<ProxyCertificate>, Option<Authority>), Error> {
    let options = config.options();
    if let (Some(certificate), Some(key)) = (&options.proxy_client_cert_file, &options.proxy_client_key_file) {
        return Ok((ProxyCertificate::open(certificate.clone(), key.clone())?, None));
    }
    let folder = config.cert_dir();
    let authority = Authority::of_front_proxies(&folder)?;
    authority.leaf(PROXY_NAME, &Leaf::Client { user: PROXY_NAME, groups: &[] })?;
    let file = |kind: &str| folder.join(format!("{PROXY_NAME}.{kind}"));
    Ok((ProxyCertificate::open(file("crt"), file("key"))?, Some(authority)))
}
