//! `parity`: records what a Kubernetes API server answers, and compares another server with that.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tests::exchange::{Error, Gaps, Scenario, Server, record, replay};

/// Records what a Kubernetes API server answers to scenarios, and replays recordings against another one.
#[derive(Parser)]
#[command(name = "parity", version)]
struct Command {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Send recorded requests and print every difference; the exit status is 0 when there is none.
    Replay(Replay),
    /// Send each scenario twice and write what was answered.
    Record(Record),
}

/// The server, and what is sent to it.
#[derive(Args)]
struct Target {
    /// Recordings or scenarios (.json, .yaml), or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The server, and a cluster administrator's credentials.
    #[arg(long, env = "KUBECONFIG")]
    kubeconfig: PathBuf,
    /// The kubeconfig's context to use instead of its current one.
    #[arg(long)]
    context: Option<String>,
}

#[derive(Args)]
struct Replay {
    #[command(flatten)]
    target: Target,
    /// How many scenarios run at once; those that look at the whole cluster run alone.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// One line a scenario, no differences.
    #[arg(long)]
    quiet: bool,
    /// The most lines of one difference.
    #[arg(long, default_value_t = 40)]
    diff_lines: usize,
    /// A list of differences that are known: only others, and known ones that are gone, count.
    #[arg(long)]
    known_gaps: Option<PathBuf>,
    /// Rewrite the list without those that are gone.
    #[arg(long, requires = "known_gaps")]
    prune: bool,
}

#[derive(Args)]
struct Record {
    #[command(flatten)]
    target: Target,
    /// The folder to write to; it gets the same subfolders as those that are read.
    #[arg(long)]
    out: PathBuf,
    /// What to call the server in the recordings; its version if not given.
    #[arg(long)]
    upstream: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse().command {
        Subcommands::Replay(arguments) => replay_all(&arguments).await,
        Subcommands::Record(arguments) => record_all(&arguments).await.map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("parity: {error}");
            ExitCode::from(2)
        }
    }
}

impl Target {
    async fn server(&self) -> Result<Server, Error> {
        Server::from_kubeconfig(&self.kubeconfig, self.context.as_deref()).await
    }

    /// The scenarios, each with its folder below the one that was named.
    fn scenarios(&self) -> Result<Vec<(Scenario, PathBuf)>, Error> {
        let mut scenarios = Vec::new();
        for path in &self.paths {
            for file in tests::exchange::scenario::files(path)? {
                let within = file.parent().and_then(|folder| folder.strip_prefix(path).ok()).unwrap_or(Path::new(""));
                scenarios.push((Scenario::read(&file)?, within.to_owned()));
            }
        }
        Ok(scenarios)
    }
}

async fn replay_all(arguments: &Replay) -> Result<bool, Error> {
    let scenarios: Vec<Scenario> = arguments.target.scenarios()?.into_iter().map(|(scenario, _)| scenario).collect();
    let gaps = match &arguments.known_gaps {
        Some(path) => {
            let refuse = |reason: String| Error::File { path: path.display().to_string(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            Gaps::parse(&text).map_err(refuse)?
        }
        None => Gaps::default(),
    };
    let server = arguments.target.server().await?;
    let mut outcomes = replay::replay(&server, &scenarios, arguments.jobs).await;
    replay::confirm(&server, &scenarios, &mut outcomes, &gaps).await;
    for outcome in &outcomes {
        println!("{}", outcome.summary());
        if arguments.quiet {
            continue;
        }
        for exchange in outcome.differences().filter(|exchange| !gaps.lists(&outcome.path, &exchange.id)) {
            println!("  --- step {}", exchange.id);
            exchange.difference(arguments.diff_lines).iter().for_each(|line| println!("    {line}"));
        }
    }
    println!("\n{}", replay::table(&outcomes));
    let verdict = gaps.judge(&outcomes);
    if let Some(path) = &arguments.known_gaps {
        println!("{} differences are not listed in {}", verdict.unlisted.len(), path.display());
        let gone: Vec<&str> = verdict.closed.iter().chain(&verdict.unknown).copied().collect();
        gone.iter().for_each(|line| println!("listed and gone: {line}"));
        if arguments.prune && !gone.is_empty() {
            std::fs::write(path, gaps.pruned(&verdict))
                .map_err(|error| Error::File { path: path.display().to_string(), reason: error.to_string() })?;
            println!("{} lines removed from {}", gone.len(), path.display());
            return Ok(verdict.unlisted.is_empty());
        }
    }
    Ok(verdict.holds())
}

async fn record_all(arguments: &Record) -> Result<(), Error> {
    let server = arguments.target.server().await?;
    let upstream = match &arguments.upstream {
        Some(name) => name.clone(),
        None => record::version(&server).await?,
    };
    for (scenario, within) in arguments.target.scenarios()? {
        let recording = record::record(&server, &scenario, &upstream).await?;
        let folder = arguments.out.join(within);
        let file = folder.join(format!("{}.json", scenario.name));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, recording.text))
            .map_err(|error| Error::File { path: file.display().to_string(), reason: error.to_string() })?;
        let unstable = match recording.unstable.as_slice() {
            [] => String::new(),
            steps => format!("; UNSTABLE steps: {}", steps.join(", ")),
        };
        println!("{}: {} exchanges recorded{unstable}", scenario.name, recording.exchanges);
    }
    Ok(())
}
