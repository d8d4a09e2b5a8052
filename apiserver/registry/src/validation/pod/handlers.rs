//! What is done to a container: probes and the hooks of its lifecycle.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{NOT_NEGATIVE, is_http_header_name};
use serde_json::Value;

use super::invalid_for;
use super::ports::validate_number_or_name;
use crate::validation::read::{list, number, optional_number, optional_text, present, text};

/// The probes a container may have.
pub(super) const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// The lifecycle and probes of a container that runs with the pod.
pub(super) fn validate(
    container: &Value,
    grace_period: Option<i64>,
    os: Option<&str>,
    at: &Path,
    errors: &mut ErrorList,
) {
    if let Some(lifecycle) = present(container, "lifecycle") {
        validate_lifecycle(lifecycle, grace_period, os, &at.child("lifecycle"), errors);
    }
    for name in PROBES {
        if let Some(probe) = present(container, name) {
            validate_probe(probe, name, grace_period, &at.child(name), errors);
        }
    }
}

fn validate_probe(probe: &Value, name: &str, grace_period: Option<i64>, at: &Path, errors: &mut ErrorList) {
    let kinds = ["exec", "httpGet", "tcpSocket", "grpc"];
    validate_handler(probe, &kinds, grace_period, at, errors);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        let value = number(probe, field);
        if value < 0 {
            errors.push(Error::invalid(&at.child(field), value, NOT_NEGATIVE));
        }
    }
    let own_period = optional_number(probe, "terminationGracePeriodSeconds");
    if let Some(seconds) = own_period.filter(|seconds| *seconds <= 0) {
        errors.push(Error::invalid(&at.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0"));
    }
    if name == "readinessProbe" {
        if let Some(seconds) = own_period {
            let words = "must not be set for readinessProbes";
            errors.push(Error::invalid(&at.child("terminationGracePeriodSeconds"), seconds, words));
        }
    } else if number(probe, "successThreshold") != 1 {
        let found = number(probe, "successThreshold");
        errors.push(Error::invalid(&at.child("successThreshold"), found, "must be 1"));
    }
}

fn validate_lifecycle(
    lifecycle: &Value,
    grace_period: Option<i64>,
    os: Option<&str>,
    at: &Path,
    errors: &mut ErrorList,
) {
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = present(lifecycle, hook) {
            let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
            validate_handler(handler, &kinds, grace_period, &at.child(hook), errors);
        }
    }
    if let Some(signal) = optional_text(lifecycle, "stopSignal") {
        validate_stop_signal(signal, os, &at.child("stopSignal"), errors);
    }
}

/// One way to act must be given, and one only.
fn validate_handler(handler: &Value, kinds: &[&str], grace_period: Option<i64>, at: &Path, errors: &mut ErrorList) {
    let mut found = false;
    for kind in kinds {
        let Some(action) = present(handler, kind) else { continue };
        let at = at.child(kind);
        if found {
            errors.push(Error::forbidden(&at, "may not specify more than 1 handler type"));
            continue;
        }
        found = true;
        match *kind {
            "exec" if list(action, "command").is_empty() => errors.push(Error::required(&at.child("command"), "")),
            "httpGet" => validate_http_get(action, &at, errors),
            "tcpSocket" | "grpc" => validate_number_or_name(&action["port"], &at.child("port"), errors),
            "sleep" => validate_sleep(action, grace_period, &at, errors),
            _ => {}
        }
    }
    if !found {
        errors.push(Error::required(at, "must specify a handler type"));
    }
}

fn validate_http_get(get: &Value, at: &Path, errors: &mut ErrorList) {
    if text(get, "path").is_empty() {
        errors.push(Error::required(&at.child("path"), ""));
    }
    validate_number_or_name(&get["port"], &at.child("port"), errors);
    let scheme = text(get, "scheme");
    if !matches!(scheme, "HTTP" | "HTTPS") {
        errors.push(Error::not_supported(&at.child("scheme"), scheme, &["HTTP", "HTTPS"]));
    }
    for header in list(get, "httpHeaders") {
        let name = text(header, "name");
        invalid_for(is_http_header_name(name), &at.child("httpHeaders"), name, errors);
    }
}

fn validate_sleep(sleep: &Value, grace_period: Option<i64>, at: &Path, errors: &mut ErrorList) {
    let Some(most) = grace_period else { return };
    let seconds = number(sleep, "seconds");
    if seconds < 0 || seconds > most {
        let words = format!("must be non-negative and less than terminationGracePeriodSeconds ({most})");
        errors.push(Error::invalid(at, seconds, words));
    }
}

/// The signals that a container on Linux can be stopped with, sorted.
const LINUX_SIGNALS: [&str; 65] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGRTMAX",
    "SIGRTMAX-1",
    "SIGRTMAX-10",
    "SIGRTMAX-11",
    "SIGRTMAX-12",
    "SIGRTMAX-13",
    "SIGRTMAX-14",
    "SIGRTMAX-2",
    "SIGRTMAX-3",
    "SIGRTMAX-4",
    "SIGRTMAX-5",
    "SIGRTMAX-6",
    "SIGRTMAX-7",
    "SIGRTMAX-8",
    "SIGRTMAX-9",
    "SIGRTMIN",
    "SIGRTMIN+1",
    "SIGRTMIN+10",
    "SIGRTMIN+11",
    "SIGRTMIN+12",
    "SIGRTMIN+13",
    "SIGRTMIN+14",
    "SIGRTMIN+15",
    "SIGRTMIN+2",
    "SIGRTMIN+3",
    "SIGRTMIN+4",
    "SIGRTMIN+5",
    "SIGRTMIN+6",
    "SIGRTMIN+7",
    "SIGRTMIN+8",
    "SIGRTMIN+9",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];
const WINDOWS_SIGNALS: [&str; 2] = ["SIGKILL", "SIGTERM"];

fn validate_stop_signal(signal: &str, os: Option<&str>, at: &Path, errors: &mut ErrorList) {
    let supported = match os {
        None => {
            errors.push(Error::forbidden(at, "may not be set for containers with empty `spec.os.name`"));
            return;
        }
        Some("windows") => &WINDOWS_SIGNALS[..],
        Some("linux") => &LINUX_SIGNALS[..],
        Some(_) => return,
    };
    if !supported.contains(&signal) {
        errors.push(Error::not_supported(at, signal, supported));
    }
}
