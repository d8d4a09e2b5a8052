//! Services: the defaults that every client relies on. Cluster IPs are allocated by [`crate::strategy`]'s caller when there is
//! an allocator.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, NameFn};
use serde_json::{Value, json};

use crate::strategy::{Facts, Scope, Strategy};
use crate::table::Row;

/// The cluster IP of a service that has none.
const HEADLESS: &str = "None";

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
        if spec.get("sessionAffinity") == Some(&json!("None")) {
            spec.remove("sessionAffinityConfig");
        }
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
        let takes_external_traffic = match kind.as_str() {
            "NodePort" | "LoadBalancer" => true,
            "ClusterIP" => spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty()),
            _ => false,
        };
        if takes_external_traffic {
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

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        validate_spec(object)
    }

    fn warnings(&self, object: &Value, _old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        if scope.subresource.is_empty() { headless_warnings(object) } else { Vec::new() }
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

/// What a service without an address of its own pays no heed to.
fn headless_warnings(service: &Value) -> Vec<String> {
    let Some(spec) = service.get("spec") else { return Vec::new() };
    let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("clusterIP") != HEADLESS || text("type") == "ExternalName" {
        return Vec::new();
    }
    let external = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    let ignored = [
        (!text("loadBalancerIP").is_empty(), "loadBalancerIP"),
        (external, "externalIPs"),
        (text("sessionAffinity") == "ClientIP", "SessionAffinity"),
    ];
    let ignored = ignored.into_iter().filter(|(is_set, _)| *is_set);
    ignored.map(|(_, field)| format!("spec.{field} is ignored for headless services")).collect()
}

fn settle_families(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    if let Some(ip) = spec.get("clusterIP").and_then(Value::as_str).filter(|ip| !ip.is_empty()).map(str::to_owned) {
        spec.entry("clusterIPs").or_insert_with(|| json!([ip]));
    }
    let selects = spec.get("selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty());
    if spec.get("clusterIP") == Some(&json!(HEADLESS)) && !selects {
        // Whoever writes its endpoints may give them addresses of both families, whatever the cluster has.
        let policy = spec.entry("ipFamilyPolicy").or_insert_with(|| json!("RequireDualStack"));
        let single = *policy == "SingleStack";
        let families = spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
        if let (false, Some([only])) = (single, families.as_array().map(Vec::as_slice)) {
            let other = if *only == "IPv4" { "IPv6" } else { "IPv4" };
            *families = json!([only, other]);
        }
        return;
    }
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy").or_insert_with(|| json!("SingleStack"));
}

/// What is wrong with a service's ports and its affinity.
fn validate_spec(service: &Value) -> ErrorList {
    let path = Path::new("spec");
    let mut errors = ErrorList::new();
    let Some(spec) = service.get("spec").and_then(Value::as_object) else { return errors };
    let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default();
    let ports = spec.get("ports").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let needs_ports = text("clusterIP") != HEADLESS && text("type") != "ExternalName";
    if ports.is_empty() && needs_ports {
        errors.push(Error::required(&path.child("ports"), ""));
    }
    let mut names: Vec<&str> = Vec::with_capacity(ports.len());
    for (at, port) in ports.iter().enumerate() {
        validate_port(port, ports.len() > 1, &mut names, &path.child("ports").index(at), &mut errors);
    }
    let affinity = text("sessionAffinity");
    if affinity.is_empty() {
        errors.push(Error::required(&path.child("sessionAffinity"), ""));
    } else if !matches!(affinity, "ClientIP" | "None") {
        errors.push(Error::not_supported(&path.child("sessionAffinity"), affinity, &["ClientIP", "None"]));
    }
    errors
}

fn validate_port<'a>(port: &'a Value, named: bool, names: &mut Vec<&'a str>, path: &Path, errors: &mut ErrorList) {
    let name = port.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() && named {
        errors.push(Error::required(&path.child("name"), ""));
    } else if !name.is_empty() {
        let words = validation::is_dns1123_label(name);
        errors.extend(words.into_iter().map(|words| Error::invalid(&path.child("name"), name, words)));
        if names.contains(&name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        names.push(name);
    }
    let mut check_number = |field: &str, number: i64| {
        let words = validation::is_valid_port_number(number);
        errors.extend(words.into_iter().map(|words| Error::invalid(&path.child(field), number, words)));
    };
    check_number("port", port.get("port").and_then(Value::as_i64).unwrap_or(0));
    match port.get("targetPort") {
        Some(Value::String(target)) => {
            let words = validation::is_valid_port_name(target);
            let target = target.as_str();
            errors.extend(words.into_iter().map(|words| Error::invalid(&path.child("targetPort"), target, words)));
        }
        target => check_number("targetPort", target.and_then(Value::as_i64).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: Value) -> Value {
        let mut service = json!({"metadata": {"name": "s"}, "spec": spec});
        Service.apply_defaults(&mut service);
        settle_families(&mut service);
        service
    }

    #[test]
    fn a_headless_service_without_selector_has_both_families() {
        let cases = [
            (json!({"clusterIP": "None"}), json!(["IPv4", "IPv6"]), "RequireDualStack"),
            (json!({"clusterIP": "None", "selector": {"a": "b"}}), json!(["IPv4"]), "SingleStack"),
            (json!({"clusterIP": "None", "ipFamilyPolicy": "SingleStack"}), json!(["IPv4"]), "SingleStack"),
            (json!({}), json!(["IPv4"]), "SingleStack"),
        ];
        for (spec, families, policy) in cases {
            let made = service(spec.clone());
            assert_eq!(
                (&made["spec"]["ipFamilies"], &made["spec"]["ipFamilyPolicy"]),
                (&families, &json!(policy)),
                "{spec}"
            );
        }
    }

    #[test]
    fn affinity_keeps_its_settings_only_while_it_is_on() {
        let settings = json!({"clientIP": {"timeoutSeconds": 5}});
        let off = service(json!({"sessionAffinity": "None", "sessionAffinityConfig": settings}));
        assert_eq!(off["spec"].get("sessionAffinityConfig"), None);
        let on = service(json!({"sessionAffinity": "ClientIP"}));
        assert_eq!(on["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10800);
    }

    #[test]
    fn ports_and_affinity_are_checked() {
        let wrong = service(json!({"clusterIP": "None", "sessionAffinity": "Sometimes",
            "ports": [{"port": 70000}, {"name": "http", "port": 80}, {"name": "http", "port": 81, "targetPort": "web"}]}));
        let found: Vec<String> = validate_spec(&wrong).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.ports[0].name: Required value",
                "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.ports[2].name: Duplicate value: \"http\"",
                "spec.sessionAffinity: Unsupported value: \"Sometimes\": supported values: \"ClientIP\", \"None\"",
            ]
        );
        assert_eq!(validate_spec(&service(json!({}))).len(), 1, "a service with an address needs ports");
    }

    #[test]
    fn what_a_headless_service_ignores_is_warned_of() {
        let ignored =
            service(json!({"clusterIP": "None", "externalIPs": ["192.0.2.1"], "sessionAffinity": "ClientIP"}));
        assert_eq!(
            headless_warnings(&ignored),
            [
                "spec.externalIPs is ignored for headless services",
                "spec.SessionAffinity is ignored for headless services",
            ]
        );
        assert!(headless_warnings(&service(json!({"sessionAffinity": "ClientIP"}))).is_empty());
    }
}
