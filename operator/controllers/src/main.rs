//! The binary `controller-manager`.

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "controller-manager", version, about = controllers::ABOUT)]
struct Command {
    #[command(flatten)]
    options: controllers::Options,
    #[command(flatten)]
    client: runtime::ClientOptions,
    #[command(flatten)]
    log: process::LogOptions,
}

fn main() -> std::process::ExitCode {
    let Command { options, client, log } = process::parse();
    runtime::process::main("controller-manager", &client, &log, |connected, shutdown| {
        let from = client.clone();
        async move {
            let options = options.with_authorities_of(&from).await?;
            controllers::run(options, connected, shutdown, Box::new(|| ())).await
        }
    })
}
