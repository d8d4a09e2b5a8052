//! The commands: what they say, and how they end when something is wrong.

use std::process::Command;

use tests::process::{Process, binary};
use tests::{ControlPlane, Part, Store, on_each_store};

const BINARIES: [&str; 7] =
    ["cox", "apiserver", "kube-apiserver", "controller-manager", "scheduler", "admission-webhook", "node"];

on_each_store!(a_stop_by_signal_loses_nothing_and_the_next_start_serves_the_same_objects);

fn a_stop_by_signal_loses_nothing_and_the_next_start_serves_the_same_objects(store: Store) {
    let mut plane = ControlPlane::start(Part::Everything, store);
    let kubectl = plane.kubectl();
    for n in 0..5 {
        kubectl.run(&["create", "configmap", &format!("c{n}"), "--from-literal=k=v"]);
    }
    let read = || {
        kubectl.run(&[
            "get",
            "configmaps",
            "-n",
            "default",
            "-o",
            "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.resourceVersion}\n{end}",
        ])
    };
    let before = read();
    for signal in ["TERM", "INT"] {
        plane.process().signal(signal);
        let status = plane.process().wait();
        assert!(status.success(), "{signal}: {status}\n{}", plane.process().output());
        plane.restart();
        assert_eq!(read(), before, "after SIG{signal}");
    }
}

#[test]
fn every_binary_explains_itself_and_refuses_a_wrong_flag_in_one_line() {
    for name in BINARIES {
        let help = Command::new(binary(name)).arg("--help").output().unwrap();
        let text = String::from_utf8_lossy(&help.stdout);
        assert!(help.status.success() && text.contains("Usage:"), "{name} --help: {text}");
        let wrong = Command::new(binary(name)).arg("--no-such-flag").output().unwrap();
        one_line(name, &wrong, "--no-such-flag");
    }
}

#[test]
fn operators_refuse_a_missing_kubeconfig_in_one_line() {
    for name in &BINARIES[3..] {
        let output = Command::new(binary(name)).args(["--kubeconfig", "/nowhere/kubeconfig"]).output().unwrap();
        one_line(name, &output, "/nowhere/kubeconfig");
    }
}

#[test]
fn a_taken_port_is_one_line_unless_it_was_the_default_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    for name in ["cox", "apiserver"] {
        let output = Command::new(binary(name))
            .args(["--secure-port", &port, "--data-dir"])
            .arg(folder.path())
            .output()
            .unwrap();
        one_line(name, &output, &port);
    }
    // Ours or somebody else's: the default port is taken in either case.
    let _default = std::net::TcpListener::bind("127.0.0.1:6443");
    let mut command = Command::new(binary("cox"));
    let mut cox = Process::start("cox", command.arg("--data-dir").arg(folder.path()));
    let said = cox
        .line("the port it takes instead", |line| line.strip_prefix("port 6443 is taken, using ").map(str::to_owned));
    cox.line("its address", |line| line.contains(&format!("https://127.0.0.1:{said}")).then_some(()));
}

#[test]
fn a_foreign_data_file_is_one_line_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.redb");
    let content = "not a database ".repeat(1000);
    std::fs::write(&file, &content).unwrap();
    let output = Command::new(binary("apiserver"))
        .args(["--secure-port", "0", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    one_line("apiserver", &output, "store.redb");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
}

#[test]
fn a_data_folder_in_use_is_one_line() {
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let output = Command::new(binary("apiserver"))
        .args(["--secure-port", "0", "--data-dir"])
        .arg(plane.data_dir())
        .output()
        .unwrap();
    one_line("apiserver", &output, "store.redb");
}

#[test]
fn an_unreachable_etcd_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}", tests::etcd::free_port());
    for name in ["cox", "apiserver"] {
        let output = Command::new(binary(name))
            .args(["--secure-port", "0", "--etcd-servers", &nobody, "--data-dir"])
            .arg(folder.path())
            .output()
            .unwrap();
        one_line(name, &output, &nobody);
    }
}

#[test]
fn kubeconfigs_and_keys_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let mut seen = 0;
    for folder in [plane.data_dir().to_owned(), plane.data_dir().join("pki")] {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with("kubeconfig") || name.ends_with(".key") {
                seen += 1;
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
            }
        }
    }
    assert!(seen >= 4, "{seen} secret files");
}

#[test]
fn parts_run_on_their_own_against_an_apiserver() {
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "-f", "../manifests/crds/apps.coxswain.dev.yaml"]);
    kubectl.run(&["wait", "--for=condition=Established", "crd/apps.coxswain.dev", "--timeout=60s"]);
    let part = |name: &str, flags: &[&str]| {
        let kubeconfig = plane.data_dir().join(format!("{name}.kubeconfig"));
        Process::start(name, Command::new(binary(name)).arg("--kubeconfig").arg(kubeconfig).args(flags))
    };
    let _parts = [
        part("admission-webhook", &[]),
        part("scheduler", &[]),
        part("controller-manager", &[]),
        part("node", &["--simulated", "3"]),
    ];
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);
}

fn one_line(name: &str, output: &std::process::Output, names: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{name} succeeded: {error}");
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains(names), "{name}: one line with {names} was expected:\n{error}");
}
