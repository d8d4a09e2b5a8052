//! `bench`: what a Kubernetes API server costs under load. It starts a server of its own, or loads the one that a
//! kubeconfig names, prints a table and can write it as JSON.

#![allow(clippy::unwrap_used)] // a load that is refused is no figure

mod baseline;
mod definitions;
mod figures;
mod growth;
mod kinds;
mod load;
mod objects;
mod population;
mod profile;
mod report;
mod requests;
mod subject;
mod targets;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use figures::Figures;
use subject::Target;

/// Loads a Kubernetes API server and reports time and memory.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Command {
    #[command(subcommand)]
    workload: Workload,
    #[command(flatten)]
    target: Target,
    /// Write the figures here too, as JSON.
    #[arg(long, global = true)]
    json: Option<std::path::PathBuf>,
}

#[derive(Subcommand)]
enum Workload {
    /// Each thing that clients ask for, on ConfigMaps and custom resources.
    Requests(requests::Options),
    /// The same on a kind with more and more objects.
    Growth(growth::Options),
    /// Many definitions of custom resources, each with instances.
    Definitions(definitions::Options),
    /// Many instances of one definition.
    Objects(objects::Options),
    /// The page that tells of what was written with --json, with the targets.
    Report(report::Options),
}

fn main() -> ExitCode {
    let command = Command::parse();
    if let Workload::Report(options) = &command.workload {
        return ended(report::run(options));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (target, mut figures) = (&command.target, Figures::default());
    for store in target.stores() {
        match &command.workload {
            Workload::Requests(options) => runtime.block_on(requests::run(options, target, store, &mut figures)),
            Workload::Growth(options) => runtime.block_on(growth::run(options, target, store, &mut figures)),
            Workload::Definitions(options) => runtime.block_on(definitions::run(options, target, store, &mut figures)),
            Workload::Objects(options) => runtime.block_on(objects::run(options, target, store, &mut figures)),
            Workload::Report(_) => {}
        }
    }
    println!("{figures}");
    if !matches!(targets::tally(&figures), (0, 0, _)) {
        println!("{}", targets::met(&figures));
    }
    let Some(path) = &command.json else { return ExitCode::SUCCESS };
    ended(report::Run::of(figures).write(path))
}

fn ended(end: std::io::Result<()>) -> ExitCode {
    let Err(error) = end else { return ExitCode::SUCCESS };
    eprintln!("bench: {error}");
    ExitCode::FAILURE
}
