//! The health and metrics port.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{Error, Metrics};

/// The wait after a connection could not be accepted, so that a lack of file descriptors is no busy loop.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Flags of the health and metrics port.
#[derive(clap::Args, Clone, Debug)]
pub struct HealthOptions {
    /// The IP address on which /healthz, /readyz and /metrics are served.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub healthz_bind_address: IpAddr,
    /// The port on which /healthz, /readyz and /metrics are served over plain HTTP; 0 serves none.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub healthz_port: u16,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self { healthz_bind_address: IpAddr::from([127, 0, 0, 1]), healthz_port: 0 }
    }
}

/// Whether the operator is ready, as /readyz says it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that the operator is ready from now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The bound port; [`serve`](Self::serve) answers on it. Without a port there is nothing to serve.
#[derive(Debug)]
pub struct HealthPort {
    listener: Option<TcpListener>,
}

impl HealthPort {
    /// Binds the port.
    ///
    /// # Errors
    /// [`Error::Listen`] when the port is taken.
    pub async fn bind(options: &HealthOptions) -> Result<Self, Error> {
        if options.healthz_port == 0 {
            return Ok(Self { listener: None });
        }
        let address = SocketAddr::new(options.healthz_bind_address, options.healthz_port);
        match TcpListener::bind(address).await {
            Ok(listener) => Ok(Self { listener: Some(listener) }),
            Err(source) => Err(Error::Listen { address, source }),
        }
    }

    /// Answers for as long as it is polled.
    pub async fn serve(self, readiness: Readiness, metrics: Metrics) {
        let Some(listener) = self.listener else { return std::future::pending().await };
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    // What accept fails with (too many open files) passes, but not at once.
                    let Ok((stream, _)) = accepted else { tokio::time::sleep(ACCEPT_AGAIN).await; continue };
                    let (readiness, metrics) = (readiness.clone(), metrics.clone());
                    connections.spawn(async move {
                        let service = service_fn(|request| {
                            let response = answer(&request, &readiness, &metrics);
                            async move { Ok::<_, Infallible>(response) }
                        });
                        // A client that breaks off is no news.
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => (),
            }
        }
    }
}

fn answer(request: &Request<Incoming>, readiness: &Readiness, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz" | "/livez") => (StatusCode::OK, "text/plain; charset=utf-8", "ok".to_owned()),
        (&Method::GET, "/readyz") if readiness.get() => (StatusCode::OK, "text/plain; charset=utf-8", "ok".to_owned()),
        (&Method::GET, "/readyz") => {
            (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", "not ready".to_owned())
        }
        (&Method::GET, "/metrics") => {
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics.encode())
        }
        (&Method::GET, _) => (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "404 page not found\n".to_owned()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "Method Not Allowed\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
