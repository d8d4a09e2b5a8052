//! Flags of the scheduler.

use clap::Args;
use runtime::{HealthOptions, LeaderElectionOptions};

/// Flags of the scheduler.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The name by which Pods ask for this scheduler in `spec.schedulerName`.
    #[arg(long, value_name = "NAME", default_value = "default-scheduler")]
    pub scheduler_name: String,
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
            scheduler_name: "default-scheduler".into(),
            leader_election: LeaderElectionOptions::default(),
            health: HealthOptions::default(),
        }
    }
}
