//! The API server's client, from a kubeconfig file or from inside a cluster.

use std::path::PathBuf;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::Error;

/// Flags that say which API server to talk to, and as whom.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ClientOptions {
    /// Path to a kubeconfig file with the API server's address and credentials; without it, the
    /// environment variable KUBECONFIG, then ~/.kube/config, then the service account of a Pod are used.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A client as the flags say; `component` is the User-Agent's name.
///
/// # Errors
/// [`Error::Config`] when there is no usable kubeconfig. Nothing is sent yet.
pub async fn connect(options: &ClientOptions, component: &str) -> Result<Client, Error> {
    let config = match &options.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| Error::Config(error.to_string()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .map_err(|error| Error::Config(error.to_string()))?
        }
        None => Config::infer().await.map_err(|error| Error::Config(error.to_string()))?,
    };
    let _ = component;
    Client::try_from(config).map_err(|error| Error::Config(error.to_string()))
}
