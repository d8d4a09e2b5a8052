//! Child processes that a test starts and that never outlive it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::wait::eventually;

/// A running child whose output is collected line by line.
pub struct Process {
    child: Child,
    name: String,
    printed: Arc<Printed>,
}

/// What a child has printed, and who waits for more.
#[derive(Default)]
struct Printed {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Process {
    /// Starts `command`; its standard output and error are collected.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{name} cannot be started ({:?}): {e}", command.get_program()));
        let printed = Arc::<Printed>::default();
        let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] =
            [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|err| Box::new(err) as _)];
        for output in outputs.into_iter().flatten() {
            let printed = printed.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    printed.lines.lock().unwrap().push(line);
                    printed.more.notify_all();
                }
            });
        }
        Self { child, name: name.to_owned(), printed }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        self.printed.lines.lock().unwrap().join("\n")
    }

    /// The first line for which `pick` answers, waiting for it; fails when the process ends without one.
    pub fn line<T>(&mut self, what: &str, pick: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ended = self.child.try_wait().ok().flatten();
            let lines = self.printed.lines.lock().unwrap();
            if let Some(found) = lines.iter().find_map(|line| pick(line)) {
                return found;
            }
            if ended.is_none() {
                // A line wakes; the end of the process does not.
                drop(self.printed.more.wait_timeout(lines, Duration::from_millis(20)));
            } else {
                drop(lines);
            }
            if let Some(status) = ended {
                panic!("{} ended ({status}) before {what}:\n{}", self.name, self.output());
            }
            assert!(Instant::now() < deadline, "{}: no {what} in time:\n{}", self.name, self.output());
        }
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash does (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name (`TERM`, `STOP`, …).
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{}: signal {signal} cannot be sent", self.name);
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("{name} ends"), || self.child.try_wait().ok().flatten().ok_or("it still runs"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- output of {}\n{}\n---", self.name, self.output());
        }
    }
}

/// A binary of this workspace, from the profile that the test was built in.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    // A test is in a folder of its own beside the binaries.
    let found = [test.parent().unwrap_or(folder), folder].map(|folder| folder.join(name));
    let found = found.iter().find(|binary| binary.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built in {}: tests/run builds it", folder.display())).clone()
}

/// A program that `tests/run` fetches; `variable` names another place.
pub fn tool(name: &str, variable: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let path = root().join("target/tools/bin").join(name);
    assert!(path.is_file(), "{} is missing: tests/run fetches it", path.display());
    path
}

/// The top folder of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The resident memory of a process, in bytes.
pub fn resident_bytes(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_else(|| panic!("process {id} has no resident memory")) * 1024
}
