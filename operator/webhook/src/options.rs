//! Flags of the admission webhook.

use std::net::IpAddr;

use clap::Args;
use runtime::{HealthOptions, LeaderElectionOptions};

/// What becomes of Apps when the webhook cannot be asked.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// They are stored.
    #[value(name = "Ignore")]
    Ignore,
    /// They are refused.
    #[value(name = "Fail")]
    Fail,
}

impl std::fmt::Display for FailurePolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ignore => "Ignore",
            Self::Fail => "Fail",
        })
    }
}

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
    /// What the API server does with Apps when the webhook cannot be asked: Ignore stores them, to be reviewed
    /// afterwards; Fail refuses them.
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = FailurePolicy::Ignore, ignore_case = true)]
    pub failure_policy: FailurePolicy,
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
            failure_policy: FailurePolicy::Ignore,
            leader_election: LeaderElectionOptions::default(),
            health: HealthOptions::default(),
        }
    }
}
