//! A server over TLS that answers JSON with JSON: what webhooks of tests are made of.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running server; it ends with the runtime.
pub struct JsonServer {
    /// Where it listens.
    pub address: SocketAddr,
    ca: String,
}

impl JsonServer {
    /// Starts it on a free port; its certificate is for that address and for `names`. `answer` gets headers and body.
    pub async fn start(names: &[String], answer: impl Fn(&HeaderMap, Value) -> Value + Send + Sync + 'static) -> Self {
        let names: Vec<String> = std::iter::once("127.0.0.1".to_owned()).chain(names.iter().cloned()).collect();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a server's configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), Arc::new(answer)));
        Self { address, ca: cert.pem() }
    }

    /// The certificate by which it is trusted, as a `caBundle`.
    pub fn ca_bundle(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(&self.ca)
    }
}

type Answer = dyn Fn(&HeaderMap, Value) -> Value + Send + Sync;

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, answer: Arc<Answer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| answered(request, answer.clone()));
            // A client that goes away is none of ours.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answered(request: Request<Incoming>, answer: Arc<Answer>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = answer(&parts.headers, serde_json::from_slice(&body).unwrap_or_default());
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}
