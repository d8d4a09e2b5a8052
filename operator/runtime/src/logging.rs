//! Logs on standard error.

use tracing_subscriber::EnvFilter;

/// Flags of the log.
#[derive(clap::Args, Clone, Debug)]
pub struct LogOptions {
    /// What is logged: a level (error, warn, info, debug, trace), or directives as `scheduler=debug,kube=warn`.
    #[arg(long, value_name = "FILTER", env = "COXSWAIN_LOG", default_value = "info")]
    pub log: String,
}

/// Sends the log of the process to standard error. A process does it once; a second call changes nothing.
pub fn start(options: &LogOptions) {
    let filter = EnvFilter::builder().parse_lossy(&options.log);
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
