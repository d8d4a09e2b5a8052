//! `/healthz`, `/livez` and `/readyz`: named checks, all of them or one at a time.

use std::sync::Arc;

use futures::future::BoxFuture;
use parking_lot::RwLock;

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

    /// Adds a check; those added first are run and listed first.
    pub fn add(&self, check: Check) {
        self.checks.write().push(check);
    }
}
