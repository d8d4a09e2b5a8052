//! The writes of one transaction.

use std::time::Duration;

use bytes::Bytes;
use redb::{ReadableTable, Table, WriteTransaction};

use super::feed::Feed;
use super::file::Failure;
use super::format::{EXPIRY, INDEX, LOG, META, Record, State, meta};
use super::read::{decode, newest, number, pair};
use crate::{Error, Event, Got, KeyValue, Outcome, Result, Revision};

/// A conditional write.
#[derive(Debug)]
pub(super) enum Operation {
    Put { key: Bytes, expected: Revision, value: Bytes, ttl: Option<Duration> },
    Delete { key: Bytes, expected: Revision },
}

impl Operation {
    /// The bytes that it brings.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Put { key, value, .. } => key.len() + value.len(),
            Self::Delete { key, .. } => key.len(),
        }
    }
}

/// How far the store is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) revision: Revision,
    pub(super) compacted: Revision,
    pub(super) swept: Revision,
    /// When the next value expires, in milliseconds since 1970.
    pub(super) next_expiry: Option<u64>,
}

/// One write transaction's tables, and what was done in it. Each operation sees those before it.
pub(super) struct Batch<'txn> {
    meta: Table<'txn, &'static str, u128>,
    pub(super) index: Table<'txn, (&'static [u8], u64), u64>,
    pub(super) log: Table<'txn, u64, &'static [u8]>,
    pub(super) expiry: Table<'txn, (u64, u64), ()>,
    feed: &'txn Feed,
    /// Milliseconds since 1970.
    pub(super) now: u64,
    before: Progress,
    pub(super) after: Progress,
    /// What watches want to see of it, in revision order.
    pub(super) events: Vec<Event>,
}

impl<'txn> Batch<'txn> {
    pub(super) fn begin(transaction: &'txn WriteTransaction, feed: &'txn Feed, now: u64) -> Result<Self, Failure> {
        let meta = transaction.open_table(META)?;
        let before = Progress {
            revision: number(&meta, meta::REVISION)?,
            compacted: number(&meta, meta::COMPACTED)?,
            swept: number(&meta, meta::SWEPT)?,
            next_expiry: None,
        };
        Ok(Self {
            index: transaction.open_table(INDEX)?,
            log: transaction.open_table(LOG)?,
            expiry: transaction.open_table(EXPIRY)?,
            meta,
            feed,
            now,
            before,
            after: before,
            events: Vec::new(),
        })
    }

    /// The revision that it started from.
    pub(super) fn base(&self) -> Revision {
        self.before.revision
    }

    pub(super) fn apply(&mut self, operation: &Operation) -> Result<Outcome, Failure> {
        let (Operation::Put { key, expected, .. } | Operation::Delete { key, expected }) = operation;
        let current = match newest(&self.index, key)? {
            Some((revision, State::Live(expires))) => Some((revision, expires)),
            _ => None,
        };
        let is_delete = matches!(operation, Operation::Delete { .. });
        if current.map_or(0, |(revision, _)| revision) != *expected || (is_delete && current.is_none()) {
            let kv = current.map(|(revision, _)| pair(&self.log, revision)).transpose()?;
            return Ok(Outcome::Mismatch(Got { revision: self.after.revision, kv }));
        }
        let previous = match current {
            Some((revision, _)) if self.feed.wants_previous(key) => Some(pair(&self.log, revision)?),
            _ => None,
        };
        if let Some((revision, Some(expires))) = current {
            self.expiry.remove((expires, revision))?;
        }
        let (state, value) = match operation {
            Operation::Put { value, ttl, .. } => (State::Live(ttl.map(|ttl| self.expiry_after(ttl))), value.clone()),
            Operation::Delete { .. } => (State::Deleted, Bytes::new()),
        };
        let record = Record { state, previous: *expected, key, value: &value };
        let revision = self.append(record)?;
        if self.feed.wants(key) {
            let key = key.clone();
            self.events.push(match state {
                State::Live(_) => Event::Put { kv: KeyValue { key, value, mod_revision: revision }, previous },
                State::Deleted => Event::Delete { key, revision, previous },
            });
        }
        Ok(Outcome::Done(revision))
    }

    /// Writes `record` as the next revision.
    fn append(&mut self, record: Record<'_>) -> Result<Revision, Failure> {
        let revision = self.after.revision + 1;
        self.index.insert((record.key, revision), record.state.encode())?;
        let mut space = self.log.insert_reserve(revision, record.encoded_len())?;
        record.encode(space.as_mut());
        drop(space);
        if let State::Live(Some(expires)) = record.state {
            self.expiry.insert((expires, revision), ())?;
        }
        self.after.revision = revision;
        Ok(revision)
    }

    fn expiry_after(&self, ttl: Duration) -> u64 {
        self.now.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)).clamp(1, u64::MAX - 1)
    }

    /// Deletes up to `limit` keys whose time has come.
    pub(super) fn expire(&mut self, limit: usize) -> Result<(), Failure> {
        for _ in 0..limit {
            let due = self.expiry.range(..=(self.now, u64::MAX))?.next().transpose()?;
            let Some(revision) = due.map(|(entry, _)| entry.value().1) else { return Ok(()) };
            let key = {
                let record = self.log.get(revision)?;
                let record = record.ok_or_else(|| Failure::corrupt("an expiring value is missing"))?;
                Bytes::copy_from_slice(decode(record.value())?.key)
            };
            // A mismatch would leave the entry in place and be found again forever.
            if let Outcome::Mismatch(_) = self.apply(&Operation::Delete { key, expected: revision })? {
                return Err(Failure::corrupt("an expiring value was replaced and kept its expiry"));
            }
        }
        Ok(())
    }

    /// Forgets history before `revision`, for readers; [`Self::sweep`] then frees its room.
    pub(super) fn compact(&mut self, requested: Revision) -> Result<()> {
        if requested > self.after.revision {
            return Err(Error::FutureRevision { requested, current: self.after.revision });
        }
        self.after.compacted = self.after.compacted.max(requested);
        Ok(())
    }

    /// Writes down how far the store is now. Whether anything changed.
    pub(super) fn finish(mut self) -> Result<(Progress, Vec<Event>, bool), Failure> {
        let mut changed = false;
        for (name, before, after) in [
            (meta::REVISION, self.before.revision, self.after.revision),
            (meta::COMPACTED, self.before.compacted, self.after.compacted),
            (meta::SWEPT, self.before.swept, self.after.swept),
        ] {
            if before != after {
                self.meta.insert(name, u128::from(after))?;
                changed = true;
            }
        }
        self.after.next_expiry = self.expiry.first()?.map(|(entry, _)| entry.value().0);
        Ok((self.after, self.events, changed))
    }

    /// Writes the revision again, unchanged: a transaction that shows whether the file takes writes.
    pub(super) fn touch(&mut self) -> Result<(), Failure> {
        self.meta.insert(meta::REVISION, u128::from(self.after.revision))?;
        Ok(())
    }
}
