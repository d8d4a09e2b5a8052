//! Jobs: the selector and labels that are made for them, and what a spec may be.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::selector::labels::Selector;
use apimachinery::validation;
use schema::types;
use serde_json::{Map, Value, json};

use super::{failure_policy, job_status, job_update};
use crate::strategy::apps::selected;
use crate::strategy::check::{domain_prefixed_path, not_negative, one_of};
use crate::strategy::read::{at, deep, flag, has, list, number, number_or_zero, text};
use crate::strategy::{Scope, template};
use crate::validation::pod;

/// What upstream warns of when the deletion of a job does not say what happens to its pods.
pub(in crate::strategy) const UNSAID_PROPAGATION: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";

const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
/// The labels' names of before they had a domain.
const LEGACY_UID: &str = "controller-uid";
const LEGACY_NAME: &str = "job-name";

const MAX_MANAGED_BY: usize = 63;
const MAX_PARALLELISM_INDEXED: i64 = 100_000;
const MAX_FAILED_INDEXES: i64 = 100_000;
/// Above so many completions the number of failed indexes and the parallelism are bounded.
const MANY_COMPLETIONS: i64 = 100_000;
const MAX_PARALLELISM_OF_MANY: i64 = 10_000;
const MAX_FAILED_OF_MANY: i64 = 10_000;

/// Labels of the template are those of a job that has none.
pub(in crate::strategy) fn label(job: &mut Value) {
    let labels = deep(job, "/spec/template/metadata/labels").as_object().filter(|labels| !labels.is_empty()).cloned();
    if let (Some(labels), true) = (labels, job.labels().is_none_or(Map::is_empty)) {
        job.metadata_mut().insert("labels".into(), Value::Object(labels));
    }
}

/// Makes the selector of a job that does not bring one: its pods carry its uid.
pub(in crate::strategy) fn prepare_create(job: &mut Value, _scope: &Scope<'_>) {
    if !flag(at(job, "spec"), "manualSelector") {
        select_own(job);
    }
}

fn select_own(job: &mut Value) {
    let (name, uid) = (job.name().to_owned(), job.uid().to_owned());
    let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut add = |pointer: [&str; 3], labels: &[(&str, &str)]| {
        let mut place = &mut *spec;
        for part in pointer.iter().filter(|part| !part.is_empty()) {
            let next = place.entry(*part).or_insert(Value::Null);
            if next.is_null() {
                *next = json!({});
            }
            match next {
                Value::Object(fields) => place = fields,
                _ => return,
            }
        }
        for (key, value) in labels {
            place.entry(*key).or_insert_with(|| json!(value));
        }
    };
    let labels = [(LEGACY_NAME, &*name), (NAME, &*name), (LEGACY_UID, &*uid), (UID, &*uid)];
    add(["template", "metadata", "labels"], &labels);
    add(["selector", "matchLabels", ""], &[(UID, &*uid)]);
}

/// What is wrong with a new job.
pub(in crate::strategy) fn validate(job: &Value, scope: &Scope<'_>) -> ErrorList {
    // A job of before the labels had a domain has none of them; every new one is given them.
    whole(job, has_prefixed_labels(job), scope)
}

/// What is wrong with a change of a job or of its status.
pub(in crate::strategy) fn validate_update(job: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" { job_status::change(job, old) } else { job_update::change(job, old, scope) }
}

/// Whether a job's template has the labels with a domain, as all jobs of these days.
fn has_prefixed_labels(job: &Value) -> bool {
    let labels = deep(job, "/spec/template/metadata/labels");
    has(labels, NAME) && has(labels, UID)
}

fn whole(job: &Value, prefixed_labels: bool, scope: &Scope<'_>) -> ErrorList {
    let mut errors = generated_selector(job, prefixed_labels);
    let spec = at(job, "spec");
    errors.extend(selecting_spec(spec, scope, &Path::new("spec")));
    let completions = number_or_zero(spec, "completions");
    if text(spec, "completionMode") == "Indexed" && completions > 0 {
        // The last pod's host name is made of these.
        let host = format!("{}-{}", job.name(), completions - 1);
        if !validation::is_dns1123_label(&host).is_empty() {
            let why = format!("will not able to create pod with invalid DNS label: {host}");
            errors.push(Error::invalid(&Path::new("metadata").child("name"), job.name(), why));
        }
    }
    errors
}

fn generated_selector(job: &Value, prefixed_labels: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let (spec, selector) = (at(job, "spec"), deep(job, "/spec/selector"));
    if flag(spec, "manualSelector") || selector.is_null() {
        return errors;
    }
    if job.uid().is_empty() {
        errors.push(Error::required(&Path::new("metadata").child("uid"), ""));
    }
    let labels = deep(job, "/spec/template/metadata/labels");
    let path = Path::new("spec").child("template").child("metadata").child("labels");
    let expected = [(LEGACY_UID, job.uid()), (LEGACY_NAME, job.name()), (UID, job.uid()), (NAME, job.name())];
    let expected = &expected[..if prefixed_labels { 4 } else { 2 }];
    for (key, value) in expected {
        match at(labels, key).as_str() {
            None => errors.push(Error::required(&path.key(key), format!("must be '{value}'"))),
            Some(actual) if actual != *value => {
                errors.push(Error::invalid(&path.key(key), labels.clone(), format!("must be '{value}'")));
            }
            Some(_) => {}
        }
    }
    if let Ok(parsed) = Selector::from_label_selector(selector)
        && !parsed.matches(|key| expected.iter().find(|(known, _)| *known == key).map(|(_, value)| *value))
    {
        let path = Path::new("spec").child("selector");
        errors.push(Error::invalid(&path, selector.clone(), "`selector` not auto-generated"));
    }
    errors
}

/// What is wrong with the spec of a job, which selects its pods.
pub(super) fn selecting_spec(spec: &Value, scope: &Scope<'_>, path: &Path) -> ErrorList {
    let mut errors = self::spec(spec, "/spec/template", scope, path);
    let selector = at(spec, "selector");
    if selector.is_null() {
        errors.push(Error::required(&path.child("selector"), ""));
    } else {
        errors.extend(validation::validate_label_selector(selector, false, &path.child("selector")));
    }
    if let Ok(selector) = Selector::from_label_selector(selector) {
        selected(&selector, at(spec, "template"), &path.child("template"), &mut errors);
    }
    errors
}

/// What is wrong with the spec of a job or of a template of one; `pointer` leads to its pods' template.
pub(super) fn spec(spec: &Value, pointer: &str, scope: &Scope<'_>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        not_negative(spec, field, path, &mut errors);
    }
    if has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex") {
        errors.push(Error::required(&path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"));
    }
    if let Some(manager) = at(spec, "managedBy").as_str() {
        errors.extend(domain_prefixed_path(manager, &path.child("managedBy")));
        if manager.len() > MAX_MANAGED_BY {
            errors.push(Error::too_long(&path.child("managedBy"), MAX_MANAGED_BY));
        }
    }
    completion_mode(spec, path, &mut errors);
    let indexed = text(spec, "completionMode") == "Indexed";
    failure_policy::validate(spec, path, &mut errors);
    if has(spec, "successPolicy") {
        let (policy, path) = (at(spec, "successPolicy"), path.child("successPolicy"));
        if indexed {
            failure_policy::success(spec, policy, &path, &mut errors);
        } else {
            let value = types::bad_value("batch.SuccessPolicy", policy);
            errors.push(Error::invalid(&path, value, "requires indexed completion mode"));
        }
    }
    if let Some(policy) = at(spec, "podReplacementPolicy").as_str() {
        let known: &[&str] =
            if has(spec, "podFailurePolicy") { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        one_of(policy, known, &path.child("podReplacementPolicy"), &mut errors);
    }
    let (template, at_template) = (at(spec, "template"), path.child("template"));
    errors.extend(template::validate(template, pointer, scope, &at_template));
    let at_restart = at_template.child("spec").child("restartPolicy");
    match text(at(template, "spec"), "restartPolicy") {
        "" | "Always" => errors.push(Error::required(&at_restart, "valid values: \"OnFailure\", \"Never\"")),
        policy @ ("OnFailure" | "Never") => {
            if has(spec, "podFailurePolicy") && policy != "Never" {
                let why = "only \"Never\" is supported when podFailurePolicy is specified";
                errors.push(Error::invalid(&at_restart, policy, why));
            }
        }
        policy => errors.push(Error::not_supported(&at_restart, policy, &["OnFailure", "Never"])),
    }
    errors
}

fn completion_mode(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let mode = at(spec, "completionMode").as_str();
    let (completions, parallelism) = (number(spec, "completions"), number_or_zero(spec, "parallelism"));
    let (failed, per_index) = (number(spec, "maxFailedIndexes"), number(spec, "backoffLimitPerIndex"));
    if let Some(mode) = mode {
        one_of(mode, &["NonIndexed", "Indexed"], &path.child("completionMode"), errors);
    }
    let mut refuse = |field: &str, value: i64, why: String| {
        errors.push(Error::invalid(&path.child(field), value, why));
    };
    if mode == Some("Indexed") {
        let many = completions.is_some_and(|completions| completions > MANY_COMPLETIONS) && per_index.is_some();
        if parallelism > MAX_PARALLELISM_INDEXED {
            let why =
                format!("must be less than or equal to {MAX_PARALLELISM_INDEXED} when completion mode is Indexed");
            refuse("parallelism", parallelism, why);
        }
        if let Some(failed) = failed {
            if completions.is_some_and(|completions| failed > completions) {
                refuse("maxFailedIndexes", failed, "must be less than or equal to completions".into());
            }
            if failed > MAX_FAILED_INDEXES {
                refuse("maxFailedIndexes", failed, format!("must be less than or equal to {MAX_FAILED_INDEXES}"));
            }
        }
        let of_many = |limit: i64| {
            format!(
                "must be less than or equal to {limit} when completions are above {MANY_COMPLETIONS} and used with \
                 backoff limit per index"
            )
        };
        if many && parallelism > MAX_PARALLELISM_OF_MANY {
            refuse("parallelism", parallelism, of_many(MAX_PARALLELISM_OF_MANY));
        }
        if let Some(failed) = failed.filter(|failed| many && *failed > MAX_FAILED_OF_MANY) {
            refuse("maxFailedIndexes", failed, of_many(MAX_FAILED_OF_MANY));
        }
        if many && failed.is_none() {
            let why = format!("must be specified when completions is above {MANY_COMPLETIONS}");
            errors.push(Error::required(&path.child("maxFailedIndexes"), why));
        }
        if completions.is_none() {
            errors.push(Error::required(&path.child("completions"), "when completion mode is Indexed"));
        }
    }
    if matches!(mode, None | Some("NonIndexed")) {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(value) = number(spec, field) {
                errors.push(Error::invalid(&path.child(field), value, "requires indexed completion mode"));
            }
        }
    }
}

/// What to warn of: names that hosts cannot have, and jobs too large to be followed.
pub(in crate::strategy) fn warnings(job: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !scope.subresource.is_empty() {
        return warnings;
    }
    if old.is_none() {
        warnings.extend(template::host_name_warning(job.name()));
    }
    warnings.extend(too_large(at(job, "spec"), &Path::new("spec")));
    if old.is_none_or(|old| old.generation() != job.generation()) {
        let path = Path::new("spec").child("template");
        warnings.extend(pod::warnings::for_template(deep(job, "/spec/template"), &path));
    }
    warnings
}

/// The warning of a job whose completed indexes may be too many to be kept.
pub(super) fn too_large(spec: &Value, path: &Path) -> Option<String> {
    let indexed = text(spec, "completionMode") == "Indexed";
    let many = number_or_zero(spec, "completions") > MANY_COMPLETIONS;
    (indexed && many && number_or_zero(spec, "parallelism") > MAX_PARALLELISM_OF_MANY).then(|| {
        format!(
            "{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, \
             Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    })
}

/// The containers of a job's pods, by name.
pub(super) fn container_names(spec: &Value) -> Vec<&str> {
    let pod = deep(spec, "/template/spec");
    let lists = ["containers", "initContainers"].into_iter();
    lists.flat_map(|field| list(pod, field)).map(|container| text(container, "name")).collect()
}
