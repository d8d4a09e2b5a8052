//! The API server's client, from a kubeconfig file or from inside a cluster.
//!
//! Requests and watches share HTTP/2 connections, as client-go's do: an operator that watches every resource there is
//! holds two or three connections, not one for each watch.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderValue, USER_AGENT};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustls::pki_types::ServerName;
use tower::{BoxError, Service, ServiceBuilder};

use crate::Error;

/// How many watches go over one connection; servers allow 100 streams at least.
const WATCHES_A_CONNECTION: usize = 64;
/// How many connections watches are spread over at most.
const WATCH_CONNECTIONS: usize = 16;
/// A connection that does not answer for this long is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Flags that say which API server to talk to, and as whom.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ClientOptions {
    /// Path to a kubeconfig file with the API server's address and credentials; without it, the
    /// environment variable KUBECONFIG, then ~/.kube/config, then the service account of a Pod are used.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A client as the flags say; `component` is the User-Agent's name.
///
/// # Errors
/// [`Error::Config`] when there is no usable kubeconfig. Nothing is sent yet.
pub async fn connect(options: &ClientOptions, component: &str) -> Result<Client, Error> {
    client(config(options).await?, component).map_err(|error| Error::Config(crate::error::chain(&error)))
}

/// The authorities (PEM) that the API server is trusted by, where the flags' configuration names them.
///
/// # Errors
/// [`Error::Config`] when there is no usable kubeconfig.
pub async fn certificate_authority(options: &ClientOptions) -> Result<Option<String>, Error> {
    let authorities = config(options).await?.root_cert.unwrap_or_default();
    let pem: String = authorities.iter().map(|der| pem(der)).collect();
    Ok(Some(pem).filter(|pem| !pem.is_empty()))
}

/// A certificate in PEM's form, lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

async fn config(options: &ClientOptions) -> Result<Config, Error> {
    let failed = |error: &dyn std::error::Error| Error::Config(crate::error::chain(error));
    match &options.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.map_err(|error| failed(&error))
        }
        None => Config::infer().await.map_err(|error| failed(&error)),
    }
}

/// A client of a configuration.
///
/// # Errors
/// When its credentials cannot be used.
pub fn client(config: Config, component: &str) -> kube::Result<Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only when another thread was faster, to the same end.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    if config.proxy_url.is_some() {
        return Client::try_from(config); // kube's own transport knows proxies
    }
    let transport = Transport::new(&config.rustls_client_config()?, config.tls_server_name.as_deref())?;
    let agent = HeaderValue::from_str(&format!("{component}/{} (coxswain)", env!("CARGO_PKG_VERSION"))).ok();
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(move |mut request: http::Request<Body>| {
            if let Some(agent) = &agent {
                request.headers_mut().insert(USER_AGENT, agent.clone());
            }
            request
        })
        .map_err(BoxError::from)
        .service(transport);
    Ok(Client::new(service, config.default_namespace))
}

type Connections = legacy::Client<HttpsConnector<HttpConnector>, Body>;

/// Requests go over one connection, watches over others, each of which takes so many that no server refuses a stream.
#[derive(Clone)]
struct Transport {
    requests: Connections,
    watches: Arc<[Connections]>,
    started: Arc<AtomicUsize>,
}

impl Transport {
    /// Connections by a TLS configuration; the server is known by another name than its address if one is given.
    fn new(tls: &rustls::ClientConfig, server_name: Option<&str>) -> kube::Result<Self> {
        let server_name = server_name
            .map(|name| ServerName::try_from(name.to_owned()))
            .transpose()
            .map_err(|error| kube::Error::Service(error.into()))?;
        let connections = || {
            let mut tcp = HttpConnector::new();
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
            legacy::Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .http2_keep_alive_interval(KEEP_ALIVE)
                .http2_keep_alive_timeout(KEEP_ALIVE)
                .build(match &server_name {
                    None => HttpsConnectorBuilder::new()
                        .with_tls_config(tls.clone())
                        .https_or_http()
                        .enable_all_versions()
                        .wrap_connector(tcp),
                    Some(name) => HttpsConnectorBuilder::new()
                        .with_tls_config(tls.clone())
                        .https_or_http()
                        .with_server_name_resolver(FixedServerNameResolver::new(name.clone()))
                        .enable_all_versions()
                        .wrap_connector(tcp),
                })
        };
        Ok(Self {
            requests: connections(),
            watches: (0..WATCH_CONNECTIONS).map(|_| connections()).collect(),
            started: Arc::default(),
        })
    }
}

fn is_watch(request: &http::Request<Body>) -> bool {
    request
        .uri()
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

impl Service<http::Request<Body>> for Transport {
    type Response = http::Response<Incoming>;
    type Error = legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if !is_watch(&request) {
            return self.requests.request(request);
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.watches[number / WATCHES_A_CONNECTION % WATCH_CONNECTIONS].request(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_are_told_from_other_requests() {
        for (uri, expected) in [
            ("/api/v1/pods?&watch=true&resourceVersion=1", true),
            ("/api/v1/pods?watch=1", true),
            ("/api/v1/pods?limit=500", false),
            ("/api/v1/namespaces/watch=true/pods", false),
        ] {
            let request = http::Request::get(uri).body(Body::empty()).unwrap();
            assert_eq!(is_watch(&request), expected, "{uri}");
        }
    }
}
