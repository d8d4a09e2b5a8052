//! What a pod says of names, addresses and the host's network.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{is_dns1123_subdomain, is_dns1123_subdomain_with_underscore, validate_ip};
use serde_json::Value;

use super::{Options, invalid_for};
use crate::validation::read::{flag, list, number, optional_text, present, text, texts};

/// On the host's network a container's port is the host's.
pub(super) fn validate_host_ports(spec: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    if !flag(spec, "hostNetwork") {
        return;
    }
    for (i, container) in list(spec, "containers").iter().enumerate() {
        for (j, port) in list(container, "ports").iter().enumerate() {
            let (of_host, own) = (number(port, "hostPort"), number(port, "containerPort"));
            // In a template the port may be left to the defaults of the pod to come.
            if (options.is_pod || of_host != 0) && of_host != own {
                let at = at.child("containers").index(i).child("ports").index(j).child("hostPort");
                let words = "must match `containerPort` when `hostNetwork` is true";
                errors.push(Error::invalid(&at, of_host, words));
            }
        }
    }
}

/// Where names are looked up.
pub(super) fn validate_dns_policy(spec: &Value, at: &Path, errors: &mut ErrorList) {
    const SUPPORTED: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    match text(spec, "dnsPolicy") {
        "" => errors.push(Error::required(at, "")),
        policy if SUPPORTED.contains(&policy) => {}
        other => errors.push(Error::not_supported(at, other, &SUPPORTED)),
    }
}

/// What a pod adds to the look-up of names.
pub(super) fn validate_dns_config(spec: &Value, at: &Path, errors: &mut ErrorList) {
    const MOST_SERVERS: usize = 3;
    const MOST_SEARCHES: usize = 32;
    const MOST_CHARACTERS: usize = 2048;
    let config = present(spec, "dnsConfig");
    if text(spec, "dnsPolicy") == "None" {
        if config.is_none() {
            errors.push(Error::required(at, "must provide `dnsConfig` when `dnsPolicy` is None"));
            return;
        }
        if config.is_some_and(|config| list(config, "nameservers").is_empty()) {
            let words = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(Error::required(&at.child("nameservers"), words));
            return;
        }
    }
    let Some(config) = config else { return };
    let (servers, searches) = (list(config, "nameservers"), list(config, "searches"));
    let mut too_many = |field: &str, values: &[Value], words: String| {
        errors.push(Error::invalid(&at.child(field), values.to_vec(), words));
    };
    if servers.len() > MOST_SERVERS {
        too_many("nameservers", servers, format!("must not have more than {MOST_SERVERS} nameservers"));
    }
    for (i, server) in texts(config, "nameservers").enumerate() {
        errors.extend(validate_ip(&at.child("nameservers").index(i), server));
    }
    let mut too_many = |field: &str, values: &[Value], words: String| {
        errors.push(Error::invalid(&at.child(field), values.to_vec(), words));
    };
    if searches.len() > MOST_SEARCHES {
        too_many("searches", searches, format!("must not have more than {MOST_SEARCHES} search paths"));
    }
    let characters: usize = texts(config, "searches").map(|search| search.len() + 1).sum();
    if characters.saturating_sub(1) > MOST_CHARACTERS {
        let words =
            format!("must not have more than {MOST_CHARACTERS} characters (including spaces) in the search list");
        too_many("searches", searches, words);
    }
    for (i, search) in texts(config, "searches").enumerate() {
        if search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            let at = at.child("searches").index(i);
            invalid_for(is_dns1123_subdomain_with_underscore(search), &at, search, errors);
        }
    }
    for (i, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            errors.push(Error::required(&at.child("options").index(i), "must not be empty"));
        }
    }
}

/// A name for the pod that its own name need not allow.
pub(super) fn validate_hostname_override(spec: &Value, at: &Path, errors: &mut ErrorList) {
    const MOST: usize = 64;
    let Some(name) = optional_text(spec, "hostnameOverride") else { return };
    let at = at.child("hostnameOverride");
    for field in ["setHostnameAsFQDN", "hostNetwork"] {
        if flag(spec, field) {
            errors.push(Error::forbidden(&at, format!("may not be specified when {field} is true")));
        }
    }
    if name.len() > MOST {
        errors.push(Error::too_long(&at, MOST));
    }
    invalid_for(is_dns1123_subdomain(name), &at, name, errors);
}

/// Names that a pod adds to its hosts file.
pub(super) fn validate_host_aliases(aliases: &[Value], at: &Path, errors: &mut ErrorList) {
    for (i, alias) in aliases.iter().enumerate() {
        errors.extend(validate_ip(&at.index(i).child("ip"), text(alias, "ip")));
        for (j, name) in texts(alias, "hostnames").enumerate() {
            invalid_for(is_dns1123_subdomain(name), &at.index(i).child("hostnames").index(j), name, errors);
        }
    }
}
