//! The kubelet's part for a set of machines: one watch of Nodes and one of Pods serve them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::events::Recorder;
use runtime::{Change, Context, Error, Informer, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Options;
use crate::network::{self, Cidr, Leases};
use crate::node::{LEASE_NAMESPACE, Machine};
use crate::pod::{self, Place, Step};

/// Pods worked on at once.
const CONCURRENT_PODS: usize = 32;
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

struct Kubelet {
    client: Client,
    recorder: Recorder,
    machines: HashMap<String, Machine>,
    nodes: Store<Node>,
    pods: Store<Pod>,
    addresses: Mutex<HashMap<String, Leases>>,
    lease_seconds: u32,
    report_every: Duration,
}

/// Registers the machines and plays their kubelets for as long as it is polled.
///
/// # Errors
/// None at present: what fails is tried again.
pub async fn run(context: Context, options: &Options) -> Result<(), Error> {
    let Context { client, recorder, metrics, ready } = context;
    let machines: HashMap<String, Machine> = (1..=options.simulated)
        .map(|number| Machine::new(number, options))
        .map(|machine| (machine.name.clone(), machine))
        .collect();

    let mut nodes = Informer::new(Api::<Node>::all(client.clone()), watcher::Config::default(), &[]);
    // One watch for all machines; what is on other nodes is dropped here.
    let bound = watcher::Config::default().fields("spec.nodeName!=");
    let mut pods = Informer::new(Api::<Pod>::all(client.clone()), bound, &[]);
    let statuses = WorkQueue::<String>::new(LONGEST_WAIT, metrics.queue("node-status"));
    let leases = WorkQueue::<String>::new(LONGEST_WAIT, metrics.queue("node-lease"));
    let work = WorkQueue::<ObjectKey>::new(LONGEST_WAIT, metrics.queue("pod"));
    let kubelet = Arc::new(Kubelet {
        client,
        recorder,
        nodes: nodes.store(),
        pods: pods.store(),
        machines,
        addresses: Mutex::default(),
        lease_seconds: options.node_lease_duration_seconds,
        report_every: options.node_status_report_frequency,
    });

    register(&kubelet).await;

    nodes.on_change({
        let (kubelet, statuses, leases, work) = (kubelet.clone(), statuses.clone(), leases.clone(), work.clone());
        move |change| {
            let name = change.object().name_any();
            let Some(machine) = kubelet.machines.get(&name) else { return };
            match change {
                Change::Deleted(_) => tracing::warn!(
                    node = name,
                    "the Node was deleted: its Lease is not renewed and its Pods are not run any more; it is registered \
                     again when this process starts anew, or goes on when a Node of that name is created"
                ),
                Change::Applied { old, new } => {
                    let another = old.is_none_or(|old| old.metadata.uid != new.metadata.uid);
                    if another || machine.differs(new) {
                        statuses.add(name.clone());
                    }
                    if another {
                        leases.add(name.clone());
                        for pod in kubelet.pods.list().iter().filter(|pod| node_of(pod) == Some(&name)) {
                            work.add(ObjectKey::of(&**pod));
                        }
                    }
                }
            }
        }
    });
    pods.on_change({
        let (kubelet, work) = (kubelet.clone(), work.clone());
        move |change| {
            let pod = change.object();
            let Some(node) = node_of(pod).filter(|node| kubelet.machines.contains_key(*node)) else { return };
            kubelet.note_address(node, pod, matches!(change, Change::Deleted(_)));
            if matches!(change, Change::Applied { .. }) {
                work.add(ObjectKey::of(&**pod));
            }
        }
    });

    let mut watches = JoinSet::new();
    watches.spawn(nodes.run());
    watches.spawn(pods.run());
    kubelet.nodes.synced().await;
    kubelet.pods.synced().await;
    ready.set();
    let report = |name| {
        let kubelet = kubelet.clone();
        async move { kubelet.report(name).await }
    };
    let renew = |name| {
        let kubelet = kubelet.clone();
        async move { kubelet.renew(name).await }
    };
    let sync = |key| {
        let kubelet = kubelet.clone();
        async move { kubelet.sync(key).await }
    };
    tokio::join!(statuses.process(8, report), leases.process(8, renew), work.process(CONCURRENT_PODS, sync));
    Ok(())
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// Registers every machine, trying again until each is.
async fn register(kubelet: &Kubelet) {
    let api = Api::<Node>::all(kubelet.client.clone());
    let mut backoff = runtime::informer::Backoff::default();
    loop {
        match try_register(kubelet, &api).await {
            Ok(()) => return,
            Err(error) => {
                let wait = backoff.failed();
                tracing::warn!(error = %runtime::error::line(&error), ?wait, "nodes not registered yet, trying again");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

async fn try_register(kubelet: &Kubelet, api: &Api<Node>) -> kube::Result<()> {
    let present: HashMap<String, Node> = api
        .list(&kube::api::ListParams::default())
        .await?
        .items
        .into_iter()
        .map(|node| (node.name_any(), node))
        .collect();
    let mut taken: Vec<Cidr> =
        present.values().filter_map(|node| Cidr::parse(node.spec.as_ref()?.pod_cidr.as_deref()?)).collect();
    let mut machines: Vec<&Machine> = kubelet.machines.values().collect();
    machines.sort_by_key(|machine| machine.number);
    let mut registering = Vec::with_capacity(machines.len());
    for machine in machines {
        match present.get(&machine.name) {
            Some(node) => registering.push(futures::future::Either::Left(kubelet.adopt(api, machine, node))),
            None => {
                let cidr = Cidr::free(&taken);
                taken.extend(cidr);
                registering.push(futures::future::Either::Right(kubelet.create(api, machine, cidr)));
            }
        }
    }
    futures::future::try_join_all(registering).await.map(|_| ())
}

impl Kubelet {
    async fn create(&self, api: &Api<Node>, machine: &Machine, cidr: Option<Cidr>) -> kube::Result<()> {
        let node = api.create(&PostParams::default(), &machine.node(cidr, Timestamp::now())).await?;
        tracing::info!(node = machine.name, "registered");
        if machine.differs(&node) {
            self.write_status(machine, &node).await?;
        }
        self.write_lease(machine, &node).await
    }

    /// A Node from an earlier run: it keeps what others wrote to it.
    async fn adopt(&self, api: &Api<Node>, machine: &Machine, node: &Node) -> kube::Result<()> {
        let labels = machine.missing_labels(node);
        if !labels.is_empty() {
            let patch = json!({"metadata": {"labels": labels}});
            api.patch(&machine.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        }
        self.write_status(machine, node).await?;
        self.write_lease(machine, node).await
    }

    async fn write_status(&self, machine: &Machine, node: &Node) -> kube::Result<()> {
        let previous = node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
        let status = machine.status(&previous, Timestamp::now());
        let patch = json!({"metadata": {"uid": node.metadata.uid}, "status": status});
        Api::<Node>::all(self.client.clone())
            .patch_status(&machine.name, &PatchParams::default(), &Patch::Strategic(patch))
            .await
            .map(|_| ())
    }

    async fn write_lease(&self, machine: &Machine, node: &Node) -> kube::Result<()> {
        let api = Api::<Lease>::namespaced(self.client.clone(), LEASE_NAMESPACE);
        let lease = machine.lease(node, self.lease_seconds, Timestamp::now());
        let patch = json!({"metadata": {"ownerReferences": lease.metadata.owner_references}, "spec": lease.spec});
        match api.patch(&machine.name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                api.create(&PostParams::default(), &lease).await.map(|_| ())
            }
            written => written.map(|_| ()),
        }
    }

    fn node_of_machine(&self, name: &str) -> Option<(&Machine, Arc<Node>)> {
        Some((self.machines.get(name)?, self.nodes.get(&ObjectKey::new("", name))?))
    }

    async fn report(&self, name: String) -> kube::Result<Outcome> {
        let Some((machine, node)) = self.node_of_machine(&name) else { return Ok(Outcome::Done) };
        match self.write_status(machine, &node).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
            written => written.map(|()| Outcome::After(self.report_every)),
        }
    }

    async fn renew(&self, name: String) -> kube::Result<Outcome> {
        let Some((machine, node)) = self.node_of_machine(&name) else { return Ok(Outcome::Done) };
        self.write_lease(machine, &node).await?;
        Ok(Outcome::After(Duration::from_secs(self.lease_seconds.into()) / 4))
    }

    fn note_address(&self, node: &str, pod: &Pod, gone: bool) {
        let Some(uid) = pod.metadata.uid.as_deref() else { return };
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()).and_then(|ip| ip.parse().ok());
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let leases = addresses.entry(node.to_owned()).or_default();
        match address {
            _ if gone => leases.release(uid),
            Some(address) => leases.note(uid, address),
            None => (),
        }
    }

    fn lease_address(&self, node: &Node, pod: &Pod) -> Option<std::net::Ipv4Addr> {
        let cidr = Cidr::parse(node.spec.as_ref()?.pod_cidr.as_deref()?)?;
        let uid = pod.metadata.uid.as_deref()?;
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.entry(node.name_any()).or_default().lease(uid, &cidr)
    }

    async fn sync(&self, key: ObjectKey) -> kube::Result<Outcome> {
        let Some(pod) = self.pods.get(&key) else { return Ok(Outcome::Done) };
        let Some(name) = node_of(&pod) else { return Ok(Outcome::Done) };
        let Some((machine, node)) = self.node_of_machine(name) else { return Ok(Outcome::Done) };
        let place = Place { host: network::node_address(machine.number), pod: self.lease_address(&node, &pod) };
        let now = Timestamp::now();
        let api = Api::<Pod>::namespaced(self.client.clone(), &key.namespace);
        let written = match pod::next(&pod, place, now) {
            Step::Rest => return Ok(Outcome::Done),
            Step::Wait(until) => {
                return Ok(Outcome::After(Duration::try_from(until.duration_since(now)).unwrap_or_default()));
            }
            Step::Write(status) => {
                let started = status.phase.as_deref() == Some("Running")
                    && pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running");
                // The version makes sure that a step is never taken twice upon one stale state. Conditions are replaced
                // whole: merged by type they would keep the reason they had before.
                let patch = json!({
                    "metadata": {"uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version},
                    "status": status,
                });
                let written =
                    api.patch_status(&key.name, &PatchParams::default(), &Patch::Merge(patch)).await.map(|_| ());
                if started && written.is_ok() {
                    let note = format!("Started on simulated node {name}");
                    self.recorder.normal(pod.object_ref(&()), "Started", "Starting", note);
                }
                written
            }
            Step::Remove => {
                let parameters = DeleteParams {
                    grace_period_seconds: Some(0),
                    preconditions: Some(Preconditions { uid: pod.metadata.uid.clone(), resource_version: None }),
                    ..DeleteParams::default()
                };
                api.delete(&key.name, &parameters).await.map(|_| ())
            }
        };
        match written {
            // What is newer comes by the watch and is looked at then.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Outcome::Done),
            written => written.map(|()| Outcome::Done),
        }
    }
}
