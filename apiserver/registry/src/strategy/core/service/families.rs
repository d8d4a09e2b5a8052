//! Which address families a service has, given what the cluster has: what a client leaves out is settled, what cannot be is
//! refused.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use serde_json::{Value, json};

use super::validate::cluster_ips;
use super::{HEADLESS, spec_of};
use crate::strategy::check::lists;
use crate::strategy::read::{at, entries, has, list, spec_mut, text};

/// A family of addresses by its name.
pub(crate) fn family_of(ip: &str) -> &'static str {
    match validation::parse_ip_sloppy(ip) {
        Some(ip) if ip.is_ipv4() => "IPv4",
        Some(_) => "IPv6",
        None => "unknown",
    }
}

/// Settles policy and families. `available` are the cluster's families, the default one first.
///
/// # Errors
/// What a client asked for and cannot have.
pub(crate) fn settle(service: &mut Value, old: Option<&Value>, available: &[&str]) -> Result<(), ErrorList> {
    if text(spec_of(service), "type") == "ExternalName" || old.is_some_and(|old| keeps_preference(service, old)) {
        return Ok(());
    }
    settle_policy(service, old);
    let errors = cluster_ips(service, None);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut errors = ErrorList::new();
    let at_policy = Path::new("spec").child("ipFamilyPolicy");
    let policy = text(spec_of(service), "ipFamilyPolicy").to_owned();
    let single = policy == "SingleStack";
    if let Some(old) = old {
        release_second(service, old, single, &policy, &mut errors);
    }
    if single {
        for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
            if list(spec_of(service), field).len() == 2 {
                let why = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
                errors.push(Error::invalid(&at_policy, policy.as_str(), why));
            }
        }
    }
    let mut families: Vec<String> = lists(spec_of(service), "ipFamilies").into_iter().map(str::to_owned).collect();
    let ips = lists(spec_of(service), "clusterIPs");
    for (i, ip) in ips.iter().enumerate().take_while(|(_, ip)| **ip != HEADLESS) {
        if i < families.len() {
            continue;
        }
        let family = family_of(ip);
        if available.contains(&family) {
            families.push(family.to_owned());
        } else {
            let path = Path::new("spec").child("clusterIPs").index(i);
            let why = format!("{family} is not configured on this cluster");
            errors.push(Error::invalid(&path, json!(ips), why));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let default = available.first().copied().unwrap_or("IPv4");
    let spec = spec_of(service);
    if text(spec, "clusterIP") == HEADLESS && entries(spec, "selector").next().is_none() {
        // Whoever writes its endpoints may give them addresses of both families, whatever the cluster has.
        if families.is_empty() {
            families.push(default.to_owned());
        }
        if !single {
            add_other(&mut families);
        }
        set_families(service, families);
        return Ok(());
    }
    if policy == "RequireDualStack" && available.len() < 2 {
        let why = "this cluster is not configured for dual-stack services";
        errors.push(Error::invalid(&at_policy, policy.as_str(), why));
    }
    for (i, family) in families.iter().enumerate().filter(|(_, family)| !available.contains(&family.as_str())) {
        let path = Path::new("spec").child("ipFamilies").index(i);
        errors.push(Error::invalid(&path, family.as_str(), "not configured on this cluster"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if families.is_empty() {
        families.push(default.to_owned());
    }
    if !single && available.len() == 2 {
        add_other(&mut families);
    }
    set_families(service, families);
    Ok(())
}

/// Whether a service that prefers two families is left as it is: a cluster's change alone moves nothing.
pub(crate) fn keeps_preference(service: &Value, old: &Value) -> bool {
    let (spec, before) = (spec_of(service), spec_of(old));
    let prefers = |spec| text(spec, "ipFamilyPolicy") == "PreferDualStack";
    prefers(spec)
        && (prefers(before) || !has(before, "ipFamilyPolicy"))
        && text(spec, "type") == text(before, "type")
        && matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer")
        && list(spec, "clusterIPs") == list(before, "clusterIPs")
        && list(spec, "ipFamilies") == list(before, "ipFamilies")
}

fn settle_policy(service: &mut Value, old: Option<&Value>) {
    let spec = spec_of(service);
    if has(spec, "ipFamilyPolicy") {
        return;
    }
    let selects = entries(spec, "selector").next().is_some();
    let policy = match old.map(|old| at(spec_of(old), "ipFamilyPolicy")).filter(|policy| !policy.is_null()) {
        Some(before) => before.clone(),
        None if text(spec, "clusterIP") == HEADLESS && !selects => json!("RequireDualStack"),
        None => json!("SingleStack"),
    };
    if let Some(spec) = spec_mut(service) {
        spec.insert("ipFamilyPolicy".into(), policy);
    }
}

/// With one family alone the second address and family go, where the client left them as they were; else leaving one out
/// is refused.
fn release_second(service: &mut Value, old: &Value, single: bool, policy: &str, errors: &mut ErrorList) {
    for (field, what) in [("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")] {
        let (now, before) = (list(spec_of(service), field), list(spec_of(old), field));
        if single && now == before && now.len() > 1 {
            let first = json!([now[0]]);
            if let Some(spec) = spec_mut(service) {
                spec.insert(field.into(), first);
            }
        } else if !single && !now.is_empty() && now.len() < before.len() {
            let why = format!("must be 'SingleStack' to release the secondary {what}");
            errors.push(Error::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, why));
        }
    }
}

fn add_other(families: &mut Vec<String>) {
    if let [only] = families.as_slice() {
        let other = if only == "IPv4" { "IPv6" } else { "IPv4" };
        families.push(other.to_owned());
    }
}

fn set_families(service: &mut Value, families: Vec<String>) {
    if let Some(spec) = spec_mut(service) {
        spec.insert("ipFamilies".into(), families.into());
    }
}
