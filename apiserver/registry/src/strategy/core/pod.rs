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
            "resize" => keep_but(object, old, &["containers", "initContainers"]),
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
        if scope.subresource == "status" { ErrorList::new() } else { spec_update(object, old, scope) }
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
    match scope.subresource {
        "ephemeralcontainers" => mask(&mut masked, before, "ephemeralContainers"),
        "binding" => mask(&mut masked, before, "nodeName"),
        _ => {}
    }
    for list in ["containers", "initContainers"] {
        let (Some(new), Some(old)) =
            (masked.get_mut(list).and_then(Value::as_array_mut), before.get(list).and_then(Value::as_array))
        else {
            continue;
        };
        for (new, old) in new.iter_mut().zip(old) {
            mask(new, old, "image");
            if scope.subresource == "resize" {
                mask(new, old, "resources");
                mask(new, old, "resizePolicy");
            }
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

/// Makes `field` of `new` what it was.
fn mask(new: &mut Value, old: &Value, field: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => fields.insert(field.into(), value.clone()),
        None => fields.remove(field),
    };
}

/// The old object with the new metadata and these fields of the new spec.
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
    *kept.metadata_mut() = object.metadata().cloned().unwrap_or_default();
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
