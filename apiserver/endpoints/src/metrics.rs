//! Prometheus metrics under upstream's names.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;

/// What one server counts, and the registry that `/metrics` prints.
pub struct Metrics {
    registry: Mutex<Registry>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { registry: Mutex::new(Registry::default()) })
    }

    /// Registers further metrics (the store's, the process's).
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock());
    }
}
