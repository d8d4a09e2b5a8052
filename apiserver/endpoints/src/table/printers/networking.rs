//! `networking.k8s.io`, `discovery.k8s.io`, `coordination.k8s.io` and `node.k8s.io`.

use serde_json::Value;

use super::{Clock, Object, Printer, first_three, load_balancer};

pub(super) fn printer(resource: &str) -> Option<Printer> {
    Some(match resource {
        "ingresses" => ingress,
        "ingressclasses" => ingress_class,
        "networkpolicies" => |o, clock| vec![o.name(), o.selector("/spec/podSelector").into(), o.age(clock)],
        "ipaddresses" => ip_address,
        "servicecidrs" => |o, clock| vec![o.name(), o.texts("/spec/cidrs").join(",").into(), o.age(clock)],
        "endpointslices" => endpoint_slice,
        "leases" => |o, clock| vec![o.name(), o.text("/spec/holderIdentity").into(), o.age(clock)],
        "runtimeclasses" => |o, clock| vec![o.name(), o.text("/handler").into(), o.age(clock)],
        _ => return None,
    })
}

fn ingress(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let rules = o.list("/spec/rules");
    let all = rules.len();
    let hosts: Vec<String> = rules.map(|rule| rule.text("/host").to_owned()).filter(|host| !host.is_empty()).collect();
    let hosts = if hosts.is_empty() { "*".to_owned() } else { first_three(hosts, all) };
    let ports = if o.list("/spec/tls").len() > 0 { "80, 443" } else { "80" };
    vec![
        o.name(),
        o.text_or("/spec/ingressClassName", "<none>").into(),
        hosts.into(),
        load_balancer(o).into(),
        ports.into(),
        o.age(clock),
    ]
}

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

fn ip_address(o: Object<'_>, _: Clock) -> Vec<Value> {
    let parent = match o.get("/spec/parentRef").map(Object) {
        Some(parent) => {
            let parts = ["/group", "/resource", "/namespace", "/name"].map(|field| parent.text(field));
            let [group, resource, namespace, name] = parts;
            let dot = if group.is_empty() { "" } else { "." };
            let slash = if namespace.is_empty() { "" } else { "/" };
            format!("{resource}{dot}{group}/{namespace}{slash}{name}")
        }
        None => "<none>".to_owned(),
    };
    vec![o.name(), parent.into()]
}

fn endpoint_slice(o: Object<'_>, clock: Clock) -> Vec<Value> {
    let ports: Vec<String> = o
        .list("/ports")
        .map(|port| match port.get("/port").and_then(Value::as_i64) {
            Some(number) => number.to_string(),
            None => "*".to_owned(),
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
