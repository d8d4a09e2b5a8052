//! What a cluster has a limited number of: addresses of services and ports on nodes. A kind that has such values is given
//! them before it is checked, and they are durable before the object is: whatever happens between, no value is given twice.
//!
//! An address is an `IPAddress` object of its name, made by whoever is first; ports are a bitmap that is compared and put.
//! Several servers on one store may allocate at once.

mod address;
mod ports;
mod service;

use std::net::IpAddr;

use apimachinery::StatusError;
use apimachinery::validation::Cidr;
use async_trait::async_trait;
use serde_json::Value;

use crate::registry::Registry;

pub(crate) use service::SERVICE;

/// The ranges that services are given values of.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// Blocks of addresses, one a family; the first is the default one.
    pub cluster_ips: Vec<Cidr>,
    /// The first and the last port on nodes.
    pub node_ports: (u16, u16),
}

impl Default for Ranges {
    fn default() -> Self {
        let network = IpAddr::from([10, 0, 0, 0]);
        Self { cluster_ips: vec![Cidr { network, prefix: 24 }], node_ports: (30000, 32767) }
    }
}

/// Gives the objects of a kind what is allocated.
#[async_trait]
pub trait Allocation: Send + Sync + std::fmt::Debug {
    /// Fills in what a new or changed object is to have. What is claimed is to be [settled](Claims::settle).
    async fn begin(
        &self,
        registry: &Registry,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Claims, StatusError>;

    /// Gives back what a deleted object had.
    async fn end(&self, registry: &Registry, object: &Value);
}

/// What an attempt at a write has taken, and what it will have no more use for once it is done.
#[derive(Debug, Default)]
pub struct Claims {
    taken: Allocated,
    left: Allocated,
}

/// Allocated values.
#[derive(Debug, Default)]
struct Allocated {
    addresses: Vec<IpAddr>,
    ports: Vec<u16>,
}

impl Claims {
    /// Gives back what is not needed: after a success what was left, else what was taken.
    pub async fn settle(self, registry: &Registry, done: bool) {
        let released = if done { self.left } else { self.taken };
        released.give_back(registry).await;
    }
}

impl Allocated {
    async fn give_back(self, registry: &Registry) {
        for address in self.addresses {
            address::release(registry, address).await;
        }
        if !self.ports.is_empty() {
            ports::release(registry, &self.ports).await;
        }
    }
}

/// Where in a range values that nobody asked for are taken from first: the part below is left to those who ask for a certain
/// one. Upstream's rule: a sixteenth (or another part) of the range, but not less than 16 and not more than `most`.
fn reserved(size: u128, part: u128, most: u128) -> u128 {
    if size <= 16 { 0 } else { (size / part).clamp(16, most) }
}

/// The ways into a range of `size` values: from a random one of the upper part round that part, then through the lower part.
fn offsets(size: u128, reserved: u128) -> impl Iterator<Item = u128> {
    use rand::Rng;
    let upper = size - reserved;
    let start = if upper == 0 { 0 } else { rand::rng().random_range(0..upper) };
    let lower_start = if reserved == 0 { 0 } else { rand::rng().random_range(0..reserved) };
    let above = (0..upper).map(move |i| reserved + (start + i) % upper);
    above.chain((0..reserved).map(move |i| (lower_start + i) % reserved))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_value_of_a_range_is_reached_the_reserved_ones_last() {
        let reserved = reserved(254, 16, 256);
        assert_eq!(reserved, 16);
        let all: Vec<u128> = offsets(254, reserved).collect();
        assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), (0..254).collect());
        assert!(all[..238].iter().all(|offset| *offset >= 16), "{all:?}");
        assert_eq!(offsets(3, super::reserved(3, 16, 256)).count(), 3);
    }
}
