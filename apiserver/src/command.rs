//! The process around a server: command line, logging, signals, and errors as one line on the terminal.

use std::process::ExitCode;

use clap::{ArgAction, Args, Parser};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::options::{DEFAULT_PORT, Options};
use crate::{Error, Ready, bind, run};

/// `apiserver`'s command line.
#[derive(Parser)]
#[command(name = "apiserver", version, about = "Serves the Kubernetes API from an embedded store or etcd")]
pub struct Command {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    log: LogOptions,
}

/// How much is logged, to standard error.
#[derive(Args, Clone, Debug, Default)]
pub struct LogOptions {
    /// Log more: -v steps, -vv requests and decisions, -vvv everything (or RUST_LOG's filter)
    #[arg(short, long = "verbose", action = ArgAction::Count)]
    pub verbose: u8,
}

impl LogOptions {
    /// Starts logging.
    pub fn start(&self) {
        let level = match self.verbose {
            0 => "warn",
            1 => "info",
            2 => "debug",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        // A second start (tests, `cox`) keeps the first.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

/// The binary's `main`.
pub fn main() -> ExitCode {
    Command::execute(parse())
}

impl Command {
    /// Serves until SIGINT or SIGTERM.
    pub fn execute(self) -> ExitCode {
        let Self { options, log } = self;
        log.start();
        serve("apiserver", |stop| async move {
            let listener = bind(options.bind_address, options.secure_port.unwrap_or(DEFAULT_PORT))?;
            let (ready, announced) = tokio::sync::oneshot::channel::<Ready>();
            let announce = async {
                if let Ok(ready) = announced.await {
                    println!("apiserver: ready at {}, kubeconfig {}", ready.url, ready.kubeconfig.display());
                }
            };
            tokio::join!(run(options.complete()?, listener, stop, ready), announce).0
        })
    }
}

/// The command line as `P`; a mistake in it ends the process with one line and status 2.
pub fn parse<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let detail: Vec<&str> =
            text.lines().skip(1).take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
        let detail = if detail.is_empty() { String::new() } else { format!(" {}", detail.join(" ")) };
        eprintln!("{}: {line}{detail} (see --help)", P::command().get_name());
        std::process::exit(2);
    })
}

/// Runs `work` on a runtime until it is done, telling it to stop at SIGINT or SIGTERM. An error is one line on
/// standard error and status 1.
pub fn serve<F, W>(name: &str, work: F) -> ExitCode
where
    F: FnOnce(CancellationToken) -> W,
    W: Future<Output = Result<(), Error>>,
{
    // The one TLS provider of the process; a second installation is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string()).and_then(
        |runtime| {
            let done = runtime.block_on(async {
                let stop = CancellationToken::new();
                stop_at_signals(stop.clone()).map_err(|e| e.to_string())?;
                work(stop).await.map_err(|e| e.to_string())
            });
            // What still runs now has nothing left to save.
            runtime.shutdown_background();
            done
        },
    );
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", error.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn stop_at_signals(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}
