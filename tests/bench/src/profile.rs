//! Where a server's CPU time goes while it does a work: samples taken by `perf`, told by the part of the program that they were
//! taken in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tests::process::Process;
use tests::wait::eventually;

/// Samples of a process, being taken.
pub struct Sampler {
    perf: Process,
    folder: TempDir,
}

/// Samples by part.
pub type Profile = BTreeMap<&'static str, usize>;

impl Sampler {
    /// Begins; returns when samples are being taken.
    pub fn start(pid: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("perf");
        command.args(["record", "--freq", "1999", "-g", "--pid", &pid.to_string(), "--output"]);
        let perf = Process::start("perf, which --profile needs,", command.arg(folder.path().join("samples")));
        let sampler = Self { perf, folder };
        eventually("perf takes samples", || match sampler.file().metadata() {
            Ok(file) if file.len() > 0 => Ok(()),
            _ => Err("its file is empty"),
        });
        sampler
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("samples")
    }

    /// Ends.
    pub fn stop(mut self) -> Profile {
        self.perf.signal("INT");
        self.perf.wait();
        let mut script = Command::new("perf");
        script.args(["script", "--no-inline", "-F", "ip,sym,dso", "-i"]).arg(self.file()).stderr(Stdio::null());
        let output = script.output().expect("perf tells of its samples");
        profile(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Counts samples as `perf script` prints them: a line for each frame, the innermost first, and an empty one behind each sample.
fn profile(samples: &str) -> Profile {
    let mut profile = Profile::new();
    for sample in samples.split("\n\n") {
        let frames: Vec<(&str, &str)> = sample.lines().filter_map(frame).collect();
        if let Some(part) = part(&frames) {
            *profile.entry(part).or_default() += 1;
        }
    }
    profile
}

/// The symbol of a frame, and where it is from.
fn frame(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.trim().split_once(' ')?;
    rest.rsplit_once(" (").map(|(symbol, from)| (symbol.trim(), from.trim_end_matches(')')))
}

/// What the kernel does for the program, by a function on the way there: the first that is found, from the innermost on.
const KERNEL: &[(&str, &str)] = &[
    ("page_fault", "kernel: new memory"),
    ("fdatasync", "kernel: syncing the file"),
    ("pwrite", "kernel: writing the file"),
    ("tcp_sendmsg", "kernel: sending"),
    ("tcp_recvmsg", "kernel: receiving"),
    ("futex", "kernel: waking and waiting"),
    ("epoll", "kernel: waking and waiting"),
    ("eventfd", "kernel: waking and waiting"),
];

/// Parts of the program, by the beginning of a function's path.
const PARTS: &[(&str, &str)] = &[
    ("redb", "redb"),
    ("tonic", "gRPC"),
    ("prost", "gRPC"),
    ("etcd_client", "gRPC"),
    ("tower", "gRPC"),
    ("h2", "HTTP/2"),
    ("http", "HTTP/2"),
    ("hyper", "HTTP/2"),
    ("gathered", "HTTP/2"),
    ("rustls", "TLS"),
    ("tokio_rustls", "TLS"),
    ("aws_lc", "TLS"),
    ("aead", "TLS"),
    ("webpki", "TLS"),
    ("tokio", "tasks and queues"),
    ("futures", "tasks and queues"),
    ("mio", "tasks and queues"),
    ("parking_lot", "tasks and queues"),
    ("structured_merge_diff", "field management"),
    ("registry::fieldmanager", "field management"),
    ("apimachinery::json", "JSON text"),
    ("apimachinery::quote", "JSON text"),
    ("serde_json::value", "objects' maps"),
    ("serde_json::map", "objects' maps"),
    ("alloc::collections::btree", "objects' maps"),
    ("serde_json", "JSON text"),
    ("schema", "schemas"),
    ("storage", "store and cache"),
    ("registry", "pipeline"),
    ("admission", "pipeline"),
    ("apimachinery", "pipeline"),
    ("endpoints", "filters and handlers"),
    ("authentication", "filters and handlers"),
    ("authorization", "filters and handlers"),
    ("prometheus_client", "filters and handlers"),
    ("tracing", "filters and handlers"),
    ("mi_", "allocator"),
    ("_mi_", "allocator"),
    ("__rust", "allocator"),
    ("__mem", "bytes copied and compared"),
];
const REST: &str = "the rest";

/// Where a sample was taken; none if it says nothing.
fn part(frames: &[(&str, &str)]) -> Option<&'static str> {
    let (innermost, from) = frames.first()?;
    if from.starts_with("[kernel") {
        let inside = frames.iter().take_while(|(_, from)| from.starts_with("[kernel"));
        let known = inside.flat_map(|(symbol, _)| KERNEL.iter().filter(move |(name, _)| symbol.contains(name)));
        return Some(known.map(|(_, part)| *part).next().unwrap_or("kernel: the rest"));
    }
    let known = |path: &str| PARTS.iter().find(|(name, _)| path.starts_with(name)).map(|(_, part)| *part);
    Some(paths(innermost).into_iter().find_map(known).unwrap_or(REST))
}

/// The paths that say whose a function is: of `<A as B>::f` that of `A`, then that of `B`; of `drop_in_place<T>` that of `T`.
fn paths(symbol: &str) -> [&str; 2] {
    let symbol = symbol.strip_prefix("core::ptr::drop_in_place").unwrap_or(symbol);
    let symbol = symbol.trim_start_matches(['<', '&']).trim_start_matches("mut ");
    symbol.split_once(" as ").map_or([symbol, ""], |(of, by)| [of, by])
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn samples_are_told_by_the_part_they_were_taken_in() {
        let samples = "
\t          df7046 untrusted::input::Input::read_all (/bin/cox)
\t     5e9b7d60a80 [unknown] ([unknown])

\tffffffff822039bb _raw_spin_unlock_bh ([kernel.kallsyms])
\tffffffff82010de5 tcp_sendmsg ([kernel.kallsyms])
\tffffffff821ef691 do_syscall_64 ([kernel.kallsyms])
\t           fde9d __GI___writev (/lib/libc.so.6)

\tffffffff822039bb clear_page_erms ([kernel.kallsyms])
\tffffffff82010de5 asm_exc_page_fault ([kernel.kallsyms])
\t           fde9d __libc_pwrite (/lib/libc.so.6)

\t          1 <serde_json::value::Value as apimachinery::meta::ObjectExt>::name (/bin/cox)

\t          2 <alloc::vec::Vec<T> as serde_json::ser::X>::f (/bin/cox)

\t          3 core::ptr::drop_in_place<serde_json::value::Value> (/bin/cox)

\t          4 <&mut h2::codec::Codec<T> as tokio::io::AsyncRead>::poll_read (/bin/cox)

\t          5 registry::fieldmanager::update (/bin/cox)
";
        let told = profile(samples);
        let expected = [
            ("HTTP/2", 1),
            ("JSON text", 1),
            ("field management", 1),
            ("kernel: new memory", 1),
            ("kernel: sending", 1),
            ("objects' maps", 2),
            ("the rest", 1),
        ];
        assert_eq!(told.into_iter().collect::<Vec<_>>(), expected);
    }
}
