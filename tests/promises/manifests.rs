//! The kustomizations of `manifests/`: they build, servers take them, and the operators work with the rights they grant.

use std::process::Command;

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
fn the_operators_work_with_the_rights_of_their_service_accounts() {
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
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
    for part in &mut parts {
        assert!(part.running());
        let said = part.output();
        assert!(!said.contains("forbidden") && !said.contains("Forbidden"), "{said}");
    }
}
