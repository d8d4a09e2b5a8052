//! A real etcd on free ports, its data in a temporary folder.

use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, tool};

/// One etcd server.
pub struct Etcd {
    process: Option<Process>,
    folder: TempDir,
    client: u16,
    peer: u16,
}

impl Etcd {
    /// Starts one and waits until it serves.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut etcd = Self { process: None, folder, client: free_port(), peer: free_port() };
        etcd.restart();
        etcd
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same data and address.
    pub fn restart(&mut self) {
        self.process = None;
        let peer = format!("http://127.0.0.1:{}", self.peer);
        let mut command = Command::new(tool("etcd", "ETCD_BIN"));
        command
            .args(["--name", "one", "--data-dir"])
            .arg(self.folder.path())
            .args(["--listen-client-urls", &self.url(), "--advertise-client-urls", &self.url()])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}"), "--log-level", "warn"]);
        self.process = Some(Process::start("etcd", &mut command));
        let client = self.client;
        crate::eventually("etcd accepts connections", || std::net::TcpStream::connect(("127.0.0.1", client)).map(drop));
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}
