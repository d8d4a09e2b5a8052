//! What is known of objects in one state: that writing them as they are changes nothing. It need not be found out again.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, RandomState};

use parking_lot::Mutex;

/// How much is remembered at least; what is forgotten is found out again.
const REMEMBERED: usize = 4096;

/// Fingerprints of states, under one schema.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// With a key of its own: nobody can make a state that is taken for another.
    hasher: RandomState,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Standing {
    /// Remembers that a state stands.
    pub(crate) fn note<T: Hash>(&self, state: &T) {
        let fingerprint = self.hasher.hash_one(state);
        let mut generations = self.generations.lock();
        if generations.young.len() >= REMEMBERED {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(fingerprint);
    }

    /// Whether a state is known to stand.
    pub(crate) fn knows<T: Hash>(&self, state: &T) -> bool {
        // Most stores are never applied to.
        if self.generations.lock().young.is_empty() {
            return false;
        }
        let fingerprint = self.hasher.hash_one(state);
        let generations = self.generations.lock();
        generations.young.contains(&fingerprint) || generations.old.contains(&fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_states_are_known_and_no_others() {
        let standing = Standing::default();
        let state = |number: usize| ("name", number);
        (0..3 * REMEMBERED).for_each(|number| standing.note(&state(number)));
        assert!((2 * REMEMBERED..3 * REMEMBERED).all(|number| standing.knows(&state(number))));
        assert!(!standing.knows(&state(0)), "the oldest are forgotten");
        assert!(!standing.knows(&state(3 * REMEMBERED)), "what was not noted is not known");
    }
}
