//! Monitors: one watch of metadata for every resource that can be listed, watched and deleted, come and gone with
//! discovery.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use kube::core::discovery::ApiResource;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use runtime::WorkQueue;
use runtime::informer::Backoff;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::graph::{Coordinates, Graph, Task};
use crate::discovery::{self, Served};

/// How often discovery is read when nothing asks for it.
const RESYNC: Duration = Duration::from_secs(30);
/// How long a changed definition may take until it is served.
const SETTLE: Duration = Duration::from_millis(500);

struct Monitor {
    watch: JoinHandle<()>,
    synced: Arc<AtomicBool>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Ends the monitors when it is dropped: each holds what it feeds, so they would never end by themselves.
struct StopMonitors(Arc<Monitors>);

impl Drop for StopMonitors {
    fn drop(&mut self) {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The monitors, the graph they feed, and the queue of what is to be looked at.
pub struct Monitors {
    client: Client,
    /// What the monitors have seen.
    pub graph: Mutex<Graph>,
    /// What is to be looked at.
    pub queue: WorkQueue<Task>,
    served: Mutex<Vec<Served>>,
    running: Mutex<HashMap<ApiResource, Monitor>>,
    stale: Notify,
}

impl Monitors {
    /// No monitors so far.
    pub fn new(client: Client, queue: WorkQueue<Task>) -> Arc<Self> {
        Arc::new(Self {
            client,
            graph: Mutex::default(),
            queue,
            served: Mutex::default(),
            running: Mutex::default(),
            stale: Notify::new(),
        })
    }

    /// Follows discovery for as long as it is polled. When it cannot be read, the monitors stay as they are.
    pub async fn follow_discovery(self: Arc<Self>) {
        let _stop = StopMonitors(self.clone());
        let mut backoff = Backoff::default();
        loop {
            let wait = match discovery::discover(&self.client).await {
                Ok(discovered) => {
                    backoff.reset();
                    self.update(discovered.served);
                    RESYNC
                }
                Err(error) => {
                    tracing::warn!(error = %runtime::error::line(&error), "discovery failed; the garbage collector keeps its monitors");
                    backoff.failed()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => (),
                () = self.stale.notified() => tokio::time::sleep(SETTLE).await,
            }
        }
    }

    /// Asks for a look at discovery.
    pub fn refresh(&self) {
        self.stale.notify_one();
    }

    fn update(self: &Arc<Self>, served: Vec<Served>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: Vec<&Served> = served.iter().filter(|of| is_monitored(of)).collect();
        running.retain(|resource, _| wanted.iter().any(|of| &of.resource == resource));
        for of in wanted {
            if running.contains_key(&of.resource) {
                continue;
            }
            let synced = Arc::new(AtomicBool::new(false));
            let watch = tokio::spawn(self.clone().monitor(of.resource.clone(), synced.clone()));
            running.insert(of.resource.clone(), Monitor { watch, synced });
        }
        drop(running);
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = served;
    }

    /// Whether every monitor has listed what there is, so that what is not in the graph is not there.
    pub fn synced(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        !running.is_empty() && running.values().all(|monitor| monitor.synced.load(Ordering::Acquire))
    }

    /// How a kind of a group is served, if it is.
    pub fn served(&self, group: &str, kind: &str) -> Option<Served> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served
            .iter()
            .find(|of| of.resource.group == group && of.resource.kind == kind && of.supports(&["get"]))
            .cloned()
    }

    fn with_graph(&self, change: impl FnOnce(&mut Graph) -> Vec<Task>) {
        let tasks = change(&mut self.graph.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            self.queue.add(task);
        }
    }

    async fn monitor(self: Arc<Self>, resource: ApiResource, synced: Arc<AtomicBool>) {
        let resource = Arc::new(resource);
        let defines_resources = matches!(
            (resource.group.as_str(), resource.plural.as_str()),
            ("apiextensions.k8s.io", "customresourcedefinitions") | ("apiregistration.k8s.io", "apiservices")
        );
        let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(self.client.clone(), &resource);
        let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
        let mut backoff = Backoff::default();
        let mut listed: Option<std::collections::HashSet<String>> = None;
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::debug!(resource = resource.plural, group = resource.group, error = %runtime::error::line(&error), "monitor failed");
                    // Perhaps it is not served any more.
                    self.refresh();
                    tokio::time::sleep(backoff.failed()).await;
                    continue;
                }
            };
            // Init comes before the list is asked for; it is no success yet.
            if !matches!(event, Event::Init) {
                backoff.reset();
            }
            if defines_resources && matches!(event, Event::Apply(_) | Event::Delete(_)) {
                self.refresh();
            }
            match event {
                Event::Init => listed = Some(std::collections::HashSet::new()),
                Event::InitApply(object) | Event::Apply(object) => {
                    if let (Some(listed), Some(uid)) = (&mut listed, &object.metadata.uid) {
                        listed.insert(uid.clone());
                    }
                    let at = Coordinates {
                        resource: resource.clone(),
                        namespace: object.metadata.namespace.clone().unwrap_or_default(),
                        name: object.metadata.name.clone().unwrap_or_default(),
                    };
                    self.with_graph(|graph| graph.applied(at, &object.metadata));
                }
                Event::InitDone => {
                    if let Some(listed) = listed.take() {
                        self.with_graph(|graph| {
                            let gone: Vec<String> = graph.of_resource(&resource).difference(&listed).cloned().collect();
                            gone.iter().flat_map(|uid| graph.deleted(uid)).collect()
                        });
                    }
                    synced.store(true, Ordering::Release);
                }
                Event::Delete(object) => {
                    if let Some(uid) = &object.metadata.uid {
                        self.with_graph(|graph| graph.deleted(uid));
                    }
                }
            }
        }
    }
}

/// Events own nothing and are owned by nothing (upstream leaves them out too).
fn is_monitored(of: &Served) -> bool {
    let is_event = of.resource.plural == "events" && matches!(of.resource.group.as_str(), "" | "events.k8s.io");
    !is_event && of.supports(&["list", "watch", "delete"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::client::Body;
    use runtime::Metrics;

    #[tokio::test(start_paused = true)]
    async fn the_monitors_end_with_the_leadership() {
        let refuse =
            |_: http::Request<Body>| std::future::ready(Err::<http::Response<Body>, _>(std::io::Error::other("no")));
        let client = Client::new(tower::service_fn(refuse), "default");
        let queue = WorkQueue::new(Duration::from_secs(1), Metrics::default().queue("test"));
        let monitors = Monitors::new(client, queue);
        let mut following = Box::pin(monitors.clone().follow_discovery());
        assert!(futures::poll!(&mut following).is_pending());
        let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
        let synced = Arc::<AtomicBool>::default();
        let watch = tokio::spawn(monitors.clone().monitor(resource.clone(), synced.clone()));
        monitors.running.lock().unwrap().insert(resource, Monitor { watch, synced });
        let left = Arc::downgrade(&monitors);
        drop((following, monitors));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(left.strong_count(), 0, "a monitor still runs");
    }
}
