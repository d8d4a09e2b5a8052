//! Coxswain answers as kube-apiserver does: what it answered to the scenarios in `tests/upstream/` is compared with what
//! Coxswain answers.
//!
//! What is not alike yet is listed in `tests/upstream/known-gaps.txt`. A difference that is not listed fails, and so
//! does a listed one that is gone: the list can only shrink.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::exchange::{Gaps, Scenario, Server, replay, scenario};
use tests::process::{binary, root};
use tests::{ControlPlane, Part, Store, on_each_store};

on_each_store!(recorded_exchanges_are_answered_as_upstream_answers_them);

/// As the recorded server was set up: controllers, but nobody who runs Pods.
const SET_UP: [&str; 6] =
    ["--nodes", "0", "--without", "scheduler,admission-webhook", "--disable-admission-plugins", "ServiceAccount"];
/// What is replayed.
const AREAS: [&str; 6] = ["objects", "patch", "watch", "crd", "kinds", "authz"];
/// How the scenarios begin that wait for what is not there yet: most of their steps would be known gaps.
const LATER: [&str; 5] =
    ["authz/flow-schema", "authz/mutating-policy-", "authz/quota-", "authz/validating-policy-", "authz/webhook-"];
/// How long an answer is waited for that is known not to come.
const HOPELESS: Duration = Duration::from_secs(1);
/// Scenarios at once.
const JOBS: usize = 6;
/// Differences that are shown in full.
const SHOWN: usize = 20;

fn recordings() -> PathBuf {
    root().join("tests/upstream")
}

fn read(folder: &Path) -> Vec<Scenario> {
    let files = scenario::files(folder).unwrap_or_else(|error| panic!("{error}"));
    files.iter().map(|file| Scenario::read(file).unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn recorded_exchanges_are_answered_as_upstream_answers_them(store: Store) {
    let list = recordings().join("known-gaps.txt");
    let gaps = Gaps::parse(&std::fs::read_to_string(&list).unwrap())
        .unwrap_or_else(|error| panic!("{}, {error}", list.display()));
    let known = |scenario: Scenario| {
        let path = scenario.path();
        scenario.waiting_at_most(HOPELESS, |step| gaps.lists(&path, step))
    };
    let all = AREAS.iter().flat_map(|area| read(&recordings().join(area)));
    let now = all.filter(|scenario| !LATER.iter().any(|later| scenario.path().starts_with(later)));
    let scenarios: Vec<Scenario> = now.map(known).collect();
    let plane = ControlPlane::start_with(Part::Everything, store, &SET_UP);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcomes = runtime.block_on(async {
        let server = Server::from_kubeconfig(&plane.kubeconfig(), None).await.unwrap_or_else(|e| panic!("{e}"));
        let mut outcomes = replay::replay(&server, &scenarios, JOBS).await;
        replay::confirm(&server, &scenarios, &mut outcomes, &gaps).await;
        outcomes
    });
    println!("{}{} known gaps", replay::table(&outcomes), gaps.len());

    let verdict = gaps.judge(&outcomes);
    let mut failures = String::new();
    for (outcome, exchange) in &verdict.unlisted {
        let _ = writeln!(failures, "answered differently: {} {}", outcome.path, exchange.id);
    }
    for (outcome, exchange) in verdict.unlisted.iter().take(SHOWN) {
        let _ = writeln!(failures, "\n{} {}", outcome.path, exchange.id);
        exchange.difference(60).iter().for_each(|line| failures.extend(["    ", line, "\n"]));
    }
    for line in &verdict.closed {
        let _ = writeln!(failures, "answered alike now, remove from {}: {line}", list.display());
    }
    for line in &verdict.unknown {
        let _ = writeln!(failures, "no such recorded step, remove from {}: {line}", list.display());
    }
    for scenario in gaps.not_replayed(&outcomes) {
        let _ = writeln!(failures, "no such recording, remove from {}: {scenario}", list.display());
    }
    assert!(failures.is_empty(), "{failures}");
}

const SCENARIO: &str = "\
doc: Written by hand.
steps:
- id: create
  request: {method: POST, path: '/api/v1/namespaces/${ns}/configmaps', body: {metadata: {name: a}, data: {k: '1'}}}
  capture: {rv: /metadata/resourceVersion}
- id: watch
  request: {path: '/api/v1/namespaces/${ns}/configmaps?watch=1&resourceVersion=${rv}&fieldSelector=metadata.name%3Da'}
  watch: {events: 1, timeout: 20}
- id: not-json
  request: {method: PATCH, path: '/api/v1/namespaces/${ns}/configmaps/a', raw: '{', headers: {Content-Type: application/merge-patch+json}}
- id: nobody
  request: {path: '/api/v1/namespaces/${ns}/configmaps/a'}
  noClientCert: true
- id: different-each-time
  request: {path: '/api/v1/namespaces/${ns}/configmaps/${ns}/too/long'}
- id: delete
  request: {method: DELETE, path: '/api/v1/namespaces/${ns}/configmaps/a'}
- collect: watch
  id: events
";

#[test]
fn what_is_recorded_from_a_cluster_is_matched_by_the_same_cluster() {
    let plane = ControlPlane::start_with(Part::Everything, Store::Embedded, &SET_UP);
    let folder = tempfile::tempdir().unwrap();
    let (written, recorded) = (folder.path().join("written"), folder.path().join("recorded"));
    std::fs::create_dir_all(written.join("mine")).unwrap();
    std::fs::write(written.join("mine/by-hand.yaml"), SCENARIO).unwrap();
    let parity = |arguments: &[&str]| {
        let output = Command::new(binary("parity"))
            .args(arguments)
            .arg("--kubeconfig")
            .arg(plane.kubeconfig())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), format!("{out}{err}"))
    };
    let path = |path: &Path| path.to_str().unwrap().to_owned();

    let (status, said) = parity(&["record", &path(&written), "--out", &path(&recorded)]);
    assert_eq!((status, said.as_str()), (Some(0), "by-hand: 6 exchanges recorded\n"));
    let (status, said) = parity(&["replay", &path(&recorded)]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("ok   mine/by-hand: 6/6\n"), "{said}");

    // A recording is a scenario too; and another answer is a difference.
    let file = recorded.join("mine/by-hand.json");
    let before = std::fs::read_to_string(&file).unwrap();
    let (status, said) = parity(&["record", &path(&recorded), "--out", &path(&recorded)]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    std::fs::write(&file, before.replacen("\"reason\": \"BadRequest\"", "\"reason\": \"Other\"", 1)).unwrap();
    let (status, said) = parity(&["replay", &path(&recorded)]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("DIFF mine/by-hand: 5/6  (not-json)"), "{said}");
    assert!(said.contains("\n    -  \"reason\": \"Other\","), "{said}");

    let list = folder.path().join("known-gaps.txt");
    std::fs::write(&list, "mine/by-hand not-json  wrong on purpose\nmine/by-hand create  closed\n").unwrap();
    let (status, said) = parity(&["replay", &path(&recorded), "--known-gaps", &path(&list)]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("listed and gone: mine/by-hand create  closed"), "{said}");
    let (status, said) = parity(&["replay", &path(&recorded), "--known-gaps", &path(&list), "--prune"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(&list).unwrap(), "mine/by-hand not-json  wrong on purpose\n");
}
