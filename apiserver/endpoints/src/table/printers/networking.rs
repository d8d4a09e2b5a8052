//! `networking.k8s.io`, `discovery.k8s.io`, `coordination.k8s.io` and `node.k8s.io`.

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{IPAddressSpec, NetworkPolicySpec, ServiceCIDRSpec};
use serde_json::Value;

use super::{AGE, Clock, NAME, Object, Printer, field, first_three, load_balancer, words};

pub(super) fn printer(resource: &str) -> Option<&'static Printer> {
    Some(match resource {
        "ingresses" => &INGRESS,
        "ingressclasses" => &INGRESS_CLASS,
        "networkpolicies" => &NETWORK_POLICY,
        "ipaddresses" => &IP_ADDRESS,
        "servicecidrs" => &SERVICE_CIDR,
        "endpointslices" => &ENDPOINT_SLICE,
        "leases" => &LEASE,
        "runtimeclasses" => &RUNTIME_CLASS,
        _ => return None,
    })
}

static INGRESS: Printer = Printer::new(
    &[
        NAME,
        words("Class", "The name of the IngressClass resource that should be used for additional configuration"),
        words("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
        words("Address", "Address is a list containing ingress points for the load-balancer"),
        words("Ports", "Ports of TLS configurations that open"),
        AGE,
    ],
    ingress,
);

fn ingress(o: Object<'_>, clock: Clock) -> Vec<Value> {
    // Upstream counts rules, not hosts, once three hosts are shown.
    let mut hosts: Vec<&str> = Vec::new();
    let mut more = 0;
    for (at, rule) in o.list("/spec/rules").enumerate() {
        match (hosts.len(), rule.text("/host")) {
            (3, _) => more = at + 1 - 3,
            (_, "") => {}
            (_, host) => hosts.push(host),
        }
    }
    let hosts = match (hosts.join(","), more) {
        (hosts, _) if hosts.is_empty() => "*".to_owned(),
        (hosts, 0) => hosts,
        (hosts, more) => format!("{hosts} + {more} more..."),
    };
    let ports = if o.list("/spec/tls").len() > 0 { "80, 443" } else { "80" };
    vec![
        o.name(),
        o.set_or("/spec/ingressClassName", "<none>").into(),
        hosts.into(),
        load_balancer(o).into(),
        ports.into(),
        o.age(clock),
    ]
}

static INGRESS_CLASS: Printer = Printer::new(
    &[
        NAME,
        words("Controller", "Controller that is responsible for handling this class"),
        words("Parameters", "A reference to a resource with additional parameters"),
        AGE,
    ],
    ingress_class,
);

fn ingress_class(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let parameters = match o.get("/spec/parameters").map(Object) {
        Some(parameters) => {
            let group = parameters.text("/apiGroup");
            let dot = if group.is_empty() { "" } else { "." };
            format!("{}{dot}{group}/{}", parameters.text("/kind"), parameters.text("/name"))
        }
        None => "<none>".to_owned(),
    };
    vec![o.name(), o.text("/spec/controller").into(), parameters.into(), o.age(clock)]
}

static NETWORK_POLICY: Printer =
    Printer::new(&[NAME, field::<NetworkPolicySpec>("Pod-Selector", "podSelector"), AGE], |o, clock| {
        vec![o.name(), o.selector("/spec/podSelector").into(), o.age(clock)]
    });

static SERVICE_CIDR: Printer = Printer::new(&[NAME, field::<ServiceCIDRSpec>("CIDRs", "cidrs"), AGE], |o, clock| {
    vec![o.name(), o.texts("/spec/cidrs").join(",").into(), o.age(clock)]
});

static LEASE: Printer = Printer::new(&[NAME, field::<LeaseSpec>("Holder", "holderIdentity"), AGE], |o, clock| {
    vec![o.name(), o.text("/spec/holderIdentity").into(), o.age(clock)]
});

static RUNTIME_CLASS: Printer = Printer::new(&[NAME, words("Handler", ""), AGE], |o, clock| {
    vec![o.name(), o.text("/handler").into(), o.age(clock)]
});

static IP_ADDRESS: Printer = Printer::new(&[NAME, field::<IPAddressSpec>("ParentRef", "parentRef")], ip_address);

/// Upstream's rows have an age for which there is no column.
fn ip_address(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let parent = match o.get("/spec/parentRef").map(Object) {
        Some(parent) => {
            let parts = ["/group", "/resource", "/namespace", "/name"].map(|field| parent.text(field));
            let [group, resource, namespace, name] = parts;
            let dot = if group.is_empty() { "" } else { "." };
            let slash = if namespace.is_empty() { "" } else { "/" };
            let (resource, group) = (resource.to_lowercase(), group.to_lowercase());
            format!("{resource}{dot}{group}/{namespace}{slash}{name}")
        }
        None => "<none>".to_owned(),
    };
    vec![o.name(), parent.into(), o.age(clock)]
}

static ENDPOINT_SLICE: Printer = Printer::new(
    &[
        NAME,
        field::<EndpointSlice>("AddressType", "addressType"),
        field::<EndpointSlice>("Ports", "ports"),
        field::<EndpointSlice>("Endpoints", "endpoints"),
        AGE,
    ],
    endpoint_slice,
);

fn endpoint_slice(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let ports: Vec<String> = o
        .list("/ports")
        .map(|port| match port.get("/port").and_then(Value::as_i64) {
            Some(number) => number.to_string(),
            None => port.set_or("/name", "*").to_owned(),
        })
        .collect();
    let addresses: Vec<String> =
        o.list("/endpoints").flat_map(|endpoint| endpoint.texts("/addresses")).map(str::to_owned).collect();
    let shown = |texts: Vec<String>| {
        let all = texts.len();
        if all == 0 { "<unset>".to_owned() } else { first_three(texts, all) }
    };
    vec![o.name(), o.text("/addressType").into(), shown(ports).into(), shown(addresses).into(), o.age(clock)]
}
