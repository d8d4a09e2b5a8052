//! Pods: defaults, first state, what may change and how, graceful deletion.

mod create;
mod defaults;
mod ephemeral;
mod quality;
mod resize;
mod status;
#[cfg(test)]
mod tests;
mod update;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use crate::options::DeleteOptions;
use crate::strategy::{Facts, Generation, Scope, StatusOnCreate, Strategy, pod_template};
use crate::validation::pod::{self, Options, profiles, warnings};
use crate::validation::read::{list, text};

#[derive(Debug)]
pub(super) struct Pod;

impl Strategy for Pod {
    fn facts(&self) -> &Facts {
        const FACTS: Facts =
            Facts { status_on_create: StatusOnCreate::Phase("Pending"), ..Facts::generation(Generation::Spec) };
        &FACTS
    }

    fn apply_defaults(&self, object: &mut Value) {
        defaults::apply(object);
    }

    fn prepare_create(&self, object: &mut Value, scope: &Scope<'_>) {
        create::prepare(object, scope);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) {
        match scope.subresource {
            "status" => status::prepare(object, old),
            "ephemeralcontainers" => update::keep_but(object, old, &["ephemeralContainers"]),
            "resize" => resize::prepare(object, old),
            _ => {}
        }
        pod_template::drop_disabled(object, Some(old));
    }

    fn validate_new(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        pod::validate(object, scope.row, &Options::of_pod(scope, None), &mut errors);
        let (metadata, spec, at) = (&object["metadata"], &object["spec"], Path::new("spec"));
        if !list(spec, "ephemeralContainers").is_empty() {
            errors.push(Error::forbidden(&at.child("ephemeralContainers"), "cannot be set on create"));
        }
        if !text(spec, "nodeName").is_empty() && !list(spec, "schedulingGates").is_empty() {
            let words = "cannot be set until all schedulingGates have been cleared";
            errors.push(Error::forbidden(&at.child("nodeName"), words));
        }
        profiles::validate_seccomp_agreement(metadata, spec, &at, &mut errors);
        profiles::validate_app_armor_agreement(metadata, spec, &at, &mut errors);
        errors
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        match scope.subresource {
            "status" => status::validate(object, old, scope),
            "ephemeralcontainers" => ephemeral::validate(object, old, scope),
            "resize" => resize::validate(object, old, scope),
            // What the server itself assigns.
            "binding" => ErrorList::new(),
            _ => update::validate(object, old, scope),
        }
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        match (old, scope.subresource) {
            (None, "") => warnings::for_new_pod(object),
            (Some(_), "status") => status::warnings(object),
            // People do not change pods, and others do it too often.
            _ => Vec::new(),
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
