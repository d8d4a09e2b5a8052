//! What a service may be, and what it may become.

use std::collections::HashSet;

use apimachinery::field::{BadValue, Error, ErrorList, Path};
use apimachinery::validation;
use serde_json::{Value, json};

use super::{HEADLESS, is_externally_accessible, is_headless, needs_health_check, spec_of};
use crate::strategy::check::{lists, one_of, port_number_or_name, qualified_name, required_one_of, subdomain_words};
use crate::strategy::read::{at, has, list, number_or_zero, text, texts};

const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const MAX_AFFINITY_SECONDS: i64 = 86400;
const UNCHANGEABLE: &str = "may not change once set";
const LOAD_BALANCER_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";

/// What is wrong with a service; addresses that `old` had stay valid.
pub(super) fn service(service: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let at_spec = Path::new("spec");
    let spec = spec_of(service);
    let kind = text(spec, "type");
    topology(service, &mut errors);
    if list(spec, "ports").is_empty() && !is_headless(service) && kind != "ExternalName" {
        errors.push(Error::required(&at_spec.child("ports"), ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(service) => {
            let why = format!("may not be set to 'None' for {kind} services");
            errors.push(Error::invalid(&at_spec.child("clusterIPs").index(0), HEADLESS, why));
        }
        "ExternalName" => external_name(spec, &at_spec, &mut errors),
        _ => {}
    }
    let ports = list(spec, "ports");
    let at_ports = at_spec.child("ports");
    let mut names = HashSet::new();
    for (i, value) in ports.iter().enumerate() {
        port(value, ports.len() > 1, &mut names, &at_ports.index(i), &mut errors);
    }
    errors.extend(validation::validate_labels(at(spec, "selector"), &at_spec.child("selector")));
    affinity(spec, &at_spec, &mut errors);
    errors.extend(cluster_ips(service, old));
    external_ips(spec, old, &at_spec, &mut errors);
    required_one_of(
        kind,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        &at_spec.child("type"),
        &mut errors,
    );
    repeated_ports(spec, kind, &at_ports, &mut errors);
    source_ranges(service, old, &at_spec, &mut errors);
    if has(spec, "allocateLoadBalancerNodePorts") && kind != "LoadBalancer" {
        errors.push(Error::forbidden(&at_spec.child("allocateLoadBalancerNodePorts"), LOAD_BALANCER_ONLY));
    }
    if !has(spec, "allocateLoadBalancerNodePorts") && kind == "LoadBalancer" {
        errors.push(Error::required(&Path::new("allocateLoadBalancerNodePorts"), ""));
    }
    load_balancer_class(service, None, &mut errors);
    traffic_policies(service, &at_spec, &mut errors);
    errors
}

/// What is wrong with a change of a service.
pub(super) fn change(service: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    kept_cluster_ips(service, old, &mut errors);
    kept_families(service, old, &mut errors);
    load_balancer_class(service, Some(old), &mut errors);
    let check = |service| number_or_zero(spec_of(service), "healthCheckNodePort");
    if needs_health_check(old) && needs_health_check(service) && check(service) != check(old) {
        errors.push(Error::forbidden(&Path::new("spec").child("healthCheckNodePort"), "field is immutable"));
    }
    errors.extend(self::service(service, Some(old)));
    errors
}

/// What is wrong with a load balancer's status.
pub(in crate::strategy) fn load_balancer_status(
    status: &Value,
    old: &Value,
    service_type: Option<&str>,
    path: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = path.child("ingress");
    let ingress = list(status, "ingress");
    if service_type.is_some_and(|kind| kind != "LoadBalancer") && !ingress.is_empty() {
        errors.push(Error::forbidden(&path, "may only be used when `spec.type` is 'LoadBalancer'"));
        return errors;
    }
    let before: Vec<&str> = list(old, "ingress").iter().map(|item| text(item, "ip")).collect();
    for (i, item) in ingress.iter().enumerate() {
        let path = path.index(i);
        let (ip, mode, host) = (text(item, "ip"), at(item, "ipMode").as_str(), text(item, "hostname"));
        if !ip.is_empty() {
            errors.extend(validation::validate_ip_or_kept(&path.child("ip"), ip, &before));
        }
        match mode {
            None if !ip.is_empty() => {
                errors.push(Error::required(&path.child("ipMode"), "must be specified when `ip` is set"));
            }
            Some(_) if ip.is_empty() => {
                errors.push(Error::forbidden(&path.child("ipMode"), "may not be specified when `ip` is not set"));
            }
            Some(mode) => one_of(mode, &["Proxy", "VIP"], &path.child("ipMode"), &mut errors),
            None => {}
        }
        if !host.is_empty() {
            errors.extend(subdomain_words(host, &path.child("hostname")));
            if validation::parse_ip_sloppy(host).is_some() {
                errors.push(Error::invalid(&path.child("hostname"), host, "must be a DNS name, not an IP address"));
            }
        }
    }
    errors
}

fn topology(service: &Value, errors: &mut ErrorList) {
    let annotations = at(at(service, "metadata"), "annotations");
    if let (Some(hints), Some(mode)) = (at(annotations, HINTS).as_str(), at(annotations, TOPOLOGY_MODE).as_str())
        && hints != mode
    {
        let path = Path::new("metadata").child("annotations").key(TOPOLOGY_MODE);
        let why = format!("must match annotations[{HINTS}] when both are specified");
        errors.push(Error::invalid(&path, mode, why));
    }
}

fn external_name(spec: &Value, path: &Path, errors: &mut ErrorList) {
    for field in ["clusterIPs", "ipFamilies"] {
        if !list(spec, field).is_empty() {
            errors.push(Error::forbidden(&path.child(field), "may not be set for ExternalName services"));
        }
    }
    if has(spec, "ipFamilyPolicy") {
        errors.push(Error::forbidden(&path.child("ipFamilyPolicy"), "may not be set for ExternalName services"));
    }
    let name = text(spec, "externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        errors.push(Error::required(&path.child("externalName"), ""));
    } else {
        errors.extend(subdomain_words(name, &path.child("externalName")));
    }
}

fn port<'a>(port: &'a Value, named: bool, names: &mut HashSet<&'a str>, path: &Path, errors: &mut ErrorList) {
    let name = text(port, "name");
    if name.is_empty() && named {
        errors.push(Error::required(&path.child("name"), ""));
    } else if !name.is_empty() {
        let words = validation::is_dns1123_label(name);
        errors.extend(words.into_iter().map(|words| Error::invalid(&path.child("name"), name, words)));
        if !names.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    }
    let number = number_or_zero(port, "port");
    let words = validation::is_valid_port_number(number);
    errors.extend(words.into_iter().map(|words| Error::invalid(&path.child("port"), number, words)));
    required_one_of(text(port, "protocol"), &["SCTP", "TCP", "UDP"], &path.child("protocol"), errors);
    errors.extend(port_number_or_name(at(port, "targetPort"), &path.child("targetPort")));
    if let Some(protocol) = at(port, "appProtocol").as_str() {
        errors.extend(qualified_name(protocol, &path.child("appProtocol")));
    }
}

fn affinity(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let affinity = text(spec, "sessionAffinity");
    let config = at(spec, "sessionAffinityConfig");
    required_one_of(affinity, &["ClientIP", "None"], &path.child("sessionAffinity"), errors);
    let path = path.child("sessionAffinityConfig");
    match affinity {
        "ClientIP" => {
            let client = at(config, "clientIP");
            let absent = if config.is_null() {
                Some(path.clone())
            } else if client.is_null() {
                Some(path.child("clientIP"))
            } else if !has(client, "timeoutSeconds") {
                Some(path.child("clientIP").child("timeoutSeconds"))
            } else {
                None
            };
            if let Some(absent) = absent {
                errors.push(Error::required(&absent, "when session affinity type is ClientIP"));
                return;
            }
            let seconds = number_or_zero(client, "timeoutSeconds");
            if seconds <= 0 || seconds > MAX_AFFINITY_SECONDS {
                let why = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                errors.push(Error::invalid(&path.child("clientIP").child("timeoutSeconds"), seconds, why));
            }
        }
        "None" if !config.is_null() => {
            errors.push(Error::forbidden(&path, "must not be set when session affinity is None"));
        }
        _ => {}
    }
}

/// How `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` fit together.
pub(in crate::strategy) fn cluster_ips(service: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = spec_of(service);
    if text(spec, "type") == "ExternalName" {
        return errors;
    }
    let path = Path::new("spec");
    let (at_ips, at_families) = (path.child("clusterIPs"), path.child("ipFamilies"));
    let all = || BadValue::from(at(spec, "clusterIPs").clone());
    let (ip, ips) = (text(spec, "clusterIP"), lists(spec, "clusterIPs"));
    match (ip, ips.first()) {
        ("", None) => {}
        ("", Some(_)) => {
            errors.push(Error::invalid(&at_ips, all(), "must be empty when `clusterIP` is not specified"));
        }
        (_, None) => errors.push(Error::required(&at_ips, "")),
        (ip, Some(first)) if ip != *first => {
            errors.push(Error::invalid(&at_ips, all(), "first value must match `clusterIP`"));
        }
        _ => {}
    }
    let families = lists(spec, "ipFamilies");
    for (i, family) in families.iter().enumerate() {
        one_of(family, &["IPv4", "IPv6"], &at_families.index(i), &mut errors);
        if families[..i].contains(family) {
            errors.push(Error::duplicate(&at_families.index(i), *family));
        }
    }
    if let Some(policy) = at(spec, "ipFamilyPolicy").as_str() {
        let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        one_of(policy, &policies, &path.child("ipFamilyPolicy"), &mut errors);
    }
    let before = old.map(|old| lists(spec_of(old), "clusterIPs")).unwrap_or_default();
    let mut invalid = false;
    for (i, ip) in ips.iter().enumerate() {
        let found = if i == 0 && *ip == HEADLESS {
            if ips.len() > 1 {
                vec![Error::invalid(&at_ips, all(), "'None' must be the first and only value")]
            } else {
                ErrorList::new()
            }
        } else {
            validation::validate_ip_or_kept(&at_ips.index(i), ip, &before)
        };
        invalid |= !found.is_empty();
        errors.extend(found);
    }
    if ips.len() > 2 {
        errors.push(Error::invalid(&at_ips, all(), "may only hold up to 2 values"));
    }
    if invalid {
        return errors;
    }
    let is_v6 = |ip: &&str| validation::parse_ip_sloppy(ip).is_some_and(|ip| ip.is_ipv6());
    if ips.len() > 1 && (ips.iter().all(is_v6) || !ips.iter().any(is_v6)) {
        errors.push(Error::invalid(&at_ips, all(), "may specify no more than one IP for each IP family"));
    }
    if !is_headless(service) {
        for (i, (ip, family)) in ips.iter().zip(&families).enumerate() {
            let expected = if is_v6(ip) { "IPv6" } else { "IPv4" };
            if matches!(*family, "IPv4" | "IPv6") && *family != expected {
                let why = format!("expected an {family} value as indicated by `ipFamilies[{i}]`");
                errors.push(Error::invalid(&at_ips.index(i), *ip, why));
            }
        }
    }
    errors
}

fn external_ips(spec: &Value, old: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    let before = old.map(|old| lists(spec_of(old), "externalIPs")).unwrap_or_default();
    for (i, ip) in texts(spec, "externalIPs").enumerate() {
        let path = path.child("externalIPs").index(i);
        let found = validation::validate_ip_or_kept(&path, ip, &before);
        errors.extend(if found.is_empty() { validation::validate_endpoint_ip(&path, ip) } else { found });
    }
}

fn repeated_ports(spec: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let ports = list(spec, "ports");
    if kind == "ClusterIP" {
        for (i, port) in ports.iter().enumerate() {
            if number_or_zero(port, "nodePort") != 0 {
                let why = "may not be used when `type` is 'ClusterIP'";
                errors.push(Error::forbidden(&path.index(i).child("nodePort"), why));
            }
        }
    }
    let mut seen = HashSet::new();
    for (i, port) in ports.iter().enumerate() {
        let node_port = number_or_zero(port, "nodePort");
        if node_port != 0 && !seen.insert((text(port, "protocol"), node_port)) {
            errors.push(Error::duplicate(&path.index(i).child("nodePort"), node_port));
        }
    }
    seen.clear();
    for (i, port) in ports.iter().enumerate() {
        let (protocol, number) = (text(port, "protocol"), number_or_zero(port, "port"));
        if !seen.insert((protocol, number)) {
            // Upstream shows the key it looked for: a port of which nothing else is known.
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}",
                json!(protocol)
            );
            errors.push(Error::duplicate(&path.index(i), BadValue::Rendered(shown)));
        }
    }
}

fn source_ranges(service: &Value, old: Option<&Value>, path: &Path, errors: &mut ErrorList) {
    let spec = spec_of(service);
    let is_load_balancer = text(spec, "type") == "LoadBalancer";
    let annotation = |service| at(at(at(service, "metadata"), "annotations"), SOURCE_RANGES).as_str();
    if !list(spec, "loadBalancerSourceRanges").is_empty() {
        let path = path.child("LoadBalancerSourceRanges");
        if !is_load_balancer {
            errors.push(Error::forbidden(&path, LOAD_BALANCER_ONLY));
        }
        let before: Vec<&str> =
            old.into_iter().flat_map(|old| texts(spec_of(old), "loadBalancerSourceRanges")).map(str::trim).collect();
        for (i, range) in texts(spec, "loadBalancerSourceRanges").enumerate() {
            errors.extend(validation::validate_cidr_or_kept(&path.index(i), range.trim(), &before));
        }
    } else if let Some(ranges) = annotation(service) {
        let path = Path::new("metadata").child("annotations").key(SOURCE_RANGES);
        if !is_load_balancer {
            errors.push(Error::forbidden(&path, LOAD_BALANCER_ONLY));
        }
        if old.and_then(annotation) != Some(ranges) && !ranges.trim().is_empty() {
            for range in ranges.trim().split(',') {
                errors.extend(validation::validate_cidr_or_kept(&path, range.trim(), &[]));
            }
        }
    }
}

fn load_balancer_class(service: &Value, old: Option<&Value>, errors: &mut ErrorList) {
    let path = Path::new("spec").child("loadBalancerClass");
    let of = |service| (text(spec_of(service), "type") == "LoadBalancer", at(spec_of(service), "loadBalancerClass"));
    let (is_load_balancer, class) = of(service);
    if let Some((true, before)) = old.map(of)
        && is_load_balancer
        && before != class
    {
        errors.push(Error::invalid(&path, class.clone(), UNCHANGEABLE));
    }
    match class.as_str() {
        Some(class) if is_load_balancer => errors.extend(qualified_name(class, &path)),
        Some(_) => errors.push(Error::forbidden(&path, LOAD_BALANCER_ONLY)),
        None => {}
    }
}

fn traffic_policies(service: &Value, path: &Path, errors: &mut ErrorList) {
    let spec = spec_of(service);
    let (external, at_external) = (text(spec, "externalTrafficPolicy"), path.child("externalTrafficPolicy"));
    if is_externally_accessible(service) {
        required_one_of(external, &["Cluster", "Local"], &at_external, errors);
    } else if !external.is_empty() {
        errors.push(Error::invalid(&at_external, external, "may only be set for externally-accessible services"));
    }
    let (check, at_check) = (number_or_zero(spec, "healthCheckNodePort"), path.child("healthCheckNodePort"));
    if !needs_health_check(service) {
        if check != 0 {
            let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(Error::invalid(&at_check, check, why));
        }
    } else if check == 0 {
        errors.push(Error::required(&at_check, ""));
    } else {
        let words = validation::is_valid_port_number(check);
        errors.extend(words.into_iter().map(|words| Error::invalid(&at_check, check, words)));
    }
    let at_internal = path.child("internalTrafficPolicy");
    match at(spec, "internalTrafficPolicy").as_str() {
        Some(policy) => one_of(policy, &["Cluster", "Local"], &at_internal, errors),
        None if matches!(text(spec, "type"), "NodePort" | "LoadBalancer" | "ClusterIP") => {
            errors.push(Error::required(&at_internal, ""));
        }
        None => {}
    }
    if let Some(distribution) = at(spec, "trafficDistribution").as_str() {
        let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        one_of(distribution, &known, &path.child("trafficDistribution"), errors);
    }
}

fn kept_cluster_ips(service: &Value, old: &Value, errors: &mut ErrorList) {
    let (spec, before) = (spec_of(service), spec_of(old));
    if text(spec, "type") == "ExternalName"
        || text(before, "type") == "ExternalName"
        || (is_headless(service) && is_headless(old))
    {
        return;
    }
    let path = Path::new("spec").child("clusterIPs");
    let all = || BadValue::from(json!(lists(spec, "clusterIPs")));
    let (ips, were) = (lists(spec, "clusterIPs"), lists(before, "clusterIPs"));
    if ips.len() == were.len() {
        for (i, (is, was)) in ips.iter().zip(&were).enumerate() {
            if is != was {
                errors.push(Error::invalid(&path.index(i), all(), UNCHANGEABLE));
            }
        }
        return;
    }
    if ips.is_empty() {
        errors.push(Error::invalid(&path.index(0), all(), "primary clusterIP can not be unset"));
    }
    if let (Some(is), Some(was)) = (ips.first(), were.first())
        && is != was
    {
        errors.push(Error::invalid(&path.index(0), all(), UNCHANGEABLE));
    }
    if ips.len() == 1 && were.len() > 1 && text(spec, "ipFamilyPolicy") != "SingleStack" {
        let why = "must be set to 'SingleStack' when releasing the secondary clusterIP";
        let policy = at(spec, "ipFamilyPolicy").clone();
        errors.push(Error::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, why));
    }
}

fn kept_families(service: &Value, old: &Value, errors: &mut ErrorList) {
    let (spec, before) = (spec_of(service), spec_of(old));
    if text(spec, "type") == "ExternalName"
        || text(before, "type") == "ExternalName"
        || is_headless(service)
        || is_headless(old)
    {
        return;
    }
    let path = Path::new("spec").child("ipFamilies").index(0);
    let (families, were) = (lists(spec, "ipFamilies"), lists(before, "ipFamilies"));
    if families.len() == were.len() {
        let changed = families.iter().zip(&were).filter(|(is, was)| is != was);
        errors.extend(changed.map(|_| Error::invalid(&path, json!(families), UNCHANGEABLE)));
        return;
    }
    if families.len() < were.len() && list(spec, "clusterIPs").is_empty() {
        errors.push(Error::invalid(&path, json!(families), "primary ipFamily can not be unset"));
    }
    if let (Some(is), Some(was)) = (families.first(), were.first())
        && is != was
    {
        // Upstream shows the addresses here.
        errors.push(Error::invalid(&path, json!(lists(spec, "clusterIPs")), UNCHANGEABLE));
    }
    if families.len() == 1 && were.len() > 1 && text(spec, "ipFamilyPolicy") != "SingleStack" {
        let why = "must be set to 'SingleStack' when releasing the secondary ipFamily";
        let policy = at(spec, "ipFamilyPolicy").clone();
        errors.push(Error::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, why));
    }
}

/// What to warn of: addresses that are read in more ways than one, and what a service of this type pays no heed to.
pub(super) fn warnings(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let (spec, path) = (spec_of(service), Path::new("spec"));
    let (kind, ip) = (text(spec, "type"), text(spec, "clusterIP"));
    if has(at(at(service, "metadata"), "annotations"), HINTS) {
        warnings.push(format!("annotation {HINTS} is deprecated, please use {TOPOLOGY_MODE} instead"));
    }
    if !ip.is_empty() && ip != HEADLESS {
        for (i, ip) in texts(spec, "clusterIPs").enumerate() {
            warnings.extend(validation::warning_for_ip(&path.child("clusterIPs").index(i), ip));
        }
    }
    let has_external = !list(spec, "externalIPs").is_empty();
    let headless = kind == "ClusterIP" && ip == HEADLESS;
    if headless {
        let ignored = [
            (!text(spec, "loadBalancerIP").is_empty(), "loadBalancerIP"),
            (has_external, "externalIPs"),
            (text(spec, "sessionAffinity") != "None", "SessionAffinity"),
        ];
        let ignored = ignored.into_iter().filter(|(is_set, _)| *is_set);
        warnings.extend(ignored.map(|(_, field)| format!("spec.{field} is ignored for headless services")));
    }
    for (i, ip) in texts(spec, "externalIPs").enumerate() {
        warnings.extend(validation::warning_for_ip(&path.child("externalIPs").index(i), ip));
    }
    if has_external && !headless && kind != "ExternalName" {
        warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned());
    }
    warnings.extend(validation::warning_for_ip(&path.child("loadBalancerIP"), text(spec, "loadBalancerIP")));
    for (i, range) in texts(spec, "loadBalancerSourceRanges").enumerate() {
        warnings.extend(validation::warnings_for_cidr(&path.child("loadBalancerSourceRanges").index(i), range));
    }
    if kind == "ExternalName" && has_external {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if kind != "ExternalName" && !text(spec, "externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text(spec, "trafficDistribution") == "PreferClose" {
        warnings.push("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned());
    }
    warnings
}
