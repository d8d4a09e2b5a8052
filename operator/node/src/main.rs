//! The binary `node`.

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "node", version, about = node::ABOUT)]
struct Command {
    #[command(flatten)]
    options: node::Options,
    #[command(flatten)]
    client: runtime::ClientOptions,
    #[command(flatten)]
    log: process::LogOptions,
}

fn main() -> std::process::ExitCode {
    let Command { options, client, log } = process::parse();
    runtime::process::main("node", &client, &log, |client, shutdown| {
        node::run(options, client, shutdown, Box::new(|| ()))
    })
}
