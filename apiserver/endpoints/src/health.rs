//! `/healthz`, `/livez` and `/readyz`: named checks, all of them or one at a time.

use std::sync::Arc;

use apimachinery::status::StatusError;
use futures::future::BoxFuture;
use http::{Response, StatusCode};
use parking_lot::RwLock;

use crate::body::Body;
use crate::response::{page_not_found, text};
use crate::server::Exchange;

/// One named condition.
#[derive(Clone)]
pub struct Check {
    name: Arc<str>,
    live: bool,
    run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Check {
    /// A check that `run` answers; an `Err` says what is wrong (kept from clients, logged).
    pub fn new<F, R>(name: &str, run: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name: name.into(), live: true, run: Arc::new(move || Box::pin(run())) }
    }

    /// The same check for `/readyz` alone: failing does not mean that the process must be restarted.
    #[must_use]
    pub fn ready_only(mut self) -> Self {
        self.live = false;
        self
    }

    /// Its name in paths, e.g. `etcd` in `/readyz/etcd`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The checks of one server. `ping` is always there.
#[derive(Default)]
pub struct Health {
    checks: RwLock<Vec<Check>>,
}

impl Health {
    /// No checks but `ping`.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The checks of `/healthz`, `/livez` or `/readyz`, `ping` first.
    fn of(&self, endpoint: &str) -> Vec<Check> {
        let ping = Check::new("ping", || async { Ok(()) });
        let checks = self.checks.read();
        std::iter::once(ping).chain(checks.iter().filter(|check| check.live || endpoint == "readyz").cloned()).collect()
    }

    /// The names of an endpoint's checks.
    pub(crate) fn names(&self, endpoint: &str) -> Vec<String> {
        self.of(endpoint).iter().map(|check| check.name().to_owned()).collect()
    }

    /// Adds a check; those added first are run and listed first.
    pub fn add(&self, check: Check) {
        self.checks.write().push(check);
    }
}

/// Answers `/healthz`, `/livez`, `/readyz` and their single checks, to any method.
pub(crate) async fn serve(health: &Health, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let path = exchange.info.path.as_str();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (endpoint, single) = match path.split_once('/') {
        Some((endpoint, single)) => (endpoint, Some(single)),
        None => (path, None),
    };
    let checks = health.of(endpoint);
    let Some(single) = single else { return Ok(all(endpoint, checks, exchange).await) };
    let Some(check) = checks.iter().find(|check| check.name() == single) else { return Ok(page_not_found()) };
    Ok(match (check.run)().await {
        Ok(()) => text(StatusCode::OK, "ok"),
        Err(error) => {
            tracing::warn!(check = single, error, "health check failed");
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("internal server error: {error}\n"))
        }
    })
}

async fn all(endpoint: &str, checks: Vec<Check>, exchange: &Exchange) -> Response<Body> {
    let excluded: Vec<&str> = exchange.query.all("exclude").flat_map(|names| names.split(',')).collect();
    let unknown: Vec<String> = excluded
        .iter()
        .filter(|name| !name.is_empty() && !checks.iter().any(|check| check.name() == **name))
        .map(|name| format!("{name:?}"))
        .collect();
    let mut report = String::new();
    let mut failed: Vec<String> = Vec::new();
    for check in &checks {
        let name = check.name();
        if excluded.contains(&name) {
            report.push_str(&format!("[+]{name} excluded: ok\n"));
            continue;
        }
        match (check.run)().await {
            Ok(()) => report.push_str(&format!("[+]{name} ok\n")),
            Err(error) => {
                tracing::warn!(check = name, error, "health check failed");
                report.push_str(&format!("[-]{name} failed: reason withheld\n"));
                failed.push(name.to_owned());
            }
        }
    }
    if !unknown.is_empty() {
        report
            .push_str(&format!("warn: some health checks cannot be excluded: no matches for {}\n", unknown.join(", ")));
    }
    if !failed.is_empty() {
        report.push_str(&format!("{endpoint} check failed\n"));
        return text(StatusCode::INTERNAL_SERVER_ERROR, report);
    }
    if exchange.query.first("verbose").is_none() {
        return text(StatusCode::OK, "ok");
    }
    report.push_str(&format!("{endpoint} check passed\n"));
    text(StatusCode::OK, report)
}
