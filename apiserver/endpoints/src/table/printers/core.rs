//! The core group, and events.

use apimachinery::quantity::Quantity;
use serde_json::Value;

use super::{Clock, Object, Printer, first_three, load_balancer, or_none, pod};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "pods" => pod::pod,
        "podtemplates" => pod_template,
        "replicationcontrollers" => replication_controller,
        "services" => service,
        "endpoints" => endpoints,
        "nodes" => node,
        "events" => event,
        "namespaces" => |o, clock| vec![o.name(), o.text("/status/phase").into(), o.age(clock)],
        "secrets" => |o, clock| vec![o.name(), o.text("/type").into(), entries(o, &["/data"]), o.age(clock)],
        "configmaps" => |o, clock| vec![o.name(), entries(o, &["/data", "/binaryData"]), o.age(clock)],
        "serviceaccounts" => super::aged,
        "persistentvolumes" => persistent_volume,
        "persistentvolumeclaims" => persistent_volume_claim,
        "resourcequotas" => resource_quota,
        "componentstatuses" => component_status,
        _ => return None,
    })
}

/// How many entries the maps have together.
fn entries(object: Object<'_>, pointers: &[&str]) -> Value {
    pointers.iter().map(|pointer| object.map(pointer).map_or(0, serde_json::Map::len)).sum::<usize>().into()
}

fn pod_template(o: Object<'_>, _: Clock) -> Vec<Value> {
    let [names, images] = o.containers("/template/spec/containers");
    vec![o.name(), names, images, o.labels("/template/metadata/labels").into()]
}

fn replication_controller(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let [names, images] = o.containers("/spec/template/spec/containers");
    vec![
        o.name(),
        o.int("/spec/replicas").into(),
        o.int("/status/replicas").into(),
        o.int("/status/readyReplicas").into(),
        o.age(clock),
        names,
        images,
        o.labels("/spec/selector").into(),
    ]
}

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
    vec![
        o.name(),
        o.text("/spec/type").into(),
        or_none(o.text("/spec/clusterIP")).into(),
        external.into(),
        or_none(&ports.join(",")).into(),
        o.age(clock),
        o.labels("/spec/selector").into(),
    ]
}

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

fn event(o: Object<'_>, clock: Clock) -> Vec<Value> {
    event_of(
        o,
        clock,
        "/involvedObject",
        "/message",
        ["/source/component", "/source/host"],
        "/firstTimestamp",
        "/lastTimestamp",
        "/count",
    )
}

/// The same of `events.k8s.io/v1`, which names its fields otherwise.
pub(super) fn event_v1(o: Object<'_>, clock: Clock) -> Vec<Value> {
    event_of(
        o,
        clock,
        "/regarding",
        "/note",
        ["/deprecatedSource/component", "/deprecatedSource/host"],
        "/deprecatedFirstTimestamp",
        "/deprecatedLastTimestamp",
        "/deprecatedCount",
    )
}

#[allow(clippy::too_many_arguments)]
fn event_of(
    o: Object<'_>,
    clock: Clock,
    about: &str,
    message: &str,
    source: [&str; 2],
    first: &str,
    last: &str,
    count: &str,
) -> Vec<Value> {
    let event_time = if o.has("/eventTime") { o.since("/eventTime", clock) } else { "<unknown>".to_owned() };
    let first_seen = if o.has(first) { o.since(first, clock) } else { event_time.clone() };
    let last_seen = match (o.has("/series/lastObservedTime"), o.has(last)) {
        (true, _) => o.since("/series/lastObservedTime", clock),
        (false, true) => o.since(last, clock),
        (false, false) => first_seen.clone(),
    };
    let times = match (o.int("/series/count"), o.int(count)) {
        (series @ 1.., _) => series,
        (_, 0) => 1,
        (_, count) => count,
    };
    let field = |name: &str| o.text(&format!("{about}{name}"));
    let target = match field("/name") {
        "" => field("/kind").to_lowercase(),
        name => format!("{}/{name}", field("/kind").to_lowercase()),
    };
    let mut component = o.text_or(source[0], o.text("/reportingComponent"));
    component = if component.is_empty() { o.text("/reportingController") } else { component };
    let instance = o.text_or(source[1], o.text("/reportingInstance"));
    let source = if instance.is_empty() { component.to_owned() } else { format!("{component}, {instance}") };
    vec![
        last_seen.into(),
        o.text("/type").into(),
        o.text("/reason").into(),
        target.into(),
        field("/fieldPath").into(),
        source.into(),
        o.text(message).trim().into(),
        first_seen.into(),
        times.into(),
        o.name(),
    ]
}

/// `RWO,ROX`: each mode once, in upstream's order.
fn access_modes(o: Object<'_>, pointer: &str) -> String {
    const MODES: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let present = o.texts(pointer);
    let shown: Vec<&str> = MODES.iter().filter(|(mode, _)| present.contains(mode)).map(|(_, short)| *short).collect();
    shown.join(",")
}

fn quantity(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or("0");
    text.parse::<Quantity>().map_or_else(|_| text.to_owned(), |quantity| quantity.to_string())
}

fn phase(o: Object<'_>) -> Value {
    if o.has("/metadata/deletionTimestamp") { "Terminating".into() } else { o.text("/status/phase").into() }
}

/// The storage class: the annotation of old, else the field.
fn storage_class(o: Object<'_>) -> &str {
    o.text_or("/metadata/annotations/volume.beta.kubernetes.io~1storage-class", o.text("/spec/storageClassName"))
}

fn persistent_volume(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let claim = match o.get("/spec/claimRef").map(Object) {
        Some(claim) => format!("{}/{}", claim.text("/namespace"), claim.text("/name")),
        None => String::new(),
    };
    vec![
        o.name(),
        quantity(o.get("/spec/capacity/storage")).into(),
        access_modes(o, "/spec/accessModes").into(),
        o.text("/spec/persistentVolumeReclaimPolicy").into(),
        phase(o),
        claim.into(),
        storage_class(o).into(),
        o.text_or("/spec/volumeAttributesClassName", "<unset>").into(),
        o.text("/status/reason").into(),
        o.age(clock),
        o.text_or("/spec/volumeMode", "<unset>").into(),
    ]
}

fn persistent_volume_claim(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let volume = o.text("/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (quantity(o.get("/status/capacity/storage")), access_modes(o, "/status/accessModes"))
    };
    vec![
        o.name(),
        phase(o),
        volume.into(),
        capacity.into(),
        modes.into(),
        storage_class(o).into(),
        o.text_or("/spec/volumeAttributesClassName", "<unset>").into(),
        o.age(clock),
        o.text_or("/spec/volumeMode", "<unset>").into(),
    ]
}

fn resource_quota(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in o.map("/status/hard").into_iter().flatten() {
        let used = o.map("/status/used").and_then(|used| used.get(resource));
        let shown = format!("{resource}: {}/{}", quantity(used), quantity(Some(hard)));
        if resource.starts_with("limits") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![o.name(), requests.join(", ").into(), limits.join(", ").into(), o.age(clock)]
}

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
