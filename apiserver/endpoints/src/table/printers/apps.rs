//! `apps`.

use serde_json::Value;

use super::{Clock, Object, Printer};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "deployments" => deployment,
        "replicasets" => replica_set,
        "statefulsets" => stateful_set,
        "daemonsets" => daemon_set,
        "controllerrevisions" => controller_revision,
        _ => return None,
    })
}

const CONTAINERS: &str = "/spec/template/spec/containers";

fn deployment(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let [names, images] = o.containers(CONTAINERS);
    vec![
        o.name(),
        format!("{}/{}", o.int("/status/readyReplicas"), o.int("/spec/replicas")).into(),
        o.int("/status/updatedReplicas").into(),
        o.int("/status/availableReplicas").into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/selector").into(),
    ]
}

fn replica_set(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let [names, images] = o.containers(CONTAINERS);
    vec![
        o.name(),
        o.int("/spec/replicas").into(),
        o.int("/status/replicas").into(),
        o.int("/status/readyReplicas").into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/selector").into(),
    ]
}

fn stateful_set(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let [names, images] = o.containers(CONTAINERS);
    let ready = format!("{}/{}", o.int("/status/readyReplicas"), o.int("/spec/replicas"));
    vec![o.name(), ready.into(), o.age(clock), names, images]
}

fn daemon_set(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let [names, images] = o.containers(CONTAINERS);
    vec![
        o.name(),
        o.int("/status/desiredNumberScheduled").into(),
        o.int("/status/currentNumberScheduled").into(),
        o.int("/status/numberReady").into(),
        o.int("/status/updatedNumberScheduled").into(),
        o.int("/status/numberAvailable").into(),
        o.labels("/spec/template/spec/nodeSelector").into(),
        o.age(clock),
        names,
        images,
        o.selector("/spec/selector").into(),
    ]
}

fn controller_revision(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let controller = o.list("/metadata/ownerReferences").find(|owner| owner.flag("/controller"));
    let controller = match controller {
        // The group and kind of the owner: `daemonset.apps/name`.
        Some(owner) => {
            let group = owner.text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
            let dot = if group.is_empty() { "" } else { "." };
            format!("{}{dot}{group}/{}", owner.text("/kind").to_lowercase(), owner.text("/name"))
        }
        None => "<none>".to_owned(),
    };
    vec![o.name(), controller.into(), o.int("/revision").into(), o.age(clock)]
}
