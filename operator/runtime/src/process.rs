//! The shape of every operator's process: log, client, signals, exit code.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::logging::{self, LogOptions};
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
    logging::start(log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{component}: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let client = client::connect(client, component).await?;
        let running = operator(client, shutdown.clone());
        tokio::pin!(running);
        tokio::select! {
            outcome = &mut running => return outcome,
            () = asked_to_stop() => shutdown.cancel(),
        }
        tokio::time::timeout(SHUTDOWN_DEADLINE, running).await.unwrap_or(Ok(()))
    });
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{component}: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// Ends at the first SIGINT or SIGTERM.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}
