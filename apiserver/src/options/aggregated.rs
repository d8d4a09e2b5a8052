//! Options of a server behind another one.

use std::path::PathBuf;

use clap::Args;

use crate::aggregated::{Host, ServiceName};

/// What is the other server's to decide, and so no option here.
const OF_HOST: [&str; 14] = [
    "authorization_mode",
    "authorization_webhook_config_file",
    "client_ca_file",
    "enable_admission_plugins",
    "enable_aggregator_routing",
    "enable_bootstrap_token_auth",
    "proxy_client_cert_file",
    "requestheader_client_ca_file",
    "runtime_config",
    "service_account_issuer",
    "service_account_key_file",
    "service_account_signing_key_file",
    "service_cluster_ip_range",
    "token_auth_file",
];

/// Whether a server stands behind another one, and how they find each other.
#[derive(Args, Clone, Debug)]
pub struct AggregatedOptions {
    /// Serve behind another API server, the groups of installed definitions alone: it says who clients are and what they may
    /// do
    #[arg(long, conflicts_with_all = OF_HOST, help_heading = "Aggregation")]
    aggregated: bool,

    /// The other server, and who this one is there; without it the service account of a Pod is used
    #[arg(long, value_name = "FILE", requires = "aggregated", help_heading = "Aggregation")]
    kubeconfig: Option<PathBuf>,

    /// Service of the other server that leads to this one: APIServices name it, with an authority that is kept in a secret
    /// of its namespace. Without it both are left to others
    #[arg(long, value_name = "NAMESPACE/NAME[:PORT]", requires = "aggregated", help_heading = "Aggregation")]
    aggregated_service: Option<ServiceName>,
}

impl AggregatedOptions {
    /// The other server, if there is one.
    pub fn host(self) -> Option<Host> {
        self.aggregated.then_some(Host { kubeconfig: self.kubeconfig, service: self.aggregated_service })
    }
}
