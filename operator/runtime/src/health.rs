//! The health and metrics port.

use std::net::IpAddr;

/// Flags of the health and metrics port.
#[derive(clap::Args, Clone, Debug)]
pub struct HealthOptions {
    /// The IP address on which /healthz, /readyz and /metrics are served.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub healthz_bind_address: IpAddr,
    /// The port on which /healthz, /readyz and /metrics are served; 0 serves none.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub healthz_port: u16,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self { healthz_bind_address: IpAddr::from([127, 0, 0, 1]), healthz_port: 0 }
    }
}
