//! The core group.

use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, NodeStatus, NodeSystemInfo, ReplicationControllerSpec, ReplicationControllerStatus, Secret,
    ServiceSpec,
};
use serde_json::Value;

use super::{
    AGE, CONTAINERS, Clock, IMAGES, NAME, Object, Printer, events, field, first_three, load_balancer, or_none, pod,
    quantity, volumes, words,
};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "pods" => &pod::POD,
        "podtemplates" => &POD_TEMPLATE,
        "replicationcontrollers" => &REPLICATION_CONTROLLER,
        "services" => &SERVICE,
        "endpoints" => &ENDPOINTS,
        "nodes" => &NODE,
        "events" => &events::EVENT,
        "namespaces" => &NAMESPACE,
        "secrets" => &SECRET,
        "configmaps" => &CONFIG_MAP,
        "serviceaccounts" => &super::AGED,
        "persistentvolumes" => &volumes::PERSISTENT_VOLUME,
        "persistentvolumeclaims" => &volumes::PERSISTENT_VOLUME_CLAIM,
        "resourcequotas" => &RESOURCE_QUOTA,
        "componentstatuses" => &COMPONENT_STATUS,
        _ => return None,
    })
}

static NAMESPACE: Printer = Printer::new(&[NAME, words("Status", "The status of the namespace"), AGE], |o, clock| {
    vec![o.name(), o.text("/status/phase").into(), o.age(clock)]
});

static SECRET: Printer =
    Printer::new(&[NAME, field::<Secret>("Type", "type"), field::<Secret>("Data", "data"), AGE], |o, clock| {
        vec![o.name(), o.text("/type").into(), entries(o, &["/data"]), o.age(clock)]
    });

static CONFIG_MAP: Printer = Printer::new(&[NAME, field::<ConfigMap>("Data", "data"), AGE], |o, clock| {
    vec![o.name(), entries(o, &["/data", "/binaryData"]), o.age(clock)]
});

/// How many entries the maps have together.
fn entries(object: Object<'_>, pointers: &[&str]) -> Value {
    pointers.iter().map(|pointer| object.map(pointer).map_or(0, serde_json::Map::len)).sum::<usize>().into()
}

static POD_TEMPLATE: Printer =
    Printer::new(&[NAME, CONTAINERS, IMAGES, words("Pod Labels", "The labels for the pod template.")], pod_template);

fn pod_template(o: Object<'_>, _: Clock) -> Vec<Value> {
    let [names, images] = o.containers("/template/spec/containers");
    vec![o.name(), names, images, o.labels("/template/metadata/labels").into()]
}

static REPLICATION_CONTROLLER: Printer = Printer::new(
    &[
        NAME,
        field::<ReplicationControllerSpec>("Desired", "replicas").of("integer"),
        field::<ReplicationControllerStatus>("Current", "replicas").of("integer"),
        field::<ReplicationControllerStatus>("Ready", "readyReplicas").of("integer"),
        AGE,
        CONTAINERS.wide(),
        IMAGES.wide(),
        field::<ReplicationControllerSpec>("Selector", "selector").wide(),
    ],
    |o, clock| o.replicas(clock, o.labels("/spec/selector")),
);

static SERVICE: Printer = Printer::new(
    &[
        NAME,
        field::<ServiceSpec>("Type", "type"),
        field::<ServiceSpec>("Cluster-IP", "clusterIP"),
        field::<ServiceSpec>("External-IP", "externalIPs"),
        field::<ServiceSpec>("Port(s)", "ports"),
        AGE,
        field::<ServiceSpec>("Selector", "selector").wide(),
    ],
    service,
);

fn service(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let external = o.texts("/spec/externalIPs").join(",");
    let external = match o.text("/spec/type") {
        "ClusterIP" | "NodePort" => or_none(&external).to_owned(),
        "LoadBalancer" => {
            let balancer = load_balancer(o);
            match (balancer.is_empty(), external.is_empty()) {
                (false, false) => format!("{balancer},{external}"),
                (false, true) => balancer,
                (true, false) => external,
                (true, true) => "<pending>".to_owned(),
            }
        }
        "ExternalName" => o.text("/spec/externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    };
    let ports: Vec<String> = o
        .list("/spec/ports")
        .map(|port| {
            let (number, protocol) = (port.int("/port"), port.text("/protocol"));
            match port.int("/nodePort") {
                node @ 1.. => format!("{number}:{node}/{protocol}"),
                _ => format!("{number}/{protocol}"),
            }
        })
        .collect();
    // An object of before there were two families has but the one field.
    let cluster_ip = o.texts("/spec/clusterIPs").first().copied().unwrap_or(or_none(o.text("/spec/clusterIP")));
    vec![
        o.name(),
        o.text("/spec/type").into(),
        cluster_ip.into(),
        external.into(),
        or_none(&ports.join(",")).into(),
        o.age(clock),
        o.labels("/spec/selector").into(),
    ]
}

static ENDPOINTS: Printer = Printer::new(&[NAME, field::<Endpoints>("Endpoints", "subsets"), AGE], endpoints);

fn endpoints(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let mut shown = Vec::new();
    let mut all = 0;
    for subset in o.list("/subsets") {
        // Without a port an address stands for itself.
        let ports: Vec<Option<i64>> = match subset.list("/ports").len() {
            0 => vec![None],
            _ => subset.list("/ports").map(|port| Some(port.int("/port"))).collect(),
        };
        for port in ports {
            for address in subset.list("/addresses") {
                all += 1;
                let ip = address.text("/ip");
                shown.push(match port {
                    None => ip.to_owned(),
                    Some(port) if ip.contains(':') => format!("[{ip}]:{port}"),
                    Some(port) => format!("{ip}:{port}"),
                });
            }
        }
    }
    let shown = if o.list("/subsets").len() == 0 { "<none>".to_owned() } else { first_three(shown, all) };
    vec![o.name(), shown.into(), o.age(clock)]
}

static NODE: Printer = Printer::new(
    &[
        NAME,
        words("Status", "The status of the node"),
        words("Roles", "The roles of the node"),
        AGE,
        field::<NodeSystemInfo>("Version", "kubeletVersion"),
        field::<NodeStatus>("Internal-IP", "addresses").wide(),
        field::<NodeStatus>("External-IP", "addresses").wide(),
        field::<NodeSystemInfo>("OS-Image", "osImage").wide(),
        field::<NodeSystemInfo>("Kernel-Version", "kernelVersion").wide(),
        field::<NodeSystemInfo>("Container-Runtime", "containerRuntimeVersion").wide(),
    ],
    node,
);

fn node(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let ready = o.condition("Ready").map(|condition| condition.text("/status") == "True");
    let mut status = match ready {
        Some(true) => "Ready".to_owned(),
        Some(false) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if o.flag("/spec/unschedulable") {
        status.push_str(",SchedulingDisabled");
    }
    let mut roles: Vec<&str> = o
        .map("/metadata/labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    let address = |kind: &str| {
        let found = o.list("/status/addresses").find(|address| address.text("/type") == kind);
        found.map_or("<none>", |address| address.text("/address"))
    };
    vec![
        o.name(),
        status.into(),
        or_none(&roles.join(",")).into(),
        o.age(clock),
        o.text("/status/nodeInfo/kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        o.text_or("/status/nodeInfo/osImage", "<unknown>").into(),
        o.text_or("/status/nodeInfo/kernelVersion", "<unknown>").into(),
        o.text_or("/status/nodeInfo/containerRuntimeVersion", "<unknown>").into(),
    ]
}

static RESOURCE_QUOTA: Printer = Printer::new(
    &[
        NAME,
        words("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
        words(
            "Limit",
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.",
        ),
        AGE,
    ],
    resource_quota,
);

fn resource_quota(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in o.map("/status/hard").into_iter().flatten() {
        let used = o.map("/status/used").and_then(|used| used.get(resource));
        let shown = format!("{resource}: {}/{}", quantity(used), quantity(Some(hard)));
        if resource.starts_with("limits.") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![o.name(), requests.join(", ").into(), limits.join(", ").into(), o.age(clock)]
}

static COMPONENT_STATUS: Printer = Printer::new(
    &[
        NAME,
        words("Status", "Status of the component conditions"),
        words("Message", "Message of the component conditions"),
        words("Error", "Error of the component conditions"),
    ],
    component_status,
);

fn component_status(o: Object<'_>, _: Clock) -> Vec<Value> {
    let healthy = o.list("/conditions").find(|condition| condition.text("/type") == "Healthy");
    let (status, message, error) = match healthy {
        Some(condition) => {
            let status = if condition.text("/status") == "True" { "Healthy" } else { "Unhealthy" };
            (status, condition.text("/message"), condition.text("/error"))
        }
        None => ("Unknown", "", ""),
    };
    vec![o.name(), status.into(), message.into(), error.into()]
}
