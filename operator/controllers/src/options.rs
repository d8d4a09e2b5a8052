//! Flags of the controller manager, named as upstream's.

use std::time::Duration;

use clap::Args;
use runtime::{Error, HealthOptions, LeaderElectionOptions, flags};

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

/// The controllers there are.
pub const CONTROLLERS: [&str; 5] = ["app", "garbage-collector", "namespace", "node-lifecycle", "pod-garbage-collector"];

impl Options {
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
