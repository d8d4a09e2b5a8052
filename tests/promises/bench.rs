//! The program that measures goes on working: each work is done, each figure that a target is for is there. Nothing is said
//! of time.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::process::{binary, tool};

#[test]
fn bench_does_each_work_on_each_store_and_has_a_figure_for_each_target() {
    let folder = tempfile::tempdir().unwrap();
    let [requests, growth] = [("requests", "embedded,etcd"), ("growth", "embedded")].map(|(workload, store)| {
        let file = folder.path().join(workload);
        bench(&[workload, "--quick", "--store", store, "--json", file.to_str().unwrap()]);
        file
    });

    let run: Value = serde_json::from_slice(&std::fs::read(&requests).unwrap()).unwrap();
    let figures: Vec<[&str; 3]> = run["figures"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|figure| assert!(figure["value"].is_number(), "{figure}"))
        .map(|figure| ["section", "work", "measure"].map(|part| figure[part].as_str().unwrap()))
        .collect();
    for store in ["embedded", "etcd"] {
        for kind in ["ConfigMaps", "custom resources"] {
            let raw = format!("create, raw {}", if store == "etcd" { "etcd" } else { "redb" });
            let works = ["create", &raw, "get", "update", "patch", "events to watchers", "mixed", "delete"];
            for expected in works.map(|work| [&format!("{store}, {kind}"), work, "rate"].map(str::to_owned)) {
                assert!(figures.iter().any(|figure| *figure == expected), "no figure {expected:?} in {figures:#?}");
            }
        }
    }

    let page = folder.path().join("RESULTS.md");
    std::fs::copy(tests::process::root().join("tests/bench/RESULTS.md"), &page).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    bench(&["report", &path(&requests), &path(&growth), "--into", &path(&page)]);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains(" 0 were not measured"), "{page}");
}

/// Runs the program; what it says if it fails.
fn bench(arguments: &[&str]) {
    let output =
        Command::new(binary("bench")).args(arguments).env("ETCD_BIN", tool("etcd", "ETCD_BIN")).output().unwrap();
    assert!(output.status.success(), "bench {arguments:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
