//! Addresses of simulated nodes and their Pods. They lead nowhere; they are told apart, that is all. Pure.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

/// A range of Pod addresses: `10.244.3.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    first: u32,
    prefix: u32,
}

impl Cidr {
    /// Reads `address/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok().filter(|prefix| (8..=30).contains(prefix))?;
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Self { first: u32::from(address) & (u32::MAX << (32 - prefix)), prefix })
    }

    /// The first /24 in 10.244.0.0 and up that none of `taken` touches.
    pub fn free(taken: &[Self]) -> Option<Self> {
        (0..(256 - 244) * 256_u32)
            .map(|index| Self { first: u32::from(Ipv4Addr::new(10, 244, 0, 0)) + (index << 8), prefix: 24 })
            .find(|cidr| !taken.iter().any(|other| other.overlaps(cidr)))
    }

    fn last(&self) -> u32 {
        self.first | !(u32::MAX << (32 - self.prefix))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    /// Addresses for Pods: all but the network's, the gateway's and the broadcast address.
    fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        (self.first + 2..self.last()).map(Ipv4Addr::from)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.prefix)
    }
}

/// The address of a node, by its number from 1.
pub fn node_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 18, 0, 1)) + (number & 0xffff))
}

/// Pod addresses in use on one node, by the Pod's uid.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    by_pod: HashMap<String, Ipv4Addr>,
    taken: BTreeSet<Ipv4Addr>,
}

impl Leases {
    /// A Pod has this address.
    pub fn note(&mut self, uid: &str, address: Ipv4Addr) {
        self.release(uid);
        self.taken.insert(address);
        self.by_pod.insert(uid.to_owned(), address);
    }

    /// The Pod's address, or the lowest free one, which it has from now on. None when all are taken.
    pub fn lease(&mut self, uid: &str, cidr: &Cidr) -> Option<Ipv4Addr> {
        if let Some(address) = self.by_pod.get(uid) {
            return Some(*address);
        }
        let address = cidr.addresses().find(|address| !self.taken.contains(address))?;
        self.note(uid, address);
        Some(address)
    }

    /// The Pod is gone.
    pub fn release(&mut self, uid: &str) {
        if let Some(address) = self.by_pod.remove(uid) {
            self.taken.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_get_ranges_that_do_not_touch() {
        let taken: Vec<Cidr> = ["10.244.0.0/24", "10.244.1.0/25"].map(|text| Cidr::parse(text).unwrap()).into();
        assert_eq!(Cidr::free(&taken).unwrap().to_string(), "10.244.2.0/24");
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/24", "::1/64"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }

    #[test]
    fn pods_get_the_lowest_free_address_and_keep_it() {
        let cidr = Cidr::parse("10.244.1.0/29").unwrap();
        let mut leases = Leases::default();
        let mut lease = |uid: &str| leases.lease(uid, &cidr).map(|address| address.to_string());
        assert_eq!(lease("a").as_deref(), Some("10.244.1.2"));
        assert_eq!(lease("b").as_deref(), Some("10.244.1.3"));
        assert_eq!(lease("a").as_deref(), Some("10.244.1.2"));
        for uid in ["c", "d", "e"] {
            assert!(lease(uid).is_some(), "{uid}");
        }
        assert_eq!(lease("f"), None, "the range has five");
        leases.release("b");
        assert_eq!(leases.lease("f", &cidr).unwrap().to_string(), "10.244.1.3");
    }
}
