//! What the pipeline knows of bytes that it writes: where their resourceVersion goes and what selectors see of them. The cache,
//! which gets them back from the store, need not find it out again.

use bytes::Bytes;
use parking_lot::Mutex;
use storage::KeyValue;
use storage::cacher::ResourceVersionPlace;

use crate::generations::{Generations, Weigh};
use crate::selectable::Picked;

/// How many writes are remembered at least, and how many bytes of them. The cache is a few behind the pipeline at most; what it
/// misses it finds out itself.
const REMEMBERED: usize = 1024;
const REMEMBERED_BYTES: usize = 4 << 20;

/// What is known of stored bytes that are served as they are, but for the resourceVersion.
#[derive(Debug)]
pub(crate) struct Known {
    pub place: ResourceVersionPlace,
    pub picked: Picked,
}

/// Stored bytes, and what is known of them.
#[derive(Debug)]
struct Write {
    stored: Bytes,
    known: Known,
}

impl Weigh for Write {
    fn weight(&self) -> usize {
        self.stored.len()
    }
}

/// The last writes under each key that the cache has not seen yet, or that the store refused.
#[derive(Debug)]
pub(crate) struct Written(Mutex<Generations<Box<str>, Write>>);

impl Default for Written {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(REMEMBERED, REMEMBERED_BYTES)))
    }
}

impl Written {
    /// Remembers what is known of `stored`, which is about to be written under `key`.
    pub(crate) fn note(&self, key: &str, stored: &Bytes, known: Known) {
        self.0.lock().put(key.into(), Write { stored: stored.clone(), known });
    }

    /// What is known of a pair, once.
    pub(crate) fn take(&self, kv: &KeyValue) -> Option<Known> {
        let mut writes = self.0.lock();
        // A cache that fills after a start asks for every object there is.
        if writes.is_empty() {
            return None;
        }
        let key = std::str::from_utf8(&kv.key).ok()?;
        // Of several writers under one key others may be next.
        if writes.get(key)?.stored != kv.value {
            return None;
        }
        writes.remove(key).map(|write| write.known)
    }
}

#[cfg(test)]
mod tests {
    use storage::cacher::KeyOrder;

    use super::*;

    fn note(written: &Written, key: usize, object: &str) {
        let stored = Bytes::copy_from_slice(object.as_bytes());
        let place = ResourceVersionPlace::find(&stored, KeyOrder::Sorted).unwrap();
        let labels = [("number", key.to_string())].into_iter().collect();
        let known = Known { place, picked: Picked { labels, ..Picked::default() } };
        written.note(&format!("/things/{key}"), &stored, known);
    }

    /// The label `number` of what is known.
    fn take(written: &Written, key: usize, object: &str) -> Option<String> {
        let kv = KeyValue {
            key: format!("/things/{key}").into(),
            value: Bytes::copy_from_slice(object.as_bytes()),
            mod_revision: 1,
        };
        written.take(&kv).map(|known| known.picked.labels.get("number").unwrap_or_default().to_owned())
    }

    #[test]
    fn what_was_written_is_known_once() {
        let written = Written::default();
        (0..9).for_each(|key| note(&written, key, "{}"));
        assert_eq!(take(&written, 3, "{}").as_deref(), Some("3"));
        assert_eq!(take(&written, 3, "{}"), None, "taken");
        assert_eq!(take(&written, 9, "{}"), None, "never written");
    }

    #[test]
    fn of_other_bytes_under_the_key_nothing_is_known() {
        let written = Written::default();
        note(&written, 1, r#"{"a":1}"#);
        note(&written, 1, r#"{"a":2}"#);
        assert_eq!(take(&written, 1, r#"{"a":1}"#), None, "another writer came after");
        assert_eq!(take(&written, 1, r#"{"a":2}"#).as_deref(), Some("1"), "whose object is still to come");
    }

    #[test]
    fn what_is_never_taken_is_forgotten() {
        let written = Written::default();
        (0..3 * REMEMBERED).for_each(|key| note(&written, key, "{}"));
        assert_eq!(take(&written, 0, "{}"), None);
        assert_eq!(take(&written, 2 * REMEMBERED, "{}").as_deref(), Some("2048"));

        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(REMEMBERED_BYTES / 4));
        (0..12).for_each(|key| note(&written, key, &large));
        assert_eq!(take(&written, 0, &large), None, "large ones sooner");
        assert_eq!(take(&written, 11, &large).as_deref(), Some("11"));
    }
}
