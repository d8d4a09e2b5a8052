//! `apps`.

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSetSpec, DaemonSetStatus, DeploymentSpec, DeploymentStatus, ReplicaSetSpec,
    ReplicaSetStatus,
};
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::{AGE, CONTAINERS, Clock, IMAGES, NAME, Object, Printer, field, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "deployments" => &DEPLOYMENT,
        "replicasets" => &REPLICA_SET,
        "statefulsets" => &STATEFUL_SET,
        "daemonsets" => &DAEMON_SET,
        "controllerrevisions" => &CONTROLLER_REVISION,
        _ => return None,
    })
}

static DEPLOYMENT: Printer = Printer::new(
    &[
        NAME,
        words("Ready", "Number of the pod with ready state"),
        field::<DeploymentStatus>("Up-to-date", "updatedReplicas"),
        field::<DeploymentStatus>("Available", "availableReplicas"),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<DeploymentSpec>("Selector", "selector").wide(),
    ],
    |o, clock| {
        let [names, images] = o.containers(TEMPLATE);
        vec![
            o.name(),
            format!("{}/{}", o.int("/status/readyReplicas"), o.int("/spec/replicas")).into(),
            o.int("/status/updatedReplicas").into(),
            o.int("/status/availableReplicas").into(),
            o.age(clock),
            names,
            images,
            o.requirements("/spec/selector").into(),
        ]
    },
);

const TEMPLATE: &str = "/spec/template/spec/containers";

static REPLICA_SET: Printer = Printer::new(
    &[
        NAME,
        field::<ReplicaSetSpec>("Desired", "replicas").of("integer"),
        field::<ReplicaSetStatus>("Current", "replicas").of("integer"),
        field::<ReplicaSetStatus>("Ready", "readyReplicas").of("integer"),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<ReplicaSetSpec>("Selector", "selector").wide(),
    ],
    |o, clock| o.replicas(clock, o.selector("/spec/selector")),
);

static STATEFUL_SET: Printer = Printer::new(
    &[NAME, words("Ready", "Number of the pod with ready state"), AGE, CONTAINERS.wide(), IMAGES.wide()],
    |o, clock| {
        let [names, images] = o.containers(TEMPLATE);
        let ready = format!("{}/{}", o.int("/status/readyReplicas"), o.int("/spec/replicas"));
        vec![o.name(), ready.into(), o.age(clock), names, images]
    },
);

static DAEMON_SET: Printer = Printer::new(
    &[
        NAME,
        field::<DaemonSetStatus>("Desired", "desiredNumberScheduled").of("integer"),
        field::<DaemonSetStatus>("Current", "currentNumberScheduled").of("integer"),
        field::<DaemonSetStatus>("Ready", "numberReady").of("integer"),
        field::<DaemonSetStatus>("Up-to-date", "updatedNumberScheduled").of("integer"),
        field::<DaemonSetStatus>("Available", "numberAvailable").of("integer"),
        field::<PodSpec>("Node Selector", "nodeSelector"),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<DaemonSetSpec>("Selector", "selector").wide(),
    ],
    |o, clock| {
        let [names, images] = o.containers(TEMPLATE);
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
    },
);

static CONTROLLER_REVISION: Printer = Printer::new(
    &[NAME, words("Controller", "Controller of the object"), field::<ControllerRevision>("Revision", "revision"), AGE],
    controller_revision,
);

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
