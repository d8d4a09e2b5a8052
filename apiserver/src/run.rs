//! From a configuration to a running server.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admission::default_class::DefaultClass;
use admission::default_toleration_seconds::DefaultTolerationSeconds;
use admission::limit_ranger::LimitRanger;
use admission::namespace_lifecycle::NamespaceLifecycle;
use admission::priority::Priority;
use admission::runtime_class::RuntimeClass;
use admission::service_account::ServiceAccount;
use admission::storage_object_in_use_protection::StorageObjectInUseProtection;
use admission::taint_nodes_by_condition::TaintNodesByCondition;
use admission::{Chain, Lister, Plugin, webhook};
use apimachinery::gvk::GroupVersionResource;
use authentication::token_file::{self, TokenFile};
use endpoints::authentication::Authenticator;
use endpoints::health::Check;
use registry::{Registry, Reviewers, Table};
use storage::Storage;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::aggregator::{Aggregator, ProxyCertificate};
use crate::client_trust::{ClientTrust, PROXY_NAME};
use crate::config::Config;
use crate::error::Error;
use crate::identity::{ADMIN, OPERATORS};
use crate::options::AuthorizationMode;
use crate::pki::{Authority, Leaf, Pair};
use crate::service_accounts::ServiceAccounts;
use crate::serving::Serving;
use crate::{authorization, bootstrap, crd, files, identity, kubeconfig, kubernetes_service, store};

/// What a server says when it answers requests.
#[derive(Clone, Debug)]
pub struct Ready {
    /// `https://host:port`, as clients on this machine reach it.
    pub url: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

/// Listens on an address; port 0 is any free one.
pub fn bind(address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(address, port);
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    listen().map_err(|source| Error::Listen { address, source })
}

/// Serves on `listener` until `stop` is cancelled. `ready` is told when requests are answered.
pub async fn run(
    config: Config,
    listener: TcpListener,
    stop: CancellationToken,
    ready: oneshot::Sender<Ready>,
) -> Result<(), Error> {
    let local = listener
        .local_addr()
        .map_err(|source| Error::Listen { address: SocketAddr::from(([0, 0, 0, 0], 0)), source })?;
    let host = match local.ip() {
        ip if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    };
    let url = format!("https://{}", SocketAddr::new(host, local.port()));
    let options = config.options();
    let advertised = SocketAddr::new(options.advertise_address.unwrap_or(local.ip()), local.port());

    let authority = Arc::new(Authority::open(&config.cert_dir())?);
    let (certificate, own_proxy) = proxy_certificate(&config)?;
    let trust = ClientTrust::open(&config, &authority, own_proxy.as_ref())?;
    let serving = Serving::open(&config, &authority, host, &[])?;
    let tls = endpoints::tls::server_config(serving.certificate(), Some(trust.certificates()))?;
    write_kubeconfigs(&config, &authority, &url, serving.loopback_name())?;

    let store = store::open(&config).await?;
    let registry = Registry::new(
        store.clone(),
        registry::Options {
            prefix: options.etcd_prefix.clone(),
            event_ttl: options.event_ttl,
            allow_privileged: options.allow_privileged,
            ranges: config.ranges().clone(),
        },
    );
    registry.set_admission(admission_chain(&config, &registry));
    let prepare = |e: apimachinery::StatusError| Error::Prepare(e.to_string());
    bootstrap::create_missing(&registry).await.map_err(prepare)?;
    kubernetes_service::publish(&registry, advertised).await.map_err(prepare)?;
    let crds = crd::Controller::start(registry.clone()).await.map_err(prepare)?;

    let disabled = disabled(&config, &registry.table())?;
    let mut built_in = bootstrap::api_services().map_err(prepare)?;
    let shown = registry.table().without_builtin(&disabled);
    built_in.retain(|service| {
        let text = |field: &str| service["spec"][field].as_str().unwrap_or_default();
        shown.has_version(text("group"), text("version"))
    });
    let aggregator = Aggregator::start(registry.clone(), certificate, built_in).await.map_err(prepare)?;
    if !disabled.is_empty() {
        // What has been made and is followed by now may be of such kinds too.
        registry.update_table(|table| table.without_builtin(&disabled));
    }

    let mut server = endpoints::Config::new(registry.clone());
    server.aggregation = aggregator.aggregation();
    let accounts = ServiceAccounts::open(&config)?;
    registry.set_token_issuer(Arc::new(accounts.issuer(&config)));
    server.openid = accounts.openid(&config, &advertised.to_string()).map(Arc::new);
    let authenticator = authenticator(&config, &accounts, &registry)?;
    trust.apply(&authenticator)?;
    let nodes = config.authorization_modes().contains(&AuthorizationMode::Node);
    let known = registry.follow_authorization(nodes).await.map_err(prepare)?;
    server.authorizer = authorization::authorizer(&config, &known)?;
    registry
        .set_reviewers(Reviewers { authorizer: server.authorizer.clone(), tokens: Arc::new(authenticator.clone()) });
    server.authenticator = authenticator;
    server.health.add(store_check(&store));
    server.request_timeout = options.request_timeout;
    server.min_request_timeout = Duration::from_secs(options.min_request_timeout);
    server.max_requests_inflight = options.max_requests_inflight;
    server.max_mutating_requests_inflight = options.max_mutating_requests_inflight;
    if options.http2_max_streams_per_connection > 0 {
        server.http2_max_streams_per_connection = options.http2_max_streams_per_connection;
    }
    server.advertise_address = match &options.external_hostname {
        Some(name) => format!("{name}:{}", local.port()),
        None => SocketAddr::new(options.advertise_address.unwrap_or(host), local.port()).to_string(),
    };

    let tasks = TaskTracker::new();
    tasks.spawn(crds.run(stop.clone()));
    tasks.spawn(trust.publish(registry.clone(), stop.clone()));
    tasks.spawn(aggregator.run(stop.clone()));
    tasks.spawn(serving.follow(stop.clone()));
    if !options.etcd_compaction_interval.is_zero() {
        tasks.spawn(storage::compactor::run(store.clone(), options.etcd_compaction_interval, stop.clone()));
    }
    tasks.close();
    info!(%url, "serving");
    // Nobody may be waiting any more; the server serves all the same.
    let _ = ready.send(Ready { url, kubeconfig: config.kubeconfig(ADMIN.file) });
    endpoints::serve(listener, tls, endpoints::Server::new(server), stop).await;
    tasks.wait().await;
    stop_caches(&registry).await;
    store.close().await;
    Ok(())
}

/// The built-in resources that are not to be served.
fn disabled(config: &Config, table: &Table) -> Result<Vec<GroupVersionResource>, Error> {
    let disabled = config.runtime_config().disabled(table).map_err(Error::Options)?;
    for missing in config.runtime_config().missing(table) {
        warn!("--runtime-config: this server has no {missing}");
    }
    Ok(disabled)
}

/// How long the caches may take to end; nobody reads them any more.
const CACHES_END: Duration = Duration::from_secs(1);

/// Ends the caches before the store that they follow, so that they do not take its end for a failure.
async fn stop_caches(registry: &Registry) {
    let table = registry.table();
    let caches = table.rows().iter().filter_map(|row| row.store.as_ref()?.started_cacher());
    let ends = futures::future::join_all(caches.map(|cache| cache.shutdown()));
    if tokio::time::timeout(CACHES_END, ends).await.is_err() {
        tracing::debug!("the caches did not end in time");
    }
}

fn admission_chain(config: &Config, registry: &Arc<Registry>) -> Chain {
    let lister = registry.lister();
    Chain::new(config.admission_plugins().map(|name| plugin(name, lister.clone())).collect())
}

fn plugin(name: &str, lister: Arc<dyn Lister>) -> Arc<dyn Plugin> {
    match name {
        "NamespaceLifecycle" => Arc::new(NamespaceLifecycle::new(lister)),
        "LimitRanger" => Arc::new(LimitRanger::new(lister)),
        "ServiceAccount" => Arc::new(ServiceAccount::new(lister, registry::generate_name)),
        "TaintNodesByCondition" => Arc::new(TaintNodesByCondition),
        "DefaultStorageClass" => Arc::new(DefaultClass::of_storage(lister)),
        "StorageObjectInUseProtection" => Arc::new(StorageObjectInUseProtection),
        "RuntimeClass" => Arc::new(RuntimeClass::new(lister)),
        "DefaultIngressClass" => Arc::new(DefaultClass::of_ingress(lister)),
        "Priority" => Arc::new(Priority::new(lister)),
        "DefaultTolerationSeconds" => Arc::new(DefaultTolerationSeconds),
        "MutatingAdmissionWebhook" => Arc::new(webhook::Mutating::new(lister)),
        _ => Arc::new(webhook::Validating::new(lister)),
    }
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
        authenticator = authenticator.with(Arc::new(TokenFile::new(users, audiences)));
    }
    Ok(accounts.authenticators(registry).into_iter().fold(authenticator, Authenticator::with))
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

fn store_check(store: &Arc<dyn Storage>) -> Check {
    let store = store.clone();
    Check::new("etcd", move || {
        let store = store.clone();
        async move { store.check().await.map_err(|e| e.to_string()) }
    })
}

fn write_kubeconfigs(
    config: &Config,
    authority: &Authority,
    url: &str,
    tls_server_name: Option<&str>,
) -> Result<(), Error> {
    for identity::Identity { file, user, groups } in OPERATORS.into_iter().chain([ADMIN]) {
        let pair: Pair = authority.leaf(file, &Leaf::Client { user, groups })?;
        let path = config.kubeconfig(file);
        let content = kubeconfig::render(url, tls_server_name, authority.certificate(), user, &pair);
        if files::read_optional(&path)?.as_deref() != Some(content.as_str()) {
            files::replace(&path, content.as_bytes(), 0o600)?;
        }
    }
    Ok(())
}
