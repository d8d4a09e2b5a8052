//! Flags of the node.

use std::time::Duration;

use clap::Args;
use runtime::{Error, HealthOptions, flags};

/// Flags of the node.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many nodes to simulate; they run Pods as state alone.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub simulated: u32,
    /// What the names of simulated nodes start with; a number from 1 follows.
    #[arg(long, value_name = "PREFIX", default_value = "node-")]
    pub node_name_prefix: String,
    /// Labels of every node, as key=value.
    #[arg(long, value_name = "LABELS", value_delimiter = ',', value_parser = label)]
    pub node_labels: Vec<(String, String)>,
    /// Processor time that a node has.
    #[arg(long, value_name = "QUANTITY", default_value = "8")]
    pub capacity_cpu: String,
    /// Memory that a node has.
    #[arg(long, value_name = "QUANTITY", default_value = "16Gi")]
    pub capacity_memory: String,
    /// Pods that a node holds at most.
    #[arg(long, value_name = "N", default_value_t = 110)]
    pub max_pods: u32,
    /// How long a node's Lease lasts; it is renewed four times as often.
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    pub node_lease_duration_seconds: u32,
    /// How often a node reports its status when nothing changed.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = flags::duration)]
    pub node_status_report_frequency: Duration,
    /// The health and metrics port.
    #[command(flatten)]
    pub health: HealthOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            simulated: 1,
            node_name_prefix: "node-".into(),
            node_labels: Vec::new(),
            capacity_cpu: "8".into(),
            capacity_memory: "16Gi".into(),
            max_pods: 110,
            node_lease_duration_seconds: 40,
            node_status_report_frequency: Duration::from_secs(300),
            health: HealthOptions::default(),
        }
    }
}

impl Options {
    /// Checks what the flags' own forms do not.
    ///
    /// # Errors
    /// [`Error::Flag`].
    pub fn validate(&self) -> Result<(), Error> {
        let quantity = |flag, value: &str| {
            crds::quantity::milli(value)
                .map_err(|error| error.to_string())
                .and_then(|amount| if amount < 0 { Err("must not be negative".to_owned()) } else { Ok(()) })
                .map_err(|message| Error::Flag { flag, message })
        };
        quantity("capacity-cpu", &self.capacity_cpu)?;
        quantity("capacity-memory", &self.capacity_memory)?;
        if self.node_lease_duration_seconds == 0 {
            return Err(Error::Flag { flag: "node-lease-duration-seconds", message: "must be greater than 0".into() });
        }
        Ok(())
    }
}

fn label(value: &str) -> Result<(String, String), String> {
    value
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| "labels are written key=value".to_owned())
}
