//! Follows the APIServices and publishes what requests are routed by.

use std::collections::HashMap;
use std::sync::Arc;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::StatusError;
use endpoints::aggregation::{Aggregation, ApiService, Remote};
use registry::{Registry, Served};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::backends::{Backends, Reference, Server};
use super::certificate::ProxyCertificate;
use super::condition::{self, Available};
use super::registration::{self, Current};
use super::{availability, inquiry};
use crate::informer::{self, Change, Selection};

/// Follows the APIServices; see the module above.
pub struct Aggregator {
    registry: Arc<Registry>,
    certificate: Arc<ProxyCertificate>,
    aggregation: Arc<Aggregation>,
    /// Those of what is compiled in.
    built_in: Vec<Value>,
    current: Current,
    changes: mpsc::Receiver<Change>,
    backends: Backends,
    /// Those of other servers, by name.
    remotes: HashMap<String, Followed>,
    /// Told of every change.
    changed: mpsc::UnboundedSender<String>,
    registration: Option<mpsc::UnboundedReceiver<String>>,
}

/// An APIService of another server: ended when dropped.
struct Followed {
    server: Arc<Server>,
    object: watch::Sender<Arc<Value>>,
    _tasks: JoinSet<()>,
}

impl Aggregator {
    /// Publishes the APIServices there are; to be called before requests are served. `built_in` are those of what is compiled
    /// in, `certificate` is shown to other servers.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn start(
        registry: Arc<Registry>,
        certificate: Arc<ProxyCertificate>,
        built_in: Vec<Value>,
    ) -> Result<Self, StatusError> {
        let all = Selection { group: "apiregistration.k8s.io", resource: "apiservices", ..Selection::default() };
        let changes = informer::follow(registry.clone(), all);
        let (changed, registration) = mpsc::unbounded_channel();
        let mut aggregator = Self {
            aggregation: Arc::new(Aggregation::new(built_in.iter().map(|service| described(service, None)))),
            backends: Backends::new(certificate.clone()),
            registry,
            certificate,
            built_in,
            current: Current::default(),
            changes,
            remotes: HashMap::new(),
            changed,
            registration: Some(registration),
        };
        let first = aggregator.changes.recv().await;
        let first = first.ok_or_else(|| StatusError::internal("APIServices cannot be followed"))?;
        aggregator.apply(first).await;
        Ok(aggregator)
    }

    /// What is published.
    pub fn aggregation(&self) -> Arc<Aggregation> {
        self.aggregation.clone()
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let registration = self.registration.take().map(|changed| {
            let built_in = std::mem::take(&mut self.built_in);
            registration::run(self.registry.clone(), self.current.clone(), built_in, changed)
        });
        let registration = async {
            match registration {
                Some(registration) => registration.await,
                None => std::future::pending().await,
            }
        };
        let certificate = self.certificate.clone().follow();
        let follow = async {
            while let Some(change) = self.changes.recv().await {
                self.apply(change).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            ((), (), ()) = futures::future::join3(follow, registration, certificate) => {}
        }
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::All(all) => {
                let all: Vec<Arc<Value>> = all.iter().filter_map(read).collect();
                let known: Vec<String> = self.current.read().keys().cloned().collect();
                for gone in known.iter().filter(|name| !all.iter().any(|of| of.name() == name.as_str())) {
                    self.remove(gone);
                }
                for service in all {
                    self.put(service).await;
                }
            }
            Change::Put(service) => {
                if let Some(service) = read(&service) {
                    self.put(service).await;
                }
            }
            Change::Gone(service) => {
                if let Some(service) = read(&service) {
                    self.remove(service.name());
                }
            }
        }
    }

    fn remove(&mut self, name: &str) {
        self.remotes.remove(name);
        self.current.write().remove(name);
        self.aggregation.update(|known| known.remove(name));
        // Nobody may be listening any more.
        let _ = self.changed.send(name.to_owned());
    }

    async fn put(&mut self, service: Arc<Value>) {
        let name = service.name().to_owned();
        let server = Reference::of(&service).map(|reference| self.backends.get(&reference));
        let described = Arc::new(described(&service, server.as_deref()));
        self.aggregation.update(|known| {
            let mut described = ApiService::clone(&described);
            if let Some(remote) = &mut described.remote {
                // What it serves is asked anew, but not forgotten until then.
                let before = known.get(&name).and_then(|before| before.remote.as_ref());
                remote.served = before.and_then(|before| before.served.clone());
                remote.described = before.and_then(|before| before.described.clone());
            }
            known.put(Arc::new(described));
        });
        self.current.write().insert(name.clone(), service.clone());
        match server {
            Some(server) => self.follow(&name, server, service),
            None => {
                self.remotes.remove(&name);
                if let Err(error) = condition::write(&self.registry, &service, &Available::local()).await {
                    // The next change tries again.
                    warn!(name, %error, "the condition of the APIService cannot be written");
                }
            }
        }
        let _ = self.changed.send(name);
    }

    /// Follows the server of an APIService, if it is another one than before.
    fn follow(&mut self, name: &str, server: Arc<Server>, service: Arc<Value>) {
        if let Some(followed) = self.remotes.get(name)
            && Arc::ptr_eq(&followed.server, &server)
        {
            followed.object.send_replace(service);
            return;
        }
        let (object, changes) = watch::channel(service);
        let mut tasks = JoinSet::new();
        tasks.spawn(availability::watch_over(self.registry.clone(), server.clone(), changes.clone()));
        tasks.spawn(inquiry::discover(self.aggregation.clone(), server.clone(), changes.clone()));
        tasks.spawn(inquiry::describe(self.aggregation.clone(), server.clone(), changes));
        self.remotes.insert(name.to_owned(), Followed { server, object, _tasks: tasks });
    }
}

/// An APIService as requests are routed by it.
fn described(service: &Value, server: Option<&Server>) -> ApiService {
    let text = |field: &str| service["spec"][field].as_str().unwrap_or_default().to_owned();
    let number = |field: &str| service["spec"][field].as_i64().unwrap_or_default();
    ApiService {
        group: text("group"),
        version: text("version"),
        group_priority: number("groupPriorityMinimum"),
        version_priority: number("versionPriority"),
        remote: server.map(|server| Remote {
            backend: server.backend.clone(),
            available: condition::is_available(service),
            served: None,
            described: None,
        }),
    }
}

fn read(served: &Served) -> Option<Arc<Value>> {
    served.value().inspect_err(|error| warn!(%error, "an APIService cannot be read")).ok()
}
