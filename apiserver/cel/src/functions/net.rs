//! IP addresses and networks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use apimachinery::quote::quoted as quote;

use super::Opaque;
use crate::interpreter::{Error, Result};
use crate::value::Value;

/// An address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address(IpAddr);

/// A network: an address, whose bits past the prefix are kept, and the length of the prefix.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Network(IpAddr, u8);

impl Address {
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.0)
    }

    fn parse(text: &str) -> Result<Self, String> {
        match parse_address(text) {
            Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
                Err(format!("IPv4-mapped IPv6 address {} is not allowed", quote(text)))
            }
            Ok(address) => Ok(Self(address)),
            Err(Refused::Zone) => Err(format!("IP address {} with zone value is not allowed", quote(text))),
            Err(Refused::Why(why)) => {
                Err(format!("IP Address {} parse error during conversion from string: {why}", quote(text)))
            }
        }
    }
}

impl Network {
    pub(crate) fn bytes(&self) -> u64 {
        bytes(self.0)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: String| {
            format!(
                "network address parse error during conversion from string: netip.ParsePrefix({}): {why}",
                quote(text)
            )
        };
        let (address, bits) = text.rsplit_once('/').ok_or_else(|| refuse("no '/'".to_owned()))?;
        let address = parse_address(address).map_err(|why| match why {
            Refused::Zone => refuse("IPv6 zones cannot be present in a prefix".to_owned()),
            Refused::Why(why) => refuse(why),
        })?;
        let bad = || refuse(format!("bad bits after slash: {}", quote(bits)));
        if bits.len() > 1 && !bits.starts_with(|c: char| ('1'..='9').contains(&c)) {
            return Err(bad());
        }
        let length: u16 =
            bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse().ok()).flatten().ok_or_else(bad)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if length > most {
            return Err(refuse("prefix length out of range".to_owned()));
        }
        if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(format!("IPv4-mapped IPv6 address {} is not allowed", quote(text)));
        }
        Ok(Self(address, length as u8))
    }

    fn masked(&self) -> Self {
        Self(masked(self.0, self.1), self.1)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.is_ipv4() == address.is_ipv4() && masked(address, self.1) == masked(self.0, self.1)
    }
}

fn bytes(address: IpAddr) -> u64 {
    if address.is_ipv4() { 4 } else { 16 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

enum Refused {
    Zone,
    Why(String),
}

/// Go's `netip.ParseAddr`, in its words.
fn parse_address(text: &str) -> Result<IpAddr, Refused> {
    let why = |why: &str| Refused::Why(format!("ParseAddr({}): {why}", quote(text)));
    match text.find(['.', ':', '%']) {
        Some(at) if text[at..].starts_with('%') => Err(why("missing IPv6 address")),
        Some(at) if text[at..].starts_with('.') => text.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| {
            let fields: Vec<&str> = text.split('.').collect();
            if fields.iter().any(|field| field.is_empty()) {
                why("IPv4 field must have at least one digit")
            } else if let Some(bad) = text.chars().find(|char| !char.is_ascii_digit() && *char != '.') {
                Refused::Why(format!(
                    "ParseAddr({}): unexpected character (at {})",
                    quote(text),
                    quote(&text[text.find(bad).unwrap_or(0)..])
                ))
            } else if fields.iter().any(|field| field.len() > 1 && field.starts_with('0')) {
                why("IPv4 field has octet with leading zero")
            } else if fields.iter().any(|field| field.parse::<u8>().is_err()) {
                why("IPv4 field has value >255")
            } else if fields.len() > 4 {
                why("IPv4 address too long")
            } else {
                why("IPv4 address too short")
            }
        }),
        Some(_) => match text.split_once('%') {
            Some((address, zone)) if !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok() => Err(Refused::Zone),
            Some(_) => Err(why("zone must be a non-empty string")),
            None => text.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| {
                match text.find(|char: char| !char.is_ascii_hexdigit() && char != ':' && char != '.') {
                    Some(at) => Refused::Why(format!(
                        "ParseAddr({}): each colon-separated field must have at least one digit (at {})",
                        quote(text),
                        quote(&text[at..])
                    )),
                    None => why("address string too short"),
                }
            }),
        },
        None => Err(why("unable to parse IP")),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

pub(super) fn call<'a>(function: &str, member: bool, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    if let [Value::String(text)] = values {
        return Some(match function {
            "ip" if !member => Address::parse(text).map(|a| Value::opaque(Opaque::Address(a))).map_err(Error::new),
            "isIP" => Ok(Value::Bool(Address::parse(text).is_ok())),
            "ip.isCanonical" => {
                Address::parse(text).map(|address| Value::Bool(address.to_string() == **text)).map_err(Error::new)
            }
            "cidr" => Network::parse(text)
                .map(|n| Value::opaque(Opaque::Network(n)))
                .map_err(|why| Error::new(format!("network address parse error during conversion from string: {why}"))),
            "isCIDR" => Ok(Value::Bool(Network::parse(text).is_ok())),
            _ => return None,
        });
    }
    let [Value::Opaque(opaque), rest @ ..] = values else { return None };
    match &**opaque {
        Opaque::Address(address) if rest.is_empty() => of_address(function, address.0),
        Opaque::Network(network) => of_network(function, network, rest),
        _ => None,
    }
}

fn of_address<'a>(function: &str, address: IpAddr) -> Option<Result<Value<'a>>> {
    let link_local = |v6: Ipv6Addr| v6.segments()[0] & 0xffc0 == 0xfe80;
    let link_local_unicast = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => link_local(v6),
    };
    Some(Ok(match function {
        "family" => Value::Int(if address.is_ipv4() { 4 } else { 6 }),
        "isUnspecified" => Value::Bool(address.is_unspecified()),
        "isLoopback" => Value::Bool(address.is_loopback()),
        "isLinkLocalMulticast" => Value::Bool(match address {
            IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
            IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
        }),
        "isLinkLocalUnicast" => Value::Bool(link_local_unicast),
        "isGlobalUnicast" => Value::Bool(
            !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && !link_local_unicast
                && !matches!(address, IpAddr::V4(v4) if v4.is_broadcast()),
        ),
        _ => return None,
    }))
}

fn of_network<'a>(function: &str, network: &Network, rest: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    let contains = |inner: &Network| network.1 <= inner.1 && network.contains(inner.0);
    Some(match (function, rest) {
        ("ip", []) => Ok(Value::opaque(Opaque::Address(Address(network.0)))),
        ("prefixLength", []) => Ok(Value::Int(i64::from(network.1))),
        ("masked", []) => Ok(Value::opaque(Opaque::Network(network.masked()))),
        ("containsIP", [Value::String(text)]) => {
            Address::parse(text).map(|address| Value::Bool(network.contains(address.0))).map_err(Error::new)
        }
        ("containsCIDR", [Value::String(text)]) => {
            Network::parse(text).map(|inner| Value::Bool(contains(&inner))).map_err(Error::new)
        }
        (_, [Value::Opaque(other)]) => match (function, &**other) {
            ("containsIP", Opaque::Address(address)) => Ok(Value::Bool(network.contains(address.0))),
            ("containsCIDR", Opaque::Network(inner)) => Ok(Value::Bool(contains(inner))),
            _ => return None,
        },
        _ => return None,
    })
}
