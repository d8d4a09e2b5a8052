//! What the tests in this folder share: real servers, real etcd, real kubectl, and waiting for conditions.
//!
//! Every test starts a control plane of its own on a free port, with its data in a temporary folder, and ends the
//! processes it started. [`on_each_store!`] makes of one test two: over the embedded store and over etcd.

#![allow(clippy::unwrap_used)] // in a test, a failure is a panic

pub mod aggregated_server;
pub mod authority;
pub mod authorization_webhook;
pub mod behind;
pub mod connection;
pub mod control_plane;
pub mod conversion_webhook;
pub mod decisions;
pub mod etcd;
pub mod exchange;
pub mod json_server;
pub mod kubectl;
pub mod process;
pub mod raw;
pub mod wait;
pub mod watching;

pub use connection::Connections;
pub use control_plane::{ControlPlane, Part, Store};
pub use etcd::Etcd;
pub use kubectl::Kubectl;
pub use wait::eventually;

/// Makes two tests, `embedded::<name>` and `etcd::<name>`, of each function `fn name(store: Store)`.
#[macro_export]
macro_rules! on_each_store {
    ($($name:ident),* $(,)?) => {
        mod embedded { $(#[test] fn $name() { super::$name($crate::Store::Embedded); })* }
        mod etcd { $(#[test] fn $name() { super::$name($crate::Store::start_etcd()); })* }
    };
}

/// A kube-rs client of the user of a kubeconfig.
pub async fn kube_client(kubeconfig: &std::path::Path) -> kube::Client {
    kube_client_as(kubeconfig, |_| ()).await
}

/// The same with other credentials: `change` gets those of the kubeconfig.
pub async fn kube_client_as(
    kubeconfig: &std::path::Path,
    change: impl FnOnce(&mut kube::config::AuthInfo),
) -> kube::Client {
    // A second installation is the same provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let file = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.expect("a configuration");
    change(&mut config.auth_info);
    kube::Client::try_from(config).expect("a client")
}
