//! Pods: defaults, phase and quality of service, graceful deletion.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::Quantity;
use serde_json::{Map, Value, json};

use crate::options::DeleteOptions;
use crate::strategy::{Facts, Generation, Scope, StatusOnCreate, Strategy};

#[derive(Debug)]
pub(super) struct Pod;

impl Strategy for Pod {
    fn facts(&self) -> &Facts {
        const FACTS: Facts =
            Facts { status_on_create: StatusOnCreate::Phase("Pending"), ..Facts::generation(Generation::Spec) };
        &FACTS
    }

    fn apply_defaults(&self, object: &mut Value) {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            super::super::pod_template::apply_defaults(spec);
            super::super::pod_template::request_limits(spec);
            set_default(spec, "enableServiceLinks", json!(true));
        }
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        let class = quality_of_service(object);
        object["status"] = json!({"phase": "Pending", "qosClass": class});
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) {
        match scope.subresource {
            "status" => {
                // A status write leaves deletion and owners alone.
                object.set_deletion_timestamp(old.deletion_timestamp());
                object.set_owner_references(old.owner_references().to_vec());
                if let Some(class) = old.pointer("/status/qosClass")
                    && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
                {
                    status.entry("qosClass").or_insert_with(|| class.clone());
                }
            }
            "ephemeralcontainers" => keep_but(object, old, &["ephemeralContainers"]),
            "resize" => {
                keep_but(object, old, &["containers", "initContainers"]);
                keep_but_resources(object, old);
            }
            _ => {}
        }
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        let path = Path::new("spec").child("containers");
        let containers = object.pointer("/spec/containers").and_then(Value::as_array);
        let mut errors = ErrorList::new();
        match containers {
            None => errors.push(Error::required(&path, "")),
            Some(containers) if containers.is_empty() => errors.push(Error::required(&path, "")),
            Some(containers) => {
                let mut names: Vec<&str> = Vec::new();
                for (at, container) in containers.iter().enumerate() {
                    let path = path.index(at);
                    let text = |field: &str| container.get(field).and_then(Value::as_str).unwrap_or_default();
                    let name = text("name");
                    if name.is_empty() {
                        errors.push(Error::required(&path.child("name"), ""));
                    } else {
                        let words = apimachinery::validation::is_dns1123_label(name);
                        errors.extend(words.into_iter().map(|words| Error::invalid(&path.child("name"), name, words)));
                    }
                    if names.contains(&name) {
                        errors.push(Error::duplicate(&path.child("name"), name));
                    }
                    names.push(name);
                    if text("image").trim().is_empty() {
                        errors.push(Error::required(&path.child("image"), ""));
                    }
                }
            }
        }
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        match scope.subresource {
            "status" => ErrorList::new(),
            "ephemeralcontainers" => ephemeral_update(object, old),
            "resize" => resize(object, old),
            _ => spec_update(object, old, scope),
        }
    }

    fn grace_period(&self, object: &Value, options: &DeleteOptions) -> Option<i64> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let spec = object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
        let mut period = options.grace_period_seconds.or(spec).unwrap_or(0);
        // Nothing runs that could end with grace.
        if text("/spec/nodeName").is_empty() || matches!(text("/status/phase"), "Succeeded" | "Failed") {
            period = 0;
        }
        Some(if period < 0 { 1 } else { period })
    }

    fn returns_deleted(&self) -> bool {
        true
    }
}

/// What may change of a pod that exists: images, deadlines, tolerations, and what other subresources write.
fn spec_update(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let (Some(new), Some(before)) = (object.get("spec"), old.get("spec")) else { return ErrorList::new() };
    let mut masked = new.clone();
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
        mask(&mut masked, before, field);
    }
    let gated = before.get("schedulingGates").and_then(Value::as_array).is_some_and(|gates| !gates.is_empty());
    mask(&mut masked, before, "schedulingGates");
    if gated {
        mask(&mut masked, before, "nodeSelector");
        mask(&mut masked, before, "affinity");
    }
    if scope.subresource == "binding" {
        mask(&mut masked, before, "nodeName");
    }
    for list in ["containers", "initContainers"] {
        let (Some(new), Some(old)) =
            (masked.get_mut(list).and_then(Value::as_array_mut), before.get(list).and_then(Value::as_array))
        else {
            continue;
        };
        for (new, old) in new.iter_mut().zip(old) {
            mask(new, old, "image");
        }
    }
    if masked == *before {
        return ErrorList::new();
    }
    let words = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                 `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                 `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    vec![Error::forbidden(&Path::new("spec"), words)]
}

/// The containers of a list of a pod's spec.
fn containers<'a>(pod: &'a Value, list: &str) -> &'a [Value] {
    let list = pod.get("spec").and_then(|spec| spec.get(list)).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn name_of(container: &Value) -> &str {
    container.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Of containers that are resized only resources and the policy change; lists of another length are left to [`resize`].
fn keep_but_resources(object: &mut Value, old: &Value) {
    for list in ["containers", "initContainers"] {
        let before = containers(old, list);
        let Some(after) = object.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut)
        else {
            continue;
        };
        if after.len() != before.len() {
            continue;
        }
        for (new, old) in after.iter_mut().zip(before) {
            let mut kept = old.clone();
            for field in ["resources", "resizePolicy"] {
                mask(&mut kept, new, field);
            }
            *new = kept;
        }
    }
}

/// Ephemeral containers are added, never changed or removed, and have no ports, probes or resources of their own.
fn ephemeral_update(object: &Value, old: &Value) -> ErrorList {
    const FORBIDDEN: [&str; 7] =
        ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources", "resizePolicy"];
    let path = Path::new("spec").child("ephemeralContainers");
    let mut errors = ErrorList::new();
    let new = containers(object, "ephemeralContainers");
    let mut names: Vec<&str> =
        ["containers", "initContainers"].iter().flat_map(|list| containers(object, list)).map(name_of).collect();
    for (at, container) in new.iter().enumerate() {
        let path = path.index(at);
        let name = name_of(container);
        if name.is_empty() {
            errors.push(Error::required(&path.child("name"), ""));
        } else if names.contains(&name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        names.push(name);
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let set = FORBIDDEN.iter().filter(|field| container.get(**field).is_some_and(|value| !is_empty(value)));
        errors
            .extend(set.map(|field| Error::forbidden(&path.child(field), "cannot be set for an Ephemeral Container")));
    }
    for before in containers(old, "ephemeralContainers") {
        let name = name_of(before);
        let what = match new.iter().find(|container| name_of(container) == name) {
            None => "removed",
            Some(container) if container != before => "changed",
            Some(_) => continue,
        };
        let words = format!("existing ephemeral containers \"{name}\" may not be {what}\n");
        errors.push(Error::forbidden(&path, words));
    }
    errors
}

/// A resize changes no container but its resources, and not the pod's class.
fn resize(object: &Value, old: &Value) -> ErrorList {
    let path = Path::new("spec");
    for list in ["containers", "initContainers"] {
        if containers(object, list).len() != containers(old, list).len() {
            return vec![Error::forbidden(&path.child(list), "containers may not be added or removed on resize")];
        }
    }
    let mut errors = ErrorList::new();
    for list in ["containers", "initContainers"] {
        for (at, container) in containers(object, list).iter().enumerate() {
            let resources = path.child(list).index(at).child("resources").child("requests");
            let requests = container.pointer("/resources/requests").and_then(Value::as_object);
            for (name, request) in requests.into_iter().flatten() {
                let limit = container.get("resources").and_then(|all| all.get("limits")).and_then(|all| all.get(name));
                let (Some(request), Some(limit)) = (request.as_str(), limit.and_then(Value::as_str)) else { continue };
                let amounts = (request.parse::<Quantity>(), limit.parse::<Quantity>());
                if let (Ok(requested), Ok(most)) = amounts
                    && requested > most
                {
                    let words = format!("must be less than or equal to {name} limit of {limit}");
                    errors.push(Error::invalid(&resources, request, words));
                }
            }
        }
    }
    // Upstream names the class that the status still has.
    let class = quality_of_service(old);
    if errors.is_empty() && class != quality_of_service(object) {
        errors.push(Error::invalid(&path, class, "Pod QOS Class may not change as a result of resizing"));
    }
    errors
}

/// Makes `field` of `new` what it was.
fn mask(new: &mut Value, old: &Value, field: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => fields.insert(field.into(), value.clone()),
        None => fields.remove(field),
    };
}

/// The old object with the new owners and these fields of the new spec.
fn keep_but(object: &mut Value, old: &Value, fields: &[&str]) {
    let mut kept = old.clone();
    for field in fields {
        let value = object.get("spec").and_then(|spec| spec.get(*field)).cloned();
        if let Some(spec) = kept.get_mut("spec").and_then(Value::as_object_mut) {
            match value {
                Some(value) => spec.insert((*field).into(), value),
                None => spec.remove(*field),
            };
        }
    }
    // Of metadata no more than who owns what, and the version it was read in.
    for field in ["managedFields", "resourceVersion"] {
        let value = object.metadata().and_then(|metadata| metadata.get(field)).cloned();
        match value {
            Some(value) => kept.metadata_mut().insert(field.into(), value),
            None => kept.metadata_mut().remove(field),
        };
    }
    *object = kept;
}

fn set_default(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let entry = fields.entry(name).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value;
    }
}

/// Guaranteed where every container has limits of cpu and memory and requests no less, BestEffort where none has either.
fn quality_of_service(pod: &Value) -> &'static str {
    let lists = ["containers", "initContainers"].map(|list| pod.get("spec").and_then(|spec| spec.get(list)));
    let containers = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    let amount = |container: &Value, list: &str, name: &str| {
        let text = container.pointer(&format!("/resources/{list}/{name}"))?.as_str()?;
        text.parse::<Quantity>().ok().filter(|quantity| !quantity.is_zero())
    };
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        for name in ["cpu", "memory"] {
            let (limit, request) = (amount(container, "limits", name), amount(container, "requests", name));
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (_, true) => "Guaranteed",
        _ => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}],
            "ephemeralContainers": [{"name": "dbg", "image": "b"}]}})
    }

    fn words(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ephemeral_containers_are_only_added() {
        let cases = [
            (json!([{"name": "dbg", "image": "b"}, {"name": "more"}]), vec![]),
            (
                json!([]),
                vec!["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"dbg\" may not be removed\n"],
            ),
            (
                json!([{"name": "dbg", "image": "b"}, {"name": "c"}]),
                vec!["spec.ephemeralContainers[1].name: Duplicate value: \"c\""],
            ),
            (
                json!([{"name": "dbg", "image": "b"}, {"name": "d", "ports": [{"containerPort": 80}], "resources": {}}]),
                vec!["spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container"],
            ),
        ];
        for (list, expected) in cases {
            let mut new = pod();
            new["spec"]["ephemeralContainers"] = list.clone();
            assert_eq!(words(&ephemeral_update(&new, &pod())), expected, "{list}");
        }
    }

    #[test]
    fn a_resize_changes_resources_alone_within_the_class_and_the_limits() {
        let mut new = pod();
        new["metadata"]["labels"] = json!({"a": "b"});
        new["spec"]["containers"][0] = json!({"name": "c", "image": "other",
            "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1500m"}}});
        keep_but(&mut new, &pod(), &["containers", "initContainers"]);
        keep_but_resources(&mut new, &pod());
        assert_eq!((new.labels(), &new["spec"]["containers"][0]["image"]), (None, &json!("i")));
        assert_eq!(words(&resize(&new, &pod())), [""; 0]);
        new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "3".into();
        assert_eq!(
            words(&resize(&new, &pod())),
            [
                "spec.containers[0].resources.requests: Invalid value: \"3\": must be less than or equal to cpu limit of 2"
            ]
        );
        new["spec"]["containers"] = json!([]);
        assert_eq!(
            words(&resize(&new, &pod())),
            ["spec.containers: Forbidden: containers may not be added or removed on resize"]
        );
    }
}
