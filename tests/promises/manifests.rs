//! The kustomizations of `manifests/`: they build, servers take them, and the operators work with the rights they grant.

use std::path::PathBuf;
use std::process::Command;

use tests::process::{Process, binary};
use tests::{ControlPlane, Kubectl, Part, Store, eventually};

const NAMESPACE: &str = "coxswain-system";

#[test]
fn every_kustomization_is_taken_as_it_is() {
    for (folder, workloads) in
        [("operator", ["deployment/controller-manager", "deployment/scheduler", "deployment/admission-webhook"])]
    {
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

/// A kubeconfig with a token of a service account, made as that account's Pods get one.
fn account(plane: &ControlPlane, kubectl: &Kubectl, name: &str) -> PathBuf {
    let token = kubectl.run(&["create", "token", name, "-n", NAMESPACE]);
    let path = plane.data_dir().join(format!("{name}-account.kubeconfig"));
    let authority = plane.data_dir().join("pki/ca.crt");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: {:?}, certificate-authority: {authority:?}}}}}]\n\
         users: [{{name: u, user: {{token: {:?}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
        plane.url(),
        token.trim(),
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_operators_work_with_the_rights_of_their_service_accounts() {
    let plane = ControlPlane::start(Part::ApiServer, Store::Embedded);
    let kubectl = plane.kubectl();
    kubectl.run(&["apply", "--server-side", "-k", "../manifests/operator"]);
    kubectl.run(&["wait", "--for=condition=Established", "crd/apps.coxswain.dev", "--timeout=60s"]);
    let start = |name: &str, flags: &[&str]| {
        let kubeconfig = account(&plane, &kubectl, name);
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
