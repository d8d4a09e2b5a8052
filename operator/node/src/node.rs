//! The Node object and its Lease, as a kubelet keeps them. Pure but for the calls at the end.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus, NodeSystemInfo,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;

use crate::Options;
use crate::network::{self, Cidr};

/// The namespace of node Leases.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";

/// A simulated node: what it is, apart from the API.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its number, from 1.
    pub number: u32,
    labels: BTreeMap<String, String>,
    capacity: BTreeMap<String, Quantity>,
}

impl Machine {
    /// The machine of a number.
    pub fn new(number: u32, options: &Options) -> Self {
        let name = format!("{}{number}", options.node_name_prefix);
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let mut labels: BTreeMap<String, String> = [
            ("kubernetes.io/hostname", name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", arch),
            ("coxswain.dev/simulated", "true"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
        labels.extend(options.node_labels.iter().cloned());
        let capacity = [
            ("cpu", options.capacity_cpu.clone()),
            ("memory", options.capacity_memory.clone()),
            ("pods", options.max_pods.to_string()),
        ]
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
        .collect();
        Self { name, number, labels, capacity }
    }

    /// The Node as it is registered.
    pub fn node(&self, cidr: Option<Cidr>, now: Timestamp) -> Node {
        let cidr = cidr.map(|cidr| cidr.to_string());
        Node {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some(self.labels.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(NodeSpec {
                pod_cidrs: cidr.clone().map(|cidr| vec![cidr]),
                pod_cidr: cidr,
                provider_id: Some(format!("simulated://{}", self.name)),
                ..NodeSpec::default()
            }),
            status: Some(self.status(&[], now)),
        }
    }

    /// The labels a Node that is there already lacks.
    pub fn missing_labels(&self, node: &Node) -> BTreeMap<String, String> {
        let present = node.metadata.labels.clone().unwrap_or_default();
        self.labels
            .iter()
            .filter(|(key, value)| present.get(*key) != Some(value))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// The Node's status now. A condition that stays as it was keeps its transition time.
    pub fn status(&self, previous: &[NodeCondition], now: Timestamp) -> NodeStatus {
        let now = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
        let condition = |type_: &str, status: &str, reason: &str, message: &str| {
            let before = previous.iter().find(|before| before.type_ == type_ && before.status == status);
            NodeCondition {
                type_: type_.into(),
                status: status.into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                last_heartbeat_time: Some(now.clone()),
                last_transition_time: before
                    .and_then(|before| before.last_transition_time.clone())
                    .or(Some(now.clone())),
            }
        };
        let address = |type_: &str, address: String| NodeAddress { type_: type_.into(), address };
        NodeStatus {
            capacity: Some(self.capacity.clone()),
            allocatable: Some(self.capacity.clone()),
            conditions: Some(vec![
                condition(
                    "MemoryPressure",
                    "False",
                    "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available",
                ),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "the simulated node is ready"),
            ]),
            addresses: Some(vec![
                address("InternalIP", network::node_address(self.number).to_string()),
                address("Hostname", self.name.clone()),
            ]),
            daemon_endpoints: Some(NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: 0 }) }),
            node_info: Some(NodeSystemInfo {
                architecture: self.labels.get("kubernetes.io/arch").cloned().unwrap_or_default(),
                operating_system: "linux".into(),
                kubelet_version: concat!("v1.36.2+coxswain-", env!("CARGO_PKG_VERSION")).into(),
                container_runtime_version: concat!("simulated://", env!("CARGO_PKG_VERSION")).into(),
                os_image: "simulated".into(),
                kernel_version: "simulated".into(),
                machine_id: self.name.clone(),
                system_uuid: self.name.clone(),
                boot_id: self.name.clone(),
                ..NodeSystemInfo::default()
            }),
            ..NodeStatus::default()
        }
    }

    /// Whether what a Node says of this machine is no longer so.
    pub fn differs(&self, node: &Node) -> bool {
        let Some(status) = &node.status else { return true };
        let ready = |condition: &NodeCondition| condition.type_ == "Ready" && condition.status == "True";
        status.capacity.as_ref() != Some(&self.capacity)
            || status.allocatable.is_none()
            || !status.conditions.iter().flatten().any(ready)
    }

    /// The Lease of a Node, renewed now. It goes when the Node goes.
    pub fn lease(&self, node: &Node, seconds: u32, now: Timestamp) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(LEASE_NAMESPACE.into()),
                owner_references: Some(vec![OwnerReference {
                    api_version: "v1".into(),
                    kind: "Node".into(),
                    name: self.name.clone(),
                    uid: node.metadata.uid.clone().unwrap_or_default(),
                    ..OwnerReference::default()
                }]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.name.clone()),
                lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
                renew_time: Some(MicroTime(now)),
                ..LeaseSpec::default()
            }),
        }
    }
}
