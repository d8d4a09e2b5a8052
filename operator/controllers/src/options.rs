//! Flags of the controller manager, named as upstream's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use runtime::{ClientOptions, Error, HealthOptions, LeaderElectionOptions, flags};

/// Flags of the controller manager.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Controllers to run: `*` all, `name` that one, `-name` not that one.
    /// They are app, clusterrole-aggregation, deployment, garbage-collector, job, namespace, node-lifecycle,
    /// pod-garbage-collector, replicaset, replicationcontroller, root-ca-cert-publisher, serviceaccount,
    /// serviceaccount-token, storage-protection, ttl-after-finished.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "*", allow_hyphen_values = true)]
    pub controllers: Vec<String>,
    /// How long a node's Lease may go without renewal before the node is marked unhealthy.
    #[arg(long, value_name = "DURATION", default_value = "50s", value_parser = flags::duration)]
    pub node_monitor_grace_period: Duration,
    /// The authorities (PEM) by which Pods know the API server, published in every namespace; without it, those of the
    /// kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub root_ca_file: Option<PathBuf>,
    /// The private key (PEM) that signs tokens kept in secrets, one that the API server verifies with; without it, there are
    /// none.
    #[arg(long, value_name = "FILE")]
    pub service_account_private_key_file: Option<PathBuf>,
    /// The kubeconfig's authorities.
    #[arg(skip)]
    pub kubeconfig_ca: Option<Arc<str>>,
    /// How many Apps are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub concurrent_app_syncs: usize,
    /// How many objects the garbage collector works on at once.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub concurrent_gc_syncs: usize,
    /// How many namespaces are emptied at once.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub concurrent_namespace_syncs: usize,
    /// How many Pods that have ended are kept before the oldest are deleted; 0 keeps all.
    #[arg(long, value_name = "N", default_value_t = 12500)]
    pub terminated_pod_gc_threshold: usize,
    /// How many Deployments are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub concurrent_deployment_syncs: usize,
    /// How many Jobs are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub concurrent_job_syncs: usize,
    /// How many ReplicaSets are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub concurrent_replicaset_syncs: usize,
    /// How many ReplicationControllers are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub concurrent_rc_syncs: usize,
    /// Leader election.
    #[command(flatten)]
    pub leader_election: LeaderElectionOptions,
    /// The health and metrics port.
    #[command(flatten)]
    pub health: HealthOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controllers: vec!["*".into()],
            node_monitor_grace_period: Duration::from_secs(50),
            root_ca_file: None,
            service_account_private_key_file: None,
            kubeconfig_ca: None,
            concurrent_app_syncs: 8,
            concurrent_gc_syncs: 20,
            concurrent_namespace_syncs: 10,
            terminated_pod_gc_threshold: 12500,
            concurrent_deployment_syncs: 5,
            concurrent_job_syncs: 5,
            concurrent_replicaset_syncs: 5,
            concurrent_rc_syncs: 5,
            leader_election: LeaderElectionOptions::default(),
            health: HealthOptions::default(),
        }
    }
}

/// The controllers there are.
pub const CONTROLLERS: [&str; 15] = [
    "app",
    "clusterrole-aggregation",
    "deployment",
    "garbage-collector",
    "job",
    "namespace",
    "node-lifecycle",
    "pod-garbage-collector",
    "replicaset",
    "replicationcontroller",
    "root-ca-cert-publisher",
    "serviceaccount",
    "serviceaccount-token",
    "storage-protection",
    "ttl-after-finished",
];

impl Options {
    /// The same options, with the authorities of the client's configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when there is none.
    pub async fn with_authorities_of(self, client: &ClientOptions) -> Result<Self, Error> {
        let kubeconfig_ca = runtime::client::certificate_authority(client).await?.map(Arc::from);
        Ok(Self { kubeconfig_ca, ..self })
    }

    /// The authorities to publish, PEM; none where neither a flag nor the kubeconfig names any.
    ///
    /// # Errors
    /// [`Error::Flag`] for a file that cannot be read.
    pub fn root_ca(&self) -> Result<Option<Arc<str>>, Error> {
        let Some(file) = &self.root_ca_file else { return Ok(self.kubeconfig_ca.clone()) };
        let read = std::fs::read_to_string(file);
        let failed = |error| Error::Flag { flag: "root-ca-file", message: format!("{}: {error}", file.display()) };
        read.map(|pem| Some(Arc::from(pem))).map_err(failed)
    }

    /// Whether a controller is to run: the first entry that names it decides, else `*`.
    pub fn runs(&self, name: &str) -> bool {
        for entry in &self.controllers {
            if entry == name {
                return true;
            }
            if entry.strip_prefix('-') == Some(name) {
                return false;
            }
        }
        self.controllers.iter().any(|entry| entry == "*")
    }

    /// Checks what the flags' own forms do not.
    ///
    /// # Errors
    /// [`Error::Flag`].
    pub fn validate(&self) -> Result<(), Error> {
        for entry in &self.controllers {
            let name = entry.strip_prefix('-').unwrap_or(entry);
            if name != "*" && !CONTROLLERS.contains(&name) {
                let message = format!("{name:?} is not in the list of known controllers: {}", CONTROLLERS.join(", "));
                return Err(Error::Flag { flag: "controllers", message });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_chosen_by_name() {
        for (flag, app, namespace) in [
            ("*", true, true),
            ("app", true, false),
            ("*,-app", false, true),
            ("-app,*", false, true),
            ("-app", false, false),
        ] {
            let options = Options { controllers: flag.split(',').map(Into::into).collect(), ..Options::default() };
            assert_eq!((options.runs("app"), options.runs("namespace")), (app, namespace), "{flag}");
        }
        let unknown = Options { controllers: vec!["nothing".into()], ..Options::default() };
        assert!(unknown.validate().is_err());
    }
}
