//! Two copies of an operator: one acts, and when it dies the other takes over.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::process::{Process, binary};
use tests::{ControlPlane, Kubectl, Part, Store, eventually, on_each_store};

on_each_store!(when_the_leading_copies_are_killed_the_others_act_and_no_replica_is_doubled);

const LEASE: [&str; 4] = [
    "--leader-elect=true",
    "--leader-elect-lease-duration=3s",
    "--leader-elect-renew-deadline=2s",
    "--leader-elect-retry-period=500ms",
];

fn holder(kubectl: &Kubectl, lease: &str) -> Option<String> {
    let out = kubectl.attempt(&["get", "lease", lease, "-n", "kube-system", "-o", "jsonpath={.spec.holderIdentity}"]);
    out.ok().filter(|holder| !holder.is_empty())
}

fn when_the_leading_copies_are_killed_the_others_act_and_no_replica_is_doubled(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "-f", "../manifests/crds/apps.coxswain.dev.yaml"]);
    kubectl.run(&["wait", "--for=condition=Established", "crd/apps.coxswain.dev", "--timeout=60s"]);
    let part = |name: &str, flags: &[&str]| {
        let kubeconfig = plane.data_dir().join(format!("{name}.kubeconfig"));
        Process::start(name, Command::new(binary(name)).arg("--kubeconfig").arg(kubeconfig).args(flags))
    };
    let _nodes = part("node", &["--simulated", "3"]);
    const PARTS: [&str; 2] = ["controller-manager", "scheduler"];
    let leading =
        |lease: &str| eventually(&format!("{lease} is led"), || holder(&kubectl, lease).ok_or("nobody leads"));
    // The first copy of each leads before the second is started, so it is known which one to kill.
    let mut first: Vec<(Process, String)> = PARTS
        .iter()
        .map(|name| {
            let process = part(name, &LEASE);
            (process, leading(name))
        })
        .collect();
    let _second: Vec<Process> = PARTS.iter().map(|name| part(name, &LEASE)).collect();
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);

    // Killed while there is work: both have to pick up what was begun.
    kubectl.run(&["scale", "app/web", "--replicas=12"]);
    for (process, _) in &mut first {
        process.kill();
    }
    for (lease, (_, dead)) in PARTS.iter().zip(&first) {
        eventually(&format!("another copy leads {lease}"), || match holder(&kubectl, lease) {
            Some(holder) if holder != *dead => Ok(()),
            holder => Err(format!("{holder:?}")),
        });
    }
    eventually("twelve replicas are ready", || {
        let app = kubectl.json(&["get", "app", "web"]);
        if app["status"]["readyReplicas"] == 12 { Ok(()) } else { Err(app["status"].to_string()) }
    });
    let created = kubectl.json(&["get", "pods", "-l", "coxswain.dev/app=web"]);
    let names: BTreeSet<&str> =
        created["items"].as_array().unwrap().iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert_eq!(names.len(), 12, "{names:?}");
    // Pods that were made too often would have been deleted again; events tell of each deletion.
    let killed = kubectl.json(&["get", "events", "--field-selector", "reason=Killing"]);
    assert_eq!(killed["items"].as_array().map(Vec::len), Some(0), "{killed}");
    let placed: i64 = kubectl.json(&["get", "app", "web"])["status"]["placements"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|placement: &Value| placement["replicas"].as_i64())
        .sum();
    assert_eq!(placed, 12);
}
