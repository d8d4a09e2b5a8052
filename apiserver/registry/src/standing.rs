//! What is known of objects in one state: that writing them as they are changes nothing. It need not be found out again.

use std::hash::{BuildHasher as _, Hash, RandomState};

use parking_lot::Mutex;

use crate::generations::Generations;

/// How much is remembered at least; what is forgotten is found out again.
const REMEMBERED: usize = 4096;

/// Fingerprints of states, under one schema.
#[derive(Debug)]
pub(crate) struct Standing {
    /// With a key of its own: nobody can make a state that is taken for another.
    hasher: RandomState,
    states: Mutex<Generations<u64, ()>>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { hasher: RandomState::new(), states: Mutex::new(Generations::new(REMEMBERED, usize::MAX)) }
    }
}

impl Standing {
    /// Remembers that a state stands.
    pub(crate) fn note<T: Hash>(&self, state: &T) {
        let fingerprint = self.hasher.hash_one(state);
        self.states.lock().put(fingerprint, ());
    }

    /// Whether a state is known to stand.
    pub(crate) fn knows<T: Hash>(&self, state: &T) -> bool {
        // Most stores are never applied to.
        if self.states.lock().is_empty() {
            return false;
        }
        let fingerprint = self.hasher.hash_one(state);
        self.states.lock().get(&fingerprint).is_some()
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
