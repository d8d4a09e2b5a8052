//! What a webhook has converted, kept for the next who asks for the same: a list, and every watcher of an event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use apimachinery::StatusError;
use bytes::Bytes;
use parking_lot::Mutex;
use storage::Revision;
use tokio::sync::OnceCell;

/// How many conversions, and of how many bytes, are kept of one version.
const MOST: usize = 16 * 1024;
const MOST_BYTES: usize = 16 << 20;

/// An object at a revision: its key and the resourceVersion it is served with.
pub(crate) type Key = (Arc<str>, Revision);

/// A conversion that is made once, by whoever asks first.
type Cell = Arc<OnceCell<Bytes>>;

/// The latest conversions to one version.
#[derive(Debug, Default)]
pub struct Converted(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    cells: HashMap<Key, Cell>,
    /// The oldest first, with what each counts for.
    order: VecDeque<(Key, usize)>,
    bytes: usize,
}

impl Converted {
    /// The JSON of what `key` names, by `convert` if nobody has converted it yet. `size` is what it counts for.
    pub(crate) async fn get(
        &self,
        key: Key,
        size: usize,
        convert: impl Future<Output = Result<Bytes, StatusError>>,
    ) -> Result<Bytes, StatusError> {
        self.cell(key, size).get_or_try_init(|| convert).await.cloned()
    }

    /// What is known of `key`.
    pub(crate) fn known(&self, key: &Key) -> Option<Bytes> {
        self.0.lock().cells.get(key)?.get().cloned()
    }

    /// Keeps a conversion that was made together with others.
    pub(crate) fn keep(&self, key: Key, bytes: Bytes) {
        // Whoever was quicker has the same.
        let _ = self.cell(key, bytes.len()).set(bytes);
    }

    fn cell(&self, key: Key, size: usize) -> Cell {
        let mut kept = self.0.lock();
        if let Some(cell) = kept.cells.get(&key) {
            return cell.clone();
        }
        let cell = Cell::default();
        kept.cells.insert(key.clone(), cell.clone());
        kept.order.push_back((key, size));
        kept.bytes += size;
        while kept.order.len() > MOST || kept.bytes > MOST_BYTES {
            let Some((oldest, size)) = kept.order.pop_front() else { break };
            kept.cells.remove(&oldest);
            kept.bytes -= size;
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_conversion_is_made_once_unless_it_fails_and_the_oldest_are_forgotten() {
        let converted = Converted::default();
        let key = |revision| -> Key { ("/k".into(), revision) };
        let failed = converted.get(key(1), 1, async { Err(StatusError::unstructured("no")) }).await;
        assert_eq!(failed.unwrap_err().message(), "no");
        let made = converted.get(key(1), 1, async { Ok(Bytes::from_static(b"1")) }).await.unwrap();
        let again = converted.get(key(1), 1, async { Err(StatusError::unstructured("not asked")) }).await.unwrap();
        assert_eq!(made, again);
        converted.get(key(2), MOST_BYTES, async { Ok(Bytes::from_static(b"2")) }).await.unwrap();
        assert_eq!((converted.known(&key(1)), converted.known(&key(2)).is_some()), (None, true));
    }
}
