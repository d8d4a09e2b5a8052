//! The objects behind addresses of services: blocks, and the addresses that are taken.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, FIELD_IMMUTABLE, is_valid_path_segment_name};
use schema::types;
use serde_json::Value;

use crate::strategy::Scope;
use crate::strategy::check::{lists, subdomain_words, words};
use crate::strategy::read::{at, same, text};

const TWO_OF_A_FAMILY: &str =
    "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";

/// What is wrong with a new block.
pub(in crate::strategy) fn validate_block(block: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (spec, path) = (at(block, "spec"), Path::new("spec").child("cidrs"));
    let cidrs = lists(spec, "cidrs");
    let mut errors = ErrorList::new();
    let shown = || at(spec, "cidrs").clone();
    let family = |text: &&str| validation::parse_cidr_sloppy(text).map(|(_, block)| block.network.is_ipv4());
    match cidrs[..] {
        [] => errors.push(Error::required(&path, "at least one CIDR required")),
        [_] => {}
        [a, b] if family(&a) != family(&b) || family(&a).is_none() => {}
        _ => errors.push(Error::invalid(&path, shown(), TWO_OF_A_FAMILY)),
    }
    for (i, cidr) in cidrs.iter().enumerate() {
        errors.extend(validation::validate_canonical_cidr(&path.index(i), cidr));
    }
    errors
}

/// What is wrong with a change of a block: a second family may be added, what is there stays.
pub(in crate::strategy) fn validate_block_update(block: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        return ErrorList::new();
    }
    let (path, mut errors) = (Path::new("spec").child("cidrs"), ErrorList::new());
    let (cidrs, before) = (lists(at(block, "spec"), "cidrs"), lists(at(old, "spec"), "cidrs"));
    let kept = cidrs.iter().zip(&before).position(|(cidr, before)| cidr != before);
    match (cidrs.len(), before.len(), kept) {
        (1, 1, None) | (2, 2, None) => {}
        (2, 1, None) => errors.extend(validate_block(block, scope)),
        (1 | 2, 1 | 2, Some(i)) if cidrs.len() >= before.len() => {
            errors.push(Error::invalid(&path.index(i), cidrs[i], FIELD_IMMUTABLE));
        }
        _ => errors.push(Error::invalid(&path, at(at(block, "spec"), "cidrs").clone(), FIELD_IMMUTABLE)),
    }
    errors
}

/// Names of addresses are the addresses, in canonical form.
pub(in crate::strategy) fn validate_name(name: &str, _prefix: bool) -> Vec<String> {
    let errors = validation::validate_canonical_ip(&Path::default(), name);
    errors.into_iter().map(|error| error.detail).collect()
}

/// What is wrong with a new address.
pub(in crate::strategy) fn validate_address(address: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (parent, path) = (at(at(address, "spec"), "parentRef"), Path::new("spec").child("parentRef"));
    let mut errors = ErrorList::new();
    if parent.is_null() {
        errors.push(Error::required(&path, ""));
        return errors;
    }
    let group = text(parent, "group");
    if !group.is_empty() {
        errors.extend(subdomain_words(group, &path.child("group")));
    }
    for (field, required) in [("resource", true), ("name", true), ("namespace", false)] {
        let value = text(parent, field);
        if !value.is_empty() {
            errors.extend(words(is_valid_path_segment_name(value), value, &path.child(field)));
        } else if required {
            errors.push(Error::required(&path.child(field), ""));
        }
    }
    errors
}

/// What is wrong with a change of an address: it stays whose it is.
pub(in crate::strategy) fn validate_address_update(address: &Value, old: &Value, _scope: &Scope<'_>) -> ErrorList {
    let (parent, before) = (at(at(address, "spec"), "parentRef"), at(at(old, "spec"), "parentRef"));
    if same(parent, before) {
        return ErrorList::new();
    }
    let value = types::bad_value("*networking.ParentReference", parent);
    vec![Error::invalid(&Path::new("spec").child("parentRef"), value, FIELD_IMMUTABLE)]
}
