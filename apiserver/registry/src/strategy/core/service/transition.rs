//! What a change of a service carries over from before, and what it drops. Upstream's rule: what the server may have filled
//! in and the client has not touched follows the type.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{is_externally_accessible, needs_cluster_ip, needs_health_check, needs_node_ports, spec_of};
use crate::strategy::read::{at, list, number_or_zero, spec_mut, text};

/// Allocated values that the client left out stay, and `clusterIPs` follows `clusterIP`. `old` is `None` for a new service.
pub(crate) fn carry_over(service: &mut Value, old: Option<&Value>) {
    if let Some(old) = old {
        carry_allocated(service, old);
    }
    sync_cluster_ips(service, old);
}

fn carry_allocated(service: &mut Value, old: &Value) {
    let before = spec_of(old);
    if needs_cluster_ip(old) && needs_cluster_ip(service) {
        let ip = text(before, "clusterIP");
        if text(spec_of(service), "clusterIP").is_empty() && !ip.is_empty() {
            set(service, "clusterIP", json!(ip));
        }
        let spec = spec_of(service);
        if list(spec, "clusterIPs").is_empty()
            && text(spec, "clusterIP") == ip
            && !list(before, "clusterIPs").is_empty()
        {
            set(service, "clusterIPs", at(before, "clusterIPs").clone());
        }
    }
    if needs_node_ports(old) && needs_node_ports(service) {
        carry_node_ports(service, before);
    }
    if needs_health_check(old)
        && needs_health_check(service)
        && number_or_zero(spec_of(service), "healthCheckNodePort") == 0
        && number_or_zero(before, "healthCheckNodePort") != 0
    {
        set(service, "healthCheckNodePort", at(before, "healthCheckNodePort").clone());
    }
}

/// A port without a node port keeps that of the port of its name, unless another port has taken it.
fn carry_node_ports(service: &mut Value, before: &Value) {
    let used: BTreeSet<i64> = node_ports(spec_of(service)).intersection(&node_ports(before)).copied().collect();
    let Some(ports) = spec_mut(service).and_then(|spec| spec.get_mut("ports")).and_then(Value::as_array_mut) else {
        return;
    };
    for port in ports {
        if number_or_zero(port, "nodePort") != 0 {
            continue;
        }
        let named = list(before, "ports").iter().rfind(|known| text(known, "name") == text(port, "name"));
        let number = named.map_or(0, |known| number_or_zero(known, "nodePort"));
        if let (true, Some(port)) = (number != 0 && !used.contains(&number), port.as_object_mut()) {
            port.insert("nodePort".into(), number.into());
        }
    }
}

/// The ports on nodes of a service's spec.
pub(crate) fn node_ports(spec: &Value) -> BTreeSet<i64> {
    list(spec, "ports").iter().map(|port| number_or_zero(port, "nodePort")).filter(|port| *port != 0).collect()
}

/// Clients that know `clusterIP` alone are understood: `clusterIPs` follows where they cannot have meant otherwise.
fn sync_cluster_ips(service: &mut Value, old: Option<&Value>) {
    let spec = spec_of(service);
    let ip = text(spec, "clusterIP").to_owned();
    let Some(old) = old else {
        if !ip.is_empty() && list(spec, "clusterIPs").is_empty() {
            set(service, "clusterIPs", json!([ip]));
        }
        return;
    };
    let before = spec_of(old);
    let was = text(before, "clusterIP");
    let untouched = same_texts(spec, before, "clusterIPs");
    if was == ip {
        if list(spec, "clusterIPs").is_empty() && !list(before, "clusterIPs").is_empty() {
            set(service, "clusterIPs", at(before, "clusterIPs").clone());
        }
    } else if untouched && !was.is_empty() && ip.is_empty() {
        remove(service, "clusterIPs");
    } else if untouched && !ip.is_empty() {
        set(service, "clusterIPs", json!([ip]));
    }
}

/// Whether a list of texts is the same; an absent one is empty.
fn same_texts(a: &Value, b: &Value, field: &str) -> bool {
    list(a, field) == list(b, field)
}

/// Drops what the new type has no use for, where it is as it was.
pub(super) fn drop_what_the_type_has_not(service: &mut Value, old: &Value) {
    let before = spec_of(old);
    let unchanged = |service: &Value, field: &str| at(spec_of(service), field) == at(before, field);
    if needs_cluster_ip(old) && !needs_cluster_ip(service) {
        if unchanged(service, "clusterIP") && same_texts(spec_of(service), before, "clusterIPs") {
            remove(service, "clusterIP");
            remove(service, "clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if unchanged(service, field) {
                remove(service, field);
            }
        }
    }
    if needs_node_ports(old)
        && !needs_node_ports(service)
        && node_ports(spec_of(service)).is_subset(&node_ports(before))
        && let Some(ports) = spec_mut(service).and_then(|spec| spec.get_mut("ports")).and_then(Value::as_array_mut)
    {
        for port in ports.iter_mut().filter_map(Value::as_object_mut) {
            port.remove("nodePort");
        }
    }
    if needs_health_check(old) && !needs_health_check(service) && unchanged(service, "healthCheckNodePort") {
        remove(service, "healthCheckNodePort");
    }
    let balanced = |service: &Value| text(spec_of(service), "type") == "LoadBalancer";
    if balanced(old) && !balanced(service) {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if unchanged(service, field) {
                remove(service, field);
            }
        }
    }
    if is_externally_accessible(old)
        && !is_externally_accessible(service)
        && unchanged(service, "externalTrafficPolicy")
    {
        remove(service, "externalTrafficPolicy");
    }
    if needs_cluster_ip(old) && !needs_cluster_ip(service) && unchanged(service, "internalTrafficPolicy") {
        remove(service, "internalTrafficPolicy");
    }
    if !balanced(service)
        && balanced(old)
        && let Some(status) = service.get_mut("status").and_then(Value::as_object_mut)
    {
        status.insert("loadBalancer".into(), Value::Object(Map::new()));
    }
}

fn set(service: &mut Value, field: &str, value: Value) {
    if let Some(spec) = spec_mut(service) {
        spec.insert(field.into(), value);
    }
}

fn remove(service: &mut Value, field: &str) {
    if let Some(spec) = spec_mut(service) {
        spec.remove(field);
    }
}
