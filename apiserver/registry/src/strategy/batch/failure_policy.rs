//! When a job has failed, and when it has succeeded.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use serde_json::Value;

use super::indexes;
use super::job::container_names;
use crate::strategy::check::{not_negative, one_of, qualified_name};
use crate::strategy::read::{at, has, list, number, number_or_zero, text};

const MAX_RULES: usize = 20;
const MAX_CONDITIONS: usize = 20;
const MAX_EXIT_CODES: usize = 255;
const MAX_SUCCESS_RULES: usize = 20;
const MAX_SUCCEEDED_INDEXES: usize = 64 * 1024;

/// What is wrong with a spec's `podFailurePolicy`.
pub(super) fn validate(spec: &Value, path: &Path, errors: &mut ErrorList) {
    if !has(spec, "podFailurePolicy") {
        return;
    }
    let path = path.child("podFailurePolicy").child("rules");
    let rules = list(at(spec, "podFailurePolicy"), "rules");
    if rules.len() > MAX_RULES {
        errors.push(Error::too_many(&path, rules.len(), MAX_RULES));
    }
    let names = container_names(spec);
    for (i, rule) in rules.iter().enumerate() {
        validate_rule(spec, rule, &names, &path.index(i), errors);
    }
}

fn validate_rule(spec: &Value, rule: &Value, names: &[&str], path: &Path, errors: &mut ErrorList) {
    const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
    let at_action = path.child("action");
    match text(rule, "action") {
        "" => errors.push(Error::required(&at_action, valid_values(&ACTIONS))),
        "FailIndex" => {
            if !has(spec, "backoffLimitPerIndex") {
                errors.push(Error::invalid(&at_action, "FailIndex", "requires the backoffLimitPerIndex to be set"));
            }
        }
        action => one_of(action, &ACTIONS, &at_action, errors),
    }
    let (codes, conditions) = (at(rule, "onExitCodes"), list(rule, "onPodConditions"));
    if !codes.is_null() {
        exit_codes(codes, names, &path.child("onExitCodes"), errors);
    }
    let at_conditions = path.child("onPodConditions");
    if conditions.len() > MAX_CONDITIONS {
        errors.push(Error::too_many(&at_conditions, conditions.len(), MAX_CONDITIONS));
    }
    for (i, condition) in conditions.iter().enumerate() {
        const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
        let path = at_conditions.index(i);
        errors.extend(qualified_name(text(condition, "type"), &path.child("type")));
        match text(condition, "status") {
            "" => errors.push(Error::required(&path.child("status"), valid_values(&STATUSES))),
            status => one_of(status, &STATUSES, &path.child("status"), errors),
        }
    }
    let words = match (codes.is_null(), conditions.is_empty()) {
        (false, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (true, true) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(Error::invalid_omitting_value(path, words));
}

/// Upstream shows a list of texts as Go's `%q` does.
fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn exit_codes(codes: &Value, names: &[&str], path: &Path, errors: &mut ErrorList) {
    const OPERATORS: [&str; 2] = ["In", "NotIn"];
    let operator = text(codes, "operator");
    match operator {
        "" => errors.push(Error::required(&path.child("operator"), valid_values(&OPERATORS))),
        operator => one_of(operator, &OPERATORS, &path.child("operator"), errors),
    }
    if let Some(name) = at(codes, "containerName").as_str().filter(|name| !names.contains(name)) {
        let why = "must be one of the container or initContainer names in the pod template";
        errors.push(Error::invalid(&path.child("containerName"), name, why));
    }
    let (values, path) = (list(codes, "values"), path.child("values"));
    if values.is_empty() {
        errors.push(Error::invalid(&path, at(codes, "values").clone(), "at least one value is required"));
    } else if values.len() > MAX_EXIT_CODES {
        errors.push(Error::too_many(&path, values.len(), MAX_EXIT_CODES));
    }
    let mut seen = BTreeSet::new();
    let numbers: Vec<i64> = values.iter().map(|value| value.as_i64().unwrap_or(0)).collect();
    for (i, code) in numbers.iter().enumerate() {
        if operator == "In" && *code == 0 {
            errors.push(Error::invalid(&path.index(i), *code, "must not be 0 for the In operator"));
        }
        if !seen.insert(*code) {
            errors.push(Error::duplicate(&path.index(i), *code));
        }
    }
    if !numbers.is_sorted() {
        errors.push(Error::invalid(&path, at(codes, "values").clone(), "must be ordered"));
    }
}

/// What is wrong with a `successPolicy` of an indexed job.
pub(super) fn success(spec: &Value, policy: &Value, path: &Path, errors: &mut ErrorList) {
    let (rules, path) = (list(policy, "rules"), path.child("rules"));
    if rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.push(Error::required(&path, why));
    }
    if rules.len() > MAX_SUCCESS_RULES {
        errors.push(Error::too_many(&path, rules.len(), MAX_SUCCESS_RULES));
    }
    let completions = number_or_zero(spec, "completions");
    for (i, rule) in rules.iter().enumerate() {
        let path = path.index(i);
        let (indexes, count) = (at(rule, "succeededIndexes").as_str(), number(rule, "succeededCount"));
        if indexes.is_none() && count.is_none() {
            let why = "at least one of succeededCount or succeededIndexes must be specified";
            errors.push(Error::required(&path, why));
        }
        let mut total = 0;
        if let Some(indexes) = indexes {
            let path = path.child("succeededIndexes");
            if indexes.len() > MAX_SUCCEEDED_INDEXES {
                errors.push(Error::too_long(&path, MAX_SUCCEEDED_INDEXES));
            }
            match indexes::count(indexes, completions) {
                Ok(count) => total = count,
                Err(why) => {
                    let why = format!("error parsing succeededIndexes: {why}");
                    errors.push(Error::invalid(&path, indexes, why));
                }
            }
        }
        if let Some(count) = count {
            not_negative(rule, "succeededCount", &path, errors);
            let path = path.child("succeededCount");
            if count > completions {
                let why = format!("must be less than or equal to {completions} (the number of specified completions)");
                errors.push(Error::invalid(&path, count, why));
            }
            if indexes.is_some() && count > total {
                let why = format!(
                    "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
                );
                errors.push(Error::invalid(&path, count, why));
            }
        }
    }
}
