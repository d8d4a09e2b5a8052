//! Network policies.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, Cidr, parse_cidr_sloppy};
use serde_json::Value;

use crate::strategy::Scope;
use crate::strategy::check::{port_number, port_number_or_name};
use crate::strategy::read::{at, list, number, text, texts};

const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

/// What is wrong with a new network policy.
pub(in crate::strategy) fn validate(policy: &Value, _scope: &Scope<'_>) -> ErrorList {
    spec(at(policy, "spec"), &[], false)
}

/// What is wrong with a change of a network policy. Blocks that were there may stay.
pub(in crate::strategy) fn validate_update(policy: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
    let before = at(old, "spec");
    let mut kept = Vec::new();
    for (direction, peers) in DIRECTIONS {
        for peer in list(before, direction).iter().flat_map(|rule| list(rule, peers)) {
            kept.push(text(at(peer, "ipBlock"), "cidr"));
            kept.extend(texts(at(peer, "ipBlock"), "except"));
        }
    }
    let selector = at(before, "podSelector");
    let was_bad = !validation::validate_label_selector(selector, false, &Path::default()).is_empty();
    spec(at(policy, "spec"), &kept, was_bad)
}

fn spec(spec: &Value, kept: &[&str], lax: bool) -> ErrorList {
    let path = Path::new("spec");
    let mut errors = validation::validate_label_selector(at(spec, "podSelector"), lax, &path.child("podSelector"));
    for (direction, peers) in DIRECTIONS {
        for (i, rule) in list(spec, direction).iter().enumerate() {
            let path = path.child(direction).index(i);
            for (i, value) in list(rule, "ports").iter().enumerate() {
                port(value, &path.child("ports").index(i), &mut errors);
            }
            for (i, value) in list(rule, peers).iter().enumerate() {
                peer(value, kept, lax, &path.child(peers).index(i), &mut errors);
            }
        }
    }
    let (kinds, path) = (list(spec, "policyTypes"), path.child("policyTypes"));
    if kinds.len() > 2 {
        let why = "may not specify more than two policyTypes";
        errors.push(Error::invalid(&path, at(spec, "policyTypes").clone(), why));
        return errors;
    }
    for (i, kind) in texts(spec, "policyTypes").enumerate() {
        if !matches!(kind, "Ingress" | "Egress") {
            errors.push(Error::not_supported(&path.index(i), kind, &["Ingress", "Egress"]));
        }
    }
    errors
}

fn port(port: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(protocol) = at(port, "protocol").as_str()
        && !matches!(protocol, "TCP" | "UDP" | "SCTP")
    {
        errors.push(Error::not_supported(&path.child("protocol"), protocol, &["TCP", "UDP", "SCTP"]));
    }
    let (value, end, at_end) = (at(port, "port"), number(port, "endPort"), path.child("endPort"));
    let refused = |why: &str| end.map(|end| Error::invalid(&at_end, end, why));
    match value {
        Value::Null => errors.extend(refused("may not be specified when `port` is not specified")),
        Value::String(_) => {
            errors.extend(refused("may not be specified when `port` is non-numeric"));
            errors.extend(port_number_or_name(value, &path.child("port")));
        }
        value => {
            let first = value.as_i64().unwrap_or(0);
            errors.extend(port_number(first, &path.child("port")));
            if let Some(end) = end {
                if end < first {
                    errors.extend(refused("must be greater than or equal to `port`"));
                }
                errors.extend(port_number(end, &at_end));
            }
        }
    }
}

fn peer(peer: &Value, kept: &[&str], lax: bool, path: &Path, errors: &mut ErrorList) {
    let mut peers = 0;
    for field in ["podSelector", "namespaceSelector"] {
        let selector = at(peer, field);
        if !selector.is_null() {
            peers += 1;
            errors.extend(validation::validate_label_selector(selector, lax, &path.child(field)));
        }
    }
    let block = at(peer, "ipBlock");
    if !block.is_null() {
        peers += 1;
        ip_block(block, kept, &path.child("ipBlock"), errors);
    }
    if peers == 0 {
        errors.push(Error::required(path, "must specify a peer"));
    } else if peers > 1 && !block.is_null() {
        errors.push(Error::forbidden(path, "may not specify both ipBlock and another peer"));
    }
}

fn ip_block(block: &Value, kept: &[&str], path: &Path, errors: &mut ErrorList) {
    let cidr = text(block, "cidr");
    if cidr.is_empty() {
        errors.push(Error::required(&path.child("cidr"), ""));
        return;
    }
    errors.extend(validation::validate_cidr_or_kept(&path.child("cidr"), cidr, kept));
    let parse = |text: &str| -> Option<Cidr> { parse_cidr_sloppy(text).map(|(_, block)| block) };
    let Some(whole) = parse(cidr) else { return };
    for (i, except) in texts(block, "except").enumerate() {
        let path = path.child("except").index(i);
        errors.extend(validation::validate_cidr_or_kept(&path, except, kept));
        let is_part = |part: Cidr| whole.contains(part.network) && whole.prefix < part.prefix;
        if parse(except).is_some_and(|part| !is_part(part)) {
            errors.push(Error::invalid(&path, except, "must be a strict subset of `cidr`"));
        }
    }
}
