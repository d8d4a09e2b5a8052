//! Raw requests, many in flight over few HTTP/2 connections: for loads, where a typed client would cost more than the
//! server does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::client::ConfigExt as _;
use kube::config::{AuthInfo, Config, KubeConfigOptions, Kubeconfig};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Large answers are not to wait for the client's permission.
const WINDOW: u32 = 16 << 20;

/// Where a server is, and who comes to it.
pub struct Endpoint {
    /// Its authority, the client's certificate if it has one, HTTP/2.
    pub tls: Arc<ClientConfig>,
    /// Its host name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that its certificate has to be for.
    pub name: ServerName<'static>,
    /// `https://host:port`.
    pub origin: String,
    /// The client's token, if it has one.
    pub authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// The server of a kubeconfig, with the credentials in it (a client certificate or a token).
    pub async fn of(kubeconfig: &Path) -> Self {
        // A second installation is the same provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let file = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("its server");
        let mut tls = config.rustls_client_config().expect("its certificates");
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let host = config.cluster_url.host().expect("a host").trim_matches(['[', ']']).to_owned();
        let name = config.tls_server_name.clone().unwrap_or_else(|| host.clone());
        Self {
            tls: Arc::new(tls),
            port: config.cluster_url.port_u16().unwrap_or(443),
            name: ServerName::try_from(name).expect("a server name"),
            host,
            origin: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            authorization: token(&config.auth_info),
        }
    }
}

/// Connections to one server; requests are spread over them. A clone shares them.
#[derive(Clone)]
pub struct Connections {
    open: Arc<[SendRequest<Full<Bytes>>]>,
    next: Arc<AtomicUsize>,
    origin: String,
    authorization: Option<HeaderValue>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its code.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body of a request that was granted; fails on another.
    pub fn granted(self) -> Bytes {
        assert!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        self.body
    }
}

impl Connections {
    /// Opens `count` connections with the credentials of a kubeconfig (a client certificate or a token).
    pub async fn open(kubeconfig: &Path, count: usize) -> Self {
        let Endpoint { tls, host, port, name, origin, authorization } = Endpoint::of(kubeconfig).await;
        let connector = TlsConnector::from(tls);
        let mut open = Vec::with_capacity(count);
        for _ in 0..count.max(1) {
            let stream = TcpStream::connect((host.as_str(), port)).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let stream = connector.connect(name.clone(), stream).await.expect("TLS");
            let (sender, driver) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(4 * WINDOW)
                .handshake(TokioIo::new(stream))
                .await
                .expect("HTTP/2");
            tokio::spawn(driver);
            open.push(sender);
        }
        Self { open: open.into(), next: Arc::default(), origin, authorization }
    }

    /// Sends a request with a body of JSON and waits for the head of its answer.
    pub async fn start(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.origin));
        if !body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.open.len();
        let mut sender = self.open[at].clone();
        sender.ready().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        sender.send_request(request).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sends a request and waits for its whole answer.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Answer {
        let response = self.start(method, path, headers, body).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        Answer { status, body: body.to_bytes() }
    }

    /// The lines of an answer that goes on, as a watch's does.
    pub async fn lines(&self, path: &str) -> BoxStream<'static, Bytes> {
        let response = self.start(Method::GET, path, &[], Bytes::new()).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let state = (response.into_body(), BytesMut::new());
        let lines = futures::stream::unfold(state, |(mut body, mut rest)| async move {
            let mut seen = 0;
            loop {
                if let Some(end) = rest[seen..].iter().position(|&byte| byte == b'\n') {
                    let line = rest.split_to(seen + end + 1).freeze();
                    return Some((line, (body, rest)));
                }
                seen = rest.len();
                // A connection that is cut ends the answer, as its end does.
                let frame = body.frame().await?.ok()?;
                rest.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
        });
        lines.boxed()
    }

    /// What a GET brings; fails if it is refused.
    pub async fn get(&self, path: &str) -> Bytes {
        self.send(Method::GET, path, &[], Bytes::new()).await.granted()
    }

    /// What a POST of JSON brings; fails if it is refused.
    pub async fn post(&self, path: &str, body: Bytes) -> Bytes {
        self.send(Method::POST, path, &[], body).await.granted()
    }
}

fn token(auth: &AuthInfo) -> Option<HeaderValue> {
    // What a kubeconfig may be written with, it shows.
    let shown = serde_json::to_value(auth).ok()?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", shown.get("token")?.as_str()?)).ok()?;
    value.set_sensitive(true);
    Some(value)
}
