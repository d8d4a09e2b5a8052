//! The API server with the command line of upstream's kube-apiserver, for harnesses that start one: controller-runtime's
//! envtest, kubebuilder, kwok and their like.
//!
//! Flags mean what they mean upstream. One that can be left without effect is, with a line in the log; one that asks for
//! what is not there is refused. What upstream requires and a harness may not have is optional: without `--etcd-servers`
//! the embedded store is used, in a folder that is gone afterwards.

mod arguments;
mod flags;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apiserver::options::DEFAULT_PORT;
use apiserver::{Error, Ready, config};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use process::LogOptions;
use runtime::{ClientOptions, LeaderElectionOptions};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::up::{connect, failed, joined};
use flags::FLAGS;

/// What the program must be called.
pub(crate) const NAME: &str = "kube-apiserver";

/// The flags of this program alone.
#[derive(clap::Args, Clone, Debug)]
struct Own {
    /// Controllers to run inside the server, as of `controller-manager --controllers`: garbage-collector and namespace make
    /// deletion of owners and of namespaces come to an end
    #[arg(long, env = "COXSWAIN_CONTROLLERS", value_delimiter = ',', value_name = "NAME,...")]
    controllers: Vec<String>,

    /// Print the version and end
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL|raw")]
    version: Option<String>,
}

/// Runs what the command line asks for.
pub(crate) fn main() -> ExitCode {
    let matches = match command().try_get_matches_from(arguments::normalized(std::env::args_os())) {
        Ok(matches) => matches,
        Err(error) => process::refuse(NAME, &error),
    };
    match Stand::new(&matches) {
        Ok(Some(stand)) => stand.execute(),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => process::refuse(NAME, &error),
    }
}

fn command() -> Command {
    let command = Command::new(NAME).args_override_self(true).disable_version_flag(true);
    let command = LogOptions::augment_args(Own::augment_args(apiserver::Options::augment_args(command)));
    // Upstream's defaults where ours are others.
    let command = command
        .mut_arg("bind_address", |argument| argument.default_value("0.0.0.0"))
        .mut_arg("authorization_mode", |argument| argument.default_value("AlwaysAllow"));
    // The options' own descriptions are not the program's.
    let about = "The Kubernetes API server of Coxswain, with the command line of upstream's";
    command.args(FLAGS.iter().map(flags::Flag::argument)).about(about).long_about(None)
}

/// What is to be started.
struct Stand {
    server: apiserver::Options,
    controllers: Vec<String>,
    log: LogOptions,
    /// A clause for each flag that has no effect.
    remarks: Vec<String>,
    /// Whether the data folder is one of the caller's, which stays.
    keeps_data: bool,
}

impl Stand {
    /// Reads the command line; nothing where it asks for the version, which is printed.
    fn new(matches: &ArgMatches) -> Result<Option<Self>, clap::Error> {
        let own = Own::from_arg_matches(matches)?;
        if own.version.as_deref().is_some_and(|value| value != "false") {
            println!("Kubernetes {}", apiserver::version::Info::default().git_version);
            return Ok(None);
        }
        let given = |name: &str| matches.value_source(name) == Some(ValueSource::CommandLine);
        let mut remarks = Vec::new();
        for flag in FLAGS.iter().filter(|flag| given(flag.name)) {
            let values = matches.get_raw(flag.name).into_iter().flatten();
            if let Some(refusal) = values.filter_map(|value| flag.refusal(&value.to_string_lossy())).next_back() {
                return Err(clap::Error::raw(clap::error::ErrorKind::InvalidValue, refusal));
            }
            remarks.extend(flag.remark());
        }
        if let Some(gates) = matches.get_many::<String>("feature-gates") {
            for gate in gates {
                arguments::feature_gates(gate)
                    .map_err(|problem| clap::Error::raw(clap::error::ErrorKind::InvalidValue, problem))?;
            }
        }
        Ok(Some(Self {
            server: apiserver::Options::from_arg_matches(matches)?,
            controllers: own.controllers,
            log: LogOptions::from_arg_matches(matches)?,
            remarks,
            keeps_data: given("data_dir"),
        }))
    }

    /// Serves until SIGINT or SIGTERM.
    fn execute(self) -> ExitCode {
        self.log.start();
        if !self.remarks.is_empty() {
            warn!("flags without effect here: {}", self.remarks.join("; "));
        }
        process::run(NAME, |stop| self.run(stop))
    }

    async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        let listener = apiserver::bind(self.server.bind_address, self.server.secure_port.unwrap_or(DEFAULT_PORT))?;
        // Lives as long as the server.
        let _folder = self.place()?;
        let data_dir = self.server.data_dir.clone();
        let config = self.server.complete()?;
        let (ready, announced) = oneshot::channel::<Ready>();
        // The server stops last, so that the controllers do not lose it.
        let stop_server = CancellationToken::new();
        let mut server = tokio::spawn(apiserver::run(config, listener, stop_server.clone(), ready));
        let work = async {
            match announced.await {
                Ok(Ready { url, kubeconfig }) => {
                    println!("{NAME}: ready at {url}, kubeconfig {}", kubeconfig.display());
                    accompany(&data_dir, self.controllers, &stop).await
                }
                // The server has ended, and says why.
                Err(_) => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            ended = &mut server => return joined(ended),
            () = stop.cancelled() => Ok(()),
        };
        stop_server.cancel();
        outcome.and(joined(server.await))
    }

    /// Decides where files are kept: in the caller's folders, or in one that is gone afterwards.
    fn place(&mut self) -> Result<Option<TempDir>, Error> {
        let options = &mut self.server;
        // Upstream's: a pair of that name in the folder of certificates serves.
        if let (None, Some(folder)) = (&options.tls_cert_file, &options.cert_dir) {
            let (certificate, key) = (folder.join("apiserver.crt"), folder.join("apiserver.key"));
            if certificate.is_file() && key.is_file() {
                options.tls_cert_file = Some(certificate);
                options.tls_private_key_file = Some(key);
                options.cert_dir = None;
            }
        }
        if self.keeps_data {
            return Ok(None);
        }
        let folder = TempDir::with_prefix("kube-apiserver-")
            .map_err(|error| Error::Options(format!("a temporary folder cannot be made: {error}")))?;
        options.data_dir = folder.path().to_owned();
        Ok(Some(folder))
    }
}

/// Runs the controllers asked for, as clients of the server, until `stop` is cancelled.
async fn accompany(data_dir: &Path, controllers: Vec<String>, stop: &CancellationToken) -> Result<(), Error> {
    const PART: &str = "controller-manager";
    if controllers.is_empty() {
        stop.cancelled().await;
        return Ok(());
    }
    let kubeconfig: PathBuf = config::kubeconfig(data_dir, PART);
    let from = ClientOptions { kubeconfig: Some(kubeconfig.clone()) };
    let options = controllers::Options {
        controllers,
        leader_election: LeaderElectionOptions { leader_elect: false, ..LeaderElectionOptions::default() },
        ..controllers::Options::default()
    };
    let options = options.with_authorities_of(&from).await.map_err(|error| failed(PART, &error))?;
    let client = connect(kubeconfig, PART).await?;
    controllers::run(options, client, stop.clone(), Box::new(|| ())).await.map_err(|error| failed(PART, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Stand, String> {
        let arguments = std::iter::once(NAME).chain(arguments.iter().copied()).map(Into::into);
        let matches = command().try_get_matches_from(arguments::normalized(arguments)).map_err(|e| e.to_string())?;
        let stand = Stand::new(&matches).map_err(|e| e.to_string())?;
        Ok(stand.expect("no version was asked for"))
    }

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn what_envtest_and_kwok_pass_is_taken() {
        let stand = read(&[
            "--advertise-address=127.0.0.1",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            "--bind-address=127.0.0.1",
            "--cert-dir=/tmp/certs",
            "--client-ca-file=/tmp/certs/client-cert-auth-ca.crt",
            "--disable-admission-plugins=ServiceAccount",
            "--enable-priority-and-fairness=false",
            "--etcd-prefix=/registry",
            "--etcd-servers=http://127.0.0.1:2379",
            "--feature-gates=InPlacePodVerticalScaling=true,Other=false",
            "--max-mutating-requests-inflight=0",
            "--max-requests-inflight=0",
            "--runtime-config=api/all=true",
            "--secure-port=0",
            "--service-account-issuer=https://127.0.0.1:1/",
            "--service-account-key-file=/tmp/certs/sa-signer.crt",
            "--service-account-signing-key-file=/tmp/certs/sa-signer.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--storage_media_type=application/json",
            "-v=4",
        ])
        .unwrap();
        assert_eq!(stand.log.v, 4);
        assert_eq!(stand.server.max_requests_inflight, 0);
        assert_eq!(stand.remarks.len(), 3, "{:?}", stand.remarks);
    }

    #[test]
    fn a_flag_given_twice_counts_as_written_last() {
        assert_eq!(read(&["--secure-port=1", "--secure-port", "2"]).unwrap().server.secure_port, Some(2));
    }

    #[test]
    fn what_would_make_another_server_is_refused_by_name() {
        for (flag, words) in [
            ("--encryption-provider-config=x", "not encrypted"),
            ("--audit-log-path=x", "audit"),
            ("--enable-garbage-collector=false", "collector"),
            ("--storage-backend=etcd2", "etcd3"),
            ("--tls-min-version=VersionTLS13", "TLS 1.2"),
            ("--feature-gates=Word", "missing bool value for Word"),
            ("--feature-gates=Word=maybe", "invalid value of Word=maybe"),
            ("--profiling=perhaps", "perhaps"),
            ("--goaway-chance=often", "often"),
            ("--insecure-port=0", "--insecure-port"),
        ] {
            let error = read(&[flag]).err().unwrap_or_else(|| format!("{flag} is taken"));
            assert!(error.contains(words), "{flag}: {error}");
        }
    }

    #[test]
    fn flags_are_sorted_and_named_once() {
        assert!(FLAGS.is_sorted_by(|a, b| a.name < b.name));
    }
}
