//! Prometheus metrics under upstream's names.

mod exposition;
mod process;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use registry::{Row, Table};

use crate::body::Body;
use crate::request_info::RequestInfo;
use crate::response::{respond, text};

use exposition::Exposition;

/// What a request is counted under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
    component: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    verb: String,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
    component: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InflightLabels {
    request_kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    group: String,
    version: String,
    resource: String,
}

/// Upstream's buckets for request latencies, in seconds.
const LATENCIES: [f64; 22] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    60.0,
];
/// Upstream's buckets for the sizes of watch events, in bytes.
const EVENT_SIZES: [f64; 8] = [1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131072.0];

/// What one server counts, and the registry that `/metrics` prints.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<CodeLabels, Counter>,
    durations: Family<RequestLabels, Histogram, fn() -> Histogram>,
    long_running: Family<RequestLabels, Gauge>,
    inflight: Family<InflightLabels, Gauge>,
    watch_events: Family<KindLabels, Counter>,
    watch_sizes: Family<KindLabels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::default();
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(LATENCIES)),
            long_running: Family::default(),
            inflight: Family::default(),
            watch_events: Family::default(),
            watch_sizes: Family::new_with_constructor(|| Histogram::new(EVENT_SIZES)),
            registry: Mutex::new(Registry::default()),
        };
        registry.register(
            "apiserver_request",
            "Counter of apiserver requests broken out for each verb, API resource and HTTP response code",
            metrics.requests.clone(),
        );
        registry.register(
            "apiserver_request_duration_seconds",
            "Response latency distribution in seconds for each verb, group, version, resource, subresource, scope and component",
            metrics.durations.clone(),
        );
        registry.register(
            "apiserver_longrunning_requests",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component",
            metrics.long_running.clone(),
        );
        registry.register(
            "apiserver_current_inflight_requests",
            "Number of requests being served now, by request kind",
            metrics.inflight.clone(),
        );
        registry.register(
            "apiserver_watch_events",
            "Number of events sent in watch clients",
            metrics.watch_events.clone(),
        );
        registry.register(
            "apiserver_watch_events_sizes",
            "Watch event size distribution in bytes",
            metrics.watch_sizes.clone(),
        );
        process::register(&mut registry);
        *metrics.registry.lock() = registry;
        Arc::new(metrics)
    }

    /// Registers further metrics (the store's, for one).
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock());
    }

    /// Counts a request that begins. What `table` does not know is counted by its verb alone.
    pub(crate) fn begin(self: &Arc<Self>, info: &RequestInfo, table: &Table) -> InFlight {
        let long = info.long_running();
        let labels = labels(info, table);
        if long {
            self.long_running.get_or_create(&labels).inc();
        } else {
            self.inflight.get_or_create(&kind(info)).inc();
        }
        InFlight { metrics: self.clone(), labels, kind: kind(info), long }
    }

    /// Counts the events of a watch.
    pub(crate) fn watch_events(&self, row: &Row) -> WatchEvents {
        let labels = KindLabels {
            group: row.gvr.group.clone(),
            version: row.gvr.version.clone(),
            resource: row.gvr.resource.clone(),
        };
        WatchEvents {
            count: self.watch_events.get_or_create_owned(&labels),
            sizes: self.watch_sizes.get_or_create_owned(&labels),
        }
    }
}

/// The counters of one watch.
pub(crate) struct WatchEvents {
    count: Counter,
    sizes: Histogram,
}

impl WatchEvents {
    /// Counts an event of so many bytes.
    pub(crate) fn observe(&self, bytes: usize) {
        self.count.inc();
        // A size is far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        self.sizes.observe(bytes as f64);
    }
}

/// A request on its way; dropping it ends the count of those.
pub(crate) struct InFlight {
    metrics: Arc<Metrics>,
    labels: RequestLabels,
    kind: InflightLabels,
    long: bool,
}

impl InFlight {
    /// Counts the answer.
    pub(crate) fn finish(self, response: &mut Response<Body>, latency: Duration) {
        let RequestLabels { verb, group, version, resource, subresource, scope, component } = self.labels.clone();
        let code = response.status().as_u16();
        let counted = CodeLabels { verb, group, version, resource, subresource, scope, component, code };
        self.metrics.requests.get_or_create(&counted).inc();
        if !self.long {
            self.metrics.durations.get_or_create(&self.labels).observe(latency.as_secs_f64());
            return;
        }
        // A watch stays in the count until its stream ends; a refusal is over now.
        let body = std::mem::take(response.body_mut());
        *response.body_mut() = match body {
            Body::Stream(stream) => {
                let stream = stream.map(move |piece| {
                    let _until_its_end = &self;
                    piece
                });
                Body::Stream(Box::pin(stream))
            }
            Body::Proxied(proxied) => Body::Proxied(proxied.holding(self)),
            body => body,
        };
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.long {
            self.metrics.long_running.get_or_create(&self.labels).dec();
        } else {
            self.metrics.inflight.get_or_create(&self.kind).dec();
        }
    }
}

fn kind(info: &RequestInfo) -> InflightLabels {
    InflightLabels { request_kind: if info.read_only() { "readOnly" } else { "mutating" } }
}

fn labels(info: &RequestInfo, table: &Table) -> RequestLabels {
    if !info.is_resource {
        // Paths are the client's: only the verb is counted, so that nobody can fill the memory with labels.
        let verb = match info.verb.as_str() {
            "get" | "head" | "post" | "put" | "patch" | "delete" | "options" => info.verb.to_ascii_uppercase(),
            _ => "other".to_owned(),
        };
        return RequestLabels { verb, component: "apiserver", ..RequestLabels::default() };
    }
    let verb = match info.verb.as_str() {
        "create" => "POST",
        "update" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        "list" => "LIST",
        "watch" => "WATCH",
        "proxy" => "PROXY",
        "get" => "GET",
        _ => "other",
    };
    // Nor can anybody with resources that are not there.
    let known = table.row(&info.group, &info.version, &info.resource);
    if !known.is_some_and(|row| info.subresource.is_empty() || row.subresource(&info.subresource).is_some()) {
        return RequestLabels { verb: verb.to_owned(), component: "apiserver", ..RequestLabels::default() };
    }
    let scope = match (info.name.is_empty(), info.namespace.is_empty()) {
        (false, _) => "resource",
        (true, false) => "namespace",
        (true, true) => "cluster",
    };
    RequestLabels {
        verb: verb.to_owned(),
        group: info.group.clone(),
        version: info.version.clone(),
        resource: info.resource.clone(),
        subresource: info.subresource.clone(),
        scope,
        component: "apiserver",
    }
}

/// Answers `/metrics`.
pub(crate) fn serve(metrics: &Metrics, headers: &HeaderMap) -> Response<Body> {
    let form = Exposition::asked_for(headers);
    let encoded = form.of(&metrics.registry.lock());
    match encoded {
        Ok(out) => {
            let mut response = respond(StatusCode::OK, form.media_type());
            *response.body_mut() = Bytes::from(out).into();
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}
