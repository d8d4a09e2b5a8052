//! From a configuration to a running server.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::authorization::Authorizer;
use admission::certificates;
use admission::default_class::DefaultClass;
use admission::default_toleration_seconds::DefaultTolerationSeconds;
use admission::limit_ranger::LimitRanger;
use admission::namespace_lifecycle::NamespaceLifecycle;
use admission::node_restriction::NodeRestriction;
use admission::outbound::service::Routing;
use admission::priority::Priority;
use admission::runtime_class::RuntimeClass;
use admission::service_account::ServiceAccount;
use admission::storage_object_in_use_protection::StorageObjectInUseProtection;
use admission::taint_nodes_by_condition::TaintNodesByCondition;
use admission::{Chain, Lister, Plugin, webhook};
use endpoints::health::Check;
use registry::Registry;
use storage::Storage;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::aggregated::Aggregated;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::error::Error;
use crate::identity::{ADMIN, Identity};
use crate::serving::Serving;
use crate::surroundings::Surroundings;
use crate::{crd, definitions, files, kubeconfig, store};

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
    // What cannot be read is told before anything is made.
    let definitions = definitions::read(&options.definitions)?;
    let advertised = SocketAddr::new(options.advertise_address.unwrap_or(local.ip()), local.port());

    // Keys and their files take as long as the store: one does not wait for the other.
    let opening = tokio::spawn(open_registry(config.clone()));
    let mut place: Box<dyn Surroundings> = match &options.host {
        Some(host) => Box::new(Aggregated::new(&config, host, stop.clone()).await?),
        None => Box::new(Cluster::open(&config, advertised, stop.clone())?),
    };
    let serving = Serving::open(&config, place.authority(), host, &place.names())?;
    let tls = endpoints::tls::server_config(serving.certificate(), Some(place.client_certificates()))?;
    write_kubeconfigs(&config, &*place, &url, serving.loopback_name())?;

    let (store, registry) = opening.await.map_err(|error| Error::Prepare(error.to_string()))??;
    let lister = place.lister(&registry);
    registry.set_webhook_services(lister.clone());
    let authorizer = registry.authorizer();
    let plugins = place.admission_plugins().into_iter().map(|name| plugin(name, lister.clone(), authorizer.clone()));
    registry.set_admission(Chain::new(plugins.collect()));
    let prepare = |e: apimachinery::StatusError| Error::Prepare(e.to_string());
    place.prepare(&registry).await?;
    let crds = crd::Controller::start(registry.clone()).await.map_err(prepare)?;

    let mut server = endpoints::Config::new(registry.clone());
    place.complete(&mut server).await?;
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
    tasks.spawn(serving.follow(stop.clone()));
    if !options.etcd_compaction_interval.is_zero() {
        tasks.spawn(storage::compactor::run(store.clone(), options.etcd_compaction_interval, stop.clone()));
    }
    definitions::apply(&registry, definitions).await.map_err(prepare)?;
    place.spawn(&registry, &tasks);
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

async fn open_registry(config: Config) -> Result<(Arc<dyn Storage>, Arc<Registry>), Error> {
    let store = store::open(&config).await?;
    let options = config.options();
    let registry = Registry::new(
        store.clone(),
        registry::Options {
            prefix: options.etcd_prefix.clone(),
            event_ttl: options.event_ttl,
            allow_privileged: options.allow_privileged,
            ranges: config.ranges().clone(),
            routing: match options.enable_aggregator_routing {
                None => Routing::Any,
                Some(true) => Routing::Endpoints,
                Some(false) => Routing::ClusterAddress,
            },
        },
    );
    Ok((store, registry))
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

fn plugin(name: &str, lister: Arc<dyn Lister>, authorizer: Arc<dyn Authorizer>) -> Arc<dyn Plugin> {
    match name {
        "NamespaceLifecycle" => Arc::new(NamespaceLifecycle::new(lister)),
        "LimitRanger" => Arc::new(LimitRanger::new(lister)),
        "ServiceAccount" => Arc::new(ServiceAccount::new(lister, registry::generate_name)),
        "NodeRestriction" => Arc::new(NodeRestriction::new(lister, authorizer)),
        "CertificateApproval" => Arc::new(certificates::Approval(authorizer)),
        "CertificateSigning" => Arc::new(certificates::Signing(authorizer)),
        "CertificateSubjectRestriction" => Arc::new(certificates::SubjectRestriction),
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

fn store_check(store: &Arc<dyn Storage>) -> Check {
    let store = store.clone();
    Check::new("etcd", move || {
        let store = store.clone();
        async move { store.check().await.map_err(|e| e.to_string()) }
    })
}

fn write_kubeconfigs(
    config: &Config,
    place: &dyn Surroundings,
    url: &str,
    tls_server_name: Option<&str>,
) -> Result<(), Error> {
    for identity @ Identity { file, user, .. } in place.identities() {
        let pair = place.client_authority().leaf(file, &identity.leaf())?;
        let path = config.kubeconfig(file);
        let content = kubeconfig::render(url, tls_server_name, place.authority().certificate(), user, &pair);
        if files::read_optional(&path)?.as_deref() != Some(content.as_str()) {
            files::replace_remakable(&path, content.as_bytes(), 0o600)?;
        }
    }
    Ok(())
}
