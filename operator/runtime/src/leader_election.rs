//! Leader election by a Lease in `coordination.k8s.io`.

use std::time::Duration;

use crate::flags;

/// Flags of leader election, named as upstream's.
#[derive(clap::Args, Clone, Debug)]
pub struct LeaderElectionOptions {
    /// Act only while holding the Lease. Of several copies exactly one acts.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub leader_elect: bool,
    /// How long others wait after the last renewal they saw before they take the Lease.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = flags::duration)]
    pub leader_elect_lease_duration: Duration,
    /// How long the leader tries to renew before it stops acting. Less than the lease duration.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = flags::duration)]
    pub leader_elect_renew_deadline: Duration,
    /// How long to wait between tries to acquire or renew.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = flags::duration)]
    pub leader_elect_retry_period: Duration,
    /// Namespace of the Lease.
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub leader_elect_resource_namespace: String,
    /// Name of this copy in the Lease; the host's name and a random part when unset. No two running copies may share it.
    #[arg(long, value_name = "NAME")]
    pub leader_elect_identity: Option<String>,
}

impl Default for LeaderElectionOptions {
    fn default() -> Self {
        Self {
            leader_elect: true,
            leader_elect_lease_duration: Duration::from_secs(15),
            leader_elect_renew_deadline: Duration::from_secs(10),
            leader_elect_retry_period: Duration::from_secs(2),
            leader_elect_resource_namespace: "kube-system".into(),
            leader_elect_identity: None,
        }
    }
}
