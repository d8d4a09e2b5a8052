//! The kubelet's part, simulated: registers Nodes, renews their Leases, and runs Pods as state alone.

mod kubelet;
pub mod network;
pub mod node;
mod options;
pub mod pod;

use kube::Client;
use runtime::events::Recorder;
use runtime::health::HealthPort;
use runtime::{Context, Error, Metrics, Ready};
use tokio_util::sync::CancellationToken;

pub use options::Options;

/// What the binary says it is.
pub const ABOUT: &str = "Plays nodes: registers them, renews their Leases, runs Pods as state alone.";

/// Runs until `shutdown` is cancelled.
///
/// # Errors
/// A flag that cannot be used, or a taken port.
pub async fn run(
    options: Options,
    client: Client,
    shutdown: CancellationToken,
    on_ready: runtime::OnReady,
) -> Result<(), Error> {
    options.validate()?;
    let port = HealthPort::bind(&options.health).await?;
    let metrics = Metrics::default();
    let ready = Ready::new(on_ready);
    let (recorder, recording) = Recorder::new(client.clone(), "node");
    let context = Context { client, recorder, metrics: metrics.clone(), ready: ready.clone() };
    tokio::select! {
        outcome = kubelet::run(context, &options) => outcome,
        () = port.serve(ready.readiness(), metrics) => Ok(()),
        () = recording => Ok(()),
        () = shutdown.cancelled() => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cox` runs every part in one process, as tasks.
    #[allow(dead_code, reason = "it only has to compile")]
    fn it_can_be_spawned(options: Options, client: Client) {
        tokio::spawn(run(options, client, CancellationToken::new(), Box::new(|| ())));
    }
}
