//! What the watches of a kind share, for as long as there are any.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use apimachinery::gvk::GroupVersionResource;
use parking_lot::Mutex;
use registry::Row;

/// A `T` for each kind that somebody watches.
#[derive(Debug)]
pub(crate) struct Watched<T>(Mutex<HashMap<GroupVersionResource, Weak<T>>>);

impl<T> Default for Watched<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Default> Watched<T> {
    /// That of a row's kind. It is dropped with the last watch that holds it.
    pub(crate) fn of(&self, row: &Row) -> Arc<T> {
        let mut kinds = self.0.lock();
        if let Some(shared) = kinds.get(&row.gvr).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::default();
        kinds.retain(|_, shared| shared.strong_count() > 0);
        kinds.insert(row.gvr.clone(), Arc::downgrade(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_nobody_watches_shares_nothing() {
        let watched = Watched::<Mutex<u32>>::default();
        let row = |resource: &str| registry::Table::builtin().row("", "v1", resource).unwrap().clone();
        let held = watched.of(&row("pods"));
        assert!(Arc::ptr_eq(&held, &watched.of(&row("pods"))));
        assert!(!Arc::ptr_eq(&held, &watched.of(&row("nodes"))));
        drop(held);
        watched.of(&row("nodes"));
        assert!(!watched.0.lock().contains_key(&row("pods").gvr));
    }
}
