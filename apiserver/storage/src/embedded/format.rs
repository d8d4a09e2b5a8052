//! What is in the file.
//!
//! - `log`: revision → the write: its kind, key, value, expiry, and the revision of the key's value before it.
//! - `index`: (key, revision) → whether the key lived on; small, so that counting reads no values.
//! - `expiry`: (time, revision) of values that still live and will expire.
//! - `meta`: the format, the store's identity, and the revisions reached, compacted and swept.

use bytes::Bytes;
use redb::TableDefinition;

use crate::{KeyValue, Revision};

/// The format that this build reads and writes.
pub(super) const FORMAT: u64 = 1;

/// An empty store's revision. As in etcd the first write is revision 2, for clients take a list's revision 0 as "any".
pub(super) const FIRST_REVISION: Revision = 1;

pub(super) const META: TableDefinition<&str, u128> = TableDefinition::new("meta");
pub(super) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");
pub(super) const INDEX: TableDefinition<(&[u8], u64), u64> = TableDefinition::new("index");
pub(super) const EXPIRY: TableDefinition<(u64, u64), ()> = TableDefinition::new("expiry");

/// Keys of [`META`].
pub(super) mod meta {
    pub(in super::super) const FORMAT: &str = "format";
    pub(in super::super) const IDENTITY: &str = "identity";
    /// The revision of the newest write.
    pub(in super::super) const REVISION: &str = "revision";
    /// History before this revision is forgotten.
    pub(in super::super) const COMPACTED: &str = "compacted";
    /// The log is freed of superseded writes up to this revision; behind `COMPACTED` while a compaction runs.
    pub(in super::super) const SWEPT: &str = "swept";
}

/// A key's state after a write, as [`INDEX`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is a value; it expires at this time (milliseconds since 1970), or never.
    Live(Option<u64>),
    /// The key was deleted.
    Deleted,
}

impl State {
    pub(super) fn encode(self) -> u64 {
        match self {
            Self::Live(None) => 0,
            Self::Live(Some(expires)) => expires.clamp(1, u64::MAX - 1),
            Self::Deleted => u64::MAX,
        }
    }

    pub(super) fn decode(number: u64) -> Self {
        match number {
            0 => Self::Live(None),
            u64::MAX => Self::Deleted,
            expires => Self::Live(Some(expires)),
        }
    }

    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Live(_))
    }
}

/// One write, as [`LOG`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) state: State,
    /// The revision of the value that this write replaced or deleted, 0 if there was none.
    pub(super) previous: Revision,
    pub(super) key: &'a [u8],
    /// Empty for a deletion.
    pub(super) value: &'a [u8],
}

/// state, previous, length of the key
const HEADER: usize = 8 + 8 + 4;

impl<'a> Record<'a> {
    pub(super) fn encoded_len(&self) -> usize {
        HEADER + self.key.len() + self.value.len()
    }

    /// Writes into `out`, which has [`Self::encoded_len`] bytes.
    pub(super) fn encode(&self, out: &mut [u8]) {
        let key_len = u32::try_from(self.key.len()).expect("the request limit keeps keys far below 4 GiB");
        out[0..8].copy_from_slice(&self.state.encode().to_le_bytes());
        out[8..16].copy_from_slice(&self.previous.to_le_bytes());
        out[16..HEADER].copy_from_slice(&key_len.to_le_bytes());
        let (key, value) = out[HEADER..].split_at_mut(self.key.len());
        key.copy_from_slice(self.key);
        value.copy_from_slice(self.value);
    }

    /// `None` if `bytes` are no record.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (state, rest) = bytes.split_first_chunk::<8>()?;
        let (previous, rest) = rest.split_first_chunk::<8>()?;
        let (key_len, rest) = rest.split_first_chunk::<4>()?;
        let (key, value) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*key_len)).ok()?)?;
        Some(Self {
            state: State::decode(u64::from_le_bytes(*state)),
            previous: u64::from_le_bytes(*previous),
            key,
            value,
        })
    }

    /// The pair that this write made at `revision`. Key and value are separate, so that neither keeps the other alive.
    pub(super) fn to_key_value(self, revision: Revision) -> KeyValue {
        KeyValue {
            key: Bytes::copy_from_slice(self.key),
            value: Bytes::copy_from_slice(self.value),
            mod_revision: revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for state in [State::Live(None), State::Live(Some(1_800_000_000_000)), State::Deleted] {
            for (key, value) in [(&b"/a"[..], &b"{}"[..]), (b"", b""), (b"\0\xff", b"\xff\0")] {
                let record = Record { state, previous: 7, key, value };
                let mut bytes = vec![0; record.encoded_len()];
                record.encode(&mut bytes);
                assert_eq!(Record::decode(&bytes), Some(record));
                let kv = record.to_key_value(9);
                assert_eq!((&kv.key[..], &kv.value[..], kv.mod_revision), (key, value, 9));
            }
        }
    }

    #[test]
    fn cut_bytes_are_no_record() {
        let record = Record { state: State::Deleted, previous: 1, key: b"/registry/a", value: b"" };
        let mut bytes = vec![0; record.encoded_len()];
        record.encode(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..len]), None, "{len} bytes");
        }
    }
}
