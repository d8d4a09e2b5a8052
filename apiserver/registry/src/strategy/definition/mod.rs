//! Definitions of custom resources. A deletion marks them and adds the finalizer that keeps them until their instances are gone.

mod columns;
mod conversion;
mod names;
mod ratcheting;
mod selectable_fields;
mod spec;
mod status;
mod subresources;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::HashSet;

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quote::quoted;
use apimachinery::validation;
use schema::crd::unrecognized_formats;
use serde_json::{Value, json};

use crate::crd::approval;
use crate::crd::conditions::{Condition, is_true};
use crate::meta;
use crate::strategy::read::{at, flag, list, text};
use crate::strategy::{Facts, Generation, Scope, Strategy};
use ratcheting::Ratchet;
use spec::Spec;

const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The strategy of `customresourcedefinitions`.
#[derive(Debug)]
pub(super) struct Definition;

impl Strategy for Definition {
    fn facts(&self) -> &Facts {
        const FACTS: Facts = Facts { unconditional_update: false, ..Facts::generation(Generation::Spec) };
        &FACTS
    }

    fn apply_defaults(&self, object: &mut Value) {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
        let kind = spec
            .get("names")
            .and_then(|names| names.get("kind"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut)
            && !kind.is_empty()
        {
            let mut default = |field: &str, value: String| {
                let entry = names.entry(field).or_insert(Value::Null);
                if entry.is_null() || entry == "" {
                    *entry = value.into();
                }
            };
            default("singular", kind.to_lowercase());
            default("listKind", format!("{kind}List"));
        }
        let conversion = spec.entry("conversion").or_insert(Value::Null);
        if conversion.is_null() {
            *conversion = json!({"strategy": "None"});
        }
        if let Some(service) = conversion.pointer_mut("/webhook/clientConfig/service").and_then(Value::as_object_mut) {
            service.entry("port").or_insert_with(|| json!(443));
        }
        default_stored_versions(object);
    }

    fn prepare_create(&self, object: &mut Value, _scope: &Scope<'_>) {
        note_stored_version(object);
    }

    fn prepare_update(&self, object: &mut Value, _old: &Value, scope: &Scope<'_>) {
        if scope.subresource.is_empty() {
            note_stored_version(object);
        }
    }

    fn validate_new(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        let spec = at(object, "spec");
        let required = format!("{}.{}", text(at(spec, "names"), "plural"), text(spec, "group"));
        let mut errors = meta::validate_create(object, scope.row, |name, prefix| {
            let mut wrong = validation::name_is_dns_subdomain(name, prefix);
            if name != required {
                wrong.push("must be spec.names.plural+\".\"+spec.group".into());
            }
            wrong
        });
        errors.extend(self.validate(object, scope));
        errors
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        of_new(object)
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        if scope.subresource == "status" {
            return status::validate(object);
        }
        of_change(object, old)
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        if !scope.subresource.is_empty() {
            return Vec::new();
        }
        let known: HashSet<String> = old.map(|old| formats(&Spec::of(old)).collect()).unwrap_or_default();
        let fresh = formats(&Spec::of(object)).filter(|format| !known.contains(format)).collect::<Vec<_>>();
        fresh.into_iter().map(|format| format!("unrecognized format {}", quoted(&format))).collect()
    }

    fn ends_by_itself(&self) -> bool {
        true
    }

    fn begin_delete(&self, object: &mut Value, now: &str) -> bool {
        if object.deletion_timestamp().is_some() {
            return false;
        }
        object.set_deletion_timestamp(Some(now));
        if !object.has_finalizer(FINALIZER) {
            let finalizers = object.finalizers().map(str::to_owned).chain([FINALIZER.to_owned()]).collect();
            object.set_finalizers(finalizers);
        }
        let words = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        Condition::new("Terminating", true, "InstanceDeletionPending", words).set(object, now);
        true
    }
}

/// What is wrong with a new definition, its metadata aside.
fn of_new(definition: &Value) -> ErrorList {
    let spec = Spec::of(definition);
    let mut errors = spec::validate(&spec, &Ratchet::new(), &Path::new("spec"));
    errors.extend(of_the_rest(definition, None, &spec));
    errors
}

/// What is wrong with a definition of which `old` was before: what was wrong in that may mostly stay.
fn of_change(definition: &Value, old: &Value) -> ErrorList {
    let (spec, old_spec) = (Spec::of(definition), Spec::of(old));
    let ratchet = Ratchet::of_change(&spec, &old_spec, old);
    let path = Path::new("spec");
    let mut errors = spec::validate(&spec, &ratchet, &path);
    errors.extend(ratcheting::immutable(&spec, &old_spec, &ratchet, &path));
    errors.extend(of_the_rest(definition, Some(old), &spec));
    errors
}

/// What is wrong with what stands beside the spec, and with what it says together with the status.
fn of_the_rest(object: &Value, old: Option<&Value>, spec: &Spec<'_>) -> ErrorList {
    let mut errors = status::validate(object);
    errors.extend(status::validate_stored_versions(object, spec));
    errors.extend(approval::validate(object, old, text(spec.whole(), "group")));
    let preserves = |definition: &Value| flag(at(definition, "spec"), "preserveUnknownFields");
    if preserves(object) && !old.is_some_and(preserves) {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(Error::invalid(&Path::new("spec").child("preserveUnknownFields"), true, why));
    }
    errors
}

fn is_established(definition: &Value) -> bool {
    is_true(definition, "Established")
}

fn formats(spec: &Spec<'_>) -> impl Iterator<Item = String> {
    spec.schemas().flat_map(unrecognized_formats).collect::<Vec<_>>().into_iter()
}

/// What is wrong with a path in the notation of dots, which upstream looks at no closer.
fn json_path(given: &str, path: &Path) -> Option<Error> {
    (!given.starts_with('.')).then(|| Error::invalid(path, given, "must be a simple json path starting with ."))
}

/// The version that instances are stored in.
fn storage_version(object: &Value) -> Option<&Value> {
    let versions = list(at(object, "spec"), "versions").iter();
    versions.into_iter().find(|version| flag(version, "storage")).and_then(|version| version.get("name"))
}

/// A status that says of no version that instances were stored in it says so of the present one.
fn default_stored_versions(object: &mut Value) {
    if list(at(object, "status"), "storedVersions").is_empty() {
        note_stored_version(object);
    }
}

/// Every version that objects may be stored in is remembered.
fn note_stored_version(object: &mut Value) {
    let Some(name) = storage_version(object).cloned() else { return };
    let Some(object) = object.as_object_mut() else { return };
    let status = object.entry("status").or_insert(Value::Null);
    if !status.is_object() {
        *status = json!({});
    }
    match &mut status["storedVersions"] {
        Value::Array(known) if known.contains(&name) => {}
        Value::Array(known) => known.push(name),
        none => *none = json!([name]),
    }
}
