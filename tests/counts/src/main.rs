//! `counts`: how many instructions the hot paths take. Such counts do not drift with the machine, so that CI can say when a
//! change made a path dearer. valgrind counts them.

mod check;
mod paths;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Counts the instructions of the hot paths.
#[derive(Parser)]
#[command(name = "counts", version)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Counts those of all paths and compares them with the counts that are kept.
    Check(check::Options),
    /// Goes one path, for valgrind to count.
    Go {
        /// The path.
        path: String,
    },
}

fn main() -> ExitCode {
    let failure = match Command::parse().action {
        Action::Check(options) => check::check(&options).err(),
        Action::Go { path } => paths::go(&path).err(),
    };
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    eprintln!("counts: {failure}");
    ExitCode::FAILURE
}
