//! Answers that are remembered for a while, the least recently used forgotten first (upstream's `LRUExpireCache`).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The cache. Keys are whole questions.
pub struct LruExpireCache<V> {
    most: usize,
    state: Mutex<State<V>>,
}

struct State<V> {
    entries: HashMap<Box<[u8]>, Entry<V>>,
    /// Keys by when they were used last.
    order: BTreeMap<u64, Box<[u8]>>,
    uses: u64,
}

struct Entry<V> {
    value: V,
    until: Instant,
    used: u64,
}

impl<V: Clone> LruExpireCache<V> {
    /// One that holds `most` answers.
    pub fn new(most: usize) -> Self {
        Self { most, state: Mutex::new(State { entries: HashMap::new(), order: BTreeMap::new(), uses: 0 }) }
    }

    /// The answer to a question, if it is remembered and not too old.
    pub fn get(&self, key: &[u8]) -> Option<V> {
        let state = &mut *self.state.lock();
        let entry = state.entries.get_mut(key)?;
        let key = state.order.remove(&entry.used)?;
        if entry.until <= Instant::now() {
            state.entries.remove(&key);
            return None;
        }
        state.uses += 1;
        entry.used = state.uses;
        state.order.insert(entry.used, key);
        Some(entry.value.clone())
    }

    /// Remembers an answer for `ttl`.
    pub fn put(&self, key: &[u8], value: V, ttl: Duration) {
        let state = &mut *self.state.lock();
        state.uses += 1;
        let entry = Entry { value, until: Instant::now() + ttl, used: state.uses };
        state.order.insert(entry.used, key.into());
        if let Some(before) = state.entries.insert(key.into(), entry) {
            state.order.remove(&before.used);
        }
        while state.entries.len() > self.most {
            let Some((_, oldest)) = state.order.pop_first() else { return };
            state.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_least_recently_used_is_forgotten_first_and_all_is_after_its_time() {
        let cache = LruExpireCache::new(2);
        let minute = Duration::from_secs(60);
        cache.put(b"a", 1, minute);
        cache.put(b"b", 2, minute * 3);
        assert_eq!(cache.get(b"a"), Some(1));
        cache.put(b"c", 3, minute * 3);
        assert_eq!([cache.get(b"a"), cache.get(b"b"), cache.get(b"c")], [Some(1), None, Some(3)]);
        cache.put(b"c", 4, minute * 3);
        tokio::time::advance(minute).await;
        assert_eq!([cache.get(b"a"), cache.get(b"c")], [None, Some(4)]);
        tokio::time::advance(minute * 2).await;
        assert_eq!(cache.get(b"c"), None);
        let state = cache.state.lock();
        assert!(state.entries.is_empty() && state.order.is_empty());
    }
}
