//! Whether amounts are within the bounds of a limit range, in upstream's words. Pure.

use apimachinery::quantity::Quantity;
use serde_json::Value;

use crate::pod_resources::{self, Amounts, amounts, containers};

/// Up to here a value in thousandths fits an int64.
const LARGEST_IN_MILLI: i64 = i64::MAX / 1000;

/// What of a Pod is out of bounds.
pub(super) fn of_pod<'a>(pod: &Value, limits: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let mut broken = Vec::new();
    for limit in limits {
        match limit["type"].as_str() {
            Some("Container") => {
                for container in containers(pod, "containers").chain(containers(pod, "initContainers")) {
                    let of = |part: &str| amounts(container.get("resources").and_then(|all| all.get(part)));
                    check(limit, "Container", &of("requests"), &of("limits"), &mut broken);
                }
            }
            Some("Pod") => {
                let of = |part: &str| pod_resources::of_pod(pod, part);
                check(limit, "Pod", &of("requests"), &of("limits"), &mut broken);
            }
            _ => {}
        }
    }
    broken
}

/// What of a claim is out of bounds.
pub(super) fn of_claim<'a>(claim: &Value, limits: impl Iterator<Item = &'a Value>) -> Vec<String> {
    const TYPE: &str = "PersistentVolumeClaim";
    let requests = amounts(claim.pointer("/spec/resources/requests"));
    let mut broken = Vec::new();
    for limit in limits.filter(|limit| limit["type"] == TYPE) {
        for (name, bound) in amounts(limit.get("min")) {
            broken.extend(minimum(&name, &bound, TYPE, &requests, &Amounts::new()));
        }
        for (name, bound) in amounts(limit.get("max")) {
            broken.extend(match requests.get(&name) {
                None => Some(format!("maximum {name} usage per {TYPE} is {bound}.  No request is specified")),
                Some(request) if exceeds(request, &bound) => {
                    Some(format!("maximum {name} usage per {TYPE} is {bound}, but request is {request}"))
                }
                Some(_) => None,
            });
        }
    }
    broken
}

fn check(limit: &Value, kind: &str, requests: &Amounts, limits: &Amounts, broken: &mut Vec<String>) {
    for (name, bound) in amounts(limit.get("min")) {
        broken.extend(minimum(&name, &bound, kind, requests, limits));
    }
    for (name, bound) in amounts(limit.get("max")) {
        broken.extend(maximum(&name, &bound, kind, requests, limits));
    }
    for (name, bound) in amounts(limit.get("maxLimitRequestRatio")) {
        broken.extend(ratio(&name, &bound, kind, requests, limits));
    }
}

fn minimum(name: &str, bound: &Quantity, kind: &str, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let at_least = format!("minimum {name} usage per {kind} is {bound}");
    let Some(request) = requests.get(name) else { return Some(format!("{at_least}.  No request is specified")) };
    if exceeds(bound, request) {
        return Some(format!("{at_least}, but request is {request}"));
    }
    let limit = limits.get(name).filter(|limit| exceeds(bound, limit))?;
    Some(format!("{at_least}, but limit is {limit}"))
}

fn maximum(name: &str, bound: &Quantity, kind: &str, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let at_most = format!("maximum {name} usage per {kind} is {bound}");
    let Some(limit) = limits.get(name) else { return Some(format!("{at_most}.  No limit is specified")) };
    if exceeds(limit, bound) {
        return Some(format!("{at_most}, but limit is {limit}"));
    }
    let request = requests.get(name).filter(|request| exceeds(request, bound))?;
    Some(format!("{at_most}, but request is {request}"))
}

fn ratio(name: &str, bound: &Quantity, kind: &str, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let at_most = format!("{name} max limit to request ratio per {kind} is {bound}");
    let stated = |amounts: &Amounts| amounts.get(name).filter(|amount| !amount.is_zero()).cloned();
    let Some(request) = stated(requests) else {
        return Some(format!("{at_most}, but no request is specified or request is 0"));
    };
    let Some(limit) = stated(limits) else {
        return Some(format!("{at_most}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.as_f64() / request.as_f64();
    (ratio > bound.as_f64()).then(|| format!("{at_most}, but provided ratio is {ratio:.6}"))
}

/// Whether an amount is more than another, to the thousandth where that fits, as upstream compares.
fn exceeds(amount: &Quantity, bound: &Quantity) -> bool {
    if amount.value() <= LARGEST_IN_MILLI && bound.value() <= LARGEST_IN_MILLI {
        amount.milli_value() > bound.milli_value()
    } else {
        amount.value() > bound.value()
    }
}
