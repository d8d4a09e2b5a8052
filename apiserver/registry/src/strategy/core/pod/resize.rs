//! A pod's resources change in place, through `/resize`.

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::{Map, Value};

use super::quality;
use super::update::{keep_but, restore};
use crate::strategy::Scope;
use crate::validation::pod::scheduling::MIRROR;
use crate::validation::pod::{self, Options, is_sidecar};
use crate::validation::read::{annotation, entries, list, map, present, text};

const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Drops all changes but those of resources and of the policy of resizes. Where containers are not those there were, the
/// object is left to [`validate`].
pub(super) fn prepare(object: &mut Value, old: &Value) {
    let same_length = |name: &str| list(&object["spec"], name).len() == list(&old["spec"], name).len();
    if !LISTS.iter().all(|name| same_length(name)) {
        return;
    }
    keep_but(object, old, &["containers", "initContainers", "resources"]);
    for name in LISTS {
        let before = list(&old["spec"], name);
        let containers = object.get_mut("spec").and_then(|spec| spec.get_mut(name)).and_then(Value::as_array_mut);
        let Some(containers) = containers else { continue };
        if containers.iter().zip(before).any(|(new, old)| text(new, "name") != text(old, "name")) {
            continue;
        }
        for (new, old) in containers.iter_mut().zip(before) {
            let mut kept = old.clone();
            for field in ["resources", "resizePolicy"] {
                restore(&mut kept, new, field);
            }
            *new = kept;
        }
    }
}

/// What is wrong with a resize.
pub(super) fn validate(object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    let options = Options::of_pod(scope, Some(old));
    let mut errors = ErrorList::new();
    pod::validate(object, scope.row, &options, &mut errors);
    let only = |words: &str| vec![Error::forbidden(&Path::new("[]"), words)];
    if annotation(&old["metadata"], MIRROR).is_some() {
        return only("static pods cannot be resized");
    }
    if old["spec"].get("os").is_some_and(|os| text(os, "name") == "windows") {
        return only("windows pods cannot be resized");
    }
    validate_change(object, old, &mut errors);
    errors
}

fn validate_change(object: &Value, old: &Value, errors: &mut ErrorList) {
    let at = Path::new("spec");
    // Upstream asks the class that the status holds, and shows the one that the new status would.
    let stored = text(&old["status"], "qosClass");
    let before = if stored.is_empty() { quality::class(old) } else { stored };
    if before != quality::class(object) {
        let words = "Pod QOS Class may not change as a result of resizing";
        errors.push(Error::invalid(&at, text(&object["status"], "qosClass"), words));
    }
    let running = list(&old["status"], "containerStatuses");
    let running =
        running.iter().find(|status| status.get("state").is_some_and(|state| present(state, "running").is_some()));
    if running.is_some_and(|status| present(status, "resources").is_none()) {
        errors.push(Error::forbidden(&at, "Pod running on node without support for resize"));
    }
    let (spec, before) = (&object["spec"], &old["spec"]);
    let mut rest = spec.clone();
    let as_whole = |spec: &Value| {
        present(spec, "resources").is_some_and(|resources| {
            ["requests", "limits"].iter().any(|of| map(resources, of).is_some_and(|amounts| !amounts.is_empty()))
        })
    };
    if as_whole(spec) || as_whole(before) {
        validate_whole(spec, before, &mut rest, &at, errors);
    }
    let found = errors.len();
    validate_order(spec, before, &at, errors);
    if errors.len() > found {
        return;
    }
    for (i, (new, old)) in list(spec, "initContainers").iter().zip(list(before, "initContainers")).enumerate() {
        if is_sidecar(old) {
            let at = at.child("initContainers").index(i).child("resources");
            validate_kept(&new["resources"], &old["resources"], &at, errors);
        }
    }
    for (i, (new, old)) in list(spec, "containers").iter().zip(list(before, "containers")).enumerate() {
        let at = at.child("containers").index(i).child("resources");
        validate_kept(&new["resources"], &old["resources"], &at, errors);
    }
    for name in LISTS {
        let containers = rest.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
        for (new, old) in containers.zip(list(before, name)) {
            let words = match name {
                "containers" => "only cpu and memory resources are mutable",
                _ if is_sidecar(new) => "only cpu and memory resources for sidecar containers are mutable",
                _ => "resources for non-sidecar init containers are immutable",
            };
            if name == "containers" || is_sidecar(new) {
                restore_compute(new, old);
            }
            if new != old {
                errors.push(Error::forbidden(&at, words));
            }
        }
    }
    if errors.is_empty() && rest != *before {
        errors.push(Error::forbidden(&at, "only cpu and memory resources are mutable"));
    }
}

/// The resources of the pod as a whole. `rest` gets back what may change.
fn validate_whole(spec: &Value, old: &Value, rest: &mut Value, at: &Path, errors: &mut ErrorList) {
    let at_resources = at.child("resources");
    let before = present(old, "resources");
    if before.is_some() && present(spec, "resources").is_none() {
        errors.push(Error::forbidden(&at_resources, "pod-level resources cannot be removed"));
        return;
    }
    if let Some(before) = before {
        for of in ["requests", "limits"] {
            if is_removed(&spec["resources"], before, of) {
                let words = format!("pod-level resource {of} cannot be removed");
                errors.push(Error::forbidden(&at_resources.child(of), words));
            }
        }
    }
    restore_compute(rest, old);
    if before.is_none()
        && rest.get("resources").and_then(Value::as_object).is_some_and(Map::is_empty)
        && let Some(rest) = rest.as_object_mut()
    {
        rest.remove("resources");
    }
    if rest.get("resources") != old.get("resources") {
        errors.push(Error::forbidden(at, "only cpu and memory resources are mutable at pod-level"));
    }
}

fn validate_order(spec: &Value, old: &Value, at: &Path, errors: &mut ErrorList) {
    for name in LISTS {
        let (new, old) = (list(spec, name), list(old, name));
        if new.len() != old.len() {
            let words = format!("{name} may not be added or removed on resize");
            errors.push(Error::forbidden(&at.child(name), words));
            continue;
        }
        for (i, _) in new.iter().zip(old).enumerate().filter(|(_, (new, old))| text(new, "name") != text(old, "name")) {
            let words = format!("{name} may not be renamed or reordered on resize");
            errors.push(Error::forbidden(&at.child(name).index(i).child("name"), words));
        }
    }
}

/// No request and no limit goes.
fn validate_kept(new: &Value, old: &Value, at: &Path, errors: &mut ErrorList) {
    for of in ["requests", "limits"] {
        if is_removed(new, old, of) {
            errors.push(Error::forbidden(&at.child(of), format!("resource {of} cannot be removed")));
        }
    }
}

fn is_removed(new: &Value, old: &Value, of: &str) -> bool {
    let left = map(new, of);
    entries(old, of).any(|(name, _)| left.is_none_or(|left| !left.contains_key(name)))
}

/// Gives a container (or a spec) its old cpu and memory.
fn restore_compute(holder: &mut Value, old: &Value) {
    let Some(resources) = holder.get_mut("resources").and_then(Value::as_object_mut) else { return };
    for of in ["limits", "requests"] {
        let before = old.get("resources").and_then(|resources| map(resources, of));
        let mut amounts = resources.get(of).and_then(Value::as_object).cloned().unwrap_or_default();
        for name in ["cpu", "memory"] {
            match before.and_then(|before| before.get(name)) {
                Some(amount) => amounts.insert(name.into(), amount.clone()),
                None => amounts.remove(name),
            };
        }
        if amounts.is_empty() {
            resources.remove(of);
        } else {
            resources.insert(of.into(), Value::Object(amounts));
        }
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::ObjectExt;
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"name": "p"}, "status": {"qosClass": "Burstable"}, "spec": {
            "containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]}})
    }

    fn found(new: &Value) -> Vec<String> {
        let mut errors = ErrorList::new();
        validate_change(new, &pod(), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_resize_changes_resources_alone() {
        let mut new = pod();
        new["metadata"]["labels"] = json!({"a": "b"});
        new["spec"]["containers"][0]["image"] = json!("other");
        new["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("1500m");
        prepare(&mut new, &pod());
        assert_eq!((new.labels(), &new["spec"]["containers"][0]["image"]), (None, &json!("i")));
        assert_eq!(found(&new), [""; 0]);
    }

    #[test]
    fn nothing_goes_and_nothing_else_comes() {
        for (resources, expected) in [
            (
                json!({"requests": {"cpu": "1"}}),
                "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
            ),
            (
                json!({"limits": {"cpu": "2"}, "requests": {"cpu": "1", "ephemeral-storage": "1Gi"}}),
                "spec: Forbidden: only cpu and memory resources are mutable",
            ),
            (
                json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "2", "memory": "1Gi"}}),
                "spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing",
            ),
        ] {
            let mut new = pod();
            new["spec"]["containers"][0]["resources"] = resources;
            assert_eq!(found(&new), [expected]);
        }
        let mut new = pod();
        new["spec"]["containers"] = json!([{"name": "d"}]);
        assert!(found(&new).contains(
            &"spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize".to_owned()
        ));
    }
}
