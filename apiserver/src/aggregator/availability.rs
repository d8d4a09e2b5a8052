//! Whether another server answers: upstream's checks, one after the other, until one fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use admission::outbound::service::{Routing, SERVICE_NAME, addresses, port_name};
use apimachinery::meta::ObjectExt as _;
use apimachinery::quote::quoted;
use apimachinery::selector::{fields, labels};
use apimachinery::user::{SYSTEM_MASTERS, UserInfo};
use endpoints::aggregation::Backend;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::HeaderMap;
use registry::{Registry, Served};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::backends::{Reference, Server};
use super::condition::{self, Available};
use super::discovery::AGGREGATOR;
use crate::informer::{self, Change, Selection};

/// How often a server is asked, at least.
const RESYNC: Duration = Duration::from_secs(30);
/// One that does not answer is asked again after this long, then twice as long and so on, up to [`RESYNC`].
const RETRY: Duration = Duration::from_millis(5);
/// It is asked so often at once: one of several endpoints that answers is enough.
const ATTEMPTS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(5);

/// The path that a server of a group and version must serve.
pub(super) fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
}

/// What is known of a service.
#[derive(Default)]
struct Known {
    service: Option<Arc<Value>>,
    slices: BTreeMap<String, Arc<Value>>,
}

impl Known {
    fn slices(&self) -> impl Iterator<Item = &Value> {
        self.slices.values().map(|slice| &**slice)
    }

    /// Where the service is.
    fn locate(&self, reference: &Reference, routing: Routing) -> Result<Vec<(String, u16)>, String> {
        let service = self.service.as_ref().ok_or_else(|| format!("service {} not found", quoted(&reference.name)))?;
        addresses(service, self.slices(), None, reference.port, routing)
    }

    /// What is wrong before the server is even asked.
    fn objection(&self, reference: &Reference) -> Option<Available> {
        let Reference { namespace, name, port, .. } = reference;
        let of = format!("service/{name} in {}", quoted(namespace));
        let Some(service) = &self.service else {
            return Some(Available::not("ServiceNotFound", format!("{of} is not present")));
        };
        let kind = service.pointer("/spec/type").and_then(Value::as_str).unwrap_or("ClusterIP");
        if kind != "ClusterIP" {
            return None;
        }
        let Some(port_name) = port_name(service, *port) else {
            return Some(Available::not("ServicePortError", format!("{of} is not listening on port {port}")));
        };
        if self.slices.is_empty() {
            return Some(Available::not("EndpointsNotFound", format!("cannot find endpointslices for {of}")));
        }
        if !self.slices().any(|slice| has_endpoint(slice, port_name)) {
            let port_name = quoted(port_name);
            let why = format!("endpointslices for {of} have no addresses with port name {port_name}");
            return Some(Available::not("MissingEndpoints", why));
        }
        None
    }
}

/// Whether a slice has a ready endpoint and a port of that name.
fn has_endpoint(slice: &Value, port_name: &str) -> bool {
    let list = |field: &str| slice.get(field).and_then(Value::as_array).into_iter().flatten();
    let ready = |of: &Value| of.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
    let named = |of: &Value| of.get("name").and_then(Value::as_str) == Some(port_name);
    list("endpoints").any(ready) && list("ports").any(|port| named(port) && port.get("port").is_some_and(Value::is_u64))
}

/// Keeps the condition of an APIService true, and its server's addresses known, for as long as this runs.
pub(super) async fn watch_over(registry: Arc<Registry>, server: Arc<Server>, mut service: watch::Receiver<Arc<Value>>) {
    let mut events = Events::begin(&registry, &server.reference);
    let (mut known, routing) = (Known::default(), registry.routing());
    // Nothing is said before what there is is known.
    while !events.complete() {
        events.receive().await.apply(&server.reference, &mut known);
    }
    locate(&server, &known, routing);
    let mut failures: u32 = 0;
    loop {
        let current = service.borrow_and_update().clone();
        // What changes while the server is asked makes the answer worth nothing.
        let checked = tokio::select! {
            checked = check(&known, &server, &current) => Ok(checked),
            change = events.receive() => Err(change),
        };
        let checked = match checked {
            Ok(checked) => checked,
            Err(change) => {
                change.apply(&server.reference, &mut known);
                locate(&server, &known, routing);
                continue;
            }
        };
        let failed = match checked {
            Some(said) => {
                let written = condition::write(&registry, &current, &said).await;
                written.is_err() || said.reason == "FailedDiscoveryCheck"
            }
            None => true,
        };
        failures = if failed { failures.saturating_add(1) } else { 0 };
        let wait = match failures {
            0 => RESYNC,
            failures => RESYNC.min(RETRY.saturating_mul(2u32.saturating_pow(failures - 1))),
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = missed(&server), if failures == 0 => {}
            changed = service.changed() => if changed.is_err() { return },
            change = events.receive() => {
                change.apply(&server.reference, &mut known);
                locate(&server, &known, routing);
            }
        }
    }
}

/// Returns when a client's request did not reach a server.
async fn missed(server: &Server) {
    match &server.backend {
        Ok(backend) => backend.missed().await,
        Err(_) => std::future::pending().await,
    }
}

fn locate(server: &Server, known: &Known, routing: Routing) {
    if let Ok(backend) = &server.backend {
        backend.set_addresses(known.locate(&server.reference, routing));
    }
}

/// What is to be said; `None` if the server cannot even be asked, for which upstream has no words.
async fn check(known: &Known, server: &Server, service: &Value) -> Option<Available> {
    if let Some(objection) = known.objection(&server.reference) {
        return Some(objection);
    }
    let Ok(backend) = &server.backend else { return None };
    let text = |field: &str| service["spec"][field].as_str().unwrap_or_default();
    let path = path(text("group"), text("version"));
    let mut attempts: FuturesUnordered<_> = (0..ATTEMPTS).map(|_| ask(backend, &path)).collect();
    let mut last = String::new();
    while let Some(answered) = attempts.next().await {
        match answered {
            Ok(()) => return Some(Available::passed()),
            Err(why) => last = why,
        }
    }
    Some(Available::not("FailedDiscoveryCheck", last))
}

async fn ask(backend: &Backend, path: &str) -> Result<(), String> {
    let address = backend.address().await?;
    let (host, port) = (&address.0, address.1);
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let url = format!("https://{host}:{port}{path}");
    // Who is in this group may ask everything.
    let user = UserInfo::new(AGGREGATOR, [SYSTEM_MASTERS]);
    let answer = backend.get(&address, path, &user, HeaderMap::new());
    let why = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) if answer.status.is_success() => return Ok(()),
        Ok(Ok(answer)) => format!("bad status from {url}: {}", answer.status.as_u16()),
        Ok(Err(failure)) => format!("Get {}: {failure}", quoted(&url)),
        Err(_) => {
            format!("Get {}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", quoted(&url))
        }
    };
    Err(format!("failing or missing response from {url}: {why}"))
}

/// A change of what a service is.
enum Event {
    Service(Change),
    Slices(Change),
}

impl Event {
    fn apply(self, reference: &Reference, known: &mut Known) {
        let value = |served: Served| served.value().ok().filter(|object| object.namespace() == reference.namespace);
        // A name that no selector takes has none of its own.
        let service = |served| value(served).filter(|service| service.name() == reference.name);
        let slice = |served| value(served).filter(|slice| slice.label(SERVICE_NAME) == Some(&reference.name));
        match self {
            Self::Service(Change::All(all)) => known.service = all.into_iter().find_map(service),
            Self::Service(Change::Put(changed)) => {
                if let Some(changed) = service(changed) {
                    known.service = Some(changed);
                }
            }
            Self::Service(Change::Gone(gone)) => {
                if service(gone).is_some() {
                    known.service = None;
                }
            }
            Self::Slices(Change::All(all)) => {
                let named = all.into_iter().filter_map(slice).map(|slice| (slice.name().to_owned(), slice));
                known.slices = named.collect();
            }
            Self::Slices(Change::Put(changed)) => {
                if let Some(changed) = slice(changed) {
                    known.slices.insert(changed.name().to_owned(), changed);
                }
            }
            Self::Slices(Change::Gone(gone)) => {
                if let Ok(gone) = gone.value() {
                    known.slices.remove(gone.name());
                }
            }
        }
    }
}

/// What is told of a service and its endpoints.
struct Events {
    service: mpsc::Receiver<Change>,
    slices: mpsc::Receiver<Change>,
    told: (bool, bool),
}

impl Events {
    fn begin(registry: &Arc<Registry>, reference: &Reference) -> Self {
        let namespace = reference.namespace.clone();
        let service = Selection {
            group: "",
            resource: "services",
            namespace: namespace.clone(),
            fields: fields::Selector::parse(&format!("metadata.name={}", reference.name)).ok(),
            ..Selection::default()
        };
        let slices = Selection {
            group: "discovery.k8s.io",
            resource: "endpointslices",
            namespace,
            labels: labels::Selector::parse(&format!("{SERVICE_NAME}={}", reference.name)).ok(),
            ..Selection::default()
        };
        let follow = |selection| informer::follow(registry.clone(), selection);
        Self { service: follow(service), slices: follow(slices), told: (false, false) }
    }

    /// Whether all there is was told.
    fn complete(&self) -> bool {
        self.told == (true, true)
    }

    async fn receive(&mut self) -> Event {
        tokio::select! {
            Some(change) = self.service.recv() => {
                self.told.0 = true;
                Event::Service(change)
            }
            Some(change) = self.slices.recv() => {
                self.told.1 = true;
                Event::Slices(change)
            }
            // The server stops.
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_service_is_said_in_upstreams_words() {
        let reference =
            Reference { namespace: "ns".into(), name: "s".into(), port: 443, ca_bundle: Some(String::new()) };
        let service = |spec: Value| Some(json!({"metadata": {"name": "s"}, "spec": spec}));
        let listening = || service(json!({"type": "ClusterIP", "ports": [{"name": "https", "port": 443}]}));
        let slice = |port: &str, ready: Value| {
            json!({"metadata": {"name": "x"}, "ports": [{"name": port, "port": 6443}],
                "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}}]})
        };
        let missing = "endpointslices for service/s in \"ns\" have no addresses with port name \"https\"";
        let cases = [
            (None, None, Some(("ServiceNotFound", "service/s in \"ns\" is not present"))),
            (
                service(json!({"ports": [{"port": 80}]})),
                None,
                Some(("ServicePortError", "service/s in \"ns\" is not listening on port 443")),
            ),
            (listening(), None, Some(("EndpointsNotFound", "cannot find endpointslices for service/s in \"ns\""))),
            (listening(), Some(slice("https", json!(false))), Some(("MissingEndpoints", missing))),
            (listening(), Some(slice("", json!(true))), Some(("MissingEndpoints", missing))),
            (listening(), Some(slice("https", Value::Null)), None),
            (service(json!({"type": "ExternalName", "externalName": "a.example"})), None, None),
        ];
        for (service, slice, want) in cases {
            let known = Known {
                service: service.clone().map(Arc::new),
                slices: slice.clone().into_iter().map(|slice| ("x".to_owned(), Arc::new(slice))).collect(),
            };
            let got = known.objection(&reference);
            let got = got.as_ref().map(|said| (said.reason, said.message.as_str()));
            assert_eq!(got, want, "{service:?} {slice:?}");
        }
    }
}
