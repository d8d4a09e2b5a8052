//! Counting, and comparing with what is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::paths;

#[derive(Args)]
pub struct Options {
    /// Keep what is counted now.
    #[arg(long)]
    accept: bool,
    /// The valgrind to count with.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/bin/valgrind"))]
    valgrind: PathBuf,
    /// The counts that are kept.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.txt"))]
    kept: PathBuf,
}

/// What a count may differ from the kept one, in percent: the order of a hash table is another in each process, what the
/// compiler inlines another after a change elsewhere, and copies are made in wider steps on some processors.
const TOLERANCE: u64 = 10;

/// How a count is to the one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    New,
    More,
    Fewer,
    Same,
}

fn judge(kept: Option<u64>, now: u64) -> Verdict {
    let Some(kept) = kept else { return Verdict::New };
    let room = kept * TOLERANCE / 100;
    match now {
        now if now > kept + room => Verdict::More,
        now if now < kept - room => Verdict::Fewer,
        _ => Verdict::Same,
    }
}

/// Counts all; an error tells which are more than they were, and how to accept that.
pub fn check(options: &Options) -> Result<(), String> {
    if std::env::consts::ARCH != "x86_64" {
        println!("The counts that are kept are those of x86_64: nothing is compared on {}.", std::env::consts::ARCH);
        return Ok(());
    }
    let kept = read(&options.kept)?;
    let mut now = BTreeMap::new();
    let mut failures = String::new();
    println!("{:<24} {:>12} {:>12}", "instructions", "kept", "now");
    for path in paths::names() {
        let count = count(&options.valgrind, path)?;
        now.insert(path.to_owned(), count);
        let verdict = judge(kept.get(path).copied(), count);
        let words = match verdict {
            Verdict::New => "new",
            Verdict::More => "MORE",
            Verdict::Fewer => "fewer: keep that",
            Verdict::Same => "",
        };
        let before = kept.get(path).copied().unwrap_or(0);
        println!("{path:<24} {before:>12} {count:>12} {words}");
        if matches!(verdict, Verdict::New | Verdict::More) {
            let _ = writeln!(failures, "  {path}: {before} were kept, {count} are counted");
        }
    }
    if options.accept {
        return write(&options.kept, &now);
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than before:\n{failures}If that is meant (or the compiler is another), keep the new counts:\n  \
         cargo run --profile ci -p counts -- check --accept"
    ))
}

/// The instructions of one time on a path.
fn count(valgrind: &Path, path: &str) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(valgrind)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counts*paths*measured*"])
        .arg(program)
        .args(["go", path])
        .output()
        .map_err(|error| format!("{}: {error}; tests/tools/fetch.py brings it", valgrind.display()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok());
    match collected {
        Some(collected) if output.status.success() && collected > 0 => Ok(collected / paths::TIMES),
        _ => Err(format!("{path} cannot be counted ({}):\n{told}", output.status)),
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, u64>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .collect())
}

fn write(path: &Path, counts: &BTreeMap<String, u64>) -> Result<(), String> {
    let mut text = "# Instructions of one time on each hot path, in the profile ci, on x86_64. Written by `counts check --accept`.\n".to_owned();
    for (name, count) in counts {
        let _ = writeln!(text, "{name}\t{count}");
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};

    #[test]
    fn a_count_that_is_more_by_more_than_chance_is_told() {
        for (kept, now, expected) in [
            (None, 5, Verdict::New),
            (Some(1000), 1101, Verdict::More),
            (Some(1000), 1100, Verdict::Same),
            (Some(1000), 900, Verdict::Same),
            (Some(1000), 899, Verdict::Fewer),
        ] {
            assert_eq!(judge(kept, now), expected, "{kept:?} {now}");
        }
    }
}
