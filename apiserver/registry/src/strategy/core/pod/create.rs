//! The first state of a new pod.

use apimachinery::ObjectExt;
use apimachinery::field::{ErrorList, Path};
use serde_json::{Map, Value, json};

use super::quality;
use crate::strategy::{Scope, pod_template};
use crate::validation::pod::profiles::{APP_ARMOR, validate_app_armor};
use crate::validation::read::{annotation, list, present, text, texts};

/// Resets what the cluster says of a pod, and writes out what the pod's labels and annotations imply.
pub(super) fn prepare(pod: &mut Value, scope: &Scope<'_>) {
    let mut status = json!({"phase": "Pending", "qosClass": quality::class(pod)});
    if !list(&pod["spec"], "schedulingGates").is_empty() {
        status["conditions"] = json!([{
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": null,
            "lastTransitionTime": scope.now,
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
    if let Some(fields) = pod.as_object_mut() {
        fields.insert("status".into(), status);
    }
    pod_template::drop_disabled(pod, None);
    let labels = pod.labels().cloned().unwrap_or_default();
    if let Some(spec) = pod.get_mut("spec") {
        select_own_labels(spec, &labels);
    }
    take_profiles_from_annotations(pod, scope);
}

/// Keys of labels become expressions with the pod's own values.
fn select_own_labels(spec: &mut Value, labels: &Map<String, Value>) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = spec.get_mut("affinity").and_then(|affinity| affinity.get_mut(kind)) else { continue };
        let terms = |field: &str| format!("{field}DuringSchedulingIgnoredDuringExecution");
        for term in pods.get_mut(terms("preferred")).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(term) = term.get_mut("podAffinityTerm") {
                add_expressions(term, labels);
            }
        }
        for term in pods.get_mut(terms("required")).and_then(Value::as_array_mut).into_iter().flatten() {
            add_expressions(term, labels);
        }
    }
    for constraint in spec.get_mut("topologySpreadConstraints").and_then(Value::as_array_mut).into_iter().flatten() {
        add_expressions(constraint, labels);
    }
}

fn add_expressions(term: &mut Value, labels: &Map<String, Value>) {
    let mut added = Vec::new();
    for (field, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        for key in texts(term, field) {
            if let Some(value) = labels.get(key) {
                added.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
    let Some(selector) = term.get_mut("labelSelector").and_then(Value::as_object_mut) else { return };
    if added.is_empty() {
        return;
    }
    let expressions = selector.entry("matchExpressions").or_insert_with(|| json!([]));
    if expressions.is_null() {
        *expressions = json!([]);
    }
    if let Some(expressions) = expressions.as_array_mut() {
        expressions.extend(added);
    }
}

/// An AppArmor profile in an annotation becomes a field, and costs a warning.
fn take_profiles_from_annotations(pod: &mut Value, scope: &Scope<'_>) {
    let is_windows = pod.pointer("/spec/os/name").is_some_and(|name| name == "windows");
    let Some(annotations) = pod.annotations().filter(|annotations| !annotations.is_empty() && !is_windows) else {
        return;
    };
    let metadata = json!({ "annotations": annotations });
    let of_pod = pod.pointer("/spec/securityContext/appArmorProfile").filter(|profile| !profile.is_null()).cloned();
    for list in crate::validation::pod::CONTAINER_LISTS {
        let containers = pod.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let key = format!("{APP_ARMOR}{}", text(container, "name"));
            let Some(said) = annotation(&metadata, &key) else { continue };
            let context = container.get("securityContext");
            if context.is_some_and(|context| present(context, "appArmorProfile").is_some()) {
                continue;
            }
            let profile = profile_of(said);
            let mut warns = profile.is_none();
            if let Some(profile) = profile.filter(|profile| of_pod.as_ref() != Some(profile))
                && let Some(container) = container.as_object_mut()
            {
                let context = container.entry("securityContext").or_insert_with(|| json!({}));
                if !context.is_object() {
                    *context = json!({});
                }
                context["appArmorProfile"] = profile;
                warns = true;
            }
            if warns {
                let at = Path::new("metadata").child("annotations").key(&key);
                let words = format!("{at}: deprecated since v1.30; use the \"appArmorProfile\" field instead");
                scope.warnings.warn(words);
            }
        }
    }
}

/// The profile that an annotation names, if it is one.
fn profile_of(said: &str) -> Option<Value> {
    let profile = match said {
        "runtime/default" => json!({"type": "RuntimeDefault"}),
        "unconfined" => json!({"type": "Unconfined"}),
        _ => json!({"type": "Localhost", "localhostProfile": said.strip_prefix("localhost/")?}),
    };
    let mut errors = ErrorList::new();
    validate_app_armor(&profile, &Path::default(), &mut errors);
    errors.is_empty().then_some(profile)
}
