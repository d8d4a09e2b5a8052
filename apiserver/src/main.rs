//! `apiserver`: the API server on its own.

use std::process::ExitCode;

use apiserver::command::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    process::parse::<Command>().execute()
}
