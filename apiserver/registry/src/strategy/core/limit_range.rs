//! Limit ranges: what a limit does not state follows from what it does, and its bounds do not contradict each other.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::quantity::{Format, Quantity};
use apimachinery::validation::is_qualified_name;
use serde_json::{Map, Value};

use crate::strategy::{Facts, Scope, Strategy};

#[derive(Debug)]
pub(super) struct LimitRange;

impl Strategy for LimitRange {
    fn facts(&self) -> &Facts {
        &Facts { create_on_update: true, ..Facts::DEFAULT }
    }

    fn apply_defaults(&self, object: &mut Value) {
        let limits = object.pointer_mut("/spec/limits").and_then(Value::as_array_mut).into_iter().flatten();
        for limit in limits.filter(|limit| limit["type"] == "Container") {
            // A default limit is the maximum, a default request the default limit, or else the minimum.
            fill(limit, "default", "max");
            fill(limit, "defaultRequest", "default");
            fill(limit, "defaultRequest", "min");
        }
    }

    fn validate(&self, object: &Value, _scope: &Scope<'_>) -> ErrorList {
        let (mut errors, mut types) = (ErrorList::new(), HashSet::new());
        let limits = object.pointer("/spec/limits").and_then(Value::as_array);
        for (index, limit) in limits.into_iter().flatten().enumerate() {
            let path = Path::new("spec").child("limits").index(index);
            let kind = limit.get("type").and_then(Value::as_str).unwrap_or_default();
            errors.extend(type_errors(kind, &path.child("type")));
            if !types.insert(kind) {
                errors.push(Error::duplicate(&path.child("type"), kind));
            }
            amount_errors(limit, kind, &path, &mut errors);
        }
        errors
    }
}

/// A name of upstream's, or a qualified one with a domain.
fn qualified(name: &str, is_standard: bool, words: &str, path: &Path) -> ErrorList {
    let wrong = is_qualified_name(name);
    if !wrong.is_empty() {
        return wrong.into_iter().map(|words| Error::invalid(path, name, words)).collect();
    }
    if name.contains('/') || is_standard { ErrorList::new() } else { vec![Error::invalid(path, name, words)] }
}

fn type_errors(kind: &str, path: &Path) -> ErrorList {
    let is_standard = matches!(kind, "Pod" | "Container" | "PersistentVolumeClaim");
    qualified(kind, is_standard, "must be a standard limit type or fully qualified", path)
}

/// Resources of containers that have a name of their own.
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Other names of upstream's, most of them of quotas.
const STANDARD: [&str; 17] = [
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

fn name_errors(kind: &str, name: &str, path: &Path) -> ErrorList {
    let pages = name.starts_with("hugepages-");
    let of_containers = OF_CONTAINERS.contains(&name) || pages;
    let is_standard = of_containers || STANDARD.contains(&name) || name.starts_with("requests.hugepages-");
    let mut errors = qualified(name, is_standard, "must be a standard resource type or fully qualified", path);
    if matches!(kind, "Pod" | "Container") && !name.contains('/') && !of_containers {
        errors.push(Error::invalid(path, name, "must be a standard resource for containers"));
    }
    errors
}

fn amount_errors(limit: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let of = |field: &str| -> BTreeMap<String, Quantity> {
        let amounts = limit.get(field).and_then(Value::as_object).into_iter().flatten();
        amounts.filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?))).collect()
    };
    let mut names = BTreeSet::new();
    let (max, min, mut default, mut request) = (of("max"), of("min"), of("default"), of("defaultRequest"));
    let ratio = of("maxLimitRequestRatio");
    let mut check_names = |field: &str, amounts: &BTreeMap<String, Quantity>, errors: &mut ErrorList| {
        for name in amounts.keys() {
            errors.extend(name_errors(kind, name, &path.child(field).key(name)));
            names.insert(name.clone());
        }
    };
    check_names("max", &max, errors);
    check_names("min", &min, errors);
    for (field, amounts) in [("default", &mut default), ("defaultRequest", &mut request)] {
        if kind != "Pod" {
            check_names(field, amounts, errors);
        } else if !amounts.is_empty() {
            errors.push(Error::forbidden(&path.child(field), "may not be specified when `type` is 'Pod'"));
            amounts.clear();
        }
    }
    if kind == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
        let words = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(Error::required(&path.child("limits"), words));
    }
    check_names("maxLimitRequestRatio", &ratio, errors);
    let one = Quantity::new(1, Format::DecimalSi);
    for name in &names {
        let at = |field: &str| path.child(field).key(name);
        let (min, max) = (min.get(name), max.get(name));
        let (default, request, ratio) = (default.get(name), request.get(name), ratio.get(name));
        // Which amount may not be above which, where that is told, and which of the two is shown.
        for (low, low_words, high, high_words, field, shows_low) in [
            (min, "min value", max, "max value", "min", true),
            (min, "min value", request, "default request value", "defaultRequest", false),
            (request, "default request value", max, "max value", "defaultRequest", true),
            (request, "default request value", default, "default limit value", "defaultRequest", true),
            (min, "min value", default, "default value", "default", true),
            (default, "default value", max, "max value", "default", false),
        ] {
            if let (Some(low), Some(high)) = (low, high)
                && low > high
            {
                let shown = if shows_low { low } else { high };
                let words = format!("{low_words} {low} is greater than {high_words} {high}");
                errors.push(Error::invalid(&at(field), shown.to_string(), words));
            }
        }
        if let Some(ratio) = ratio {
            let field = at("maxLimitRequestRatio");
            if *ratio < one {
                errors.push(Error::invalid(&field, ratio.to_string(), format!("ratio {ratio} is less than 1")));
            }
            if let (Some(min), Some(max)) = (min, max) {
                let most = max.as_f64() / min.as_f64();
                if ratio.as_f64() > most {
                    let words = format!("ratio {ratio} is greater than max/min = {most:.6}");
                    errors.push(Error::invalid(&field, ratio.to_string(), words));
                }
            }
        }
        let overcommits = !name.contains("hugepages-") && (!name.contains('/') || name.contains("kubernetes.io/"));
        if let (false, Some(default), Some(request)) = (overcommits, default, request)
            && default != request
        {
            let words = format!("default value {default} must equal to defaultRequest value {request} in {name}");
            errors.push(Error::invalid(&at("defaultRequest"), request.to_string(), words));
        }
    }
}

/// Adds to the amounts of one field what another one names besides.
fn fill(limit: &mut Value, field: &str, from: &str) {
    let Some(source) = limit.get(from).and_then(Value::as_object).cloned() else { return };
    let Some(fields) = limit.as_object_mut() else { return };
    let amounts = fields.entry(field).or_insert(Value::Null);
    if amounts.is_null() {
        *amounts = Value::Object(Map::new());
    }
    if let Some(amounts) = amounts.as_object_mut() {
        for (name, amount) in source {
            amounts.entry(name).or_insert(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_container_limit_does_not_state_follows_from_the_rest() {
        let mut range = json!({"spec": {"limits": [
            {"type": "Container", "default": {"memory": "5Mi"}, "max": {"cpu": "2"}, "min": {"memory": "1Mi", "storage": "1"}},
            {"type": "Pod", "max": {"cpu": "2"}},
        ]}});
        LimitRange.apply_defaults(&mut range);
        let limits = &range["spec"]["limits"];
        assert_eq!(limits[0]["default"], json!({"cpu": "2", "memory": "5Mi"}));
        assert_eq!(limits[0]["defaultRequest"], json!({"cpu": "2", "memory": "5Mi", "storage": "1"}));
        assert_eq!(limits[1], json!({"type": "Pod", "max": {"cpu": "2"}}));
    }
}
