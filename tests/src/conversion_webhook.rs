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
    /// The service that it can be asked as.
    pub const SERVICE: &str = "convert";

    /// Starts it on a free port; its certificate is for that address and for the service [`Self::SERVICE`].
    pub async fn start() -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), format!("{}.default.svc", Self::SERVICE)])
                .expect("a certificate");
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
        self.asked_at("url", json!(format!("https://{}/convert", self.address)))
    }

    /// `spec.conversion` of a definition that asks it as a service, and that service, of the namespace `default`.
    pub fn conversion_by_service(&self) -> (Value, Value) {
        let port = self.address.port();
        let reference = json!({"name": Self::SERVICE, "namespace": "default", "port": port, "path": "/convert"});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": Self::SERVICE},
            "spec": {"type": "ExternalName", "externalName": "localhost"}});
        (self.asked_at("service", reference), service)
    }

    fn asked_at(&self, field: &str, place: Value) -> Value {
        let ca = base64::engine::general_purpose::STANDARD.encode(&self.ca);
        let mut config = json!({"caBundle": ca});
        config[field] = place;
        json!({"strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1", "v1beta1"], "clientConfig": config}})
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
    let mut spec = object["spec"].as_object().cloned().unwrap_or_default();
    let mut take =
        |field: &str| spec.remove(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    if desired.ends_with("/v2") {
        let both = format!("{}:{}", take("host"), take("port"));
        spec.insert("hostPort".to_owned(), both.into());
    } else {
        let both = take("hostPort");
        let (host, port) = both.split_once(':').unwrap_or((&both, ""));
        spec.extend([("host".to_owned(), host.into()), ("port".to_owned(), port.into())]);
    }
    object["spec"] = spec.into();
    object["apiVersion"] = desired.into();
    // What is not its own is put back by whoever asked.
    object["metadata"]["generation"] = json!(77);
    object
}
