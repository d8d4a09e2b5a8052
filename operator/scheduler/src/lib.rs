//! (skeleton: the signatures stand, the body follows)

mod options;

use kube::Client;
use tokio_util::sync::CancellationToken;

pub use options::Options;

/// What the binary says it is.
pub const ABOUT: &str = "Places Apps and Pods on nodes.";

/// Runs until `shutdown` is cancelled.
///
/// # Errors
/// What keeps it from starting.
pub async fn run(
    options: Options,
    client: Client,
    shutdown: CancellationToken,
    on_ready: runtime::OnReady,
) -> Result<(), runtime::Error> {
    let _ = (options, client);
    on_ready();
    shutdown.cancelled().await;
    Ok(())
}
