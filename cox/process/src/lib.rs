//! What every binary here is as a process: a command line whose mistakes are one line, a log on standard error, an
//! orderly end at SIGINT or SIGTERM, and errors as one line with a status that is not zero.
//!
//! Knows nothing of what runs; both the server and the operators stand on it.

use std::fmt::Display;
use std::process::ExitCode;

use clap::{Args, Parser};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// How much is logged, to standard error.
#[derive(Args, Clone, Debug, Default)]
pub struct LogOptions {
    /// Log level: 0 warnings, 2 what happens, 4 each decision, 6 everything (RUST_LOG's filter goes first)
    #[arg(short, long = "v", value_name = "LEVEL", default_value_t = 0)]
    pub v: u8,
}

impl LogOptions {
    /// Starts the log. The first call of a process counts.
    pub fn start(&self) {
        // The libraries below speak of every frame; they are heard from level 6 on.
        let level = match self.v {
            0 => "warn",
            1..=3 => "info",
            4..=5 => "debug,h2=info,hyper=info,hyper_util=info,rustls=info,tower=info,tonic=info",
            _ => "trace",
        };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

/// The command line as `P`; a mistake in it ends the process with one line and status 2.
pub fn parse<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| refuse(P::command().get_name(), &error))
}

/// Ends the process that goes by `name`: with the help asked for, or with one line and status 2.
pub fn refuse(name: &str, error: &clap::Error) -> ! {
    if !error.use_stderr() {
        error.exit();
    }
    eprintln!("{name}: {} (see --help)", one_line(&error.to_string()));
    std::process::exit(2);
}

/// The first paragraph of clap's text, without its label.
fn one_line(text: &str) -> String {
    let paragraph: Vec<&str> = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    paragraph.join(" ").trim_start_matches("error: ").to_owned()
}

/// Runs `work` to its end, telling it to stop at SIGINT or SIGTERM. An error is one line on standard error and status 1.
pub fn run<F, W, E>(name: &str, work: F) -> ExitCode
where
    F: FnOnce(CancellationToken) -> W,
    W: Future<Output = Result<(), E>>,
    E: Display,
{
    // The one TLS provider of the process; a second installation is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match attempt(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {}", error.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

/// Values are walked by recursion and may be nested 10,000 levels deep, as upstream's. Only what a thread uses of its
/// stack takes memory.
const STACK: usize = 256 * 1024 * 1024;

fn attempt<F, W, E>(work: F) -> Result<(), String>
where
    F: FnOnce(CancellationToken) -> W,
    W: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_stack_size(STACK).build().map_err(|e| e.to_string())?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        stop_at_signals(stop.clone()).map_err(|e| e.to_string())?;
        work(stop).await.map_err(|e| e.to_string())
    });
    // What still runs now has nothing left to save.
    runtime.shutdown_background();
    done
}

fn stop_at_signals(stop: CancellationToken) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser, Debug)]
    #[command(name = "example")]
    struct Example {
        #[arg(long, value_parser = ["a", "b"])]
        choice: Option<String>,
    }

    #[test]
    fn a_mistake_on_the_command_line_is_one_line_that_names_it() {
        for (arguments, names) in [
            (["example", "--nonsense"].as_slice(), "--nonsense"),
            (["example", "--choice", "c"].as_slice(), "--choice"),
            (["example", "more"].as_slice(), "'more'"),
        ] {
            let line = one_line(&Example::try_parse_from(arguments).unwrap_err().to_string());
            assert!(!line.contains('\n') && line.contains(names) && !line.starts_with("error"), "{line}");
        }
    }
}
