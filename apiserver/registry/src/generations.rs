//! A memory of what came last.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};

/// What an entry counts for beside its being one.
pub(crate) trait Weigh {
    /// In the unit of the memory's bound.
    fn weight(&self) -> usize;
}

impl Weigh for () {
    fn weight(&self) -> usize {
        0
    }
}

/// Entries by key in two generations: when the young one is full it takes the place of the old one, which is forgotten. So at
/// least as much is remembered as the bounds say, and at most twice that and one entry.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// Of what is young.
    weight: usize,
    /// The most entries of a generation.
    most: usize,
    /// The weight at which a generation is full.
    heaviest: usize,
}

impl<K: Hash + Eq, V: Weigh> Generations<K, V> {
    pub(crate) fn new(most: usize, heaviest: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), weight: 0, most, heaviest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// Remembers an entry, in the place of that with its key.
    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.most || self.weight >= self.heaviest {
            let room = HashMap::with_capacity(self.young.len());
            self.old = std::mem::replace(&mut self.young, room);
            self.weight = 0;
        }
        self.weight += value.weight();
        if let Some(before) = self.young.insert(key, value) {
            self.weight -= before.weight();
        }
    }

    /// What is remembered under a key.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// [`Self::get`], and makes it young again.
    pub(crate) fn recall<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if let Some((key, value)) = self.old.remove_entry(key) {
            // What is young came after.
            if !self.young.contains_key(key.borrow()) {
                self.put(key, value);
            }
        }
        self.young.get(key)
    }

    /// Takes out what is remembered under a key.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let old = self.old.remove(key);
        match self.young.remove(key) {
            Some(value) => {
                self.weight -= value.weight();
                Some(value)
            }
            None => old,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    fn keys(memory: &Generations<usize, usize>) -> Vec<usize> {
        (0..100).filter(|key| memory.get(key).is_some()).collect()
    }

    #[test]
    fn the_latest_are_remembered_by_number_and_by_weight() {
        let mut light = Generations::new(4, 100);
        (0..10).for_each(|key| light.put(key, 0));
        assert_eq!(keys(&light), [4, 5, 6, 7, 8, 9]);
        let mut heavy = Generations::new(4, 100);
        (0..10).for_each(|key| heavy.put(key, 50));
        assert_eq!(keys(&heavy), [6, 7, 8, 9]);
    }

    #[test]
    fn what_is_replaced_or_removed_weighs_nothing() {
        let mut memory = Generations::new(4, 100);
        (0..10).for_each(|_| memory.put(1, 99));
        (0..10).for_each(|_| {
            memory.put(2, 99);
            assert_eq!(memory.remove(&2), Some(99));
        });
        assert_eq!(keys(&memory), [1]);
        assert_eq!((memory.remove(&1), memory.remove(&1), memory.is_empty()), (Some(99), None, true));
    }

    #[test]
    fn what_is_recalled_is_young_again() {
        let mut memory = Generations::new(2, 100);
        memory.put(1, 0);
        for key in 2..10 {
            memory.put(key, 0);
            assert_eq!(memory.recall(&1), Some(&0), "{key}");
        }
        assert_eq!(memory.recall(&2), None);
    }
}
