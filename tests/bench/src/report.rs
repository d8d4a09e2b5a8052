//! Runs that were written as JSON, and the page that tells of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::targets;

/// Figures with what one has to know to judge them.
#[derive(Serialize, Deserialize)]
pub struct Run {
    /// The machine, and whether the program was built for speed.
    machine: String,
    /// Of the checkout in which it ran.
    commit: String,
    /// As it was typed.
    command: String,
    pub figures: Figures,
}

impl Run {
    /// Of this process.
    pub fn of(figures: Figures) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches([' ', '\t', ':']).to_owned()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let processor = field(&read("/proc/cpuinfo"), "model name");
        let kernel = read("/proc/sys/kernel/osrelease");
        let profile = if cfg!(debug_assertions) { ", NOT built with --release" } else { "" };
        let git = Command::new("git").args(["describe", "--always", "--dirty"]).output();
        Self {
            machine: format!(
                "{cores} cores of {processor} ({}), {} GB, Linux {}{profile}",
                std::env::consts::ARCH,
                memory / 1_000_000,
                kernel.trim()
            ),
            commit: git.map(|git| String::from_utf8_lossy(&git.stdout).trim().to_owned()).unwrap_or_default(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            figures,
        }
    }

    /// Writes it as JSON.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }

    fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

#[derive(Args, Debug)]
pub struct Options {
    /// What runs wrote with --json; where two have the same figure, the first one's is taken.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Put the tables into this page, between its two marks, instead of printing them.
    #[arg(long)]
    into: Option<PathBuf>,
    /// Only the short table.
    #[arg(long, conflicts_with = "into")]
    short: bool,
}

const BEGIN: &str = "<!-- begin: written by `bench report` -->\n";
const END: &str = "<!-- end -->\n";

/// Prints or writes the tables of runs.
pub fn run(options: &Options) -> io::Result<()> {
    let runs = options.runs.iter().map(|path| Run::read(path)).collect::<io::Result<Vec<_>>>()?;
    let mut about = String::new();
    let mut figures = Figures::default();
    for Run { machine, commit, command, figures: more } in runs {
        about += &format!("    {command}\n\nAt commit {commit}, on {machine}.\n\n");
        figures.extend(more);
    }
    if options.short {
        print!("{}", targets::short(&figures));
        return Ok(());
    }
    let (held, missed, unknown) = targets::tally(&figures);
    let tally = format!("Of the targets {held} hold, {missed} do not (bold), {unknown} were not measured.");
    let text = format!("{about}{tally}\n\n{}\n{figures}", targets::met(&figures));
    let Some(page) = &options.into else {
        print!("{text}");
        return Ok(());
    };
    let old = fs::read_to_string(page)?;
    let missing = || io::Error::other(format!("{}: the marks {BEGIN:?} and {END:?} are missing", page.display()));
    let (head, rest) = old.split_once(BEGIN).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(END).ok_or_else(missing)?;
    fs::write(page, format!("{head}{BEGIN}\n{}\n{END}{tail}", text.trim_end()))
}
