//! `bench`: what a Kubernetes API server costs under load. It starts a server of its own, or loads the one that a
//! kubeconfig names, prints a table and can write it as JSON.

#![allow(clippy::unwrap_used)] // a load that is refused is no figure

mod baseline;
mod definitions;
mod figures;
mod kinds;
mod load;
mod objects;
mod population;
mod requests;
mod subject;
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
    /// Many definitions of custom resources, each with instances.
    Definitions(definitions::Options),
    /// Many instances of one definition.
    Objects(objects::Options),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut figures = Figures::default();
    let target = &command.target;
    for store in target.stores() {
        match &command.workload {
            Workload::Requests(options) => runtime.block_on(requests::run(options, target, store, &mut figures)),
            Workload::Definitions(options) => runtime.block_on(definitions::run(options, target, store, &mut figures)),
            Workload::Objects(options) => runtime.block_on(objects::run(options, target, store, &mut figures)),
        }
    }
    println!("{figures}");
    if let Some(path) = &command.json
        && let Err(error) = std::fs::write(path, serde_json::to_string_pretty(&figures).expect("figures are JSON"))
    {
        eprintln!("bench: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
