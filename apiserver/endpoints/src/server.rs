//! One server: what it is made of, and the way of a request through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::user::UserInfo;
use http::{Request, Response};
use registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::authentication::Authenticator;
use crate::authorization::Authorizer;
use crate::body::{Body, RequestBody};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::version;

/// What a server is made of.
pub struct Config {
    /// What is served.
    pub registry: Arc<Registry>,
    /// Who sends a request.
    pub authenticator: Authenticator,
    /// Whether it may.
    pub authorizer: Arc<dyn Authorizer>,
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
    /// `host:port` as clients reach this server, for `/api`'s `serverAddressByClientCIDRs`.
    pub advertise_address: String,
}

impl Config {
    /// Upstream's defaults: bearer tokens none, anonymous allowed, only `system:masters` privileged.
    pub fn new(registry: Arc<Registry>) -> Self {
        use crate::authorization::{Everyone, Privileged, Union};
        Self {
            registry,
            authenticator: Authenticator::new(Default::default()),
            authorizer: Arc::new(Union(vec![
                Arc::new(Privileged::new(Vec::new(), Vec::new())),
                Arc::new(Everyone),
            ])),
            health: Health::new(),
            metrics: Metrics::new(),
            version: version::Info::default(),
            request_timeout: Duration::from_secs(60),
            min_request_timeout: Duration::from_secs(1800),
            max_requests_inflight: 400,
            max_mutating_requests_inflight: 200,
            advertise_address: String::new(),
        }
    }
}

/// What is known of the connection a request came by.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The client's address.
    pub remote: SocketAddr,
    /// The user of the verified client certificate, if one was sent.
    pub certificate: Option<Arc<UserInfo>>,
    /// Cancelled when the server stops: watches end.
    pub closing: CancellationToken,
}

/// A server: shared by all connections.
pub struct Server {
    pub(crate) config: Config,
}

impl Server {
    /// A server over `config`.
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self { config })
    }

    /// Answers one request. Never fails: what goes wrong is a `Status`.
    pub async fn handle(self: &Arc<Self>, request: Request<RequestBody>, connection: &Connection) -> Response<Body> {
        let _ = (request, connection, &self.config);
        Response::new(Body::Empty)
    }
}
