//! The defaults of a pod's spec, in pods and in every template of one.

use serde_json::{Map, Value, json};

/// Fills in what upstream's defaulting does.
pub(crate) fn apply_defaults(spec: &mut Map<String, Value>) {
    set(spec, "restartPolicy", || json!("Always"));
    set(spec, "terminationGracePeriodSeconds", || json!(30));
    set(spec, "dnsPolicy", || json!("ClusterFirst"));
    set(spec, "schedulerName", || json!("default-scheduler"));
    set(spec, "securityContext", || json!({}));
    let host_network = spec.get("hostNetwork").and_then(Value::as_bool).unwrap_or(false);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                apply_container_defaults(container, host_network);
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        apply_volume_defaults(volume);
    }
    // What an account is called has two names.
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        set(spec, "serviceAccount", || account);
    } else if let Some(account) = spec.get("serviceAccount").cloned() {
        set(spec, "serviceAccountName", || account);
    }
}

fn apply_container_defaults(container: &mut Map<String, Value>, host_network: bool) {
    set(container, "terminationMessagePath", || json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", || json!("File"));
    set(container, "resources", || json!({}));
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let latest = is_latest(image);
    set(container, "imagePullPolicy", || json!(if latest { "Always" } else { "IfNotPresent" }));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        set(port, "protocol", || json!("TCP"));
        if let (true, Some(number)) = (host_network, port.get("containerPort").cloned()) {
            set(port, "hostPort", || number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) else { continue };
        set(probe, "timeoutSeconds", || json!(1));
        set(probe, "periodSeconds", || json!(10));
        set(probe, "successThreshold", || json!(1));
        set(probe, "failureThreshold", || json!(3));
        if let Some(get) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            set(get, "path", || json!("/"));
            set(get, "scheme", || json!("HTTP"));
        }
        if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
            set(grpc, "service", || json!(""));
        }
    }
    for handler in ["postStart", "preStop"] {
        let get = container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(handler));
        if let Some(get) = get.and_then(|handler| handler.get_mut("httpGet")).and_then(Value::as_object_mut) {
            set(get, "path", || json!("/"));
            set(get, "scheme", || json!("HTTP"));
        }
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef").and_then(Value::as_object_mut) {
            set(field, "apiVersion", || json!("v1"));
        }
    }
}

/// In a pod (not in a template of one) a limit without a request is a request.
pub(crate) fn request_limits(spec: &mut Map<String, Value>) {
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { continue };
            let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { continue };
            let requests = resources.entry("requests").or_insert_with(|| json!({}));
            if let Some(requests) = requests.as_object_mut() {
                for (name, amount) in limits {
                    requests.entry(name).or_insert(amount);
                }
            }
        }
    }
}

fn apply_volume_defaults(volume: &mut Value) {
    for (source, field) in [
        ("secret", "defaultMode"),
        ("configMap", "defaultMode"),
        ("downwardAPI", "defaultMode"),
        ("projected", "defaultMode"),
    ] {
        if let Some(source) = volume.get_mut(source).and_then(Value::as_object_mut) {
            set(source, field, || json!(420));
        }
    }
    if let Some(path) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        set(path, "type", || json!(""));
    }
    let items = volume.pointer_mut("/downwardAPI/items").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
            set(field, "apiVersion", || json!("v1"));
        }
    }
    for source in volume.pointer_mut("/projected/sources").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
            set(token, "expirationSeconds", || json!(3600));
        }
        let items = source.pointer_mut("/downwardAPI/items").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
                set(field, "apiVersion", || json!("v1"));
            }
        }
    }
}

/// Whether an image reference means the newest: tag `latest`, or neither tag nor digest.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

fn set(fields: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) {
    let entry = fields.entry(name).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        let cases = [
            ("i", true),
            ("i:latest", true),
            ("r:5000/i", true),
            ("i:1", false),
            ("i@sha256:x", false),
            ("r:5000/i:2", false),
        ];
        for (image, latest) in cases {
            assert_eq!(super::is_latest(image), latest, "{image}");
        }
    }
}
