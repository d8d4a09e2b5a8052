//! Metrics, under upstream's names.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

type Labels = [(&'static str, String); 1];

/// The metrics of one operator. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    leader: Family<Labels, Gauge>,
    adds: Family<Labels, Counter>,
    retries: Family<Labels, Counter>,
    depth: Family<Labels, Gauge>,
    work: Family<Labels, Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let leader = Family::default();
        let adds = Family::default();
        let retries = Family::default();
        let depth = Family::default();
        let work: Family<Labels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-6, 10.0, 8)));
        registry.register(
            "leader_election_master_status",
            "Whether this copy leads (1) or stands by (0), by Lease",
            leader.clone(),
        );
        registry.register("workqueue_adds", "Keys added to the work queue", adds.clone());
        registry.register("workqueue_retries", "Keys that came back after a failure", retries.clone());
        registry.register("workqueue_depth", "Keys that wait in the work queue", depth.clone());
        registry.register("workqueue_work_duration_seconds", "How long one key is worked on", work.clone());
        Self { registry: Arc::new(Mutex::new(registry)), leader, adds, retries, depth, work }
    }
}

impl Metrics {
    /// The metrics of the work queue of a name.
    pub fn queue(&self, name: &'static str) -> QueueMetrics {
        let labels = [("name", name.to_owned())];
        QueueMetrics {
            name,
            adds: self.adds.get_or_create_owned(&labels),
            retries: self.retries.get_or_create_owned(&labels),
            depth: self.depth.get_or_create_owned(&labels),
            work: self.work.get_or_create_owned(&labels),
        }
    }

    /// Says whether this copy leads.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leader.get_or_create(&[("name", lease.to_owned())]).set(leads.into());
    }

    /// Adds what an operator measures of its own.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the OpenMetrics text form.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}

/// The metrics of one work queue.
#[derive(Clone)]
pub struct QueueMetrics {
    name: &'static str,
    adds: Counter,
    retries: Counter,
    depth: Gauge,
    work: Histogram,
}

impl QueueMetrics {
    /// The queue's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn added(&self) {
        self.adds.inc();
    }

    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    pub(crate) fn depth(&self, depth: usize) {
        self.depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    pub(crate) fn worked(&self, time: Duration) {
        self.work.observe(time.as_secs_f64());
    }
}
