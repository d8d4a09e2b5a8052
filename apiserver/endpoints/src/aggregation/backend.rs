//! Another server: where it is, and connections to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use admission::outbound::service::{Address, one_of};
use admission::outbound::words;
use apimachinery::user::UserInfo;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio_rustls::TlsConnector;

use super::headers;
use crate::body::{Body, Proxied, RequestBody};

/// How many requests share an HTTP/2 connection: servers allow 100 at least.
const REQUESTS_A_CONNECTION: usize = 64;
/// A connection may take this long to come about.
const CONNECT: Duration = Duration::from_secs(30);
/// An address that is being looked for is waited for so long.
const LOOKING: Duration = Duration::from_secs(1);
/// An idle connection is kept for this long, and so many of them.
const IDLE: Duration = Duration::from_secs(90);
const MOST_IDLE: usize = 25;
/// A connection is asked for a sign of life when it was silent for this long, and dropped without one.
const SILENT: Duration = Duration::from_secs(30);
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const PROBE: Duration = Duration::from_secs(30);
/// The largest document that is read whole.
const LARGEST_DOCUMENT: usize = 64 << 20;

/// A request was not answered. Displays as upstream words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that was read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Another server.
pub struct Backend {
    server_name: ServerName<'static>,
    connector: HttpsConnector<HttpConnector>,
    /// For connections that leave HTTP: HTTP/1.1 alone.
    upgrading: Arc<ClientConfig>,
    connections: Mutex<Vec<Arc<Connections>>>,
    /// `None` until it was looked for.
    addresses: watch::Sender<Option<Result<Vec<Address>, String>>>,
    missed: Notify,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Connections for as many requests as one of HTTP/2 carries.
struct Connections {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
    running: AtomicUsize,
}

/// A request that runs until this is dropped.
struct Running(Arc<Connections>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Backend {
    /// A server that proves to be `server_name`. It has no address yet. `tls` is without protocols.
    ///
    /// # Errors
    /// `server_name` cannot be one.
    pub fn new(server_name: &str, tls: ClientConfig) -> Result<Self, String> {
        let server_name = ServerName::try_from(server_name.to_owned()).map_err(|error| error.to_string())?;
        let mut upgrading = tls.clone();
        upgrading.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.set_keepalive(Some(PROBE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .with_server_name_resolver(FixedServerNameResolver::new(server_name.clone()))
            .enable_all_versions()
            .wrap_connector(http);
        Ok(Self {
            server_name,
            connector,
            upgrading: Arc::new(upgrading),
            connections: Mutex::default(),
            addresses: watch::Sender::new(None),
            missed: Notify::new(),
        })
    }

    /// Sets where it is reached, or why it cannot be.
    pub fn set_addresses(&self, addresses: Result<Vec<Address>, String>) {
        self.addresses.send_replace(Some(addresses));
    }

    /// One of its addresses. A server that has just begun to look for it is given a moment.
    ///
    /// # Errors
    /// Why it has none, in upstream's words.
    pub async fn address(&self) -> Result<Address, String> {
        let mut addresses = self.addresses.subscribe();
        let found = tokio::time::timeout(LOOKING, addresses.wait_for(Option::is_some)).await;
        match found.as_ref().ok().and_then(|found| found.as_ref().ok()).and_then(|found| found.as_ref()) {
            Some(Ok(addresses)) => one_of(addresses).cloned().ok_or_else(|| "it has no address".to_owned()),
            Some(Err(why)) => Err(why.clone()),
            None => Err("the service was not looked up yet".to_owned()),
        }
    }

    /// Returns when a client's request did not reach it, or has not since this was last asked.
    pub async fn missed(&self) {
        self.missed.notified().await;
    }

    /// A client's request did not reach it.
    pub(crate) fn miss(&self) {
        self.missed.notify_one();
    }

    /// Sends a request on and answers as soon as the head of the answer is there. Its URI names path and query alone.
    pub(crate) async fn send(
        &self,
        address: &Address,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Failure> {
        *request.uri_mut() = absolute(address, request.uri())?;
        let running = self.connections();
        let answer = running.0.client.request(request).await.map_err(|error| failure(address, &error))?;
        Ok(answer.map(|body| Body::Proxied(Proxied::new(body, running))))
    }

    /// Gets a document as a user, and reads it whole.
    pub async fn get(
        &self,
        address: &Address,
        path: &str,
        user: &UserInfo,
        mut accepting: HeaderMap,
    ) -> Result<Answer, Failure> {
        headers::set_user(&mut accepting, user)?;
        let mut request = Request::new(RequestBody::Full(Bytes::new()));
        *request.method_mut() = Method::GET;
        *request.uri_mut() = path.parse().map_err(|error: uri::InvalidUri| Failure(error.to_string()))?;
        *request.headers_mut() = accepting;
        let (head, body) = self.send(address, request).await?.into_parts();
        let body = Limited::new(body, LARGEST_DOCUMENT).collect().await.map_err(|error| Failure(error.to_string()))?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    /// Sends a request that asks to leave HTTP, on a connection of its own.
    pub(crate) async fn upgrade(
        &self,
        address: &Address,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, Failure> {
        let dialling = |why: String| Failure(format!("error dialing backend: {why}"));
        let (host, port) = (address.0.as_str(), address.1);
        let connect = tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await;
        let connected = connect.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let socket = connected.map_err(|error| dialling(words::dial(host, port, &error)))?;
        let _ = socket.set_nodelay(true);
        let handshake = TlsConnector::from(self.upgrading.clone()).connect(self.server_name.clone(), socket).await;
        let stream = handshake.map_err(|error| dialling(words::tls(&error)))?;
        let sending = |error: hyper::Error| Failure(format!("error sending request: {error}"));
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(sending)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a backend ended");
            }
        });
        let authority = authority(address).parse().map_err(|_| Failure("its address is none".to_owned()))?;
        request.headers_mut().insert(http::header::HOST, authority);
        sender.send_request(request).await.map_err(sending)
    }

    /// A place for one request more.
    fn connections(&self) -> Running {
        let mut all = self.connections.lock();
        let free = all.iter().find(|of| of.running.load(Ordering::Relaxed) < REQUESTS_A_CONNECTION).cloned();
        let connections = free.unwrap_or_else(|| {
            // What is crowded no more is forgotten; its idle connection ends by itself.
            all.retain(|of| of.running.load(Ordering::Relaxed) > 0);
            let client = client(self.connector.clone());
            let added = Arc::new(Connections { client, running: AtomicUsize::new(0) });
            all.push(added.clone());
            added
        });
        connections.running.fetch_add(1, Ordering::Relaxed);
        Running(connections)
    }
}

fn client(connector: HttpsConnector<HttpConnector>) -> Client<HttpsConnector<HttpConnector>, RequestBody> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .http2_keep_alive_interval(SILENT)
        .http2_keep_alive_timeout(SIGN_OF_LIFE)
        .http2_adaptive_window(true)
        .build(connector)
}

/// `host:port` as URLs have it.
pub(crate) fn authority((host, port): &Address) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn absolute(address: &Address, path: &Uri) -> Result<Uri, Failure> {
    let path = path.path_and_query().map_or("/", |path| path.as_str());
    let built = Uri::builder().scheme("https").authority(authority(address)).path_and_query(path).build();
    built.map_err(|error| Failure(error.to_string()))
}

/// Why nothing came back, in upstream's words.
fn failure((host, port): &Address, error: &legacy::Error) -> Failure {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            let of_tls = io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            let words = if of_tls { words::tls(io) } else { words::dial(host, *port, io) };
            return Failure(if error.is_connect() { words } else { io.to_string() });
        }
        last = cause.to_string();
        source = cause.source();
    }
    Failure(last)
}
