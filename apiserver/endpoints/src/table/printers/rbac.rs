//! `rbac.authorization.k8s.io`.

use serde_json::Value;

use super::{AGE, Clock, NAME, Object, Printer, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    match resource {
        "rolebindings" => Some(&ROLE_BINDING),
        "clusterrolebindings" => Some(&CLUSTER_ROLE_BINDING),
        _ => None,
    }
}

// Upstream shows the documentation of `v1beta1`.

static ROLE_BINDING: Printer = Printer::new(
    &[
        NAME,
        words(
            "Role",
            "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef \
             cannot be resolved, the Authorizer must return an error.",
        ),
        AGE,
        words("Users", "Users in the roleBinding").wide(),
        words("Groups", "Groups in the roleBinding").wide(),
        words("ServiceAccounts", "ServiceAccounts in the roleBinding").wide(),
    ],
    binding,
);

static CLUSTER_ROLE_BINDING: Printer = Printer::new(
    &[
        NAME,
        words(
            "Role",
            "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the \
             Authorizer must return an error.",
        ),
        AGE,
        words("Users", "Users in the clusterRoleBinding").wide(),
        words("Groups", "Groups in the clusterRoleBinding").wide(),
        words("ServiceAccounts", "ServiceAccounts in the clusterRoleBinding").wide(),
    ],
    binding,
);

fn binding(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let subjects = |kind: &str| {
        let names: Vec<String> = o
            .list("/subjects")
            .filter(|subject| subject.text("/kind") == kind)
            .map(|subject| match (kind, subject.text("/namespace")) {
                ("ServiceAccount", namespace) if !namespace.is_empty() => {
                    format!("{namespace}/{}", subject.text("/name"))
                }
                _ => subject.text("/name").to_owned(),
            })
            .collect();
        names.join(", ")
    };
    vec![
        o.name(),
        format!("{}/{}", o.text("/roleRef/kind"), o.text("/roleRef/name")).into(),
        o.age(clock),
        subjects("User").into(),
        subjects("Group").into(),
        subjects("ServiceAccount").into(),
    ]
}
