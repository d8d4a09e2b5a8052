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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        let arguments = std::iter::once("apiserver").chain(arguments.iter().copied());
        Command::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_server_in_front_decides_is_no_option_behind_it() {
        let command = parse(&["--aggregated", "--kubeconfig=k", "--aggregated-service=a/b", "--anonymous-auth=false"]);
        let host = command.unwrap().aggregated.host().unwrap();
        assert_eq!(host.kubeconfig.as_deref(), Some(Path::new("k")));
        assert!(host.service.is_some_and(|service| service.port == 443));
        assert!(parse(&[]).unwrap().aggregated.host().is_none());
        for (arguments, words) in [
            (&["--aggregated", "--authorization-mode=RBAC"][..], "--authorization-mode"),
            (&["--aggregated", "--client-ca-file=f"][..], "--client-ca-file"),
            (&["--aggregated", "--aggregated-service=b"][..], "NAMESPACE/NAME"),
            (&["--kubeconfig=k"][..], "--aggregated"),
            (&["--aggregated-service=a/b"][..], "--aggregated"),
        ] {
            let error = parse(arguments).err().unwrap_or_default();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
    }
}
