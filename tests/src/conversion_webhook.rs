//! A conversion webhook over TLS: between `v1`, with `spec.host` and `spec.port`, and `v2`, with `spec.hostPort`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the webhook does with an answer before it is sent.
pub type Change = fn(&mut Value);

/// A running webhook; it ends with the runtime.
pub struct ConversionWebhook {
    address: SocketAddr,
    ca: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many objects each review held, and the version wanted.
    reviews: Mutex<Vec<(usize, String)>>,
    change: Mutex<Option<Change>>,
}

impl ConversionWebhook {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
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
        let state = Arc::new(State::default());
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), state.clone()));
        Self { address, ca: cert.pem(), state }
    }

    /// `spec.conversion` of a definition that asks it.
    pub fn conversion(&self) -> Value {
        json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1", "v1beta1"], "clientConfig": {
            "url": format!("https://{}/convert", self.address), "caBundle": base64::engine::general_purpose::STANDARD.encode(&self.ca)}}})
    }

    /// Changes its answers from now on.
    pub fn change_answers(&self, change: Option<Change>) {
        *self.state.change.lock().unwrap_or_else(PoisonError::into_inner) = change;
    }

    /// The reviews since this was last asked: how many objects each held, and the version wanted.
    pub fn take_reviews(&self) -> Vec<(usize, String)> {
        std::mem::take(&mut *self.state.reviews.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), state.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request, state.clone()));
            // A client that goes away is none of ours.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let desired = review["request"]["desiredAPIVersion"].as_str().unwrap_or_default().to_owned();
    let objects = review["request"]["objects"].as_array().cloned().unwrap_or_default();
    state.reviews.lock().unwrap_or_else(PoisonError::into_inner).push((objects.len(), desired.clone()));
    let converted: Vec<Value> = objects.into_iter().map(|object| convert(object, &desired)).collect();
    let mut answer = json!({"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": {
        "uid": review["request"]["uid"], "result": {"status": "Success"}, "convertedObjects": converted}});
    if let Some(change) = *state.change.lock().unwrap_or_else(PoisonError::into_inner) {
        change(&mut answer);
    }
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}

fn convert(mut object: Value, desired: &str) -> Value {
    let spec = object["spec"].as_object().cloned().unwrap_or_default();
    if desired.ends_with("/v2") {
        let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default();
        object["spec"] = json!({"hostPort": format!("{}:{}", text("host"), text("port"))});
    } else {
        let both = spec.get("hostPort").and_then(Value::as_str).unwrap_or_default();
        let (host, port) = both.split_once(':').unwrap_or((both, ""));
        object["spec"] = json!({"host": host, "port": port});
    }
    object["apiVersion"] = desired.into();
    // What is not its own is put back by whoever asked.
    object["metadata"]["generation"] = json!(77);
    object
}
