//! A server behind another one, installed as `manifests/aggregated` says: with that service account, and no more rights.

use crate::etcd::free_port;
use crate::{ControlPlane, Part, Store, eventually};

/// The namespace of the manifests.
pub const NAMESPACE: &str = "coxswain-system";
/// The APIService of Apps.
pub const APPS: &str = "v1.coxswain.dev";

/// A server in front, and the one behind it, which serves Apps.
pub struct Behind {
    /// Keeps the cluster.
    pub front: ControlPlane,
    /// Keeps the Apps.
    pub server: ControlPlane,
}

impl Behind {
    /// Starts both, the one behind over `store`; Apps are served when this returns.
    pub fn start(store: Store) -> Self {
        let front = ControlPlane::start(Part::ApiServer, Store::Embedded);
        let kubectl = front.kubectl().namespace(NAMESPACE);
        front.kubectl().run(&["apply", "--server-side", "-k", "../manifests/aggregated"]);
        // Nobody runs the Deployment: its service leads to a process of this machine.
        kubectl.run(&["delete", "service", "apiserver"]);
        kubectl.run(&["create", "service", "externalname", "apiserver", "--external-name", "localhost"]);
        let server = serve(&front, store, &[]);
        let behind = Self { server, front };
        behind.wait_for(APPS, "True");
        behind
    }

    /// Starts another server in the place of the one there is, beside it; Apps are its to serve when this returns.
    pub fn replica(&self, store: Store, flags: &[&str]) -> ControlPlane {
        let replica = serve(&self.front, store, flags);
        let port = replica.url().rsplit(':').next().unwrap_or_default().to_owned();
        let (kubectl, told) =
            (self.front.kubectl(), ["get", "apiservice", APPS, "-o", "jsonpath={.spec.service.port}"]);
        eventually("the front leads to it", || {
            let known = kubectl.attempt(&told)?;
            if known == port { Ok(()) } else { Err(known) }
        });
        replica
    }

    /// Waits until an APIService says that it is available, or not.
    pub fn wait_for(&self, name: &str, status: &str) {
        let kubectl = self.front.kubectl();
        let path = ["get", "apiservice", name, "-o", "jsonpath={.status.conditions[0]}"];
        eventually(&format!("{name} is available: {status}"), || {
            let said = kubectl.attempt(&path)?;
            if said.contains(&format!("\"status\":\"{status}\"")) { Ok(()) } else { Err(said) }
        });
    }
}

/// A server behind `front`, on a free port.
fn serve(front: &ControlPlane, store: Store, flags: &[&str]) -> ControlPlane {
    let port = free_port();
    let kubeconfig = format!("--kubeconfig={}", front.account(NAMESPACE, "apiserver").display());
    let service = format!("--aggregated-service={NAMESPACE}/apiserver:{port}");
    let own = ["--aggregated", &service, &kubeconfig, "--definitions=../manifests/crds"];
    ControlPlane::start_at(port, Part::ApiServer, store, &[&own, flags].concat())
}
