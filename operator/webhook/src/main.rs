//! The binary `admission-webhook`.

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "admission-webhook", version, about = webhook::ABOUT)]
struct Command {
    #[command(flatten)]
    options: webhook::Options,
    #[command(flatten)]
    client: runtime::ClientOptions,
    #[command(flatten)]
    log: process::LogOptions,
}

fn main() -> std::process::ExitCode {
    let Command { options, client, log } = process::parse();
    runtime::process::main("admission-webhook", &client, &log, |client, shutdown| {
        webhook::run(options, client, shutdown, Box::new(|| ()))
    })
}
