//! Cron jobs.

use std::path::Path as FilePath;

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::{job, schedule};
use crate::strategy::check::{all_not_negative, not_negative, required_one_of};
use crate::strategy::read::{at, deep, flag, text};
use crate::strategy::{Scope, template};
use crate::validation::pod;

/// A job's name is a cron job's with 11 characters more.
const MAX_NAME: usize = 52;
/// Where time zones are described.
const ZONES: &str = "/usr/share/zoneinfo";

/// What is wrong with a new cron job.
pub(in crate::strategy) fn validate(cron: &Value, scope: &Scope<'_>) -> ErrorList {
    let mut errors = spec(at(cron, "spec"), None, scope);
    if cron.name().len() > MAX_NAME {
        let why = format!("must be no more than {MAX_NAME} characters");
        errors.push(Error::invalid(&Path::new("metadata").child("name"), cron.name(), why));
    }
    errors
}

/// What is wrong with a change of a cron job; its status may be anything.
pub(in crate::strategy) fn validate_update(cron: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" { ErrorList::new() } else { spec(at(cron, "spec"), Some(at(old, "spec")), scope) }
}

/// What to warn of.
pub(in crate::strategy) fn warnings(cron: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !scope.subresource.is_empty() {
        return warnings;
    }
    if old.is_none() {
        warnings.extend(template::host_name_warning(cron.name()));
    }
    if text(at(cron, "spec"), "schedule").contains("TZ") {
        warnings.push(
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead, see \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones"
                .to_owned(),
        );
    }
    let path = Path::new("spec").child("jobTemplate").child("spec");
    warnings.extend(job::too_large(deep(cron, "/spec/jobTemplate/spec"), &path));
    if old.is_none_or(|old| old.generation() != cron.generation()) {
        let template = deep(cron, "/spec/jobTemplate/spec/template");
        warnings.extend(pod::warnings::for_template(template, &path.child("template")));
    }
    warnings
}

fn spec(spec: &Value, old: Option<&Value>, scope: &Scope<'_>) -> ErrorList {
    let (path, mut errors) = (Path::new("spec"), ErrorList::new());
    let (schedule, zone) = (text(spec, "schedule"), at(spec, "timeZone"));
    let at_schedule = path.child("schedule");
    if schedule.is_empty() {
        errors.push(Error::required(&at_schedule, ""));
    } else {
        if let Err(why) = schedule::parse(schedule, is_zone) {
            errors.push(Error::invalid(&at_schedule, schedule, why));
        }
        if schedule.contains("TZ") {
            let had = old.is_some_and(|old| text(old, "schedule").contains("TZ"));
            let why = match (had, zone.is_null()) {
                (true, false) => Some("cannot use both timeZone field and TZ or CRON_TZ in schedule"),
                (false, _) => Some("cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
                _ => None,
            };
            errors.extend(why.map(|why| Error::invalid(&at_schedule, schedule, why)));
        }
    }
    not_negative(spec, "startingDeadlineSeconds", &path, &mut errors);
    if let Some(zone) = zone.as_str().filter(|_| old.is_none_or(|old| at(old, "timeZone") != at(spec, "timeZone"))) {
        time_zone(zone, &path.child("timeZone"), &mut errors);
    }
    let policies = ["Allow", "Forbid", "Replace"];
    required_one_of(text(spec, "concurrencyPolicy"), &policies, &path.child("concurrencyPolicy"), &mut errors);
    let (template, at_template) = (deep(spec, "/jobTemplate/spec"), path.child("jobTemplate").child("spec"));
    errors.extend(job::spec(template, "/spec/jobTemplate/spec/template", scope, &at_template));
    let selector = at(template, "selector");
    if !selector.is_null() {
        let why = "`selector` will be auto-generated";
        errors.push(Error::invalid(&at_template.child("selector"), selector.clone(), why));
    }
    if flag(template, "manualSelector") {
        errors.push(Error::not_supported(&at_template.child("manualSelector"), true, &["nil", "false"]));
    }
    all_not_negative(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], &path, &mut errors);
    errors
}

fn time_zone(zone: &str, path: &Path, errors: &mut ErrorList) {
    if zone.is_empty() {
        errors.push(Error::invalid(path, zone, "timeZone must be nil or non-empty string"));
        return;
    }
    if !is_zone_name(zone) {
        errors.push(Error::invalid(path, zone, format!("unknown time zone {zone}")));
        return;
    }
    if zone.eq_ignore_ascii_case("Local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.push(Error::invalid(path, zone, why));
    }
    if !is_zone(zone) {
        errors.push(Error::invalid(path, zone, format!("unknown time zone {zone}")));
    }
}

fn is_zone_name(zone: &str) -> bool {
    zone.split('/').all(|part| {
        !matches!(part, "" | "." | "..")
            && part.len() <= 14
            && !part.starts_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
    })
}

/// Whether there is such a time zone. On a machine that describes none every name of the right form is one.
fn is_zone(zone: &str) -> bool {
    let described = FilePath::new(ZONES);
    matches!(zone, "" | "UTC" | "Local")
        || (is_zone_name(zone) && (!described.is_dir() || described.join(zone).is_file()))
}
