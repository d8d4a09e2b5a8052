//! Leases for values with a time to live, shared as upstream shares them, for each costs etcd a write and memory.

use std::time::Duration;

use etcd_client::LeaseClient;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::call::{Caller, Repeat};
use super::failure::Failure;

/// Upstream's rule: a lease is granted for up to 5% longer than asked for, at most a minute, and serves those who come
/// within that time and want the same, 1000 values at most.
const REUSE_PERCENT: u64 = 5;
const REUSE_AT_MOST: u64 = 60;
const VALUES: u32 = 1000;

/// Grants leases, or hands out the last one again.
pub(super) struct Leases {
    client: LeaseClient,
    caller: Caller,
    last: Mutex<Option<Lease>>,
}

#[derive(Debug)]
struct Lease {
    id: i64,
    ends: Instant,
    values: u32,
}

impl Leases {
    pub(super) fn new(client: LeaseClient, caller: Caller) -> Self {
        Self { client, caller, last: Mutex::new(None) }
    }

    /// A lease that lasts at least `ttl`.
    pub(super) async fn get(&self, ttl: Duration) -> Result<i64, Failure> {
        let seconds = (ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0)).max(1);
        let longer = (seconds * REUSE_PERCENT / 100).min(REUSE_AT_MOST);
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if let Some(lease) = last.as_mut().filter(|lease| serves(lease, now, seconds, longer)) {
            lease.values += 1;
            return Ok(lease.id);
        }
        let granted = seconds + longer;
        let grant = || {
            let mut client = self.client.clone();
            async move { client.grant(i64::try_from(granted).unwrap_or(i64::MAX), None).await }
        };
        // One that is granted twice ends unused.
        let id = self.caller.call(Repeat::Always, grant).await?.id();
        *last = Some(Lease { id, ends: now + Duration::from_secs(granted), values: 1 });
        Ok(id)
    }

    /// Grants a new lease next time.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

fn serves(lease: &Lease, now: Instant, seconds: u64, longer: u64) -> bool {
    let wanted = now + Duration::from_secs(seconds);
    wanted < lease.ends && wanted + Duration::from_secs(longer) > lease.ends && lease.values < VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_serves_those_who_want_about_the_same() {
        let now = Instant::now();
        let lease = |ends, values| Lease { id: 1, ends: now + Duration::from_secs(ends), values };
        for (ends, values, seconds, longer, expected) in [
            (3660, 1, 3600, 60, false), // granted this very moment: it ends exactly at the longest time allowed
            (3659, 1, 3600, 60, true),
            (3601, 1, 3600, 60, true),
            (3600, 1, 3600, 60, false), // would end too early
            (3650, 1, 60, 3, false),    // would last too long
            (3650, VALUES, 3600, 60, false),
            (2, 1, 1, 0, false),
        ] {
            let serves = serves(&lease(ends, values), now, seconds, longer);
            assert_eq!(serves, expected, "a lease of {ends} s and {values} values for {seconds} s + {longer} s");
        }
    }
}
