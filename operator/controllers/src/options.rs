//! Flags of the controller manager, named as upstream's.

use std::time::Duration;

use clap::Args;
use runtime::{HealthOptions, LeaderElectionOptions, flags};

/// Flags of the controller manager.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Controllers to run: `*` all, `name` that one, `-name` not that one.
    /// They are app, garbage-collector, namespace, node-lifecycle, pod-garbage-collector.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "*", allow_hyphen_values = true)]
    pub controllers: Vec<String>,
    /// How long a node's Lease may go without renewal before the node is marked unhealthy.
    #[arg(long, value_name = "DURATION", default_value = "50s", value_parser = flags::duration)]
    pub node_monitor_grace_period: Duration,
    /// How many Apps are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub concurrent_app_syncs: usize,
    /// How many objects the garbage collector works on at once.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub concurrent_gc_syncs: usize,
    /// How many namespaces are emptied at once.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub concurrent_namespace_syncs: usize,
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
            concurrent_app_syncs: 8,
            concurrent_gc_syncs: 20,
            concurrent_namespace_syncs: 10,
            leader_election: LeaderElectionOptions::default(),
            health: HealthOptions::default(),
        }
    }
}
