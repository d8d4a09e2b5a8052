//! Services: what a client leaves out, what is carried over and what is dropped when the type changes. Addresses and node
//! ports are allocated by [`crate::allocation`] before any of this is checked.

pub(crate) mod families;
mod transition;
mod validate;

use apimachinery::field::{ErrorList, Path};
use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

use crate::allocation::{self, Allocation};
use crate::strategy::read::{at, deep, list, text};
use crate::strategy::{Facts, Scope, Strategy};
use crate::table::Row;

pub(crate) use transition::{carry_over, node_ports};
pub(in crate::strategy) use validate::load_balancer_status;

/// The cluster IP of a service that has none.
pub(crate) const HEADLESS: &str = "None";

#[derive(Debug)]
pub(in crate::strategy) struct Service;

impl Strategy for Service {
    fn facts(&self) -> &Facts {
        &Facts { create_on_update: true, ..Facts::DEFAULT }
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        validation::name_is_dns_label
    }

    fn apply_defaults(&self, object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
            object["spec"] = json!({});
            return self.apply_defaults(object);
        };
        let mut default = |field: &str, value: Value| {
            let entry = spec.entry(field).or_insert(Value::Null);
            if entry.is_null() || entry == "" {
                *entry = value;
            }
        };
        default("sessionAffinity", json!("None"));
        default("type", json!("ClusterIP"));
        let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if spec.get("sessionAffinity") == Some(&json!("None")) {
            spec.remove("sessionAffinityConfig");
        }
        if spec.get("sessionAffinity") == Some(&json!("ClientIP")) {
            let config = spec.entry("sessionAffinityConfig").or_insert_with(|| json!({}));
            if config.pointer("/clientIP/timeoutSeconds").is_none() {
                *config = json!({"clientIP": {"timeoutSeconds": 10800}});
            }
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(port) = port.as_object_mut() else { continue };
            if port.get("protocol").is_none_or(|protocol| protocol.is_null() || protocol == "") {
                port.insert("protocol".into(), json!("TCP"));
            }
            let target = port.get("targetPort").cloned().unwrap_or_default();
            if target.is_null() || target == json!(0) || target == json!("") {
                let number = port.get("port").cloned().unwrap_or_else(|| json!(0));
                port.insert("targetPort".into(), number);
            }
        }
        let mut default = |field: &str, value: Value| {
            let entry = spec.entry(field).or_insert(Value::Null);
            if entry.is_null() || entry == "" {
                *entry = value;
            }
        };
        if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
            default("internalTrafficPolicy", json!("Cluster"));
        }
        if kind == "LoadBalancer" {
            default("allocateLoadBalancerNodePorts", json!(true));
        }
        let external = object.get("spec").is_some_and(|_| is_externally_accessible(object));
        if external && text(spec_of(object), "externalTrafficPolicy").is_empty() {
            object["spec"]["externalTrafficPolicy"] = json!("Cluster");
        }
        if kind == "LoadBalancer" {
            let ingress = object.pointer_mut("/status/loadBalancer/ingress").and_then(Value::as_array_mut);
            for item in ingress.into_iter().flatten().filter_map(Value::as_object_mut) {
                let has_ip = item.get("ip").and_then(Value::as_str).is_some_and(|ip| !ip.is_empty());
                if has_ip && item.get("ipMode").is_none_or(Value::is_null) {
                    item.insert("ipMode".into(), json!("VIP"));
                }
            }
        }
    }

    fn allocation(&self) -> Option<&'static dyn Allocation> {
        Some(&allocation::SERVICE)
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) {
        if scope.subresource.is_empty() {
            transition::drop_what_the_type_has_not(object, old);
        }
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        validate::service(object, None)
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        if scope.subresource == "status" {
            let path = Path::new("status").child("loadBalancer");
            let of = |service| deep(service, "/status/loadBalancer");
            let kind = Some(text(spec_of(object), "type"));
            return load_balancer_status(of(object), of(old), kind, &path);
        }
        validate::change(object, old)
    }

    fn warnings(&self, object: &Value, _old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        if scope.subresource.is_empty() { validate::warnings(object) } else { Vec::new() }
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

/// A service's spec.
pub(crate) fn spec_of(service: &Value) -> &Value {
    at(service, "spec")
}

/// Whether it has no address of its own, and says so.
pub(crate) fn is_headless(service: &Value) -> bool {
    matches!(list(spec_of(service), "clusterIPs"), [only] if only == HEADLESS)
}

/// Whether traffic from outside comes to it.
pub(crate) fn is_externally_accessible(service: &Value) -> bool {
    let spec = spec_of(service);
    match text(spec, "type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !list(spec, "externalIPs").is_empty(),
        _ => false,
    }
}

/// Whether load balancers ask nodes about it on a port of its own.
pub(crate) fn needs_health_check(service: &Value) -> bool {
    let spec = spec_of(service);
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

/// Whether it has ports on nodes.
pub(crate) fn needs_node_ports(service: &Value) -> bool {
    matches!(text(spec_of(service), "type"), "NodePort" | "LoadBalancer")
}

/// Whether it has addresses (or says that it has none).
pub(crate) fn needs_cluster_ip(service: &Value) -> bool {
    text(spec_of(service), "type") != "ExternalName"
}

#[cfg(test)]
mod tests;
