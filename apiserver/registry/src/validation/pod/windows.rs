//! What pods for Windows say of their users and of the host.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::is_dns1123_subdomain;
use serde_json::Value;

use super::{Options, every_container_at, invalid_for};
use crate::validation::read::{flag, optional_flag, optional_text};

/// The options of a security context.
pub(super) fn validate_options(options: &Value, at: &Path, errors: &mut ErrorList) {
    const MOST_KIB: usize = 64;
    if let Some(name) = optional_text(options, "gmsaCredentialSpecName") {
        invalid_for(is_dns1123_subdomain(name), &at.child("gmsaCredentialSpecName"), name, errors);
    }
    if let Some(content) = optional_text(options, "gmsaCredentialSpec") {
        let at = at.child("gmsaCredentialSpec");
        if content.is_empty() {
            errors.push(Error::invalid(&at, content, "gmsaCredentialSpec cannot be an empty string"));
        } else if content.len() > MOST_KIB * 1024 {
            let words = format!("gmsaCredentialSpec size must be under {MOST_KIB} KiB");
            errors.push(Error::invalid(&at, content, words));
        }
    }
    if let Some(name) = optional_text(options, "runAsUserName") {
        let at = at.child("runAsUserName");
        errors.extend(user_name(name).into_iter().map(|words| Error::invalid(&at, name, words)));
    }
}

/// What is wrong with `DOMAIN\user`.
fn user_name(name: &str) -> Vec<String> {
    const MOST_OF_DOMAIN: usize = 256;
    const MOST_OF_USER: usize = 104;
    const NOT_IN_USER: [char; 15] = ['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '['];
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string".to_owned()];
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters".to_owned()];
    }
    let (domain, user) = match name.split_once('\\') {
        Some((_, rest)) if rest.contains('\\') => {
            return vec!["runAsUserName cannot contain more than one backslash".to_owned()];
        }
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let mut found = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= MOST_OF_DOMAIN) {
        found.push(format!("runAsUserName's Domain length must be under {MOST_OF_DOMAIN} characters"));
    }
    if domain.is_some_and(|domain| !is_net_bios(domain) && !is_dns(domain)) {
        found.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format".to_owned());
    }
    if user.is_empty() {
        found.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > MOST_OF_USER {
        found.push(format!("runAsUserName's User length must not be longer than {MOST_OF_USER} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        found.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user.contains(NOT_IN_USER) || user.contains(']') {
        found.push(r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#.to_owned());
    }
    found
}

fn is_net_bios(domain: &str) -> bool {
    let refused = |c: char| matches!(c, '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let length = domain.chars().count();
    (1..=15).contains(&length) && !domain.starts_with('.') && !domain.contains(refused)
}

fn is_dns(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let of_ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        bytes.len() <= 63 && of_ends(bytes.first()) && of_ends(bytes.last()) && bytes.iter().all(inside)
    })
}

/// Containers that run as processes of the host: all or none, on its network, and where privileged ones may.
pub(super) fn validate_host_process(spec: &Value, at: &Path, options: &Options, errors: &mut ErrorList) {
    let of = |holder: &Value| {
        let options = holder.get("securityContext")?.get("windowsOptions")?;
        optional_flag(options, "hostProcess")
    };
    let of_pod = of(spec);
    let (mut all, mut of_host) = (0, 0);
    for (at, container) in every_container_at(spec, at) {
        all += 1;
        let own = of(container);
        if let (Some(of_pod), Some(own)) = (of_pod, own)
            && of_pod != own
        {
            let at = at.child("securityContext").child("windowsOptions").child("hostProcess");
            let words = format!("pod hostProcess value must be identical if both are specified, was {of_pod}");
            errors.push(Error::invalid(&at, own, words));
        }
        of_host += usize::from(own.or(of_pod).unwrap_or(false));
    }
    if of_host == 0 {
        return;
    }
    if of_host != all {
        let words = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(Error::invalid(at, "", words));
    }
    if !flag(spec, "hostNetwork") {
        let words = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(Error::invalid(&at.child("hostNetwork"), false, words));
    }
    if !options.allow_privileged {
        errors.push(Error::forbidden(at, "hostProcess containers are disallowed by cluster policy"));
    }
}
