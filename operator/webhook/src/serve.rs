//! The HTTPS server that answers admission reviews at /mutate and /validate.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use runtime::{ObjectKey, Store};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::review::{self, Review};
use crate::validate::Neighbours;

/// The wait after a connection could not be accepted, so that a lack of file descriptors is no busy loop.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A review carries an object, and upon an update the old one: at most 3 MiB each.
const LARGEST_BODY: usize = 8 << 20;

/// The Apps of one namespace, as the informer knows them.
pub struct Namespaced<'a> {
    /// All Apps.
    pub apps: &'a Store<crds::App>,
    /// The namespace.
    pub namespace: &'a str,
}

impl Neighbours for Namespaced<'_> {
    fn depends_on(&self, name: &str) -> Option<Vec<String>> {
        self.apps.get(&ObjectKey::new(self.namespace, name)).map(|app| app.spec.depends_on.clone())
    }
}

/// Answers for as long as it is polled.
pub async fn serve(listener: &TcpListener, tls: Arc<ServerConfig>, apps: Store<crds::App>) {
    let acceptor = TlsAcceptor::from(tls);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { tokio::time::sleep(ACCEPT_AGAIN).await; continue };
                let (acceptor, apps) = (acceptor.clone(), apps.clone());
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let apps = apps.clone();
                        async move { Ok::<_, Infallible>(answer(request, &apps).await) }
                    });
                    // A client that breaks off is no news.
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => (),
        }
    }
}

async fn answer(request: Request<Incoming>, apps: &Store<crds::App>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if !matches!(path.as_str(), "/mutate" | "/validate") {
        return plain(StatusCode::NOT_FOUND, "404 page not found");
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "reviews are posted");
    }
    let Ok(body) = Limited::new(request.into_body(), LARGEST_BODY).collect().await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the review cannot be read, or is too large");
    };
    let review: Review = match serde_json::from_slice(&body.to_bytes()) {
        Ok(review) => review,
        Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("not an AdmissionReview: {error}")),
    };
    let Some(asked) = review.request else {
        return plain(StatusCode::BAD_REQUEST, "the AdmissionReview has no request");
    };
    let response = if path == "/mutate" {
        review::mutate(&asked)
    } else {
        review::review(&asked, &Namespaced { apps, namespace: &asked.namespace })
    };
    let mut answer = Response::new(Full::new(Bytes::from(response.into_review().to_string())));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}
