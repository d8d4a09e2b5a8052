//! The server under load: one that is started here, or one that is there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use tempfile::TempDir;
use tests::connection::Endpoint;
use tests::process::{Process, binary};
use tests::{Connections, Etcd};

use crate::figures::{Figures, milliseconds};
use crate::load::Clients;
use crate::profile::{Profile, Sampler};

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
    /// Where it stores, one after the other; etcd is one of its own.
    #[arg(long, global = true, conflicts_with = "kubeconfig", value_delimiter = ',', default_value = "embedded")]
    pub store: Vec<Store>,
    /// How many connections are opened.
    #[arg(long, global = true, default_value_t = 4)]
    connections: usize,
    /// How many requests are in flight over them.
    #[arg(long, global = true, default_value_t = 64)]
    pub in_flight: usize,
    /// Tell where its CPU time goes, too; wants `perf`, which takes some of it.
    #[arg(long, global = true)]
    profile: bool,
}

/// Where a server stores that is started here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// One file.
    Embedded,
    /// An etcd.
    Etcd,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "embedded",
            Self::Etcd => "etcd",
        })
    }
}

/// What a store, or a server that is there, is called in the figures.
pub fn section(store: Option<Store>) -> String {
    store.map_or_else(|| "given".to_owned(), |store| store.to_string())
}

/// The server, running.
pub struct Subject {
    started: Option<Started>,
    kubeconfig: PathBuf,
    pid: Option<u32>,
    connections: usize,
    in_flight: usize,
    profile: bool,
}

struct Started {
    program: PathBuf,
    folder: TempDir,
    etcd: Option<Etcd>,
    process: Process,
}

impl Target {
    /// The stores that are to be measured one after the other; one `None` for a server that is there.
    pub fn stores(&self) -> Vec<Option<Store>> {
        if self.kubeconfig.is_some() { vec![None] } else { self.store.iter().copied().map(Some).collect() }
    }

    /// Starts the server, or finds the one that is there; the time it took to be ready if it was started.
    pub fn start(&self, store: Option<Store>) -> (Subject, Option<Duration>) {
        let (connections, in_flight, profile) = (self.connections, self.in_flight, self.profile);
        if let Some(kubeconfig) = &self.kubeconfig {
            let kubeconfig = kubeconfig.clone();
            return (Subject { started: None, kubeconfig, pid: self.pid, connections, in_flight, profile }, None);
        }
        let program = self.program();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let etcd = (store == Some(Store::Etcd)).then(Etcd::start);
        let (process, time) = launch(&program, folder.path(), etcd.as_ref(), &[]);
        let subject = Subject {
            kubeconfig: folder.path().join("kubeconfig"),
            pid: Some(process.id()),
            started: Some(Started { program, folder, etcd, process }),
            connections,
            in_flight,
            profile,
        };
        (subject, Some(time))
    }

    /// Starts a server on an empty store and ends it, so many times: how long each took to be ready. None for a server that
    /// is there.
    pub fn starts(&self, store: Option<Store>, times: usize) -> Vec<Duration> {
        let Some(store) = store else { return Vec::new() };
        let (program, etcd) = (self.program(), (store == Store::Etcd).then(Etcd::start));
        let start = |number: usize| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let prefix = format!("/start-{number}");
            let flags: &[&str] = if etcd.is_some() { &["--etcd-prefix", &prefix] } else { &[] };
            let (mut process, time) = launch(&program, folder.path(), etcd.as_ref(), flags);
            process.terminate();
            time
        };
        (0..times).map(start).collect()
    }

    fn program(&self) -> PathBuf {
        self.cox.clone().unwrap_or_else(|| binary("cox"))
    }
}

impl Subject {
    /// Connections as the administrator.
    pub async fn connect(&self) -> Connections {
        Connections::open(&self.kubeconfig, self.connections).await
    }

    /// Where it is, and who loads it: the administrator.
    pub async fn endpoint(&self) -> Endpoint {
        Endpoint::of(&self.kubeconfig).await
    }

    /// Connections for many requests.
    pub fn clients(&self, endpoint: &Endpoint) -> Clients {
        Clients::open(endpoint, self.connections, self.in_flight)
    }

    /// The same to its etcd, if it has one.
    pub fn clients_of_etcd(&self) -> Option<Clients> {
        let url = self.started.as_ref()?.etcd.as_ref()?.url();
        Some(Clients::open_grpc(url.trim_start_matches("http://"), self.connections, self.in_flight))
    }

    /// The folder on whose disk it stores, if it was started here and uses no etcd.
    pub fn folder(&self) -> Option<&Path> {
        let started = self.started.as_ref().filter(|started| started.etcd.is_none())?;
        Some(started.folder.path())
    }

    /// Ends the server and starts it on the same data; the time until it was ready, `None` if it is not ours to restart.
    pub fn restart(&mut self) -> Option<Duration> {
        let started = self.started.as_mut()?;
        started.process.terminate();
        let (process, time) = launch(&started.program, started.folder.path(), started.etcd.as_ref(), &[]);
        started.process = process;
        self.pid = Some(started.process.id());
        Some(time)
    }

    /// What its process has used, if it is known.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.pid?)
    }

    /// Its resident memory, told as that of `when`; 0 if it is not known.
    pub fn resident(&self, figures: &mut Figures, when: &str) -> u64 {
        // An allocator gives back what is free a little later.
        std::thread::sleep(Duration::from_secs(1));
        let Some(usage) = self.usage() else { return 0 };
        figures.megabytes(format!("resident memory, {when}"), usage.resident);
        usage.resident
    }

    fn usage_of_etcd(&self) -> Option<Usage> {
        Usage::of(self.started.as_ref()?.etcd.as_ref()?.id()?)
    }
}

/// Starts the program; the time until it said that it is ready.
fn launch(program: &Path, folder: &Path, etcd: Option<&Etcd>, flags: &[&str]) -> (Process, Duration) {
    let mut command = Command::new(program);
    command.args(["apiserver", "--secure-port", "0", "--data-dir"]).arg(folder).args(flags);
    if let Some(etcd) = etcd {
        command.args(["--etcd-servers", &etcd.url()]);
    }
    let begin = Instant::now();
    let mut process = Process::start("cox apiserver", &mut command);
    process.line("readiness", |line| line.contains("ready at ").then_some(()));
    (process, begin.elapsed())
}

/// What a process has used.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Resident bytes.
    pub resident: u64,
    /// The most that were ever resident.
    pub peak: u64,
    /// CPU time, user and system, of all threads that ever were; up to 20 ms behind.
    pub cpu: Duration,
    /// CPU time of each thread that is, exact.
    threads: BTreeMap<u32, Duration>,
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
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten().filter_map(|thread| {
            let schedule = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let nanoseconds = schedule.split(' ').next()?.parse().ok()?;
            Some((thread.file_name().to_str()?.parse().ok()?, Duration::from_nanos(nanoseconds)))
        });
        Some(Self { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")?, cpu, threads: threads.collect() })
    }

    /// The CPU time since `before`.
    fn since(&self, before: &Self) -> Duration {
        let of = |usage: &Self, thread| usage.threads.get(thread).copied().unwrap_or_default();
        let exact = self.threads.keys().map(|thread| of(self, thread).saturating_sub(of(before, thread))).sum();
        // What threads did that have ended is in the whole alone.
        let ended = before.threads.keys().any(|thread| !self.threads.contains_key(thread));
        if ended { self.cpu.saturating_sub(before.cpu).max(exact) } else { exact }
    }
}

/// Time and CPU of one piece of work.
pub struct Meter<'a> {
    subject: &'a Subject,
    begin: Instant,
    server: Option<Usage>,
    etcd: Option<Usage>,
    client: Option<Usage>,
    sampler: Option<Sampler>,
}

/// What a piece of work took: time, and CPU time of the processes that are known.
#[derive(Default)]
pub struct Cost {
    pub time: Duration,
    pub server: Option<Duration>,
    pub etcd: Option<Duration>,
    pub client: Option<Duration>,
    /// Where the server's CPU time went, if that is asked for.
    pub profile: Option<Profile>,
}

impl<'a> Meter<'a> {
    /// Begins.
    pub fn start(subject: &'a Subject) -> Self {
        let sampler = subject.pid.filter(|_| subject.profile).map(Sampler::start);
        let (server, etcd, client) = (subject.usage(), subject.usage_of_etcd(), Usage::of(std::process::id()));
        Self { subject, server, etcd, client, sampler, begin: Instant::now() }
    }

    /// Ends.
    pub fn read(self) -> Cost {
        let since = |before: &Option<Usage>, now: Option<Usage>| Some(now?.since(before.as_ref()?));
        Cost {
            time: self.begin.elapsed(),
            server: since(&self.server, self.subject.usage()),
            etcd: since(&self.etcd, self.subject.usage_of_etcd()),
            // Its threads are of one work each.
            client: self.client.as_ref().zip(Usage::of(std::process::id())).map(|(before, now)| now.cpu - before.cpu),
            profile: self.sampler.map(Sampler::stop),
        }
    }

    /// Ends, after `count` things were done: the time of all, and the server's CPU time of each.
    pub fn stop(self, figures: &mut Figures, count: usize, what: &str) {
        let cost = self.read();
        figures.time(format!("{count} {what}"), cost.time);
        if let Some(server) = cost.server {
            figures.time("  CPU each", server / u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        }
    }
}

impl Cost {
    /// Adds what each of `count` things cost to the figures of a work.
    pub fn each(&self, figures: &mut Figures, work: &str, count: usize) {
        for (measure, time) in [("CPU each", self.server), ("etcd's CPU", self.etcd), ("client's CPU", self.client)] {
            if let Some(time) = time {
                figures.measure(work, measure, milliseconds(time) / count.max(1) as f64, "ms");
            }
        }
        self.profiled(figures, work);
    }

    /// Adds where the server's CPU time went, in a table of its own.
    pub fn profiled(&self, figures: &mut Figures, work: &str) {
        let Some(profile) = &self.profile else { return };
        let whole = profile.values().sum::<usize>().max(1) as f64;
        figures.aside("CPU by part", |figures| {
            for (part, samples) in profile {
                figures.measure(*part, work, 100.0 * *samples as f64 / whole, "%");
            }
        });
    }
}
