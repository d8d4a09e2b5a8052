//! Flags of the admission webhook.

use std::net::IpAddr;

use clap::Args;
use runtime::{HealthOptions, LeaderElectionOptions};

/// Flags of the admission webhook.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The IP address on which admission reviews are served.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind_address: IpAddr,
    /// The port on which admission reviews are served; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub secure_port: u16,
    /// The host name or IP address by which the API server reaches this webhook; the bind address when unset.
    #[arg(long, value_name = "HOST")]
    pub advertise_address: Option<String>,
    /// Leader election: the leader keeps the webhook's registration and records outcomes on Apps.
    #[command(flatten)]
    pub leader_election: LeaderElectionOptions,
    /// The health and metrics port.
    #[command(flatten)]
    pub health: HealthOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind_address: IpAddr::from([127, 0, 0, 1]),
            secure_port: 0,
            advertise_address: None,
            leader_election: LeaderElectionOptions::default(),
            health: HealthOptions::default(),
        }
    }
}
