//! Who the server makes certificates and kubeconfigs for: the administrator and the operators.

use std::sync::Arc;

use apimachinery::user::{ALL_AUTHENTICATED, SYSTEM_MASTERS, UserInfo};

use crate::pki::Leaf;

/// A client that gets a certificate and a kubeconfig at the first start.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The name of its files.
    pub file: &'static str,
    /// The user's name.
    pub user: &'static str,
    /// The user's groups.
    pub groups: &'static [&'static str],
}

/// The administrator.
pub const ADMIN: Identity = Identity { file: "admin", user: "kubernetes-admin", groups: &["system:masters"] };

/// The operators, under the names upstream's counterparts have. What they may do is in `data/operators.json`. One client
/// stands for all simulated nodes, so it is none of them.
pub const OPERATORS: [Identity; 4] = [
    Identity { file: "controller-manager", user: "system:kube-controller-manager", groups: &[] },
    Identity { file: "scheduler", user: "system:kube-scheduler", groups: &[] },
    Identity { file: "admission-webhook", user: "system:coxswain:admission-webhook", groups: &[] },
    Identity { file: "node", user: "system:coxswain:node", groups: &[] },
];

impl Identity {
    /// What its certificate says.
    pub fn leaf(&self) -> Leaf<'static> {
        Leaf::Client { user: self.user, groups: self.groups }
    }
}

/// The server itself, where it writes to its own registry (upstream's loopback client).
pub fn loopback() -> Arc<UserInfo> {
    Arc::new(UserInfo::new("system:apiserver", [SYSTEM_MASTERS, ALL_AUTHENTICATED]))
}
