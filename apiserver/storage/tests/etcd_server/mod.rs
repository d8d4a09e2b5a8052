//! A real etcd on loopback with a folder of its own, for one test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use storage::etcd::{Etcd, Options};
use tempfile::TempDir;

/// Runs until it is dropped.
pub struct EtcdServer {
    process: Child,
    url: String,
    peer: String,
    extra: Vec<String>,
    folder: TempDir,
}

/// `$ETCD_BIN`, else where the test runner puts it. `None`, and a line that says so, if there is none.
fn binary() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin/etcd");
    let binary = std::env::var_os("ETCD_BIN").map_or(fetched, PathBuf::from);
    if binary.is_file() {
        return Some(binary);
    }
    println!("skipped: there is no etcd at {} (set ETCD_BIN)", binary.display());
    None
}

impl EtcdServer {
    /// Starts one; `None` if this machine has none.
    pub async fn start() -> Option<Self> {
        let server = Self::spawn("http", Vec::new())?;
        Etcd::connect(Options::new([server.url()])).await.expect("the new etcd answers");
        Some(server)
    }

    /// Starts one with further arguments, without waiting for it.
    pub fn spawn(scheme: &str, extra: Vec<String>) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let [client, peer] = free_ports();
        let (url, peer) = (format!("{scheme}://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let process = run(&binary()?, folder.path(), &url, &peer, &extra);
        Some(Self { process, url, peer, extra, folder })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Kills it at once.
    #[allow(dead_code, reason = "each test file uses some of this")]
    pub fn kill(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("etcd can be killed");
    }

    /// Starts it again where it was, after [`Self::kill`].
    #[allow(dead_code, reason = "each test file uses some of this")]
    pub fn restart(&mut self) {
        let binary = binary().expect("it was there before");
        self.process = run(&binary, self.folder.path(), &self.url, &self.peer, &self.extra);
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            let _ = self.process.wait();
        }
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(self.folder.path().join("log"))
        {
            let last: Vec<_> = log.lines().rev().take(5).collect();
            eprintln!("etcd's last lines, newest first:\n{}", last.join("\n"));
        }
    }
}

fn run(binary: &Path, folder: &Path, url: &str, peer: &str, extra: &[String]) -> Child {
    let log = std::fs::File::create(folder.join("log")).expect("a log file");
    Command::new(binary)
        .args(["--name", "test", "--log-level", "warn", "--unsafe-no-fsync"])
        .args(["--listen-client-urls", url, "--advertise-client-urls", url])
        .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
        .args(["--initial-cluster", &format!("test={peer}")])
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(extra)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()))
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address").port())
}

/// For conditions that take a while.
#[allow(dead_code, reason = "each test file uses some of this")]
pub const PATIENCE: Duration = Duration::from_secs(30);
