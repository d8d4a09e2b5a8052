//! Ingresses.

use apimachinery::ObjectExt;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, parse_ip_sloppy};
use serde_json::Value;

use super::ingress_class::reference;
use crate::meta;
use crate::strategy::Scope;
use crate::strategy::check::{one_of, port_number, subdomain_words, words};
use crate::strategy::read::{at, has, list, number_or_zero, text, texts};

const CLASS: &str = "kubernetes.io/ingress.class";

/// What old ingresses may keep.
#[derive(Clone, Copy, Default)]
struct Keeps {
    secret_names: bool,
    wildcard_rules: bool,
}

/// What is wrong with a new ingress.
pub(in crate::strategy) fn validate(ingress: &Value, _scope: &Scope<'_>) -> ErrorList {
    let mut errors = spec(at(ingress, "spec"), Keeps::default());
    let class = at(at(ingress, "spec"), "ingressClassName").as_str();
    if let (Some(old_way), Some(class)) = (ingress.annotation(CLASS), class)
        && old_way != class
    {
        let path = Path::new("annotations").child(CLASS);
        errors.push(Error::invalid(&path, old_way, "must match `ingressClassName` when both are specified"));
    }
    errors
}

/// What is wrong with a change of an ingress or of its status.
pub(in crate::strategy) fn validate_update(ingress: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
    if scope.subresource == "status" {
        return status(at(ingress, "status"), at(old, "status"));
    }
    let before = at(old, "spec");
    let is_bad = |name: &str| !name.is_empty() && !subdomain_words(name, &Path::default()).is_empty();
    let keeps = Keeps {
        secret_names: list(before, "tls").iter().any(|tls| is_bad(text(tls, "secretName"))),
        wildcard_rules: list(before, "rules").iter().any(|rule| {
            let mut errors = ErrorList::new();
            rule_value(rule, &Path::default(), &mut errors);
            text(rule, "host").contains('*') && !errors.is_empty()
        }),
    };
    let mut errors = meta::validate_create(ingress, scope.row, validation::name_is_dns_subdomain);
    errors.extend(spec(at(ingress, "spec"), keeps));
    errors
}

fn spec(spec: &Value, keeps: Keeps) -> ErrorList {
    let (path, mut errors) = (Path::new("spec"), ErrorList::new());
    let rules = list(spec, "rules");
    if rules.is_empty() && !has(spec, "defaultBackend") {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.push(Error::invalid(&path, at(spec, "rules").clone(), why));
    }
    if has(spec, "defaultBackend") {
        backend(at(spec, "defaultBackend"), &path.child("defaultBackend"), &mut errors);
    }
    for (i, rule) in rules.iter().enumerate() {
        let (host, path) = (text(rule, "host"), path.child("rules").index(i));
        if !host.is_empty() {
            if parse_ip_sloppy(host).is_some() {
                errors.push(Error::invalid(&path.child("host"), host, "must be a DNS name, not an IP address"));
            }
            errors.extend(host_name(host, &path.child("host")));
        }
        if !(host.contains('*') && keeps.wildcard_rules) {
            rule_value(rule, &path, &mut errors);
        }
    }
    for (i, tls) in list(spec, "tls").iter().enumerate() {
        let path = path.child("tls").index(i);
        for (i, host) in texts(tls, "hosts").enumerate() {
            errors.extend(host_name(host, &path.child("hosts").index(i)));
        }
        let secret = text(tls, "secretName");
        if !keeps.secret_names && !secret.is_empty() {
            errors.extend(subdomain_words(secret, &path.child("secretName")));
        }
    }
    if let Some(class) = at(spec, "ingressClassName").as_str() {
        errors.extend(subdomain_words(class, &path.child("ingressClassName")));
    }
    errors
}

fn host_name(host: &str, path: &Path) -> ErrorList {
    if host.contains('*') {
        words(validation::is_wildcard_dns1123_subdomain(host), host, path)
    } else {
        subdomain_words(host, path)
    }
}

fn rule_value(rule: &Value, path: &Path, errors: &mut ErrorList) {
    if !has(rule, "http") {
        return;
    }
    let (paths, at_paths) = (list(at(rule, "http"), "paths"), path.child("http").child("paths"));
    if paths.is_empty() {
        errors.push(Error::required(&at_paths, ""));
    }
    for (i, value) in paths.iter().enumerate() {
        http_path(value, &at_paths.index(i), errors);
    }
}

fn http_path(value: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(kind) = at(value, "pathType").as_str() else {
        errors.push(Error::required(&path.child("pathType"), "pathType must be specified"));
        return;
    };
    let (text, at_path) = (text(value, "path"), path.child("path"));
    let mut refuse = |why: String| errors.push(Error::invalid(&at_path, text, why));
    match kind {
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                refuse("must be an absolute path".into());
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"].into_iter().filter(|part| text.contains(part)) {
                refuse(format!("must not contain '{part}'"));
            }
            for end in ["/..", "/."].into_iter().filter(|end| text.ends_with(end)) {
                refuse(format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                refuse("must be an absolute path".into());
            }
        }
        kind => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            one_of(kind, &known, &path.child("pathType"), errors);
        }
    }
    backend(at(value, "backend"), &path.child("backend"), errors);
}

fn backend(backend: &Value, path: &Path, errors: &mut ErrorList) {
    match (has(backend, "resource"), has(backend, "service")) {
        (true, true) => errors.push(Error::invalid(path, "", "cannot set both resource and service backends")),
        (true, false) => reference(at(backend, "resource"), &path.child("resource"), errors),
        (false, true) => service(at(backend, "service"), path, errors),
        (false, false) => errors.push(Error::invalid(path, "", "resource or service backend is required")),
    }
}

fn service(service: &Value, path: &Path, errors: &mut ErrorList) {
    let (name, at_service) = (text(service, "name"), path.child("service"));
    if name.is_empty() {
        errors.push(Error::required(&at_service.child("name"), ""));
    } else {
        errors.extend(words(validation::name_is_dns_label(name, false), name, &at_service.child("name")));
    }
    let (port, at_port) = (at(service, "port"), at_service.child("port"));
    let (name, number) = (text(port, "name"), number_or_zero(port, "number"));
    match (name.is_empty(), number) {
        (true, 0) => errors.push(Error::required(path, "port name or number is required")),
        (false, 0) => errors.extend(words(validation::is_valid_port_name(name), name, &at_port.child("name"))),
        (true, number) => errors.extend(port_number(number, &at_port.child("number"))),
        (false, _) => errors.push(Error::invalid(path, "", "cannot set both port name & port number")),
    }
}

fn status(status: &Value, old: &Value) -> ErrorList {
    let (path, mut errors) = (Path::new("status").child("loadBalancer").child("ingress"), ErrorList::new());
    let kept: Vec<&str> = list(at(old, "loadBalancer"), "ingress").iter().map(|item| text(item, "ip")).collect();
    for (i, item) in list(at(status, "loadBalancer"), "ingress").iter().enumerate() {
        let (path, ip, host) = (path.index(i), text(item, "ip"), text(item, "hostname"));
        if !ip.is_empty() {
            errors.extend(validation::validate_ip_or_kept(&path.child("ip"), ip, &kept));
        }
        if !host.is_empty() {
            errors.extend(subdomain_words(host, &path.child("hostname")));
            if parse_ip_sloppy(host).is_some() {
                let why = "must be a DNS name, not an IP address";
                errors.push(Error::invalid(&path.child("hostname"), host, why));
            }
        }
    }
    errors
}

/// What to warn of: the way in which classes were named once.
pub(in crate::strategy) fn warnings(ingress: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
    let is_new = old.is_none() && scope.subresource.is_empty();
    let words = format!("annotation \"{CLASS}\" is deprecated, please use 'spec.ingressClassName' instead");
    ingress.annotation(CLASS).filter(|_| is_new).map(|_| words).into_iter().collect()
}
