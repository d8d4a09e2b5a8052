//! `apiserver` as a command.

use std::process::ExitCode;

use clap::Parser;
use process::LogOptions;
use tokio::sync::oneshot;

use crate::options::{AggregatedOptions, DEFAULT_PORT, Options};
use crate::{Ready, bind, run};

/// `apiserver`'s command line.
#[derive(Parser)]
#[command(name = "apiserver", version, about = "Serves the Kubernetes API from an embedded store or etcd")]
pub struct Command {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    aggregated: AggregatedOptions,
    #[command(flatten)]
    log: LogOptions,
}

impl Command {
    /// Serves until SIGINT or SIGTERM.
    pub fn execute(self) -> ExitCode {
        let Self { options, aggregated, log } = self;
        let options = Options { host: aggregated.host(), ..options };
        log.start();
        process::run("apiserver", |stop| async move {
            let listener = bind(options.bind_address, options.secure_port.unwrap_or(DEFAULT_PORT))?;
            let (ready, announced) = oneshot::channel::<Ready>();
            let announce = async {
                if let Ok(ready) = announced.await {
                    println!("apiserver: ready at {}, kubeconfig {}", ready.url, ready.kubeconfig.display());
                }
            };
            tokio::join!(run(options.complete()?, listener, stop, ready), announce).0
        })
    }
}
