//! Rules for IP addresses in objects.

use std::net::{IpAddr, Ipv4Addr};

use crate::field::{Error, ErrorList, Path};
use crate::quote::quoted;

/// An address as Go's older parser took it: leading zeros in the parts of an IPv4 address are overlooked, zones are not
/// known.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let head_end = text.rfind(':').map_or(0, |at| at + 1);
    let (head, quad) = text.split_at(head_end);
    let quad = parse_quad_sloppy(quad)?;
    if head.is_empty() { Some(quad.into()) } else { format!("{head}{quad}").parse().ok() }
}

/// Four decimal parts, however many zeros they start with.
fn parse_quad_sloppy(text: &str) -> Option<Ipv4Addr> {
    let mut parts = [0; 4];
    let mut given = text.split('.');
    for part in &mut parts {
        let digits = given.next()?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        *part = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    }
    given.next().is_none().then_some(Ipv4Addr::from(parts))
}

/// What is wrong with an address, by the rule of new fields: canonical enough that no two parsers differ.
pub fn validate_ip(at: &Path, value: &str) -> ErrorList {
    if parse_ip_sloppy(value).is_none() {
        return vec![Error::invalid(at, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
    }
    match value.parse::<IpAddr>() {
        Err(_) => vec![Error::invalid(at, value, "must not have leading 0s")],
        Ok(address) if is_mapped(&address) => {
            vec![Error::invalid(at, value, "must not be an IPv4-mapped IPv6 address")]
        }
        Ok(_) => ErrorList::new(),
    }
}

/// As [`validate_ip`], but what an object held before the update passes.
pub fn validate_ip_or_kept(at: &Path, value: &str, kept: &[&str]) -> ErrorList {
    if kept.contains(&value) { ErrorList::new() } else { validate_ip(at, value) }
}

/// A warning about an address that is valid but not in its canonical form.
pub fn warning_for_ip(at: &Path, value: &str) -> Option<String> {
    let address = parse_ip_sloppy(value)?;
    let strict: Option<IpAddr> = value.parse().ok();
    match strict {
        Some(IpAddr::V6(canonical)) if !is_mapped(&address) => {
            let canonical = canonical.to_string();
            (canonical != value).then(|| {
                format!(
                    "{at}: IPv6 address {} should be in RFC 5952 canonical format ({})",
                    quoted(value),
                    quoted(&canonical)
                )
            })
        }
        Some(IpAddr::V4(_)) => None,
        Some(IpAddr::V6(_)) | None => {
            let preferred = match address {
                IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
                address => address,
            };
            Some(format!(
                "{at}: non-standard IP address {} will be considered invalid in a future Kubernetes release: use {}",
                quoted(value),
                quoted(&preferred.to_string())
            ))
        }
    }
}

/// Whether these are one address of each family.
pub fn is_dual_stack<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Option<bool> {
    let (mut v4, mut v6) = (false, false);
    for address in addresses {
        match parse_ip_sloppy(address)? {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => v6 = true,
            _ => v4 = true,
        }
    }
    Some(v4 && v6)
}

fn is_mapped(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_in_upstreams_words() {
        let at = Path::new("ip");
        for (value, expected) in [
            ("10.0.0.1", ""),
            ("2001:db8::1", ""),
            ("nope", "ip: Invalid value: \"nope\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("1.2.3", "ip: Invalid value: \"1.2.3\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
            ("010.0.0.1", "ip: Invalid value: \"010.0.0.1\": must not have leading 0s"),
            ("::ffff:1.2.3.4", "ip: Invalid value: \"::ffff:1.2.3.4\": must not be an IPv4-mapped IPv6 address"),
        ] {
            let found: Vec<String> = validate_ip(&at, value).iter().map(ToString::to_string).collect();
            assert_eq!(found.join("; "), expected, "{value}");
        }
        assert!(validate_ip_or_kept(&at, "010.0.0.1", &["010.0.0.1"]).is_empty());
    }

    #[test]
    fn odd_forms_of_valid_addresses_are_warned_of() {
        let at = Path::new("ip");
        for (value, expected) in [
            ("10.0.0.1", None),
            ("nope", None),
            (
                "2001:DB8::1",
                Some("ip: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")"),
            ),
            (
                "010.0.0.1",
                Some(
                    "ip: non-standard IP address \"010.0.0.1\" will be considered invalid in a future Kubernetes release: use \"10.0.0.1\"",
                ),
            ),
        ] {
            assert_eq!(warning_for_ip(&at, value).as_deref(), expected, "{value}");
        }
        assert_eq!(is_dual_stack(["10.0.0.1", "2001:db8::1"]), Some(true));
        assert_eq!(is_dual_stack(["10.0.0.1", "10.0.0.2"]), Some(false));
        assert_eq!(is_dual_stack(["nope"]), None);
    }
}
