//! The shape of every operator's process: a client, and a bounded time to stop in.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use kube::Client;
use process::LogOptions;
use tokio_util::sync::CancellationToken;

use crate::{ClientOptions, Error, client};

/// How long a process that was told to stop may take before it ends without waiting further.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_millis(1500);

/// Runs `operator` until it ends or SIGINT or SIGTERM asks it to stop. Says in one line on standard error why it
/// failed, with a non-zero exit code.
pub fn main<F, Run>(component: &'static str, client: &ClientOptions, log: &LogOptions, operator: F) -> ExitCode
where
    F: FnOnce(Client, CancellationToken) -> Run,
    Run: Future<Output = Result<(), Error>>,
{
    log.start();
    process::run(component, |stop| async move {
        let work = async {
            let client = client::connect(client, component).await?;
            operator(client, stop.clone()).await
        };
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(SHUTDOWN_DEADLINE).await;
        };
        tokio::select! {
            outcome = work => outcome.map_err(|error| error.chain().to_string()),
            () = too_late => Ok(()),
        }
    })
}
