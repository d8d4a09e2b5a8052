//! The defaults of a pod's spec, in pods and in every template of one.

use apimachinery::quantity::Quantity;
use serde_json::{Map, Value, json};

/// Fills in what upstream's defaulting does.
pub(crate) fn apply_defaults(spec: &mut Map<String, Value>) {
    set(spec, "restartPolicy", || json!("Always"));
    set(spec, "terminationGracePeriodSeconds", || json!(30));
    set(spec, "dnsPolicy", || json!("ClusterFirst"));
    set(spec, "schedulerName", || json!("default-scheduler"));
    set(spec, "securityContext", || json!({}));
    round_amounts(spec.get_mut("overhead"));
    round_resources(spec.get_mut("resources"));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                apply_container_defaults(container);
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        apply_volume_defaults(volume);
    }
    // What an account is called has two names; the newer one wins.
    let names = ["serviceAccountName", "serviceAccount"];
    let account = names.iter().find_map(|name| spec.get(*name)?.as_str().filter(|account| !account.is_empty()));
    if let Some(account) = account.map(str::to_owned) {
        for name in names {
            spec.insert(name.into(), json!(account));
        }
    }
}

fn apply_container_defaults(container: &mut Map<String, Value>) {
    set(container, "terminationMessagePath", || json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", || json!("File"));
    set(container, "resources", || json!({}));
    round_resources(container.get_mut("resources"));
    let latest = is_latest(container.get("image").and_then(Value::as_str).unwrap_or_default());
    set(container, "imagePullPolicy", || json!(pull_policy(latest)));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(port) = port.as_object_mut() else { continue };
        set(port, "protocol", || json!("TCP"));
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) else { continue };
        for (name, number) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            if probe.get(name).and_then(Value::as_i64).unwrap_or(0) == 0 {
                probe.insert(name.into(), json!(number));
            }
        }
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
        if let Some(field) = at_mut(variable, &["valueFrom", "fieldRef"]).and_then(Value::as_object_mut) {
            set(field, "apiVersion", || json!("v1"));
        }
    }
}

/// What is below these fields.
fn at_mut<'a>(value: &'a mut Value, fields: &[&str]) -> Option<&'a mut Value> {
    fields.iter().try_fold(value, |value, field| value.get_mut(field))
}

/// Rounds limits and requests.
fn round_resources(resources: Option<&mut Value>) {
    let Some(resources) = resources else { return };
    for of in ["limits", "requests"] {
        round_amounts(resources.get_mut(of));
    }
}

/// Amounts are kept to a thousandth, rounded up.
pub(super) fn round_amounts(amounts: Option<&mut Value>) {
    for amount in amounts.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Ok(exact) = Quantity::from_value(amount) {
            let rounded = exact.rounded_up_to_milli();
            if rounded != exact {
                *amount = rounded.to_string().into();
            }
        }
    }
}

/// When an image is pulled of which nothing is said.
fn pull_policy(latest: bool) -> &'static str {
    if latest { "Always" } else { "IfNotPresent" }
}

fn apply_volume_defaults(volume: &mut Value) {
    if let Some(fields) = volume.as_object_mut()
        && fields.iter().all(|(field, source)| field == "name" || source.is_null())
    {
        fields.insert("emptyDir".into(), json!({}));
    }
    if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut) {
        let latest = is_latest(image.get("reference").and_then(Value::as_str).unwrap_or_default());
        set(image, "pullPolicy", || json!(pull_policy(latest)));
    }
    if let Some(claim) = at_mut(volume, &["ephemeral", "volumeClaimTemplate", "spec"]).and_then(Value::as_object_mut) {
        set(claim, "volumeMode", || json!("Filesystem"));
        round_resources(claim.get_mut("resources"));
    }
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
    let items = at_mut(volume, &["downwardAPI", "items"]).and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
            set(field, "apiVersion", || json!("v1"));
        }
    }
    for source in at_mut(volume, &["projected", "sources"]).and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(token) = source.get_mut("serviceAccountToken").and_then(Value::as_object_mut) {
            set(token, "expirationSeconds", || json!(3600));
        }
        let items = at_mut(source, &["downwardAPI", "items"]).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
                set(field, "apiVersion", || json!("v1"));
            }
        }
    }
}

/// Whether an image reference means the newest: tag `latest`, or neither tag nor digest. What is no reference means nothing.
fn is_latest(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let path_start = name.rfind('/').map_or(0, |at| at + 1);
    let (repository, tag) = match name[path_start..].find(':') {
        Some(colon) => (&name[..path_start + colon], Some(&name[path_start + colon + 1..])),
        None => (name, None),
    };
    is_repository(repository) && tag.map_or(digest.is_none(), |tag| tag == "latest")
}

/// Whether a text names a repository: a registry, if it looks like one, and parts in lower case.
fn is_repository(name: &str) -> bool {
    let is_registry = |text: &str| {
        text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    let path = match name.split_once('/') {
        Some((registry, path)) if is_registry(registry) => path,
        _ => name,
    };
    path.split('/').all(|part| {
        let is_letter = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = part.as_bytes();
        bytes.first().is_some_and(is_letter)
            && bytes.last().is_some_and(is_letter)
            && bytes.iter().all(|byte| is_letter(byte) || matches!(byte, b'.' | b'_' | b'-'))
    })
}

fn set(fields: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) {
    let entry = fields.entry(name).or_insert(Value::Null);
    if entry.is_null() || (entry == "" && name != "service") {
        *entry = value();
    }
}

/// Drops what only features that are off by default know, unless the object had it.
pub(crate) fn drop_disabled(object: &mut Value, old: Option<&Value>) {
    let had = |pointer: &str| old.and_then(|old| old.pointer(pointer)).is_some_and(|value| !value.is_null());
    if !had("/spec/schedulingGroup")
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("schedulingGroup");
    }
    let sources = |of: &Value| -> Vec<Value> {
        let volumes = of.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
        volumes.filter_map(|volume| volume.pointer("/projected/sources")?.as_array()).flatten().cloned().collect()
    };
    let before = old.map(sources).unwrap_or_default();
    for kind in ["clusterTrustBundle", "podCertificate"] {
        if before.iter().any(|source| source.get(kind).is_some_and(|value| !value.is_null())) {
            continue;
        }
        let volumes = at_mut(object, &["spec", "volumes"]).and_then(Value::as_array_mut).into_iter().flatten();
        let sources = volumes.filter_map(|volume| at_mut(volume, &["projected", "sources"])?.as_array_mut()).flatten();
        for source in sources.filter_map(Value::as_object_mut) {
            source.remove(kind);
        }
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
            ("i:latest@sha256:x", true),
            ("r:5000/x/y", true),
            ("", false),
            ("Upper", false),
            ("R.example.com/i", true),
        ];
        for (image, latest) in cases {
            assert_eq!(super::is_latest(image), latest, "{image}");
        }
    }
}
