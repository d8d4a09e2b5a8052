//! A server's completed configuration: options that have been checked, and the paths that follow from them.

use std::path::{Path, PathBuf};

use registry::allocation::Ranges;

use crate::options::{ADMISSION_PLUGINS, ASKED_FOR_ADMISSION_PLUGINS, AuthorizationMode, Options};
use crate::runtime_config::RuntimeConfig;

/// What [`crate::run()`] works with. Made by [`Options::complete`].
#[derive(Clone, Debug)]
pub struct Config {
    options: Options,
    ranges: Ranges,
    authorization_modes: Vec<AuthorizationMode>,
    runtime_config: RuntimeConfig,
}

impl Config {
    pub(crate) fn new(
        options: Options,
        ranges: Ranges,
        authorization_modes: Vec<AuthorizationMode>,
        runtime_config: RuntimeConfig,
    ) -> Self {
        Self { options, ranges, authorization_modes, runtime_config }
    }

    /// Who says what a user may do, in order.
    pub fn authorization_modes(&self) -> &[AuthorizationMode] {
        &self.authorization_modes
    }

    /// Which built-in resources are served.
    pub(crate) fn runtime_config(&self) -> &RuntimeConfig {
        &self.runtime_config
    }

    /// What services are given addresses and ports of.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// The options as given.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The folder of certificates.
    pub fn cert_dir(&self) -> PathBuf {
        self.options.cert_dir.clone().unwrap_or_else(|| self.options.data_dir.join("pki"))
    }

    /// The private key that signs service account tokens: the one given, or the one that the server makes when it is needed.
    pub fn service_account_signing_key_file(&self) -> PathBuf {
        let given = self.options.authentication.service_account_signing_key_file.clone();
        given.unwrap_or_else(|| self.cert_dir().join("sa.key"))
    }

    /// The embedded store's file.
    pub fn store_file(&self) -> PathBuf {
        self.options.data_dir.join("store.redb")
    }

    /// The kubeconfig of the identity called `name`; the administrator's is plainly `kubeconfig`.
    pub fn kubeconfig(&self, name: &str) -> PathBuf {
        kubeconfig(&self.options.data_dir, name)
    }

    /// The admission plugins that run, in order.
    pub fn admission_plugins(&self) -> impl Iterator<Item = &'static str> + '_ {
        let (enabled, disabled) = (&self.options.enable_admission_plugins, &self.options.disable_admission_plugins);
        let names = |list: &[String], plugin: &str| list.iter().any(|name| name == plugin);
        ADMISSION_PLUGINS.into_iter().filter(move |plugin| {
            let runs = !ASKED_FOR_ADMISSION_PLUGINS.contains(plugin) || names(enabled, plugin);
            runs && !names(disabled, plugin)
        })
    }
}

/// Where the kubeconfig of an identity is kept below a data folder.
pub fn kubeconfig(data_dir: &Path, name: &str) -> PathBuf {
    match name {
        "admin" => data_dir.join("kubeconfig"),
        name => data_dir.join(format!("{name}.kubeconfig")),
    }
}
