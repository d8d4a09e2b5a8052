//! The cluster at one moment, as filter and score see it. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crds::App;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use kube::ResourceExt;

use crate::resources::{Amounts, pod_requests};

/// A node and what is taken on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Whether its condition Ready is true.
    pub ready: bool,
    /// What Pods may take of it.
    pub allocatable: Amounts,
    /// What Pods and reserved replicas take of it.
    pub requested: Amounts,
}

impl NodeInfo {
    /// A node on which nothing is taken.
    pub fn new(node: &Node) -> Self {
        let spec = node.spec.as_ref();
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref()));
        Self {
            name: node.name_any(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: spec.and_then(|spec| spec.taints.clone()).unwrap_or_default(),
            unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
            ready: node.metadata.deletion_timestamp.is_none()
                && status
                    .and_then(|status| status.conditions.as_ref())
                    .into_iter()
                    .flatten()
                    .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
            allocatable: Amounts::of(allocatable),
            requested: Amounts::default(),
        }
    }

    /// How many times `wants` still fits; `i128::MAX` when nothing is asked for.
    pub fn room(&self, wants: &Amounts) -> i128 {
        wants
            .iter()
            .filter(|(_, amount)| *amount > 0)
            .map(|(name, amount)| ((self.allocatable.get(name) - self.requested.get(name)) / amount).max(0))
            .min()
            .unwrap_or(i128::MAX)
    }
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Nodes, ordered by name.
    pub nodes: Vec<NodeInfo>,
}

/// Whether a Pod has ended and takes nothing any more.
fn ended(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

impl Snapshot {
    /// The cluster of these objects, with `except` (an App's uid, or a Pod's) left out: what is to be placed must not
    /// stand in its own way.
    ///
    /// A node holds the Pods on it, and of an App whose replicas are placed there but whose Pods are not there yet,
    /// what those will take: the larger of both counts.
    pub fn new(
        nodes: &[Arc<Node>],
        pods: impl IntoIterator<Item = (Arc<Pod>, Option<String>)>,
        apps: impl IntoIterator<Item = Arc<App>>,
        except: Option<&str>,
    ) -> Self {
        let mut infos: Vec<NodeInfo> = nodes.iter().map(|node| NodeInfo::new(node)).collect();
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        let mut of_app: HashMap<(String, String), i128> = HashMap::new();
        for (pod, assumed_node) in pods {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).or(assumed_node.as_deref());
            let Some(node) = node.filter(|_| !ended(&pod)) else { continue };
            let Ok(index) = infos.binary_search_by(|info| info.name.as_str().cmp(node)) else { continue };
            let owner = app_of(&pod);
            if except.is_some() && (owner == except || pod.metadata.uid.as_deref() == except) {
                continue;
            }
            infos[index].requested.add(&pod_requests(&pod), 1);
            if let Some(owner) = owner.filter(|_| pod.metadata.deletion_timestamp.is_none()) {
                *of_app.entry((owner.to_owned(), node.to_owned())).or_default() += 1;
            }
        }
        for app in apps {
            let uid = app.metadata.uid.as_deref().unwrap_or_default();
            if except == Some(uid) || app.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let wants = app_requests(&app);
            for placement in app.placements() {
                let Ok(index) = infos.binary_search_by(|info| info.name.cmp(&placement.node)) else { continue };
                let there = of_app.get(&(uid.to_owned(), placement.node.clone())).copied().unwrap_or(0);
                infos[index].requested.add(&wants, (i128::from(placement.replicas) - there).max(0));
            }
        }
        Self { nodes: infos }
    }
}

/// The uid of the App that controls a Pod.
pub fn app_of(pod: &Pod) -> Option<&str> {
    pod.metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| {
            owner.controller == Some(true) && owner.kind == "App" && owner.api_version.starts_with(crds::GROUP)
        })
        .map(|owner| owner.uid.as_str())
}

/// What one replica of an App takes.
pub fn app_requests(app: &App) -> Amounts {
    Amounts::of(Some(&app.spec.requests())).with_a_pod()
}
