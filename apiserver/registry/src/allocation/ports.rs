//! Ports on nodes: one object for the range, a bitmap that is compared and put. Its form is upstream's `RangeAllocation`: the
//! bytes of one big number, in which a port's bit is its distance from the first one.

use apimachinery::StatusError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value, json};
use storage::Outcome;

use super::{offsets, reserved};
use crate::registry::Registry;

/// The ports that are taken of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    first: u16,
    last: u16,
    /// The least significant bit first.
    bits: Vec<u8>,
}

impl Taken {
    fn none((first, last): (u16, u16)) -> Self {
        let size = usize::from(last.saturating_sub(first)) + 1;
        Self { first, last, bits: vec![0; size.div_ceil(8)] }
    }

    fn decode(range: (u16, u16), stored: &[u8]) -> Self {
        let mut taken = Self::none(range);
        let object: Value = serde_json::from_slice(stored).unwrap_or_default();
        let data = BASE64.decode(object["data"].as_str().unwrap_or_default()).unwrap_or_default();
        // Another range than it was: its ports are counted from elsewhere. Those in use are taken anew as they are named.
        if object["range"].as_str() == Some(&taken.range()) {
            for (to, from) in taken.bits.iter_mut().zip(data.iter().rev()) {
                *to = *from;
            }
        }
        taken
    }

    fn encode(&self) -> Result<Bytes, StatusError> {
        let significant = self.bits.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let data: Vec<u8> = self.bits[..significant].iter().rev().copied().collect();
        let object = json!({
            "kind": "RangeAllocation",
            "apiVersion": "v1",
            "metadata": {},
            "range": self.range(),
            "data": BASE64.encode(data),
        });
        serde_json::to_vec(&object).map(Bytes::from).map_err(|error| StatusError::internal(error.to_string()))
    }

    fn range(&self) -> String {
        format!("{}-{}", self.first, self.last)
    }

    fn has(&self, port: u16) -> bool {
        let offset = usize::from(port - self.first);
        self.bits[offset / 8] & (1 << (offset % 8)) != 0
    }

    /// Takes this port.
    ///
    /// # Errors
    /// Why not, in upstream's words.
    pub fn take(&mut self, port: i64) -> Result<u16, String> {
        let within = u16::try_from(port).ok().filter(|port| (self.first..=self.last).contains(port));
        let Some(port) = within else {
            return Err(format!(
                "provided port is not in the valid range. The range of valid ports is {}",
                self.range()
            ));
        };
        if self.has(port) {
            return Err("provided port is already allocated".into());
        }
        let offset = usize::from(port - self.first);
        self.bits[offset / 8] |= 1 << (offset % 8);
        Ok(port)
    }

    /// Takes any port.
    ///
    /// # Errors
    /// None is free.
    pub fn take_any(&mut self) -> Result<u16, String> {
        let size = u128::from(self.last - self.first) + 1;
        let ports = offsets(size, reserved(size, 32, 128)).filter_map(|offset| u16::try_from(offset).ok());
        let free = ports.map(|offset| self.first + offset).find(|port| !self.has(*port));
        match free {
            Some(port) => self.take(i64::from(port)),
            None => Err("range is full".into()),
        }
    }

    fn give_back(&mut self, port: u16) {
        if (self.first..=self.last).contains(&port) {
            let offset = usize::from(port - self.first);
            self.bits[offset / 8] &= !(1 << (offset % 8));
        }
    }
}

/// Changes the ports that are taken, as often as others come first. `change` is called anew each time; a dry run stores
/// nothing.
pub(super) async fn change<T>(
    registry: &Registry,
    dry_run: bool,
    mut change: impl FnMut(&mut Taken) -> Result<T, StatusError> + Send,
) -> Result<T, StatusError> {
    let backing = registry.backing();
    let key = format!("{}/ranges/servicenodeports", backing.prefix);
    let failed = |error: storage::Error| StatusError::internal(error.to_string());
    let mut kv = backing.storage.get(key.as_bytes()).await.map_err(failed)?.kv;
    loop {
        let range = registry.ranges().node_ports;
        let before = kv.as_ref().map_or_else(|| Taken::none(range), |kv| Taken::decode(range, &kv.value));
        let mut taken = before.clone();
        let result = change(&mut taken)?;
        if dry_run || taken == before {
            return Ok(result);
        }
        let revision = kv.as_ref().map_or(0, |kv| kv.mod_revision);
        let put = backing.storage.compare_and_put(key.as_bytes(), revision, taken.encode()?, None).await;
        match put.map_err(failed)? {
            Outcome::Done(_) => return Ok(result),
            Outcome::Mismatch(got) => kv = got.kv,
        }
    }
}

/// Gives ports back.
pub(super) async fn release(registry: &Registry, ports: &[u16]) {
    let released = change(registry, false, |taken| {
        ports.iter().for_each(|port| taken.give_back(*port));
        Ok(())
    });
    if let Err(error) = released.await {
        tracing::warn!(?ports, error = %error.message(), "ports on nodes were not released");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_kept_as_upstream_keeps_them() {
        let range = (30000, 32767);
        let mut taken = Taken::none(range);
        taken.take(30000).unwrap();
        taken.take(30009).unwrap();
        let stored = taken.encode().unwrap();
        let object: Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!((&object["range"], &object["data"]), (&json!("30000-32767"), &json!(BASE64.encode([2, 1]))));
        assert_eq!(Taken::decode(range, &stored), taken);
        assert_eq!(taken.take(30009).unwrap_err(), "provided port is already allocated");
        let outside = taken.take(80).unwrap_err();
        assert_eq!(outside, "provided port is not in the valid range. The range of valid ports is 30000-32767");
        taken.give_back(30009);
        assert_eq!(taken.take(30009), Ok(30009));
    }

    #[test]
    fn every_port_is_given_once() {
        let mut taken = Taken::none((30000, 30040));
        let mut given: Vec<u16> = (0..41).map(|_| taken.take_any().unwrap()).collect();
        given.sort_unstable();
        assert_eq!(given, (30000..=30040).collect::<Vec<u16>>());
        assert_eq!(taken.take_any().unwrap_err(), "range is full");
    }
}
