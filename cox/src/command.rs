//! `cox` as a command: the control plane, or one part of it.

use std::process::ExitCode;

use apiserver::command::Command;
use clap::{Args, Parser, Subcommand};

use crate::up;

#[derive(Parser)]
#[command(
    name = "cox",
    version,
    about = "A Kubernetes-compatible control plane: without a command, the same as `cox up`",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    up: up::Options,
}

#[derive(Subcommand)]
enum Part {
    /// Start everything: API server, operators and simulated nodes
    Up(Box<up::Options>),
    /// Start the API server alone
    Apiserver(Box<Command>),
    /// Start the controllers alone
    ControllerManager(Operator<controllers::Options>),
    /// Start the scheduler alone
    Scheduler(Operator<scheduler::Options>),
    /// Start the admission webhook alone
    AdmissionWebhook(Operator<webhook::Options>),
    /// Start nodes alone
    Node(Operator<node::Options>),
}

#[derive(Args)]
struct Operator<O: Args> {
    #[command(flatten)]
    options: O,
    #[command(flatten)]
    client: runtime::ClientOptions,
    #[command(flatten)]
    log: process::LogOptions,
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let Cli { part, up } = process::parse();
    let ignore = || Box::new(|| ());
    match part {
        None => up.execute(),
        Some(Part::Up(up)) => up.execute(),
        Some(Part::Apiserver(command)) => command.execute(),
        Some(Part::ControllerManager(Operator { options, client, log })) => {
            runtime::process::main("controller-manager", &client, &log, |connected, stop| {
                let from = client.clone();
                async move {
                    let options = options.with_authorities_of(&from).await?;
                    controllers::run(options, connected, stop, ignore()).await
                }
            })
        }
        Some(Part::Scheduler(Operator { options, client, log })) => {
            runtime::process::main("scheduler", &client, &log, |client, stop| {
                scheduler::run(options, client, stop, ignore())
            })
        }
        Some(Part::AdmissionWebhook(Operator { options, client, log })) => {
            runtime::process::main("admission-webhook", &client, &log, |client, stop| {
                webhook::run(options, client, stop, ignore())
            })
        }
        Some(Part::Node(Operator { options, client, log })) => {
            runtime::process::main("node", &client, &log, |client, stop| node::run(options, client, stop, ignore()))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
