//! The kustomizations of `manifests/`: they build, servers take them, and the operators work with the rights they grant.

use std::process::Command;

use serde_json::{Value, json};
use tests::decisions::Decisions;
use tests::process::{Process, binary};
use tests::{ControlPlane, Part, Store, eventually};

const NAMESPACE: &str = "coxswain-system";

#[test]
fn every_kustomization_is_taken_as_it_is() {
    let operators = ["deployment/controller-manager", "deployment/scheduler", "deployment/admission-webhook"];
    for (folder, workloads) in [
        ("operator", &operators[..]),
        ("aggregated", &["deployment/apiserver", "persistentvolumeclaim/apiserver-data"]),
        ("aggregated/etcd", &["deployment/apiserver", "statefulset/etcd"]),
    ] {
        let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
        let kubectl = plane.kubectl();
        // Twice: the second finds nothing to change.
        let apply = || kubectl.run(&["apply", "--server-side", "-k", &format!("../manifests/{folder}")]);
        apply();
        let said = apply();
        assert!(said.lines().all(|line| line.ends_with("serverside-applied")), "{folder}: {said}");
        for workload in workloads {
            kubectl.run(&["get", workload, "-n", NAMESPACE]);
        }
    }
}

#[test]
fn the_operators_have_the_rights_that_they_need_and_no_more() {
    let mut plane = ControlPlane::start_with(Part::ApiServer, Store::Embedded, &["-v=4"]);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "--server-side", "-k", "../manifests/operator"]);
    kubectl.run(&["wait", "--for=condition=Established", "crd/apps.coxswain.dev", "--timeout=60s"]);
    let start = |name: &str, flags: &[&str]| {
        let kubeconfig = plane.account(NAMESPACE, name);
        let mut command = Command::new(binary(name));
        command.arg("--kubeconfig").arg(kubeconfig).args(["--leader-elect-resource-namespace", NAMESPACE]).args(flags);
        Process::start(name, &mut command)
    };
    let mut parts = [
        start("controller-manager", &["--controllers=app"]),
        start("scheduler", &["--scheduler-name=coxswain"]),
        start("admission-webhook", &[]),
    ];
    // The rest of a cluster: nodes, and who finds them ready.
    let own = |name: &str, flags: &[&str]| {
        let kubeconfig = plane.data_dir().join(format!("{name}.kubeconfig"));
        Process::start(name, Command::new(binary(name)).arg("--kubeconfig").arg(kubeconfig).args(flags))
    };
    let _cluster = [
        own("node", &["--simulated", "3"]),
        own("controller-manager", &["--controllers=node-lifecycle,serviceaccount"]),
    ];
    // The defaults of an App are the webhook's work, its Pods the controller's.
    eventually("the webhook is registered", || {
        kubectl.attempt(&["get", "mutatingwebhookconfigurations", "admission.coxswain.dev"])
    });
    kubectl.run(&["apply", "-f", "../manifests/examples/web.yaml"]);
    kubectl.run(&["wait", "app/web", "--for=condition=Available", "--timeout=60s"]);
    kubectl.run(&["scale", "app/web", "--replicas=1"]);
    eventually("there are fewer pods", || {
        let pods = kubectl.run(&["get", "pods", "-o", "name"]);
        if pods.lines().count() == 1 { Ok(()) } else { Err(pods) }
    });
    // Pods that ask for this scheduler: one that fits, and one that does not.
    for (name, cpu) in [("small", "1m"), ("huge", "100k")] {
        let container = json!({"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu}}});
        let spec = json!({"schedulerName": "coxswain", "serviceAccountName": "default", "containers": [container]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
        kubectl.run_with(&["create", "-f", "-"], &pod.to_string());
    }
    kubectl.run(&["wait", "pod/small", "--for=condition=PodScheduled", "--timeout=60s"]);
    kubectl.run(&["wait", "pod/huge", "--for=condition=PodScheduled=False", "--timeout=60s"]);
    kubectl.run(&["delete", "app/web", "--timeout=60s"]);
    for part in &mut parts {
        assert!(part.running());
        // Who ends in order gives its lease back.
        assert!(part.terminate().success());
        let said = part.output();
        assert!(!said.contains("forbidden") && !said.contains("Forbidden"), "{said}");
    }
    let rules = |kind: &str, name: &str| -> Vec<Value> {
        let role: Value =
            serde_json::from_str(&kubectl.run(&["get", kind, name, "-n", NAMESPACE, "-o", "json"])).unwrap();
        role["rules"].as_array().unwrap().clone()
    };
    let decisions = Decisions::of(&plane.process().output());
    let mut unused = Vec::new();
    for part in ["controller-manager", "scheduler", "admission-webhook"] {
        let user = format!("system:serviceaccount:{NAMESPACE}:{part}");
        assert_eq!(decisions.refused(&user), [""; 0], "{part} was refused");
        let granted = [rules("clusterrole", &format!("coxswain-{part}")), rules("role", part)].concat();
        unused.extend(decisions.unused(&user, &granted).into_iter().map(|right| format!("{part}: {right}")));
    }
    unused.retain(|right| !SELDOM.iter().any(|(seldom, _)| right.trim() == *seldom));
    assert_eq!(unused, [""; 0], "rights that were never used");
}

/// Rights that are needed, but not every day, and why.
const SELDOM: [(&str, &str); 7] = [
    (
        "controller-manager: update apps/finalizers.coxswain.dev",
        "clusters with OwnerReferencesPermissionEnforcement ask for it of who makes Apps owners of Pods",
    ),
    ("controller-manager: patch events.events.k8s.io", "what comes again is counted"),
    ("scheduler: patch events.events.k8s.io", "likewise"),
    ("admission-webhook: create events.events.k8s.io", "Apps that were there before the webhook may be wrong"),
    ("admission-webhook: patch events.events.k8s.io", "likewise"),
    (
        "admission-webhook: create mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "an apply asks within the server",
    ),
    ("admission-webhook: create validatingwebhookconfigurations.admissionregistration.k8s.io", "likewise"),
];
