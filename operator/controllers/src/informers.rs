//! The informers that several controllers share: each kind is watched once.

use crds::App;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Secret,
    ServiceAccount,
};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::api::storage::v1::VolumeAttributesClass;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource};
use runtime::Informer;
use tokio::task::JoinSet;

use crate::{controller_ref, root_ca, service_account, service_account_token};

/// The index of a workload kind by namespace.
pub const BY_NAMESPACE: usize = 0;
/// The index of ReplicaSets by their controller, with [`controller_ref::orphans_of`] for those without one.
pub const REPLICA_SETS_BY_OWNER: usize = 1;
/// The index of Pods by the uid of their controlling owner, with [`controller_ref::orphans_of`] for those without one.
pub const PODS_BY_OWNER: usize = 0;
/// The index of Pods by the node they are bound to.
pub const PODS_BY_NODE: usize = 1;
/// The index of Pods by their namespace.
pub const PODS_BY_NAMESPACE: usize = 2;

/// The index of secrets with tokens by their namespace.
pub const TOKEN_SECRETS_BY_NAMESPACE: usize = 0;

/// The informers. Only those that a controller asked for are run.
pub struct Informers {
    client: Client,
    apps: Option<Informer<App>>,
    pods: Option<Informer<Pod>>,
    nodes: Option<Informer<Node>>,
    namespaces: Option<Informer<Namespace>>,
    leases: Option<Informer<Lease>>,
    default_service_accounts: Option<Informer<PartialObjectMeta<ServiceAccount>>>,
    root_ca_config_maps: Option<Informer<ConfigMap>>,
    service_accounts: Option<Informer<PartialObjectMeta<ServiceAccount>>>,
    token_secrets: Option<Informer<Secret>>,
    claims: Option<Informer<PartialObjectMeta<PersistentVolumeClaim>>>,
    volumes: Option<Informer<PartialObjectMeta<PersistentVolume>>>,
    volume_attributes_classes: Option<Informer<PartialObjectMeta<VolumeAttributesClass>>>,
    replication_controllers: Option<Informer<ReplicationController>>,
    replica_sets: Option<Informer<ReplicaSet>>,
    deployments: Option<Informer<Deployment>>,
    jobs: Option<Informer<Job>>,
    cluster_roles: Option<Informer<ClusterRole>>,
}

impl Informers {
    /// None so far.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            apps: None,
            pods: None,
            nodes: None,
            namespaces: None,
            leases: None,
            default_service_accounts: None,
            root_ca_config_maps: None,
            service_accounts: None,
            token_secrets: None,
            claims: None,
            volumes: None,
            volume_attributes_classes: None,
            replication_controllers: None,
            replica_sets: None,
            deployments: None,
            jobs: None,
            cluster_roles: None,
        }
    }

    /// Apps.
    pub fn apps(&mut self) -> &mut Informer<App> {
        let client = &self.client;
        self.apps.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// Pods, with the indices of this module.
    pub fn pods(&mut self) -> &mut Informer<Pod> {
        let client = &self.client;
        self.pods.get_or_insert_with(|| {
            Informer::new(Api::all(client.clone()), Config::default(), &[controller_of, node_of, namespace_of])
        })
    }

    /// Nodes.
    pub fn nodes(&mut self) -> &mut Informer<Node> {
        let client = &self.client;
        self.nodes.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// Namespaces.
    pub fn namespaces(&mut self) -> &mut Informer<Namespace> {
        let client = &self.client;
        self.namespaces.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// Leases of nodes.
    pub fn leases(&mut self) -> &mut Informer<Lease> {
        let client = &self.client;
        self.leases.get_or_insert_with(|| {
            Informer::new(Api::namespaced(client.clone(), "kube-node-lease"), Config::default(), &[])
        })
    }

    /// The ServiceAccounts `default`, metadata alone.
    pub fn default_service_accounts(&mut self) -> &mut Informer<PartialObjectMeta<ServiceAccount>> {
        let client = &self.client;
        let config = Config::default().fields(&format!("metadata.name={}", service_account::DEFAULT));
        self.default_service_accounts.get_or_insert_with(|| Informer::new(Api::all(client.clone()), config, &[]))
    }

    /// The ConfigMaps of the root certificate.
    pub fn root_ca_config_maps(&mut self) -> &mut Informer<ConfigMap> {
        let client = &self.client;
        let config = Config::default().fields(&format!("metadata.name={}", root_ca::NAME));
        self.root_ca_config_maps.get_or_insert_with(|| Informer::new(Api::all(client.clone()), config, &[]))
    }

    /// All ServiceAccounts, metadata alone.
    pub fn service_accounts(&mut self) -> &mut Informer<PartialObjectMeta<ServiceAccount>> {
        let client = &self.client;
        self.service_accounts.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// The Secrets with tokens of service accounts, by namespace.
    pub fn token_secrets(&mut self) -> &mut Informer<Secret> {
        let client = &self.client;
        let config = Config::default().fields(&format!("type={}", service_account_token::TYPE));
        self.token_secrets.get_or_insert_with(|| Informer::new(Api::all(client.clone()), config, &[namespace_of]))
    }

    /// ReplicationControllers, by namespace.
    pub fn replication_controllers(&mut self) -> &mut Informer<ReplicationController> {
        let client = &self.client;
        self.replication_controllers
            .get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[namespace_of]))
    }

    /// ReplicaSets, by namespace and by controller.
    pub fn replica_sets(&mut self) -> &mut Informer<ReplicaSet> {
        let client = &self.client;
        self.replica_sets.get_or_insert_with(|| {
            Informer::new(Api::all(client.clone()), Config::default(), &[namespace_of, controller_of])
        })
    }

    /// Deployments, by namespace.
    pub fn deployments(&mut self) -> &mut Informer<Deployment> {
        let client = &self.client;
        self.deployments
            .get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[namespace_of]))
    }

    /// Jobs, by namespace.
    pub fn jobs(&mut self) -> &mut Informer<Job> {
        let client = &self.client;
        self.jobs.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[namespace_of]))
    }

    /// ClusterRoles.
    pub fn cluster_roles(&mut self) -> &mut Informer<ClusterRole> {
        let client = &self.client;
        self.cluster_roles.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// PersistentVolumeClaims, metadata alone.
    pub fn claims(&mut self) -> &mut Informer<PartialObjectMeta<PersistentVolumeClaim>> {
        let client = &self.client;
        self.claims.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// PersistentVolumes, metadata alone.
    pub fn volumes(&mut self) -> &mut Informer<PartialObjectMeta<PersistentVolume>> {
        let client = &self.client;
        self.volumes.get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// VolumeAttributesClasses, metadata alone.
    pub fn volume_attributes_classes(&mut self) -> &mut Informer<PartialObjectMeta<VolumeAttributesClass>> {
        let client = &self.client;
        self.volume_attributes_classes
            .get_or_insert_with(|| Informer::new(Api::all(client.clone()), Config::default(), &[]))
    }

    /// Runs what was asked for; it stops when the set is dropped.
    pub fn run(self) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        self.apps.map(|informer| watches.spawn(informer.run()));
        self.pods.map(|informer| watches.spawn(informer.run()));
        self.nodes.map(|informer| watches.spawn(informer.run()));
        self.namespaces.map(|informer| watches.spawn(informer.run()));
        self.leases.map(|informer| watches.spawn(informer.run()));
        self.default_service_accounts.map(|informer| watches.spawn(informer.run()));
        self.root_ca_config_maps.map(|informer| watches.spawn(informer.run()));
        self.service_accounts.map(|informer| watches.spawn(informer.run()));
        self.token_secrets.map(|informer| watches.spawn(informer.run()));
        self.claims.map(|informer| watches.spawn(informer.run()));
        self.volumes.map(|informer| watches.spawn(informer.run()));
        self.volume_attributes_classes.map(|informer| watches.spawn(informer.run()));
        self.replication_controllers.map(|informer| watches.spawn(informer.run()));
        self.replica_sets.map(|informer| watches.spawn(informer.run()));
        self.deployments.map(|informer| watches.spawn(informer.run()));
        self.jobs.map(|informer| watches.spawn(informer.run()));
        self.cluster_roles.map(|informer| watches.spawn(informer.run()));
        watches
    }
}

fn controller_of<K: Resource>(object: &K) -> Option<String> {
    Some(controller_ref::index_value(object.meta()))
}

fn node_of(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

fn namespace_of<K: Resource>(object: &K) -> Option<String> {
    object.meta().namespace.clone()
}
