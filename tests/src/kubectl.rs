//! Real kubectl.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::tool;

/// kubectl with one kubeconfig, and a home folder of its own so that no cache is shared.
pub struct Kubectl {
    kubeconfig: PathBuf,
    home: tempfile::TempDir,
    namespace: Option<String>,
}

impl Kubectl {
    /// kubectl as the user of `kubeconfig`.
    pub fn new(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig, home: tempfile::tempdir().expect("a temporary folder"), namespace: None }
    }

    /// The same in a namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// The command with these arguments, for those who need more than its output.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool("kubectl", "KUBECTL_BIN"));
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.home.path()).env_remove("KUBECTL_EXTERNAL_DIFF");
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        command.args(arguments);
        command
    }

    /// Runs it with `input` on standard input.
    pub fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // kubectl may end without reading its input.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("kubectl ends")
    }

    /// What it prints; fails if it does.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, "")
    }

    /// [`Kubectl::run`] with standard input, e.g. of `apply -f -`.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> String {
        self.attempt_with(arguments, input)
            .unwrap_or_else(|error| panic!("kubectl {} failed:\n{error}\ninput:\n{input}", arguments.join(" ")))
    }

    /// What it prints, or, where it fails, what it complains about.
    pub fn attempt(&self, arguments: &[&str]) -> Result<String, String> {
        self.attempt_with(arguments, "")
    }

    /// [`Kubectl::attempt`] with standard input.
    pub fn attempt_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let output = self.output(arguments, input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.into_owned()) } else { Err(format!("{out}{err}")) }
    }

    /// What it complains about; fails if it succeeds.
    pub fn refused(&self, arguments: &[&str], input: &str) -> String {
        match self.attempt_with(arguments, input) {
            Err(error) => error,
            Ok(out) => panic!("kubectl {} was to be refused, but:\n{out}", arguments.join(" ")),
        }
    }

    /// The output of `arguments` with `-o json`, parsed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("kubectl {} -o json: {e}\n{out}", arguments.join(" ")))
    }
}
