//! Services: the defaults that every client relies on. Cluster IPs are allocated by [`crate::strategy`]'s caller when there is
//! an allocator.

use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

use crate::strategy::{Facts, Scope, Strategy};
use crate::table::Row;

#[derive(Debug)]
pub(super) struct Service;

impl Strategy for Service {
    fn facts(&self) -> &Facts {
        &Facts { create_on_update: true, ..Facts::DEFAULT }
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        validation::name_is_dns1035_label
    }

    fn apply_defaults(&self, object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
        let mut default = |field: &str, value: Value| {
            let entry = spec.entry(field).or_insert(Value::Null);
            if entry.is_null() {
                *entry = value;
            }
        };
        default("sessionAffinity", json!("None"));
        default("type", json!("ClusterIP"));
        let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if spec.get("sessionAffinity") == Some(&json!("ClientIP")) {
            let config = spec.entry("sessionAffinityConfig").or_insert_with(|| json!({}));
            if config.pointer("/clientIP/timeoutSeconds").is_none() {
                config["clientIP"] = json!({"timeoutSeconds": 10800});
            }
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(port) = port.as_object_mut() else { continue };
            port.entry("protocol").or_insert_with(|| json!("TCP"));
            let target = port.get("targetPort").cloned().unwrap_or_default();
            if target.is_null() || target == json!(0) || target == json!("") {
                let number = port.get("port").cloned().unwrap_or_else(|| json!(0));
                port.insert("targetPort".into(), number);
            }
        }
        if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
            spec.entry("externalTrafficPolicy").or_insert_with(|| json!("Cluster"));
        }
        if kind != "ExternalName" {
            spec.entry("internalTrafficPolicy").or_insert_with(|| json!("Cluster"));
        }
        if kind == "LoadBalancer" {
            spec.entry("allocateLoadBalancerNodePorts").or_insert_with(|| json!(true));
        }
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        settle_families(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, _scope: &Scope<'_>) {
        // What was allocated stays unless the client says otherwise.
        let external = object.pointer("/spec/type") == Some(&json!("ExternalName"));
        if let (false, Some(spec), Some(before)) =
            (external, object.get_mut("spec").and_then(Value::as_object_mut), old.get("spec"))
        {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                let is_empty =
                    |value: &Value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
                if spec.get(field).is_none_or(is_empty)
                    && let Some(value) = before.get(field)
                {
                    spec.insert(field.into(), value.clone());
                }
            }
        }
        settle_families(object);
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

fn settle_families(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    if let Some(ip) = spec.get("clusterIP").and_then(Value::as_str).filter(|ip| !ip.is_empty()).map(str::to_owned) {
        spec.entry("clusterIPs").or_insert_with(|| json!([ip]));
    }
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy").or_insert_with(|| json!("SingleStack"));
}
