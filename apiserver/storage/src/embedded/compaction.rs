//! Frees the room of forgotten history.

use redb::ReadableTable;

use super::batch::Batch;
use super::file::Failure;
use super::format::State;
use super::read::decode;

impl Batch<'_> {
    /// Whether forgotten history still takes room.
    pub(super) fn must_sweep(&self) -> bool {
        self.after.swept < self.after.compacted
    }

    /// Looks at up to `limit` log entries that a compaction has passed, and removes what no state from the compacted
    /// revision on shows: the value that each of them replaced, and deletions themselves.
    ///
    /// No search is needed, as every write names the one it replaced; a step costs the same however large the store is.
    pub(super) fn sweep(&mut self, limit: usize) -> Result<(), Failure> {
        if !self.must_sweep() {
            return Ok(());
        }
        let mut through = self.after.compacted;
        let mut gone = Vec::new();
        for (seen, entry) in self.log.range(self.after.swept + 1..=self.after.compacted)?.enumerate() {
            let (revision, record) = entry?;
            let revision = revision.value();
            if seen == limit {
                through = revision - 1;
                break;
            }
            let record = decode(record.value())?;
            if record.previous != 0 {
                gone.push((record.key.to_vec(), record.previous));
            }
            if record.state == State::Deleted {
                gone.push((record.key.to_vec(), revision));
            }
        }
        for (key, revision) in gone {
            self.index.remove((key.as_slice(), revision))?;
            self.log.remove(revision)?;
        }
        self.after.swept = through;
        Ok(())
    }
}
