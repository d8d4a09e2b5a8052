//! The server under load: one that is started here, or one that is there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;
use tests::process::{Process, binary};
use tests::{Connections, Etcd};

use crate::figures::Figures;

/// Which server is loaded.
#[derive(Args, Debug)]
pub struct Target {
    /// Load the server of this kubeconfig instead of starting one.
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Its process, if its memory and CPU are to be measured.
    #[arg(long, global = true, requires = "kubeconfig")]
    pid: Option<u32>,
    /// The program to start; `cox` beside this one if not given.
    #[arg(long, global = true, conflicts_with = "kubeconfig")]
    cox: Option<PathBuf>,
    /// Store in an etcd of its own instead of the embedded store.
    #[arg(long, global = true, conflicts_with = "kubeconfig")]
    etcd: bool,
    /// How many connections are opened.
    #[arg(long, global = true, default_value_t = 4)]
    connections: usize,
    /// How many requests are in flight over them.
    #[arg(long, global = true, default_value_t = 64)]
    pub in_flight: usize,
}

/// The server, running.
pub struct Subject {
    started: Option<Started>,
    kubeconfig: PathBuf,
    pid: Option<u32>,
    connections: usize,
}

struct Started {
    program: PathBuf,
    folder: TempDir,
    etcd: Option<Etcd>,
    process: Process,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Resident bytes.
    pub resident: u64,
    /// The most that were ever resident.
    pub peak: u64,
    /// CPU time, user and system.
    pub cpu: Duration,
}

impl Target {
    /// Starts the server, or finds the one that is there; the time it took to be ready if it was started.
    pub fn start(&self) -> (Subject, Option<Duration>) {
        if let Some(kubeconfig) = &self.kubeconfig {
            let subject =
                Subject { started: None, kubeconfig: kubeconfig.clone(), pid: self.pid, connections: self.connections };
            return (subject, None);
        }
        let program = self.cox.clone().unwrap_or_else(|| binary("cox"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let etcd = self.etcd.then(Etcd::start);
        let (process, time) = launch(&program, folder.path(), etcd.as_ref());
        let subject = Subject {
            kubeconfig: folder.path().join("kubeconfig"),
            pid: Some(process.id()),
            started: Some(Started { program, folder, etcd, process }),
            connections: self.connections,
        };
        (subject, Some(time))
    }
}

impl Subject {
    /// Connections as the administrator.
    pub async fn connect(&self) -> Connections {
        Connections::open(&self.kubeconfig, self.connections).await
    }

    /// Ends the server and starts it on the same data; the time until it was ready, `None` if it is not ours to restart.
    pub fn restart(&mut self) -> Option<Duration> {
        let started = self.started.as_mut()?;
        started.process.terminate();
        let (process, time) = launch(&started.program, started.folder.path(), started.etcd.as_ref());
        started.process = process;
        self.pid = Some(started.process.id());
        Some(time)
    }

    /// What its process has used, if it is known.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.pid?)
    }
}

/// Starts the program; the time until it said that it is ready.
fn launch(program: &Path, folder: &Path, etcd: Option<&Etcd>) -> (Process, Duration) {
    let mut command = Command::new(program);
    command.args(["apiserver", "--secure-port", "0", "--data-dir"]).arg(folder);
    if let Some(etcd) = etcd {
        command.args(["--etcd-servers", &etcd.url()]);
    }
    let begin = Instant::now();
    let mut process = Process::start("cox apiserver", &mut command);
    process.line("readiness", |line| line.contains("ready at ").then_some(()));
    (process, begin.elapsed())
}

impl Usage {
    fn of(pid: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let bytes = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which may hold anything: user and system time are the 12th and 13th, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let cpu = Duration::from_millis((ticks(11)? + ticks(12)?) * 10);
        Some(Self { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")?, cpu })
    }
}

/// Time and CPU of one piece of work.
pub struct Meter<'a> {
    subject: &'a Subject,
    begin: Instant,
    cpu: Option<Duration>,
}

impl<'a> Meter<'a> {
    /// Begins.
    pub fn start(subject: &'a Subject) -> Self {
        Self { subject, cpu: subject.usage().map(|usage| usage.cpu), begin: Instant::now() }
    }

    /// Ends, after `count` things were done: the time of all, and the server's CPU time of each.
    pub fn stop(self, figures: &mut Figures, count: usize, what: &str) {
        let time = self.begin.elapsed();
        figures.time(format!("{count} {what}"), time);
        if let (Some(before), Some(usage)) = (self.cpu, self.subject.usage()) {
            figures.time("  CPU each", (usage.cpu - before) / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        }
    }
}
