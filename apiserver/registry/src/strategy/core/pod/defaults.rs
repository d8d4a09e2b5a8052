//! Values that a pod has and a template of one leaves open.

use apimachinery::quantity::Quantity;
use serde_json::{Map, Value, json};

use crate::strategy::pod_template;
use crate::validation::pod::resources::{aggregate, amounts, is_huge_page, is_overcommit_allowed, is_pod_level};
use crate::validation::read::{flag, map, number, present, text};

/// Fills in what upstream's defaulting does.
pub(super) fn apply(pod: &mut Value) {
    if let Some(fields) = pod.as_object_mut() {
        let spec = fields.entry("spec").or_insert(Value::Null);
        if spec.is_null() {
            *spec = json!({});
        }
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        pod_template::apply_defaults(spec);
        if spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds < 0) {
            spec.insert("terminationGracePeriodSeconds".into(), json!(1));
        }
        request_limits(spec);
        if spec.get("enableServiceLinks").is_none_or(Value::is_null) {
            spec.insert("enableServiceLinks".into(), json!(true));
        }
    }
    if let Some(spec) = pod.get_mut("spec").filter(|spec| spec.is_object()) {
        pod_level_resources(spec);
        host_ports(spec);
    }
    if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
        addresses(status);
    }
}

/// A limit without a request is a request.
fn request_limits(spec: &mut Map<String, Value>) {
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { continue };
            let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { continue };
            let requests = resources.entry("requests").or_insert_with(|| json!({}));
            if requests.is_null() {
                *requests = json!({});
            }
            if let Some(requests) = requests.as_object_mut() {
                for (name, amount) in limits {
                    requests.entry(name).or_insert(amount);
                }
            }
        }
    }
}

/// On the host's network every port is the host's.
fn host_ports(spec: &mut Value) {
    if !flag(spec, "hostNetwork") {
        return;
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for port in containers.filter_map(|container| container.get_mut("ports")?.as_array_mut()).flatten() {
            let own = number(port, "containerPort");
            if number(port, "hostPort") == 0
                && let Some(port) = port.as_object_mut()
            {
                port.insert("hostPort".into(), json!(own));
            }
        }
    }
}

/// What a pod asks for as a whole, where it says a part of it: the limits of huge pages and all requests follow from the
/// containers', and requests that none has from the limits.
fn pod_level_resources(spec: &mut Value) {
    let Some(resources) = present(spec, "resources") else { return };
    let said = |of: &str| map(resources, of).is_some_and(|amounts| !amounts.is_empty());
    let (has_limits, has_requests) = (said("limits"), said("requests"));
    let mut limits = map(resources, "limits").cloned().unwrap_or_default();
    let mut requests = map(resources, "requests").cloned().unwrap_or_default();
    if has_limits || has_requests {
        for (name, sum) in aggregate(spec, "limits") {
            if is_huge_page(&name) && !requests.contains_key(&name) {
                limits.entry(name).or_insert_with(|| shown(&sum));
            }
        }
    }
    if !limits.is_empty() {
        for (name, sum) in aggregate(spec, "requests") {
            if is_pod_level(&name) && is_overcommit_allowed(&name) {
                requests.entry(name).or_insert_with(|| shown(&sum));
            }
        }
        let of_limits = json!({ "limits": limits });
        for (name, most) in amounts(&of_limits, "limits").filter(|(name, _)| is_pod_level(name)) {
            requests.entry(name).or_insert_with(|| shown(&most));
        }
    }
    let Some(resources) = spec.get_mut("resources").and_then(Value::as_object_mut) else { return };
    for (of, amounts) in [("limits", limits), ("requests", requests)] {
        if !amounts.is_empty() {
            resources.insert(of.into(), Value::Object(amounts));
        }
    }
}

fn shown(amount: &Quantity) -> Value {
    amount.to_string().into()
}

/// The one address of before and the list of addresses agree; the one wins.
fn addresses(status: &mut Map<String, Value>) {
    let one = status.get("podIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = status.get("podIPs").and_then(|all| all.get(0)).map(|first| text(first, "ip").to_owned());
    match first {
        Some(first) if one.is_empty() => {
            status.insert("podIP".into(), first.into());
        }
        Some(first) if first == one => {}
        None if one.is_empty() => {}
        Some(_) | None => {
            status.insert("podIPs".into(), json!([{ "ip": one }]));
        }
    }
}
