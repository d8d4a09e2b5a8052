//! How requests get to etcd: one connection to each endpoint, made when it is needed, on which requests are taken turns with.
//!
//! `etcd-client` would bring a channel of its own, but one whose connections cannot be told to gather what they send: every
//! transaction would be a write, a segment and a wakening of etcd of its own. And it hands each request through a task more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use gathered::Gathered;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt as _, service_fn};

/// Upstream's: a connection that does not answer pings is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// So long an endpoint that could not be reached is left alone while there are others (gRPC's first pause).
const REST: Duration = Duration::from_secs(1);

type Stream = TokioIo<Gathered<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;
type Connector = BoxCloneSyncService<Uri, Stream, BoxError>;

/// A service that answers etcd's requests, from whichever endpoint.
#[derive(Clone)]
pub(super) struct Channel {
    connections: legacy::Client<Connector, Body>,
    endpoints: Arc<[Endpoint]>,
    turn: Arc<AtomicUsize>,
}

/// One of etcd's members.
#[derive(Debug)]
pub(super) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// Until when it is left alone.
    rests: Mutex<Option<Instant>>,
}

impl Endpoint {
    /// Reads a URL; what has no scheme gets `scheme`.
    pub(super) fn parse(url: &str, scheme: Scheme) -> Result<Self, String> {
        let parts = url.parse::<Uri>().map_err(|error| format!("{url}: {error}"))?.into_parts();
        let authority = parts.authority.ok_or_else(|| format!("{url} names no host"))?;
        Ok(Self { scheme: parts.scheme.unwrap_or(scheme), authority, rests: Mutex::new(None) })
    }

    fn is_resting(&self) -> bool {
        self.rests.lock().is_some_and(|until| Instant::now() < until)
    }

    fn uri(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path).build()
    }
}

impl Channel {
    /// Over connections that are made within `accept`, handshake included.
    pub(super) fn new(endpoints: Vec<Endpoint>, tls: ClientConfig, accept: Duration) -> Self {
        let connections = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .pool_idle_timeout(None)
            .build(connector(tls, accept));
        Self { connections, endpoints: endpoints.into(), turn: Arc::default() }
    }

    /// The endpoint whose turn it is, of those that do not rest.
    fn next(&self) -> usize {
        let count = self.endpoints.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut turns = (0..count).map(|further| turn.wrapping_add(further) % count);
        turns.find(|&at| !self.endpoints[at].is_resting()).unwrap_or(turn % count)
    }
}

/// Connects, by TLS if the endpoint asks for it; what is written to the connection is gathered.
fn connector(tls: ClientConfig, accept: Duration) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let connect = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http2().wrap_connector(tcp);
    let connector = service_fn(move |uri: Uri| {
        let mut connect = connect.clone();
        async move {
            let connected = timeout(accept, async { connect.ready().await?.call(uri).await }).await;
            let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(TokioIo::new(Gathered::new(TokioIo::new(stream))))
        }
    });
    BoxCloneSyncService::new(connector)
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let at = self.next();
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = self.endpoints[at].uri(path);
        let (connections, endpoints) = (self.connections.clone(), self.endpoints.clone());
        Box::pin(async move {
            *request.uri_mut() = uri?;
            match connections.request(request).await {
                Ok(answer) => Ok(answer.map(Body::new)),
                Err(error) => {
                    *endpoints[at].rests.lock() = Some(Instant::now() + REST);
                    Err(unavailable(error))
                }
            }
        })
    }
}

/// The error of a request that got no answer; for one that has no connection gRPC has a status.
fn unavailable(error: legacy::Error) -> BoxError {
    if !error.is_connect() {
        return error.into();
    }
    let mut status = Status::unavailable("error trying to connect");
    status.set_source(Arc::new(error));
    status.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(urls: &[&str]) -> Channel {
        let endpoints = urls.iter().map(|url| Endpoint::parse(url, Scheme::HTTP).unwrap()).collect();
        let tls = super::super::connect::tls(&super::super::Tls::default()).unwrap();
        Channel::new(endpoints, tls, Duration::from_secs(1))
    }

    #[tokio::test]
    async fn endpoints_take_turns_and_those_that_rest_are_passed_over_while_there_are_others() {
        let channel = channel(&["http://a:1", "b:2", "https://c:3"]);
        let turns = |count: usize| (0..count).map(|_| channel.next()).collect::<Vec<_>>();
        assert_eq!(turns(4), [0, 1, 2, 0]);
        let rest = |at: usize| *channel.endpoints[at].rests.lock() = Some(Instant::now() + Duration::from_secs(3600));
        rest(1);
        assert_eq!(turns(4), [2, 2, 0, 2]);
        rest(0);
        rest(2);
        assert_eq!(turns(3), [2, 0, 1]);
    }

    #[test]
    fn an_endpoint_is_a_url_or_a_host_with_a_port() {
        for (url, expected) in [
            ("http://a:1", Ok("http://a:1/p")),
            ("https://[::1]:2379", Ok("https://[::1]:2379/p")),
            ("a:1", Ok("http://a:1/p")),
            ("a", Ok("http://a/p")),
            ("/a", Err("/a names no host")),
            ("http://", Err("http://: empty string")),
        ] {
            let endpoint = Endpoint::parse(url, Scheme::HTTP);
            let shown = endpoint.map(|endpoint| endpoint.uri(PathAndQuery::from_static("/p")).unwrap().to_string());
            assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{url}");
        }
    }
}
