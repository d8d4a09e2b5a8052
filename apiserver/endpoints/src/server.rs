//! One server: what it is made of, and the way of a request through it.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apimachinery::status::StatusError;
use apimachinery::user::UserInfo;
use authentication::openid::Metadata;
use futures::FutureExt;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use registry::{Registry, Warnings};
use tokio_util::sync::CancellationToken;

use crate::aggregation::Aggregation;
use crate::authentication::{AUDIENCE, Authenticator, Peer};
use crate::authorization::{self, Authorizer, Decision, Privileged};
use crate::body::{Body, RequestBody};
use crate::filters::flow_control::{self, FlowControl};
use crate::filters::impersonation::Impersonation;
use crate::filters::{audit, timeout};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::negotiation::{self, Endpoint};
use crate::query::Query;
use crate::request_info::{self, RequestInfo};
use crate::response::{self, Form};
use crate::serve::Until;
use crate::{discovery, openapi, protobuf, routes, version};

/// What a client is told of a handler that panicked.
const PANICKED: &str = "This request caused apiserver to panic. Look in the logs for details.\n";

/// What a server is made of.
pub struct Config {
    /// What is served.
    pub registry: Arc<Registry>,
    /// What others serve.
    pub aggregation: Arc<Aggregation>,
    /// Who sends a request.
    pub authenticator: Authenticator,
    /// What tells others how to verify this server's tokens.
    pub openid: Option<Arc<Metadata>>,
    /// Whether it may.
    pub authorizer: Arc<dyn Authorizer>,
    /// Who is told of finished requests.
    pub audit: Option<Arc<dyn audit::Sink>>,
    /// The checks of `/healthz`, `/livez` and `/readyz`.
    pub health: Arc<Health>,
    /// What `/metrics` prints.
    pub metrics: Arc<Metrics>,
    /// What `/version` answers.
    pub version: version::Info,
    /// How long a request may take, but for watches; a shorter `timeout` parameter is obeyed. Upstream: 60 s.
    pub request_timeout: Duration,
    /// Watches without `timeoutSeconds` end after this long and up to twice as long. Upstream: 1800 s.
    pub min_request_timeout: Duration,
    /// Reads served at once; more are answered 429. 0 is no limit. Upstream: 400.
    pub max_requests_inflight: usize,
    /// Writes served at once. Upstream: 200.
    pub max_mutating_requests_inflight: usize,
    /// Requests at once on one HTTP/2 connection. Upstream: 100.
    pub http2_max_streams_per_connection: u32,
    /// `host:port` as clients reach this server, for `/api`'s `serverAddressByClientCIDRs`.
    pub advertise_address: String,
}

impl Config {
    /// Upstream's defaults: bearer tokens none, anonymous allowed, only `system:masters` privileged.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            aggregation: Arc::default(),
            authenticator: Authenticator::new(vec![AUDIENCE.to_owned()]),
            openid: None,
            authorizer: Arc::new(Privileged),
            audit: None,
            health: Health::new(),
            metrics: Metrics::new(),
            version: version::Info::default(),
            request_timeout: Duration::from_secs(60),
            min_request_timeout: Duration::from_secs(1800),
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            http2_max_streams_per_connection: 100,
            advertise_address: String::new(),
        }
    }
}

/// What is known of the connection a request came by.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The client's address.
    pub remote: SocketAddr,
    /// What the client has shown.
    pub peer: Arc<Peer>,
    /// Cancelled when the server stops: watches end.
    pub closing: CancellationToken,
}

/// A server: shared by all connections.
pub struct Server {
    pub(crate) config: Config,
    pub(crate) discovery: discovery::Cache,
    pub(crate) openapi: openapi::Cache,
    pub(crate) envelopes: protobuf::Watched,
    flow_control: FlowControl,
    impersonation: Impersonation,
}

/// A request on its way, and what the filters learn of it.
pub(crate) struct Exchange {
    /// Method, URL and headers.
    pub parts: request::Parts,
    /// The URL's parameters.
    pub query: Query,
    /// What it is about.
    pub info: RequestInfo,
    /// Who sent it; set by authentication, changed by impersonation.
    pub user: Option<Arc<UserInfo>>,
    /// Warnings for the client.
    pub warnings: Warnings,
    /// When it must be answered; `None` for requests that last.
    pub deadline: Option<Instant>,
}

impl Exchange {
    /// The form of errors: what `Accept` asks for if a Status can be written so, else JSON.
    pub(crate) fn error_form(&self) -> Form {
        match negotiation::negotiate(&self.parts.headers, &self.query, Endpoint::Document) {
            Ok(accepted) => Form { accepted, gzip: false },
            Err(_) => Form::plain(),
        }
    }
}

impl Server {
    /// A server over `config`.
    pub fn new(config: Config) -> Arc<Self> {
        let flow_control = FlowControl::new(config.max_requests_inflight, config.max_mutating_requests_inflight);
        Arc::new(Self {
            config,
            discovery: Default::default(),
            openapi: Default::default(),
            envelopes: Default::default(),
            flow_control,
            impersonation: Impersonation::default(),
        })
    }

    /// Answers one request. Never fails: what goes wrong is a `Status`.
    pub async fn handle(self: &Arc<Self>, request: Request<RequestBody>, connection: &Connection) -> Response<Body> {
        let started = Instant::now();
        let (mut parts, body) = request.into_parts();
        let audit_id = audit::id(&parts.headers);
        if !request_info::readable(parts.uri.path()) {
            return response::text(StatusCode::BAD_REQUEST, "400 Bad Request");
        }
        let head = parts.method == Method::HEAD;
        let query = Query::parse(parts.uri.query());
        let (info, invalid) = match RequestInfo::new(&parts.method, parts.uri.path(), &query) {
            Ok(info) => (info, None),
            Err(error) => (RequestInfo::default(), Some(StatusError::internal(error))),
        };
        // Whom the request is passed on to writes of it under the same id.
        parts.headers.insert(audit::AUDIT_ID, audit_id.clone());
        let mut exchange = Exchange { parts, query, info, user: None, warnings: Warnings::new(), deadline: None };
        let in_flight = self.config.metrics.begin(&exchange.info, &self.config.registry.table());
        let outcome = match invalid {
            Some(error) => Ok(Err(error)),
            None => AssertUnwindSafe(self.filter(&mut exchange, body, connection)).catch_unwind().await,
        };
        let mut response = match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                if error.code() >= 500 {
                    tracing::debug!(path = exchange.info.path, code = error.code(), %error, "request failed");
                }
                exchange.error_form().status(&error)
            }
            Err(_) => {
                tracing::error!(path = exchange.info.path, method = %exchange.parts.method, "a handler panicked");
                response::text(StatusCode::INTERNAL_SERVER_ERROR, PANICKED)
            }
        };
        let headers = response.headers_mut();
        headers.insert(audit::AUDIT_ID, audit_id.clone());
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
        }
        response::add_warnings(headers, exchange.warnings.take_warnings());
        if head {
            *response.body_mut() = Body::Empty;
        }
        let latency = started.elapsed();
        in_flight.finish(&mut response, latency);
        self.record(exchange, audit_id, response.status(), latency);
        response
    }

    /// The filters, in their order, and the handler behind them.
    async fn filter(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        body: RequestBody,
        connection: &Connection,
    ) -> Result<Response<Body>, StatusError> {
        // 1. request info: read in `handle`, for it also names the request in metrics.
        // 2. authentication
        let authenticator = &self.config.authenticator;
        let user = authenticator.authenticate(&exchange.parts.headers, &connection.peer, &exchange.warnings).await;
        let user = user.map_err(|error| {
            tracing::warn!(remote = %connection.remote, %error, "unable to authenticate the request");
            StatusError::unauthorized("Unauthorized")
        })?;
        authenticator.strip(&mut exchange.parts.headers);
        let headers = &exchange.parts.headers;
        // 3. audit: the event is recorded in `handle`, when the answer is known.
        exchange.user = Some(user.clone());
        // 4. flow control
        let Some(place) = self.flow_control.admit(&exchange.info, &user) else { return Ok(flow_control::refused()) };
        // 5. impersonation
        let authorizer = &*self.config.authorizer;
        let user = self.impersonation.impersonate(headers, user, &exchange.info, authorizer).await?;
        exchange.user = Some(user.clone());
        // 6. authorization
        let attributes = authorization::attributes(user.clone(), &exchange.info);
        let decision = authorizer.authorize(&attributes).await;
        authorization::log(&attributes, &decision);
        match decision {
            Decision::Allow(_) => {}
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                return Err(attributes.forbidden(&reason));
            }
            Decision::Failed { error, .. } => {
                return Ok(response::internal_error(&exchange.parts.uri, &error));
            }
        }
        if exchange.info.long_running() {
            return Box::pin(routes::route(self, exchange, user, body, connection)).await;
        }
        let allotted = timeout::allotted(&exchange.query, self.config.request_timeout)?;
        exchange.deadline = Some(Instant::now() + allotted);
        let deadline = tokio::time::Instant::now() + allotted;
        let routed =
            tokio::time::timeout_at(deadline, Box::pin(routes::route(self, exchange, user, body, connection))).await;
        let mut response = routed.unwrap_or_else(|_| Err(timeout::exceeded()))?;
        response.extensions_mut().insert(Until(deadline.max(tokio::time::Instant::now() + timeout::LEAST_TO_READ)));
        response.extensions_mut().insert(place);
        Ok(response)
    }

    fn record(&self, exchange: Exchange, id: HeaderValue, code: StatusCode, latency: Duration) {
        let Some(sink) = &self.config.audit else { return };
        sink.record(audit::Event {
            id: id.to_str().unwrap_or_default().to_owned(),
            info: exchange.info,
            user: exchange.user,
            code,
            latency,
            annotations: exchange.warnings.annotations(),
        });
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "paths_tests.rs"]
mod paths_tests;
