//! Reads of one committed state.

use std::ops::Bound;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::batch::Progress;
use super::file::Failure;
use super::format::{EXPIRY, INDEX, LOG, META, Record, State, meta};
use crate::{Error, Event, Got, KeyValue, ListOptions, Listed, Revision, prefix};

/// The store as one commit left it.
pub(super) struct Snapshot {
    transaction: ReadTransaction,
    meta: ReadOnlyTable<&'static str, u128>,
    index: ReadOnlyTable<(&'static [u8], u64), u64>,
    log: ReadOnlyTable<u64, &'static [u8]>,
    revision: Revision,
    compacted: Revision,
}

/// A piece of the history under a prefix.
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// Every event up to this revision is in `events` or was before.
    pub(super) through: Revision,
    /// Whether `through` is as far as was asked for.
    pub(super) complete: bool,
}

/// How many log entries and bytes of events one piece of history is made of at most.
const HISTORY_ENTRIES: usize = 1024;
const HISTORY_BYTES: usize = 4 << 20;

impl Snapshot {
    pub(super) fn open(transaction: ReadTransaction) -> Result<Self, Failure> {
        let table = transaction.open_table(META)?;
        Ok(Self {
            index: transaction.open_table(INDEX)?,
            log: transaction.open_table(LOG)?,
            revision: number(&table, meta::REVISION)?,
            compacted: number(&table, meta::COMPACTED)?,
            meta: table,
            transaction,
        })
    }

    pub(super) fn identity(&self) -> Result<u128, Failure> {
        let identity = self.meta.get(meta::IDENTITY)?;
        identity.map(|identity| identity.value()).ok_or_else(|| Failure::corrupt("the store has no identity"))
    }

    pub(super) fn progress(&self) -> Result<Progress, Failure> {
        Ok(Progress {
            revision: self.revision,
            compacted: self.compacted,
            swept: number(&self.meta, meta::SWEPT)?,
            next_expiry: self.transaction.open_table(EXPIRY)?.first()?.map(|(entry, _)| entry.value().0),
        })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Got, Failure> {
        let kv = match newest(&self.index, key)? {
            Some((revision, State::Live(_))) => Some(pair(&self.log, revision)?),
            _ => None,
        };
        Ok(Got { revision: self.revision, kv })
    }

    pub(super) fn list(&self, prefix: &[u8], options: &ListOptions) -> Result<Listed, Failure> {
        let at = match options.revision {
            None | Some(0) => self.revision,
            Some(requested) if requested > self.revision => {
                return Err(Failure::Answer(Error::FutureRevision { requested, current: self.revision }));
            }
            Some(requested) => {
                self.check_compacted(requested)?;
                requested
            }
        };
        let start = options.start.as_deref().map_or(prefix, |start| start.max(prefix));
        let end = prefix::end(prefix);
        let mut listed = Listed { revision: at, kvs: Vec::new(), remaining: 0 };
        if end.as_deref().is_some_and(|end| start >= end) {
            return Ok(listed);
        }
        let range =
            (Bound::Included((start, 0)), end.as_deref().map_or(Bound::Unbounded, |end| Bound::Excluded((end, 0))));
        let take = |listed: &mut Listed, alive: Revision| -> Result<(), Failure> {
            if options.limit == 0 || listed.kvs.len() < options.limit {
                listed.kvs.push(pair(&self.log, alive)?);
            } else {
                listed.remaining += 1;
            }
            Ok(())
        };
        // The versions of a key come one after the other, oldest first; the last one up to `at` counts.
        let mut key: Vec<u8> = Vec::new();
        let mut alive: Option<Revision> = None;
        for entry in self.index.range::<(&[u8], u64)>(range)? {
            if options.uncounted && listed.remaining > 0 {
                return Ok(listed);
            }
            let (version, state) = entry?;
            let (version_key, revision) = version.value();
            if version_key != key {
                if let Some(revision) = alive.take() {
                    take(&mut listed, revision)?;
                }
                key.clear();
                key.extend_from_slice(version_key);
            }
            if revision <= at {
                alive = State::decode(state.value()).is_live().then_some(revision);
            }
        }
        if let Some(revision) = alive {
            take(&mut listed, revision)?;
        }
        Ok(listed)
    }

    /// The events under `prefix` after `after`, up to `until` or as far as the log goes.
    pub(super) fn history(&self, prefix: &[u8], after: Revision, until: Option<Revision>) -> Result<History, Failure> {
        self.check_compacted(after)?;
        let until = until.unwrap_or(self.revision).min(self.revision);
        let mut history = History { events: Vec::new(), through: after.max(until), complete: true };
        if after >= until {
            return Ok(history);
        }
        let mut bytes = 0;
        for (seen, entry) in self.log.range(after + 1..=until)?.enumerate() {
            let (revision, record) = entry?;
            let revision = revision.value();
            if seen == HISTORY_ENTRIES || bytes >= HISTORY_BYTES {
                history.through = revision - 1;
                history.complete = false;
                break;
            }
            let record = decode(record.value())?;
            if record.key.starts_with(prefix) {
                let previous = match record.previous {
                    0 => None,
                    previous => Some(pair(&self.log, previous)?),
                };
                bytes += record.value.len() + previous.as_ref().map_or(0, |kv| kv.value.len());
                history.events.push(event(record, revision, previous));
            }
        }
        Ok(history)
    }

    /// How many entries the index and the log have.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> Result<(u64, u64), Failure> {
        use redb::ReadableTableMetadata;
        Ok((self.index.len()?, self.log.len()?))
    }

    fn check_compacted(&self, requested: Revision) -> Result<(), Failure> {
        if requested < self.compacted {
            return Err(Failure::Answer(Error::Compacted { requested, compacted: self.compacted }));
        }
        Ok(())
    }
}

fn event(record: Record<'_>, revision: Revision, previous: Option<KeyValue>) -> Event {
    let kv = record.to_key_value(revision);
    if record.state.is_live() { Event::Put { kv, previous } } else { Event::Delete { key: kv.key, revision, previous } }
}

/// A number of the `meta` table.
pub(super) fn number(table: &impl ReadableTable<&'static str, u128>, name: &str) -> Result<u64, Failure> {
    let number = table.get(name)?.ok_or_else(|| Failure::corrupt(format!("the store has no {name}")))?;
    u64::try_from(number.value()).map_err(|_| Failure::corrupt(format!("the store's {name} is out of range")))
}

/// The newest version of `key`.
pub(super) fn newest(
    index: &impl ReadableTable<(&'static [u8], u64), u64>,
    key: &[u8],
) -> Result<Option<(Revision, State)>, Failure> {
    let last = index.range((key, 0)..=(key, u64::MAX))?.next_back().transpose()?;
    Ok(last.map(|(version, state)| (version.value().1, State::decode(state.value()))))
}

/// The pair that the write at `revision` made.
pub(super) fn pair(log: &impl ReadableTable<u64, &'static [u8]>, revision: Revision) -> Result<KeyValue, Failure> {
    let record = log.get(revision)?.ok_or_else(|| Failure::corrupt(format!("revision {revision} is missing")))?;
    Ok(decode(record.value())?.to_key_value(revision))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Record<'_>, Failure> {
    Record::decode(bytes).ok_or_else(|| Failure::corrupt("a log record is cut"))
}
