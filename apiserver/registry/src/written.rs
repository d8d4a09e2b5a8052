//! What is known of bytes that were just written: that they are what is served. The cache, which gets them back from the store,
//! need not find it out again.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use parking_lot::Mutex;

/// How many writes are remembered at least. The cache is a few behind the pipeline at most; what it misses it finds out itself.
const REMEMBERED: usize = 4096;

/// Fingerprints of stored objects that reading does not change, under one schema.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// With a key of its own: nobody can make an object that is taken for another.
    hasher: RandomState,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Settled {
    /// Remembers that `stored` is what is served.
    pub(crate) fn note(&self, stored: &[u8]) {
        let fingerprint = self.hasher.hash_one(stored);
        let mut generations = self.generations.lock();
        if generations.young.len() >= REMEMBERED {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(fingerprint);
    }

    /// Whether `stored` is known to be what is served.
    pub(crate) fn knows(&self, stored: &[u8]) -> bool {
        // A cache that fills after a start asks for every object there is.
        if self.generations.lock().young.is_empty() {
            return false;
        }
        let fingerprint = self.hasher.hash_one(stored);
        let generations = self.generations.lock();
        generations.young.contains(&fingerprint) || generations.old.contains(&fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_writes_are_known_and_no_others() {
        let settled = Settled::default();
        let object = |number: usize| format!("{{\"number\":{number}}}");
        (0..3 * REMEMBERED).for_each(|number| settled.note(object(number).as_bytes()));
        assert!((2 * REMEMBERED..3 * REMEMBERED).all(|number| settled.knows(object(number).as_bytes())));
        assert!(!settled.knows(object(0).as_bytes()), "the oldest are forgotten");
        assert!(!settled.knows(object(3 * REMEMBERED).as_bytes()), "what was not written is not known");
    }
}
