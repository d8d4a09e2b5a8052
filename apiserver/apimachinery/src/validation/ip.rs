//! Rules for IP addresses and CIDR blocks. Old fields accept what is not canonical, new fields do not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::field::{Error, ErrorList, Path};
use crate::quote::quoted;

/// A block of addresses, its bits beyond the prefix zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The first address.
    pub network: IpAddr,
    /// The number of bits that are the same in all addresses.
    pub prefix: u8,
}

impl Cidr {
    /// Whether an address of the same family lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.network.is_ipv4() && masked(address, self.prefix) == self.network
    }

    /// The number of bits that tell its addresses apart.
    pub fn host_bits(&self) -> u32 {
        let bits: u32 = if self.network.is_ipv4() { 32 } else { 128 };
        bits - u32::from(self.prefix)
    }

    /// The address this far from the first; `None` beyond the last one.
    pub fn address(&self, offset: u128) -> Option<IpAddr> {
        if self.host_bits() < 128 && offset >> self.host_bits() != 0 {
            return None;
        }
        match self.network {
            IpAddr::V4(first) => Some(Ipv4Addr::from(u32::from(first) | u32::try_from(offset).ok()?).into()),
            IpAddr::V6(first) => Some(Ipv6Addr::from(u128::from(first) | offset).into()),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

/// Reads an address, leading zeros allowed. An IPv4 address in IPv6 form is an IPv4 address.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    parse_keeping_form(text).map(|address| address.to_canonical())
}

/// As [`parse_ip_sloppy`], but an IPv4 address in IPv6 form stays one.
fn parse_keeping_form(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (head, tail) = match text.rsplit_once(':') {
        Some((head, tail)) => (Some(head), tail),
        None => (None, text),
    };
    let octets: Vec<&str> = tail.split('.').collect();
    let are_digits = octets.iter().all(|octet| !octet.is_empty() && octet.bytes().all(|byte| byte.is_ascii_digit()));
    if octets.len() != 4 || !are_digits {
        return None;
    }
    let plain: Vec<&str> = octets
        .iter()
        .map(|octet| match octet.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        })
        .collect();
    let plain = plain.join(".");
    match head {
        Some(head) => format!("{head}:{plain}").parse().ok(),
        None => plain.parse().ok(),
    }
}

/// Reads an address with the length of a prefix, leading zeros allowed: the address and its block.
pub fn parse_cidr_sloppy(text: &str) -> Option<(IpAddr, Cidr)> {
    let (address, prefix) = text.split_once('/')?;
    if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let form = parse_keeping_form(address)?;
    let mut prefix: u8 = prefix
        .trim_start_matches('0')
        .parse()
        .or_else(|error| if prefix.bytes().all(|byte| byte == b'0') { Ok(0) } else { Err(error) })
        .ok()?;
    if prefix > if form.is_ipv4() { 32 } else { 128 } {
        return None;
    }
    let address = form.to_canonical();
    if address.is_ipv4() && form.is_ipv6() {
        prefix = prefix.checked_sub(96)?;
    }
    Some((address, Cidr { network: masked(address, prefix), prefix }))
}

fn is_mapped(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_ipv4_mapped().is_some())
}

fn check_ip(text: &str, at: &Path) -> Result<IpAddr, ErrorList> {
    let Some(address) = parse_ip_sloppy(text) else {
        return Err(vec![Error::invalid(at, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]);
    };
    if text.parse::<IpAddr>().is_err() {
        return Err(vec![Error::invalid(at, text, "must not have leading 0s")]);
    }
    if is_mapped(text) {
        return Err(vec![Error::invalid(at, text, "must not be an IPv4-mapped IPv6 address")]);
    }
    Ok(address)
}

/// What is wrong with an address in a field that takes other forms than the canonical one.
pub fn validate_ip(at: &Path, text: &str) -> ErrorList {
    check_ip(text, at).err().unwrap_or_default()
}

/// As [`validate_ip`], but what an object held before the update passes.
pub fn validate_ip_or_kept(at: &Path, text: &str, kept: &[&str]) -> ErrorList {
    if kept.contains(&text) { ErrorList::new() } else { validate_ip(at, text) }
}

/// What is wrong with an address, which must be in canonical form.
pub fn validate_canonical_ip(at: &Path, text: &str) -> ErrorList {
    match check_ip(text, at) {
        Ok(address) if address.to_string() != text => {
            let why = format!("must be in canonical form ({})", quoted(&address.to_string()));
            vec![Error::invalid(at, text, why)]
        }
        Ok(_) => ErrorList::new(),
        Err(errors) => errors,
    }
}

/// Whether these are one address of each family; `None` if one of them is no address.
pub fn is_dual_stack<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Option<bool> {
    let (mut v4, mut v6) = (false, false);
    for address in addresses {
        match parse_ip_sloppy(address)? {
            IpAddr::V4(_) => v4 = true,
            IpAddr::V6(_) => v6 = true,
        }
    }
    Some(v4 && v6)
}

fn check_cidr(text: &str, at: &Path) -> Result<Cidr, ErrorList> {
    let refuse = |why: &str| Err(vec![Error::invalid(at, text, why)]);
    let Some((address, block)) = parse_cidr_sloppy(text) else {
        return refuse("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
    };
    let (host, prefix) = text.split_once('/').unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_err() || (prefix.len() > 1 && prefix.starts_with('0')) {
        return refuse("must not have leading 0s in IP or prefix length");
    }
    if is_mapped(host) {
        return refuse("must not have an IPv4-mapped IPv6 address");
    }
    if address != block.network {
        return refuse("must not have bits set beyond the prefix length");
    }
    Ok(block)
}

/// What is wrong with a block in a field that takes other forms than the canonical one; what an object held before the
/// update passes.
pub fn validate_cidr_or_kept(at: &Path, text: &str, kept: &[&str]) -> ErrorList {
    if kept.contains(&text) { ErrorList::new() } else { check_cidr(text, at).err().unwrap_or_default() }
}

/// What is wrong with a block, which must be in canonical form.
pub fn validate_canonical_cidr(at: &Path, text: &str) -> ErrorList {
    match check_cidr(text, at) {
        Ok(block) if block.to_string() != text => {
            let why = format!("must be in canonical form ({})", quoted(&block.to_string()));
            vec![Error::invalid(at, text, why)]
        }
        Ok(_) => ErrorList::new(),
        Err(errors) => errors,
    }
}

/// A warning about an address that is valid but not in its canonical form.
pub fn warning_for_ip(at: &Path, text: &str) -> Option<String> {
    let address = parse_ip_sloppy(text)?;
    if text.parse::<IpAddr>().is_err() || is_mapped(text) {
        let (text, better) = (quoted(text), quoted(&address.to_string()));
        return Some(format!("{at}: non-standard IP address {text} is invalid: use {better}"));
    }
    (address.is_ipv6() && address.to_string() != text).then(|| {
        let (text, better) = (quoted(text), quoted(&address.to_string()));
        format!("{at}: IPv6 address {text} should be in RFC 5952 canonical format ({better})")
    })
}

/// Warnings about a block that is valid but not in its canonical form.
pub fn warnings_for_cidr(at: &Path, text: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some((address, block)) = parse_cidr_sloppy(text) else { return warnings };
    let (shown, better) = (quoted(text), quoted(&block.to_string()));
    if address != block.network {
        let single = quoted(&format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }));
        warnings
            .push(format!("{at}: CIDR value {shown} is ambiguous in this context (should be {better} or {single}?)"));
    }
    let (host, prefix) = text.split_once('/').unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_err() || (prefix.len() > 1 && prefix.starts_with('0')) || is_mapped(host) {
        warnings.push(format!("{at}: non-standard CIDR value {shown} is invalid: use {better}"));
    }
    if warnings.is_empty() && address.is_ipv6() && block.to_string() != text {
        warnings.push(format!("{at}: IPv6 CIDR value {shown} should be in RFC 5952 canonical format ({better})"));
    }
    warnings
}

/// Checks that traffic may be sent to an address: upstream's rule for endpoints and external addresses.
pub fn validate_endpoint_ip(at: &Path, text: &str) -> ErrorList {
    let Some(address) = parse_ip_sloppy(text) else {
        return vec![Error::invalid(at, text, "must be a valid IP address")];
    };
    let (link_local, link_local_multicast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] & 0xff0f == 0xff02),
    };
    let mut errors = ErrorList::new();
    let mut refuse = |wrong: bool, why: String| {
        if wrong {
            errors.push(Error::invalid(at, text, why));
        }
    };
    refuse(address.is_unspecified(), format!("may not be unspecified ({text})"));
    refuse(address.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".into());
    refuse(link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".into());
    refuse(link_local_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".into());
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(|error| error.detail.clone()).collect()
    }

    #[test]
    fn addresses_are_read_with_leading_zeros_and_told_so() {
        let at = Path::new("ip");
        for (text, why) in [
            ("10.9.8.7", None),
            ("010.9.8.7", Some("must not have leading 0s")),
            ("::ffff:1.2.3.4", Some("must not be an IPv4-mapped IPv6 address")),
            ("nope", Some("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")),
            ("2001:DB8::1", Some("must be in canonical form (\"2001:db8::1\")")),
            ("1.2.3.4.5", Some("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")),
        ] {
            assert_eq!(said(&validate_canonical_ip(&at, text)).first().map(String::as_str), why, "{text}");
        }
        assert!(validate_ip(&at, "2001:DB8::1").is_empty());
        assert!(validate_ip_or_kept(&at, "nope", &["nope"]).is_empty());
    }

    #[test]
    fn blocks_have_no_bits_beyond_their_prefix() {
        let at = Path::new("cidr");
        for (text, why) in [
            ("10.9.8.0/24", None),
            ("10.9.8.1/24", Some("must not have bits set beyond the prefix length")),
            ("10.9.8.0/024", Some("must not have leading 0s in IP or prefix length")),
            ("10.9.8.0", Some("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")),
            ("10.9.8.0/33", Some("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")),
            ("0.0.0.0/0", None),
            ("2001:db8::/64", None),
            ("2001:DB8::/64", Some("must be in canonical form (\"2001:db8::/64\")")),
        ] {
            assert_eq!(said(&validate_canonical_cidr(&at, text)).first().map(String::as_str), why, "{text}");
        }
        let block = parse_cidr_sloppy("10.0.0.0/24").unwrap().1;
        assert!(block.contains("10.0.0.255".parse().unwrap()) && !block.contains("10.0.1.0".parse().unwrap()));
        assert_eq!(block.address(255), Some("10.0.0.255".parse().unwrap()));
        assert_eq!(block.address(256), None);
    }

    #[test]
    fn endpoints_are_no_local_addresses() {
        let at = Path::new("ip");
        for (text, wrong) in [("10.0.0.1", 0), ("127.0.0.1", 1), ("0.0.0.0", 1), ("169.254.1.1", 1), ("224.0.0.5", 1)] {
            assert_eq!(validate_endpoint_ip(&at, text).len(), wrong, "{text}");
        }
    }

    #[test]
    fn odd_forms_of_valid_addresses_are_warned_of() {
        let at = Path::new("ip");
        for (text, expected) in [
            ("10.0.0.1", None),
            ("nope", None),
            (
                "2001:DB8::1",
                Some("ip: IPv6 address \"2001:DB8::1\" should be in RFC 5952 canonical format (\"2001:db8::1\")"),
            ),
            ("010.0.0.1", Some("ip: non-standard IP address \"010.0.0.1\" is invalid: use \"10.0.0.1\"")),
        ] {
            assert_eq!(warning_for_ip(&at, text).as_deref(), expected, "{text}");
        }
        assert_eq!(is_dual_stack(["10.0.0.1", "2001:db8::1"]), Some(true));
        assert_eq!(is_dual_stack(["10.0.0.1", "10.0.0.2"]), Some(false));
        assert_eq!(is_dual_stack(["nope"]), None);
    }
}
