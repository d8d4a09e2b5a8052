//! The two kinds that keep a number of Pods: ReplicaSet, and ReplicationController as if it were an older ReplicaSet.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{
    PodTemplateSpec, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use kube::Resource;
use kube::core::Selector;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::controller_ref;

/// A kind that keeps a number of Pods.
pub trait ReplicaKeeper:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
    /// What its controller is called in events.
    const CONTROLLER: &'static str;
    /// What its work queue is called.
    const QUEUE: &'static str;
    /// Whether its status tells of Pods on their way out.
    const REPORTS_TERMINATING: bool;

    /// How many Pods there are to be.
    fn replicas(&self) -> i32;
    /// How long a Pod has to be ready until it is available.
    fn min_ready_seconds(&self) -> i32;
    /// Which Pods are its own; `None` when it cannot be read.
    fn selector(&self) -> Option<Selector>;
    /// What a new Pod is made of.
    fn template(&self) -> Option<&PodTemplateSpec>;
    /// Its status.
    fn status(&self) -> ReplicaSetStatus;
    /// Puts a status in place of its own.
    fn set_status(&mut self, status: ReplicaSetStatus);
}

impl ReplicaKeeper for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";
    const QUEUE: &'static str = "replicaset";
    const REPORTS_TERMINATING: bool = true;

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0)
    }

    fn selector(&self) -> Option<Selector> {
        controller_ref::selector(self.spec.as_ref().map(|spec| &spec.selector))
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn status(&self) -> ReplicaSetStatus {
        self.status.clone().unwrap_or_default()
    }

    fn set_status(&mut self, status: ReplicaSetStatus) {
        self.status = Some(status);
    }
}

impl ReplicaKeeper for ReplicationController {
    const CONTROLLER: &'static str = "replication-controller";
    const QUEUE: &'static str = "replicationmanager";
    const REPORTS_TERMINATING: bool = false;

    fn replicas(&self) -> i32 {
        self.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1)
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.as_ref().and_then(|spec| spec.min_ready_seconds).unwrap_or(0)
    }

    fn selector(&self) -> Option<Selector> {
        let labels = self.spec.as_ref()?.selector.clone()?;
        Some(labels.into_iter().collect())
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.as_ref()?.template.as_ref()
    }

    fn status(&self) -> ReplicaSetStatus {
        let status = self.status.clone().unwrap_or_default();
        let conditions = status.conditions.map(|conditions| {
            conditions
                .into_iter()
                .map(|of| ReplicaSetCondition {
                    last_transition_time: of.last_transition_time,
                    message: of.message,
                    reason: of.reason,
                    status: of.status,
                    type_: of.type_,
                })
                .collect()
        });
        ReplicaSetStatus {
            available_replicas: status.available_replicas,
            conditions,
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
            terminating_replicas: None,
        }
    }

    fn set_status(&mut self, status: ReplicaSetStatus) {
        let conditions = status.conditions.map(|conditions| {
            conditions
                .into_iter()
                .map(|of| ReplicationControllerCondition {
                    last_transition_time: of.last_transition_time,
                    message: of.message,
                    reason: of.reason,
                    status: of.status,
                    type_: of.type_,
                })
                .collect()
        });
        self.status = Some(ReplicationControllerStatus {
            available_replicas: status.available_replicas,
            conditions,
            fully_labeled_replicas: status.fully_labeled_replicas,
            observed_generation: status.observed_generation,
            ready_replicas: status.ready_replicas,
            replicas: status.replicas,
        });
    }
}
