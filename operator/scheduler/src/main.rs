//! The binary `scheduler`.

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "scheduler", version, about = scheduler::ABOUT)]
struct Command {
    #[command(flatten)]
    options: scheduler::Options,
    #[command(flatten)]
    client: runtime::ClientOptions,
    #[command(flatten)]
    log: process::LogOptions,
}

fn main() -> std::process::ExitCode {
    let Command { options, client, log } = process::parse();
    runtime::process::main("scheduler", &client, &log, |client, shutdown| {
        scheduler::run(options, client, shutdown, Box::new(|| ()))
    })
}
