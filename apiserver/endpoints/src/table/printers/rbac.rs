//! `rbac.authorization.k8s.io`.

use serde_json::Value;

use super::{Clock, Object, Printer};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    matches!(resource, "rolebindings" | "clusterrolebindings").then_some(binding as Printer)
}

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
