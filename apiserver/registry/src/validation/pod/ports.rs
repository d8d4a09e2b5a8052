//! The ports of containers.

use std::collections::HashSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{is_valid_port_name, is_valid_port_number};
use serde_json::Value;

use super::invalid_for;
use crate::validation::read::{list, number, text};

/// What is wrong with the ports of one container.
pub(super) fn validate(ports: &[Value], at: &Path, errors: &mut ErrorList) {
    let mut names = HashSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        let name = text(port, "name");
        if !name.is_empty() {
            let messages = is_valid_port_name(name);
            if !messages.is_empty() {
                invalid_for(messages, &at.child("name"), name, errors);
            } else if !names.insert(name) {
                errors.push(Error::duplicate(&at.child("name"), name));
            }
        }
        if number(port, "containerPort") == 0 {
            errors.push(Error::required(&at.child("containerPort"), ""));
        } else {
            validate_number(number(port, "containerPort"), &at.child("containerPort"), errors);
        }
        if number(port, "hostPort") != 0 {
            validate_number(number(port, "hostPort"), &at.child("hostPort"), errors);
        }
        match text(port, "protocol") {
            "" => errors.push(Error::required(&at.child("protocol"), "")),
            "TCP" | "UDP" | "SCTP" => {}
            other => errors.push(Error::not_supported(&at.child("protocol"), other, &["SCTP", "TCP", "UDP"])),
        }
    }
}

fn validate_number(port: i64, at: &Path, errors: &mut ErrorList) {
    errors.extend(is_valid_port_number(port).into_iter().map(|words| Error::invalid(at, port, words)));
}

/// A port by number or by name.
pub(super) fn validate_number_or_name(port: &Value, at: &Path, errors: &mut ErrorList) {
    match port.as_str() {
        Some(name) => invalid_for(is_valid_port_name(name), at, name, errors),
        None => validate_number(port.as_i64().unwrap_or(0), at, errors),
    }
}

/// No two of these containers may take the same port of the host.
pub(super) fn validate_host_ports<'a>(
    containers: impl IntoIterator<Item = &'a Value>,
    at: &Path,
    errors: &mut ErrorList,
) {
    let mut taken = HashSet::new();
    for (i, container) in containers.into_iter().enumerate() {
        for (j, port) in list(container, "ports").iter().enumerate() {
            let host_port = number(port, "hostPort");
            if host_port == 0 {
                continue;
            }
            let key = format!("{}/{}/{host_port}", text(port, "protocol"), text(port, "hostIP"));
            if taken.contains(&key) {
                let at = at.index(i).child("ports").index(j).child("hostPort");
                errors.push(Error::duplicate(&at, key));
            } else {
                taken.insert(key);
            }
        }
    }
}
