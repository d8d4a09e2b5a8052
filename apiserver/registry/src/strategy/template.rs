//! Templates of pods in other kinds.

use apimachinery::ObjectExt;
use apimachinery::field::{ErrorList, Path};
use apimachinery::validation;
use serde_json::Value;

use super::Scope;
use crate::validation::pod::{Options, template, warnings};

/// What is wrong with the template at a pointer into the object. What it had before stays allowed where upstream allows it.
pub(super) fn validate(template: &Value, pointer: &str, scope: &Scope<'_>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let options = Options::of_template(scope, scope.old.and_then(|old| old.pointer(pointer)));
    template::validate(template, path, &options, &mut errors);
    errors
}

/// The warning of a name that hosts cannot have: pods and their hosts are named after it.
pub(super) fn host_name_warning(name: &str) -> Option<String> {
    let words = validation::is_dns1123_label(name);
    (!words.is_empty()).then(|| {
        let words: Vec<String> = words.into_iter().map(|words| words.to_string()).collect();
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label \
             is recommended: [{}]",
            words.join(" ")
        )
    })
}

/// What to warn of in a workload whose template is `spec.template`: its name, and the template where the spec changed.
pub(super) fn workload_warnings(object: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if !scope.subresource.is_empty() {
        return found;
    }
    if old.is_none() && scope.row.gvr.resource == "deployments" {
        found.extend(host_name_warning(object.name()));
    }
    if old.is_none_or(|old| old.generation() != object.generation()) {
        let template = object.pointer("/spec/template").unwrap_or(&Value::Null);
        found.extend(warnings::for_template(template, &Path::new("spec").child("template")));
    }
    found
}
