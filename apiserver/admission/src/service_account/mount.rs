//! The volume with the account's token.

use serde_json::{Value, json};

use super::{GenerateName, list, text};

/// How the volume's name begins.
const VOLUME: &str = "kube-api-access-";
/// Where clients look for the token.
const PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the token asks for, in seconds; whoever makes it knows by the odd number that it is for such a volume.
const EXPIRATION: i64 = 60 * 60 + 7;

/// Mounts the volume into every container that has nothing at its path, and adds it if one does.
pub(super) fn token(spec: &mut Value, generate_name: GenerateName) {
    let present = list(spec, "volumes").map(|volume| text(volume, "name")).find(|name| name.starts_with(VOLUME));
    let present = present.map(str::to_owned);
    let name = present.clone().unwrap_or_else(|| generate_name(VOLUME));
    let mut is_needed = false;
    for containers in ["initContainers", "containers"] {
        let containers = spec.get_mut(containers).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter(|container| container.is_object()) {
            if list(container, "volumeMounts").any(|mount| text(mount, "mountPath") == PATH) {
                continue;
            }
            let mount = json!({"name": name, "readOnly": true, "mountPath": PATH});
            push(container, "volumeMounts", mount);
            is_needed = true;
        }
    }
    if is_needed && present.is_none() {
        push(spec, "volumes", json!({"name": name, "projected": source()}));
    }
}

fn push(of: &mut Value, field: &str, item: Value) {
    match of.get_mut(field).and_then(Value::as_array_mut) {
        Some(items) => items.push(item),
        None => of[field] = json!([item]),
    }
}

fn source() -> Value {
    json!({
        "defaultMode": 0o644,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": EXPIRATION, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
            ]}},
        ],
    })
}
