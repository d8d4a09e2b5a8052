//! What may change of a pod that exists.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::range_message;
use schema::types;
use serde_json::{Value, json};

use crate::strategy::Scope;
use crate::validation::pod::{self, Options, annotations, scheduling};
use crate::validation::read::{list, optional_number, present, text};

/// What is wrong with a change of the object itself.
pub(super) fn validate(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let options = Options::of_pod(scope, Some(old));
    let mut errors = ErrorList::new();
    pod::validate(object, scope.row, &options, &mut errors);
    let at = Path::new("metadata").child("annotations");
    annotations::validate_update(&object["metadata"], &old["metadata"], &object["spec"], &at, &options, &mut errors);
    validate_spec(&object["spec"], &old["spec"], &mut errors);
    errors
}

fn validate_spec(spec: &Value, old: &Value, errors: &mut ErrorList) {
    let at = Path::new("spec");
    for field in ["containers", "initContainers"] {
        if list(spec, field).len() != list(old, field).len() {
            errors.push(Error::forbidden(&at.child(field), "pod updates may not add or remove containers"));
            return;
        }
        for (i, container) in list(spec, field).iter().enumerate() {
            let (at, image) = (at.child(field).index(i).child("image"), text(container, "image"));
            if image.is_empty() {
                errors.push(Error::required(&at, ""));
            }
            if image.trim() != image {
                errors.push(Error::invalid(&at, image, "must not have leading or trailing whitespace"));
            }
        }
    }
    let deadline_at = at.child("activeDeadlineSeconds");
    let deadline = |of: &Value| optional_number(of, "activeDeadlineSeconds");
    match (deadline(spec), deadline(old)) {
        (Some(new), _) if !(0..=i64::from(i32::MAX)).contains(&new) => {
            errors.push(Error::invalid(&deadline_at, new, range_message(0, i32::MAX.into())));
            return;
        }
        (Some(new), Some(before)) if before < new => {
            errors.push(Error::invalid(&deadline_at, new, "must be less than or equal to previous value"));
            return;
        }
        (None, Some(_)) => {
            let words = "must not update from a positive integer to nil value";
            errors.push(Error::invalid(&deadline_at, Value::Null, words));
        }
        _ => {}
    }
    validate_tolerations(list(spec, "tolerations"), list(old, "tolerations"), &at.child("tolerations"), errors);
    let gates_at = at.child("schedulingGates");
    validate_gates(list(spec, "schedulingGates"), list(old, "schedulingGates"), &gates_at, errors);
    if spec == old {
        return;
    }
    let mut rest = spec.clone();
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        restore(&mut rest, old, field);
    }
    for field in ["containers", "initContainers"] {
        let containers = rest.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
        for (container, before) in containers.zip(list(old, field)) {
            restore(container, before, "image");
        }
    }
    let period = |of: &Value| optional_number(of, "terminationGracePeriodSeconds");
    if period(old).is_some_and(|before| before < 0) && period(&rest) == Some(1) {
        restore(&mut rest, old, "terminationGracePeriodSeconds");
    }
    if !list(old, "schedulingGates").is_empty() {
        validate_gated(&mut rest, old, &at, errors);
    }
    if rest != *old {
        let words = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                     `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(Error::forbidden(&at, format!("{words}\n{}", types::diff("core.PodSpec", old, &rest))));
    }
}

/// Tolerations are added, and how long one holds may change.
fn validate_tolerations(new: &[Value], old: &[Value], at: &Path, errors: &mut ErrorList) {
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(fields) = toleration.as_object_mut() {
            fields.remove("tolerationSeconds");
        }
        toleration
    };
    let is_kept = |before: &Value| {
        let before = without_seconds(before);
        new.iter().any(|toleration| without_seconds(toleration) == before)
    };
    if !old.iter().all(is_kept) {
        errors.push(Error::forbidden(at, "existing toleration can not be modified except its tolerationSeconds"));
        return;
    }
    scheduling::validate_tolerations(new, at, errors);
}

/// Gates are removed only.
fn validate_gates(new: &[Value], old: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, gate) in new.iter().enumerate() {
        let name = text(gate, "name");
        let is_last = !new.iter().skip(i + 1).any(|other| text(other, "name") == name);
        if is_last && !old.iter().any(|before| text(before, "name") == name) {
            let words = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(Error::forbidden(&at.index(i).child("name"), words));
        }
    }
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// A pod that waits at a gate may get more wishes about its node. What is allowed is taken back from `rest`.
fn validate_gated(rest: &mut Value, old: &Value, at: &Path, errors: &mut ErrorList) {
    let selector = |of: &Value| of.get("nodeSelector").cloned().unwrap_or_default();
    let (new, before) = (selector(rest), selector(old));
    if new != before {
        let is_kept = |(key, value): (&String, &Value)| new.get(key) == Some(value);
        if !before.as_object().is_none_or(|before| before.iter().all(is_kept)) {
            let words = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            errors.push(Error::invalid(&at.child("nodeSelector"), new, words));
        }
        restore(rest, old, "nodeSelector");
    }
    let of_nodes = |of: &Value| {
        of.get("affinity").and_then(|affinity| present(affinity, "nodeAffinity")).cloned().unwrap_or_default()
    };
    let (new, before) = (of_nodes(rest), of_nodes(old));
    if new == before {
        return;
    }
    validate_node_affinity(&new, &before, &at.child("affinity").child("nodeAffinity"), errors);
    let only_nodes = rest
        .get("affinity")
        .and_then(Value::as_object)
        .is_none_or(|affinity| affinity.iter().all(|(field, value)| field == "nodeAffinity" || value.is_null()));
    if only_nodes && present(old, "affinity").is_none() {
        restore(rest, old, "affinity");
        return;
    }
    let Some(spec) = rest.as_object_mut() else { return };
    let affinity = spec.entry("affinity").or_insert_with(|| json!({}));
    let Some(affinity) = affinity.as_object_mut() else { return };
    if before.is_null() {
        affinity.remove("nodeAffinity");
    } else {
        affinity.insert("nodeAffinity".into(), before);
    }
}

/// What is required of a node may be narrowed, term by term.
fn validate_node_affinity(new: &Value, old: &Value, at: &Path, errors: &mut ErrorList) {
    let at = at.child(REQUIRED).child("nodeSelectorTerms");
    let before = list(&old[REQUIRED], "nodeSelectorTerms");
    if present(old, REQUIRED).is_none() || before.is_empty() {
        return;
    }
    let after = list(&new[REQUIRED], "nodeSelectorTerms");
    if before.len() != after.len() {
        let words = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        let shown = types::bad_value("[]core.NodeSelectorTerm", &new[REQUIRED]["nodeSelectorTerms"]);
        errors.push(Error::invalid(&at, shown, words));
        return;
    }
    for (i, (new, old)) in after.iter().zip(before).enumerate() {
        let fields = ["matchExpressions", "matchFields"];
        let was_empty = fields.iter().all(|field| list(old, field).is_empty());
        let only_adds = if was_empty {
            fields.iter().all(|field| list(new, field).is_empty())
        } else {
            fields.iter().all(|field| list(new, field).starts_with(list(old, field)))
        };
        if !only_adds {
            let words = "only additions are allowed (no mutations or deletions)";
            errors.push(Error::invalid(&at.index(i), types::bad_value("core.NodeSelectorTerm", new), words));
        }
    }
}

/// Makes `field` of `new` what it was.
pub(super) fn restore(new: &mut Value, old: &Value, field: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => fields.insert(field.into(), value.clone()),
        None => fields.remove(field),
    };
}

/// The old object with new managers, in the version it was read in, and these fields of the new spec.
pub(super) fn keep_but(object: &mut Value, old: &Value, fields: &[&str]) {
    let mut kept = old.clone();
    for field in fields {
        if let Some(spec) = kept.get_mut("spec") {
            restore(spec, &object["spec"], field);
        }
    }
    for field in ["managedFields", "resourceVersion"] {
        let value = object.metadata().and_then(|metadata| metadata.get(field)).cloned();
        match value {
            Some(value) => kept.metadata_mut().insert(field.into(), value),
            None => kept.metadata_mut().remove(field),
        };
    }
    *object = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(spec: Value, old: Value) -> Vec<String> {
        let mut errors = ErrorList::new();
        validate_spec(&spec, &old, &mut errors);
        errors.iter().map(|error| error.to_string().lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn images_deadlines_tolerations_and_gates_change_in_one_direction() {
        let old = json!({"containers": [{"name": "c", "image": "a"}], "activeDeadlineSeconds": 10,
            "tolerations": [{"key": "k", "tolerationSeconds": 5}], "schedulingGates": [{"name": "g"}]});
        let mut new = old.clone();
        new["containers"][0]["image"] = json!("b");
        new["activeDeadlineSeconds"] = json!(5);
        new["tolerations"] = json!([{"key": "k", "tolerationSeconds": 9, "effect": null}, {"key": "l", "value": "x"}]);
        new["tolerations"][0].as_object_mut().unwrap().remove("effect");
        new["schedulingGates"] = json!([]);
        assert_eq!(
            found(new, old.clone()),
            [
                "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"
            ]
        );
        let mut new = old.clone();
        new["activeDeadlineSeconds"] = json!(11);
        assert_eq!(
            found(new, old.clone()),
            ["spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value"]
        );
        let mut new = old.clone();
        new["tolerations"] = json!([]);
        new["schedulingGates"] = json!([{"name": "h"}]);
        assert_eq!(
            found(new, old.clone()),
            [
                "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
                "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'",
            ]
        );
        let mut new = old.clone();
        new["containers"] = json!([]);
        assert_eq!(found(new, old), ["spec.containers: Forbidden: pod updates may not add or remove containers"]);
    }

    #[test]
    fn a_gated_pod_may_narrow_its_nodes() {
        let old = json!({"containers": [], "schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "1"}});
        let mut new = old.clone();
        new["nodeSelector"]["b"] = json!("2");
        new["affinity"] = json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}]}}});
        assert_eq!(found(new.clone(), old.clone()), [""; 0]);
        new["nodeSelector"] = json!({"a": "2"});
        assert_eq!(
            found(new, old),
            [
                "spec.nodeSelector: Invalid value: {\"a\":\"2\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            ]
        );
    }
}
