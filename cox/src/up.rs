//! `cox up`: the whole control plane in one process. The operators are clients like any other: each connects with a
//! certificate of its own to the address that is printed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use apiserver::options::DEFAULT_PORT;
use apiserver::{Error, Ready, config};
use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt as _};
use process::LogOptions;
use runtime::{ClientOptions, LeaderElectionOptions};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Ports that are tried behind the default one when that is taken.
const MORE_PORTS: u16 = 100;
/// What the operators get to let go of their leases before the server stops.
const OPERATORS_STOP: Duration = Duration::from_millis(1200);
/// What a definition gets to be established.
const ESTABLISH: Duration = Duration::from_secs(10);

/// Options of `cox up`.
#[derive(Args)]
#[group(skip)] // clap names groups after the type, and the server's options are called the same
pub struct Options {
    /// Simulated nodes to start
    #[arg(long, default_value_t = 3, value_name = "N")]
    nodes: u32,

    /// Parts not to start: controller-manager, scheduler, admission-webhook
    #[arg(long, value_delimiter = ',', value_name = "PART,...", value_parser = PARTS)]
    without: Vec<String>,

    #[command(flatten)]
    server: apiserver::Options,

    #[command(flatten)]
    log: LogOptions,
}

const PARTS: [&str; 3] = ["controller-manager", "scheduler", "admission-webhook"];

impl Options {
    /// Runs until SIGINT or SIGTERM.
    pub fn execute(self) -> ExitCode {
        let started = Instant::now();
        self.log.start();
        process::run("cox", move |stop| self.run(stop, started))
    }

    async fn run(self, stop: CancellationToken, started: Instant) -> Result<(), Error> {
        let Self { nodes, without, server, log: _ } = self;
        let listener = listen(&server)?;
        let data_dir = server.data_dir.clone();
        let store = match server.etcd_servers.as_slice() {
            [] => format!("embedded store in {}", data_dir.display()),
            servers => format!("etcd at {}", servers.join(", ")),
        };
        let stable_identity = server.etcd_servers.is_empty();
        let config = server.complete()?;
        let signing_key = config.service_account_signing_key_file();

        // The server stops last, so that the operators can still say goodbye.
        let stop_server = CancellationToken::new();
        let (ready, announced) = oneshot::channel();
        let server = tokio::spawn(apiserver::run(config, listener, stop_server.clone(), ready));
        let announced = tokio::select! {
            announced = announced => announced,
            () = stop.cancelled() => {
                // It has served nobody yet, and what it wrote is durable.
                server.abort();
                return Ok(());
            }
        };
        let Ok(Ready { url, kubeconfig }) = announced else { return joined(server.await) };
        part_ready("apiserver", &format!("{url}, {store}"));

        let mut operators = JoinSet::new();
        let outcome = tokio::select! {
            outcome = operate(&mut operators, &data_dir, &signing_key, nodes, &without, stable_identity, &stop) => outcome,
            () = stop.cancelled() => Ok(()),
        };
        let outcome = match outcome {
            Ok(()) if !stop.is_cancelled() => {
                greet(&kubeconfig, started.elapsed());
                tokio::select! {
                    () = stop.cancelled() => Ok(()),
                    Some(ended) = operators.join_next(), if !operators.is_empty() => joined(ended),
                    () = stop_server.cancelled() => Ok(()),
                }
            }
            outcome => outcome,
        };

        stop.cancel();
        let goodbye = async { while operators.join_next().await.is_some() {} };
        // Whoever is late loses its connection below; the lease it held runs out.
        let _ = tokio::time::timeout(OPERATORS_STOP, goodbye).await;
        operators.abort_all();
        stop_server.cancel();
        let served = joined(server.await);
        outcome.and(served)
    }
}

/// The port asked for, or the default one, or the next free one behind it.
fn listen(options: &apiserver::Options) -> Result<TcpListener, Error> {
    if let Some(port) = options.secure_port {
        return apiserver::bind(options.bind_address, port);
    }
    let first = apiserver::bind(options.bind_address, DEFAULT_PORT);
    let taken =
        |error: &Error| matches!(error, Error::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse);
    match first {
        Err(error) if taken(&error) => {
            let more = DEFAULT_PORT + 1..=DEFAULT_PORT + MORE_PORTS;
            let found =
                more.into_iter().find_map(|port| Some((port, apiserver::bind(options.bind_address, port).ok()?)));
            let Some((port, listener)) = found else { return Err(error) };
            println!("port {DEFAULT_PORT} is taken, using {port}");
            Ok(listener)
        }
        first => first,
    }
}

/// Installs the definitions, starts the operators, and returns when all of them are ready.
async fn operate(
    operators: &mut JoinSet<Result<(), Error>>,
    data_dir: &Path,
    signing_key: &Path,
    nodes: u32,
    without: &[String],
    stable_identity: bool,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let admin = connect(config::kubeconfig(data_dir, "admin"), "cox").await?;
    install(&admin).await?;

    let (said, mut ready) = mpsc::unbounded_channel();
    let on_ready = |name: &'static str| -> runtime::OnReady {
        let said = said.clone();
        // Nobody listens any more when the start was broken off.
        Box::new(move || said.send(name).unwrap_or_default())
    };
    let wanted = |name: &str| without.iter().all(|part| part != name);
    // The embedded store has one user, so whoever held the leases under this name is gone: they are taken up at once,
    // also after a crash.
    let election = || LeaderElectionOptions {
        leader_elect_identity: stable_identity.then(|| "cox".to_owned()),
        ..LeaderElectionOptions::default()
    };
    let mut waiting = 0;
    let client = |name: &'static str| connect(config::kubeconfig(data_dir, name), name);
    if wanted("admission-webhook") {
        let run = webhook::run(
            webhook::Options { leader_election: election(), ..webhook::Options::default() },
            client("admission-webhook").await?,
            stop.clone(),
            on_ready("admission-webhook"),
        );
        operators.spawn(async move { run.await.map_err(|e| failed("admission-webhook", &e)) });
        waiting += 1;
    }
    if wanted("scheduler") {
        let run = scheduler::run(
            scheduler::Options { leader_election: election(), ..scheduler::Options::default() },
            client("scheduler").await?,
            stop.clone(),
            on_ready("scheduler"),
        );
        operators.spawn(async move { run.await.map_err(|e| failed("scheduler", &e)) });
        waiting += 1;
    }
    if wanted("controller-manager") {
        let from = ClientOptions { kubeconfig: Some(config::kubeconfig(data_dir, "controller-manager")) };
        let options = controllers::Options {
            leader_election: election(),
            service_account_private_key_file: Some(signing_key.to_owned()),
            ..controllers::Options::default()
        };
        let run = controllers::run(
            options.with_authorities_of(&from).await.map_err(|e| failed("controller-manager", &e))?,
            client("controller-manager").await?,
            stop.clone(),
            on_ready("controller-manager"),
        );
        operators.spawn(async move { run.await.map_err(|e| failed("controller-manager", &e)) });
        waiting += 1;
    }
    if nodes > 0 {
        let options = node::Options { simulated: nodes, ..node::Options::default() };
        let run = node::run(options, client("node").await?, stop.clone(), on_ready("node"));
        operators.spawn(async move { run.await.map_err(|e| failed("node", &e)) });
        waiting += 1;
    }
    while waiting > 0 {
        tokio::select! {
            Some(name) = ready.recv() => {
                waiting -= 1;
                match name {
                    "node" => part_ready(name, &format!("{nodes} simulated")),
                    name => part_ready(name, ""),
                }
            }
            Some(ended) = operators.join_next() => {
                joined(ended)?;
                // It ended without an error and without being asked to: only a stop does that.
                if stop.is_cancelled() { return Ok(()); }
            }
        }
    }
    Ok(())
}

pub(crate) async fn connect(kubeconfig: PathBuf, component: &str) -> Result<Client, Error> {
    let options = ClientOptions { kubeconfig: Some(kubeconfig) };
    runtime::client::connect(&options, component).await.map_err(|e| failed(component, &e))
}

/// Applies the definitions of our own kinds and waits until they are served.
async fn install(client: &Client) -> Result<(), Error> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in crds::definitions() {
        let name = definition.name_any();
        let problem = |e: &dyn std::fmt::Display| Error::Prepare(format!("{name} cannot be installed: {e}"));
        let applied = api.patch(&name, &PatchParams::apply("cox").force(), &Patch::Apply(&definition)).await;
        applied.map_err(|e| problem(&e))?;
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        match tokio::time::timeout(ESTABLISH, established).await {
            Ok(Ok(_)) => part_ready(&name, ""),
            Ok(Err(e)) => return Err(problem(&e)),
            Err(_) => return Err(problem(&"it is not established")),
        }
    }
    Ok(())
}

pub(crate) fn failed(part: &str, error: &runtime::Error) -> Error {
    Error::Part(part.to_owned(), error.chain().to_string())
}

pub(crate) fn joined(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    ended.unwrap_or_else(|error| Err(Error::Part("a part".into(), error.to_string())))
}

fn part_ready(name: &str, detail: &str) {
    println!("{name:<20} ready  {detail}");
}

fn greet(kubeconfig: &Path, took: Duration) {
    // The second line names a file of the checkout, so both are pasted where this was started.
    let folder = if kubeconfig.is_absolute() { "" } else { "$PWD/" };
    println!(
        "\nReady in {:.2} s. Now, in another terminal:\n\n    export KUBECONFIG={folder}{}\n    kubectl apply -f manifests/examples/web.yaml\n",
        took.as_secs_f64(),
        kubeconfig.display()
    );
}
