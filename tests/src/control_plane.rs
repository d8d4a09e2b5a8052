//! A control plane under test: `cox up`, or the API server alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::etcd::Etcd;
use crate::kubectl::Kubectl;
use crate::process::{Process, binary};

/// Where a control plane stores.
pub enum Store {
    /// One file in its data folder.
    Embedded,
    /// A real etcd of its own.
    Etcd(Box<Etcd>),
}

impl Store {
    /// A fresh etcd.
    pub fn start_etcd() -> Self {
        Self::Etcd(Box::new(Etcd::start()))
    }
}

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `cox up`: server, operators, three nodes.
    Everything,
    /// `apiserver`.
    ApiServer,
}

/// A running control plane, ready when it is returned. Ended when dropped.
pub struct ControlPlane {
    process: Process,
    part: Part,
    flags: Vec<String>,
    folder: TempDir,
    /// Where it stores.
    pub store: Store,
    url: String,
}

impl ControlPlane {
    /// Starts `part` over `store` on a free port.
    pub fn start(part: Part, store: Store) -> Self {
        Self::start_with(part, store, &[])
    }

    /// The same with further flags.
    pub fn start_with(part: Part, store: Store, flags: &[&str]) -> Self {
        Self::start_at(0, part, store, flags)
    }

    /// The same on a port.
    pub fn start_at(port: u16, part: Part, store: Store, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let (process, url) = launch(part, folder.path(), &store, &port.to_string(), &flags);
        Self { process, part, flags, folder, store, url }
    }

    /// `https://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its data folder.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(self.kubeconfig())
    }

    /// A kubeconfig with a token of a service account, made as that account's Pods get one. It leads to `url`, which shows
    /// a certificate of the authority in `authority`.
    pub fn account_at(&self, namespace: &str, name: &str, url: &str, authority: &Path) -> PathBuf {
        let token = self.kubectl().run(&["create", "token", name, "-n", namespace]);
        let port = url.rsplit(':').next().unwrap_or_default();
        let path = self.folder.path().join(format!("{namespace}-{name}-{port}.kubeconfig"));
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: {url:?}, certificate-authority: {authority:?}}}}}]\n\
             users: [{{name: u, user: {{token: {:?}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
            token.trim(),
        );
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The same, leading here.
    pub fn account(&self, namespace: &str, name: &str) -> PathBuf {
        self.account_at(namespace, name, &self.url, &self.authority())
    }

    /// The authority that signs what it shows, PEM.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("pki/ca.crt")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it as a crash does (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same data and port, after it was ended.
    pub fn restart(&mut self) {
        let port = self.url.rsplit(':').next().unwrap_or_default().to_owned();
        let (process, url) = launch(self.part, self.folder.path(), &self.store, &port, &self.flags);
        assert_eq!(url, self.url, "the address stays");
        self.process = process;
    }
}

fn launch(part: Part, folder: &Path, store: &Store, port: &str, flags: &[String]) -> (Process, String) {
    let name = match part {
        Part::Everything => "cox",
        Part::ApiServer => "apiserver",
    };
    let mut command = Command::new(binary(name));
    command.args(["--secure-port", port, "--data-dir"]).arg(folder).args(flags);
    if let Store::Etcd(etcd) = store {
        command.args(["--etcd-servers", &etcd.url()]);
    }
    let mut process = Process::start(name, &mut command);
    let url = process.line("its address", |line| {
        let at = line.find("https://")?;
        line[at..].split([',', ' ']).next().map(str::to_owned)
    });
    if part == Part::Everything {
        process.line("readiness of all parts", |line| line.contains("kubectl apply").then_some(()));
    }
    (process, url)
}
