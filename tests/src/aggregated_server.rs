//! A server that answers for the group `stars.example.com` behind another one, and remembers how it was asked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use futures::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Its group.
pub const GROUP: &str = "stars.example.com";
/// Where its objects are.
pub const STARS: &str = "/apis/stars.example.com/v1/namespaces/default/stars";

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A request that it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Method and target.
    pub line: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Whether a front proxy's certificate was shown.
    pub by_proxy: bool,
}

impl Seen {
    /// The values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A running server; it ends with the runtime, or when it is stopped.
pub struct AggregatedServer {
    address: SocketAddr,
    acceptor: TlsAcceptor,
    ca: String,
    state: Arc<State>,
    running: AbortHandle,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    names: Mutex<Vec<String>>,
    events: broadcast::Sender<String>,
    watches: AtomicUsize,
    /// What has left HTTP.
    echoes: Mutex<Vec<AbortHandle>>,
}

impl AggregatedServer {
    /// Starts it on a free port, for a front proxy whose authority is in `authority`. It proves to be the service `stars` of
    /// the namespace `default`.
    pub async fn start(authority: &Path) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["stars.default.svc".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut proxies = RootCertStore::empty();
        proxies.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(proxies), provider.clone());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_client_cert_verifier(verifier.allow_unauthenticated().build().expect("a verifier"))
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a server's configuration");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let state = Arc::new(State {
            seen: Mutex::default(),
            names: Mutex::new(vec!["sun".to_owned()]),
            events: broadcast::Sender::new(64),
            watches: AtomicUsize::new(0),
            echoes: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let running = tokio::spawn(serve(listener, acceptor.clone(), state.clone())).abort_handle();
        Self { address, acceptor, ca: cert.pem(), state, running }
    }

    /// Ends it and its connections.
    pub fn stop(&self) {
        self.running.abort();
        self.state.echoes.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|echo| echo.abort());
    }

    /// Starts it again on its port.
    pub async fn restart(&mut self) {
        let listener = crate::wait::eventually_async("its port is free", || TcpListener::bind(self.address)).await;
        self.running = tokio::spawn(serve(listener, self.acceptor.clone(), self.state.clone())).abort_handle();
    }

    /// The service and the APIService that make another server its front.
    pub fn objects(&self) -> String {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "stars", "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": "localhost"}});
        let of = json!({"namespace": "default", "name": "stars", "port": self.address.port()});
        let bundle = base64::engine::general_purpose::STANDARD.encode(&self.ca);
        let api_service = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": format!("v1.{GROUP}")},
            "spec": {"group": GROUP, "version": "v1", "groupPriorityMinimum": 2000, "versionPriority": 15,
                "service": of, "caBundle": bundle}});
        json!({"apiVersion": "v1", "kind": "List", "items": [service, api_service]}).to_string()
    }

    /// The requests for objects since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.state.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A star appears.
    pub fn appear(&self, name: &str) {
        self.state.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        // Nobody may be watching.
        let _ = self.state.events.send(name.to_owned());
    }

    /// How many watches it answers now.
    pub fn watches(&self) -> usize {
        self.state.watches.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    // Connections end with this.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), state.clone());
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let by_proxy = stream.get_ref().1.peer_certificates().is_some();
            let service = service_fn(move |request| answer(request, by_proxy, state.clone()));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A client that goes away is none of ours.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    mut request: Request<Incoming>,
    by_proxy: bool,
    state: Arc<State>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let path = request.uri().path().to_owned();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match path.as_str() {
        "/apis" if header("if-none-match") == "\"stars\"" => {
            let mut unchanged = Response::new(full(""));
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(unchanged);
        }
        "/apis" if header("accept").contains("g=apidiscovery.k8s.io;v=v2;") => return Ok(aggregated()),
        "/apis/stars.example.com/v1" => {
            let mut resources = json!({"kind": "APIResourceList", "apiVersion": "v1", "resources": [star()]});
            resources["groupVersion"] = format!("{GROUP}/v1").into();
            return Ok(json_answer(&resources));
        }
        _ => {}
    }
    let line = format!("{} {}", request.method(), request.uri().path_and_query().map_or("", |target| target.as_str()));
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let seen = Seen { line, headers: headers.collect(), by_proxy };
    state.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    let query = request.uri().query().unwrap_or_default().to_owned();
    if path.ends_with("/echo") {
        let upgrade = hyper::upgrade::on(&mut request);
        let echo = tokio::spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        state.echoes.lock().unwrap_or_else(PoisonError::into_inner).push(echo.abort_handle());
        let switching = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let switching = switching.header("connection", "Upgrade").header("upgrade", "echo");
        return Ok(switching.body(full("")).expect("an answer"));
    }
    if path.ends_with("/size") {
        let body = request.into_body().collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
        return Ok(json_answer(&json!({"kind": "Size", "bytes": body})));
    }
    if path.ends_with("/broken") {
        let mut broken = json_answer(&json!({"kind": "Status", "code": 500, "message": "as it is"}));
        *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        broken.headers_mut().insert("access-control-allow-origin", "*".parse().expect("a value"));
        return Ok(broken);
    }
    if path.ends_with("/elsewhere") {
        let elsewhere = Response::builder().status(StatusCode::FOUND).header("location", "https://example.com/");
        return Ok(elsewhere.body(full("")).expect("an answer"));
    }
    let names = state.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if query.contains("watch=") {
        let body = StreamBody::new(watch(state, names).map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync();
        return Ok(Response::builder().header("content-type", "application/json").body(body).expect("an answer"));
    }
    let items: Vec<Value> = names.iter().map(|name| object(name)).collect();
    Ok(json_answer(&json!({"kind": "StarList", "apiVersion": format!("{GROUP}/v1"),
        "metadata": {"resourceVersion": "1"}, "items": items})))
}

/// Those there are, then those that appear.
fn watch(state: Arc<State>, names: Vec<String>) -> impl Stream<Item = Bytes> {
    struct Counted(Arc<State>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.watches.fetch_sub(1, Ordering::SeqCst);
        }
    }
    state.watches.fetch_add(1, Ordering::SeqCst);
    let events = state.events.subscribe();
    let counted = Counted(state);
    let event = |name: String| Bytes::from(format!("{}\n", json!({"type": "ADDED", "object": object(&name)})));
    let later = futures::stream::unfold((events, counted), move |(mut events, counted)| async move {
        let name = events.recv().await.ok()?;
        Some((event(name), (events, counted)))
    });
    futures::stream::iter(names).map(event).chain(later)
}

fn object(name: &str) -> Value {
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Star",
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"}})
}

fn star() -> Value {
    json!({"name": "stars", "singularName": "star", "namespaced": true, "kind": "Star",
        "verbs": ["get", "list", "watch"], "shortNames": ["st"]})
}

fn aggregated() -> Response<Body> {
    let resource = json!({"resource": "stars", "responseKind": {"group": GROUP, "version": "v1", "kind": "Star"},
        "scope": "Namespaced", "singularResource": "star", "verbs": ["get", "list", "watch"], "shortNames": ["st"]});
    let mut answer = json_answer(&json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": [{"metadata": {"name": GROUP},
            "versions": [{"version": "v1", "resources": [resource]}]}]}));
    let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    answer.headers_mut().insert("content-type", content_type.parse().expect("a value"));
    answer.headers_mut().insert("etag", "\"stars\"".parse().expect("a value"));
    answer
}

fn json_answer(value: &Value) -> Response<Body> {
    let answer = Response::builder().header("content-type", "application/json");
    answer.body(full(&value.to_string())).expect("an answer")
}

fn full(text: &str) -> Body {
    http_body_util::Full::new(Bytes::from(text.to_owned())).boxed_unsync()
}
