//! What containers ask for and may use, and what the pod as a whole does.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::field::{Error, ErrorKind, ErrorList, Path};
use apimachinery::quantity::Quantity;
use apimachinery::validation::{NOT_NEGATIVE, is_dns1123_label, is_qualified_name};
use serde_json::Value;

use super::containers::is_sidecar;
use super::{Options, invalid_for};
use crate::validation::read::{entries, list, present, text};

/// What is asked for, by resource.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

const NOT_AN_INTEGER: &str = "must be an integer";

/// The amounts in one list of a container's (or pod's) resources.
pub(crate) fn amounts<'a>(resources: &'a Value, of: &str) -> impl Iterator<Item = (&'a str, Quantity)> + use<'a> {
    entries(resources, of).filter_map(|(name, amount)| Some((name, Quantity::from_value(amount).ok()?)))
}

/// One amount.
pub(crate) fn amount(resources: &Value, of: &str, name: &str) -> Option<Quantity> {
    Quantity::from_value(resources.get(of)?.get(name)?).ok()
}

/// Huge pages of some size.
pub(crate) fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Upstream's own resources: without a domain, or with its domain.
pub(crate) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Resources that may be promised to more than can have them.
pub(crate) fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

/// Resources of somebody's domain.
pub(crate) fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && is_qualified_name(&format!("requests.{name}")).is_empty()
}

/// Resources counted in whole units.
pub(crate) fn is_integer(name: &str) -> bool {
    const COUNTED: [&str; 9] = [
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
        "services.nodeports",
    ];
    COUNTED.contains(&name) || is_extended(name)
}

/// Resources that upstream names, in quotas or in containers.
fn is_standard(name: &str) -> bool {
    const NAMED: [&str; 19] = [
        "configmaps",
        "cpu",
        "ephemeral-storage",
        "limits.cpu",
        "limits.ephemeral-storage",
        "limits.memory",
        "memory",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "requests.cpu",
        "requests.ephemeral-storage",
        "requests.memory",
        "requests.storage",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
        "services.nodeports",
    ];
    name == "storage" || NAMED.contains(&name) || is_huge_page(name) || name.starts_with("requests.hugepages-")
}

/// The name of a resource, wherever it stands.
pub(crate) fn validate_name(name: &str, at: &Path, errors: &mut ErrorList) {
    let messages = is_qualified_name(name);
    if messages.is_empty() && !name.contains('/') && !is_standard(name) {
        let words = "must be a standard resource type or fully qualified";
        errors.push(Error::invalid(at, name, words));
    }
    invalid_for(messages, at, name, errors);
}

fn validate_container_name(name: &str, at: &Path, errors: &mut ErrorList) {
    validate_name(name, at, errors);
    if !name.contains('/') {
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !is_huge_page(name) {
            errors.push(Error::invalid(at, name, "must be a standard resource for containers"));
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.push(Error::invalid(at, name, "doesn't follow extended resource name standard"));
    }
}

/// Whether a pod as a whole can ask for a resource.
pub(crate) fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

fn validate_pod_name(name: &str, at: &Path, errors: &mut ErrorList) {
    let before = errors.len();
    validate_name(name, at, errors);
    if errors.len() == before && !is_pod_level(name) {
        errors.push(Error::not_supported(at, name, &["cpu", "hugepages-", "memory"]));
    }
}

/// An amount of a resource: not below 0, and whole where it is counted.
pub(crate) fn validate_amount(name: &str, amount: &Quantity, at: &Path, errors: &mut ErrorList) {
    if amount.sign() < 0 {
        errors.push(Error::invalid(at, amount.to_string(), NOT_NEGATIVE));
    }
    if is_integer(name) && amount.milli_value() % 1000 != 0 {
        errors.push(Error::invalid(at, amount.to_string(), NOT_AN_INTEGER));
    }
}

/// Whether an amount of huge pages is a number of whole pages.
fn is_whole_pages(name: &str, amount: &Quantity) -> bool {
    let page = name.strip_prefix("hugepages-").and_then(|size| size.parse::<Quantity>().ok());
    page.is_some_and(|page| {
        page.sign() > 0 && page.milli_value() % 1000 == 0 && page.value() != 0 && amount.value() % page.value() == 0
    })
}

/// Whether a container has amounts of huge pages that today's rules refuse.
pub(super) fn has_odd_huge_pages(container: &Value) -> bool {
    ["limits", "requests"].iter().any(|of| {
        amounts(&container["resources"], of).any(|(name, amount)| is_huge_page(name) && !is_whole_pages(name, &amount))
    })
}

/// The resources of a container; `claims` are the pod's.
pub(super) fn validate_container(
    resources: &Value,
    claims: &BTreeSet<&str>,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) {
    validate(resources, validate_container_name, claims, at, options, errors);
}

fn validate(
    resources: &Value,
    name_rule: fn(&str, &Path, &mut ErrorList),
    claims: &BTreeSet<&str>,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) {
    let (limits_at, requests_at) = (at.child("limits"), at.child("requests"));
    let (mut computes, mut huge) = (false, false);
    let mut check =
        |name: &str, amount: &Quantity, errors: &mut ErrorList, before: &mut dyn FnMut(&mut ErrorList), at: &Path| {
            name_rule(name, at, errors);
            validate_amount(name, amount, at, errors);
            before(errors);
            if is_huge_page(name) {
                huge = true;
                if !options.keeps_odd_huge_pages && !is_whole_pages(name, amount) {
                    let words = format!("{amount} is not positive integer multiple of {name}");
                    errors.push(Error::invalid(at, amount.to_string(), words));
                }
            }
            computes |= matches!(name, "cpu" | "memory");
        };
    for (name, most) in amounts(resources, "limits") {
        check(name, &most, errors, &mut |_| {}, &limits_at.key(name));
    }
    for (name, asked) in amounts(resources, "requests") {
        let mut against_limit = |errors: &mut ErrorList| match amount(resources, "limits", name) {
            Some(most) if asked != most && !is_overcommit_allowed(name) => {
                let words = format!("must be equal to {name} limit of {most}");
                errors.push(Error::invalid(&requests_at, asked.to_string(), words));
            }
            Some(most) if asked > most => {
                let words = format!("must be less than or equal to {name} limit of {most}");
                errors.push(Error::invalid(&requests_at, asked.to_string(), words));
            }
            None if !is_overcommit_allowed(name) => {
                let words = "Limit must be set for non overcommitable resources";
                errors.push(Error::required(&limits_at, words));
            }
            _ => {}
        };
        check(name, &asked, errors, &mut against_limit, &requests_at.key(name));
    }
    if huge && !computes {
        errors.push(Error::forbidden(at, "HugePages require cpu or memory"));
    }
    validate_claims(list(resources, "claims"), claims, &at.child("claims"), errors);
}

/// The claims of the pod that a container uses, whole or by request.
fn validate_claims(used: &[Value], claims: &BTreeSet<&str>, at: &Path, errors: &mut ErrorList) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (i, claim) in used.iter().enumerate() {
        let at = at.index(i);
        let (name, request) = (text(claim, "name"), text(claim, "request"));
        if name.is_empty() {
            errors.push(Error::required(&at, ""));
            continue;
        }
        if seen.contains(name) {
            errors.push(Error::duplicate(&at, name));
        } else {
            let mut key = name.to_owned();
            if !request.is_empty() {
                invalid_for(is_dns1123_label(request), &at.child("request"), request, errors);
                key = format!("{name}/{request}");
            }
            if seen.contains(&key) {
                errors.push(Error::duplicate(&at, key.as_str()));
            } else if request.is_empty() {
                let overlaps = seen.iter().filter(|key| key.split_once('/').is_some_and(|(of, _)| of == name));
                errors.extend(overlaps.map(|_| Error::duplicate(&at, name)));
            }
            seen.insert(key);
        }
        if !claims.contains(name) {
            let mut error = Error::not_found(&at, name);
            error.detail = "must be one of the names in pod.spec.resourceClaims".to_owned();
            if claims.is_empty() {
                error.detail.push_str(" which is empty");
            } else {
                error.detail.push_str(": ");
                error.detail.push_str(&claims.iter().copied().collect::<Vec<_>>().join(", "));
            }
            debug_assert_eq!(error.kind, ErrorKind::NotFound);
            errors.push(error);
        }
    }
}

/// The resources of the pod as a whole.
pub(super) fn validate_pod_level(
    spec: &Value,
    claims: &BTreeSet<&str>,
    at: &Path,
    options: &Options,
    errors: &mut ErrorList,
) {
    let Some(resources) = present(spec, "resources") else { return };
    let at = at.child("resources");
    if spec.get("os").is_some_and(|os| text(os, "name") == "windows") {
        errors.push(Error::forbidden(&at, "may not be set for a windows pod"));
        return;
    }
    if present(resources, "claims").is_some() {
        errors.push(Error::forbidden(&at.child("claims"), "claims may not be set for Resources at pod-level"));
    }
    validate(resources, validate_pod_name, claims, &at, options, errors);
    validate_consistency(spec, resources, &at, errors);
}

fn validate_consistency(spec: &Value, resources: &Value, at: &Path, errors: &mut ErrorList) {
    for (name, sum) in aggregate(spec, "requests") {
        if let Some(asked) = amount(resources, "requests", &name).filter(|asked| sum > *asked) {
            let words = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.push(Error::invalid(&at.child("requests").key(&name), asked.to_string(), words));
        }
    }
    for (name, sum) in aggregate(spec, "limits").into_iter().filter(|(name, _)| is_huge_page(name)) {
        if let Some(most) = amount(resources, "limits", &name).filter(|most| sum > *most) {
            let words = format!("must be greater than or equal to aggregate container limits of {sum}");
            errors.push(Error::invalid(&at.child("limits").key(&name), most.to_string(), words));
        }
    }
    for (i, container) in list(spec, "containers").iter().enumerate() {
        for (name, most) in amounts(&container["resources"], "limits") {
            if let Some(of_pod) = amount(resources, "limits", name).filter(|of_pod| most > *of_pod) {
                let at = at.child("containers").index(i).key(name).child("limits");
                let words = format!("must be less than or equal to pod limits of {of_pod}");
                errors.push(Error::invalid(&at, most.to_string(), words));
            }
        }
    }
}

/// What the containers need at once: all that run together, or at times those that come first beside the sidecars that
/// have started before them.
pub(crate) fn aggregate(spec: &Value, of: &str) -> Amounts {
    let mut running = Amounts::new();
    for container in list(spec, "containers") {
        add(&mut running, &container["resources"], of);
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in list(spec, "initContainers") {
        let resources = &container["resources"];
        if is_sidecar(container) {
            add(&mut running, resources, of);
            add(&mut sidecars, resources, of);
            raise(&mut peak, &sidecars);
        } else {
            let mut together = sidecars.clone();
            add(&mut together, resources, of);
            raise(&mut peak, &together);
        }
    }
    raise(&mut running, &peak);
    running
}

fn add(sum: &mut Amounts, resources: &Value, of: &str) {
    for (name, amount) in amounts(resources, of) {
        let sum = sum.entry(name.to_owned());
        sum.and_modify(|sum| *sum = sum.add(&amount)).or_insert(amount);
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        match most.get_mut(name) {
            Some(most) if *most >= *amount => {}
            Some(most) => *most = amount.clone(),
            None => {
                most.insert(name.clone(), amount.clone());
            }
        }
    }
}
