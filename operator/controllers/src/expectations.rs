//! What a controller has done and its cache has not shown yet. Until it does, what is missing cannot be told from what
//! is on its way, so nothing more is done.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::ObjectKey;
use tokio::time::Instant;

/// After this time what was never seen counts as seen: the watch may have missed its whole life.
const EXPIRE: Duration = Duration::from_mins(5);

#[derive(Debug)]
struct Expected {
    creations: usize,
    deletions: HashSet<ObjectKey>,
    since: Instant,
}

/// Creations and deletions that each owner waits to see.
#[derive(Debug, Default)]
pub struct Expectations(Mutex<HashMap<ObjectKey, Expected>>);

impl Expectations {
    fn owners(&self) -> MutexGuard<'_, HashMap<ObjectKey, Expected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An owner is about to create so many and to delete these; what it expected before is forgotten.
    pub fn expect(&self, owner: &ObjectKey, creations: usize, deletions: impl IntoIterator<Item = ObjectKey>) {
        let expected = Expected { creations, deletions: deletions.into_iter().collect(), since: Instant::now() };
        self.owners().insert(owner.clone(), expected);
    }

    fn change(&self, owner: &ObjectKey, change: impl FnOnce(&mut Expected)) {
        let mut owners = self.owners();
        if let Some(expected) = owners.get_mut(owner) {
            change(expected);
            if expected.creations == 0 && expected.deletions.is_empty() {
                owners.remove(owner);
            }
        }
    }

    /// So many creations were seen, or did not come about.
    pub fn created(&self, owner: &ObjectKey, count: usize) {
        self.change(owner, |expected| expected.creations = expected.creations.saturating_sub(count));
    }

    /// A deletion was seen, or did not come about.
    pub fn deleted(&self, owner: &ObjectKey, object: &ObjectKey) {
        self.change(owner, |expected| {
            expected.deletions.remove(object);
        });
    }

    /// The owner is gone.
    pub fn forget(&self, owner: &ObjectKey) {
        self.owners().remove(owner);
    }

    /// How long an owner is to wait at most for what it has not seen; nothing when it need not.
    pub fn wait(&self, owner: &ObjectKey) -> Option<Duration> {
        let left = EXPIRE.saturating_sub(self.owners().get(owner)?.since.elapsed());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_owner_waits_for_what_it_did_but_not_forever() {
        let expectations = Expectations::default();
        let (owner, a, b) = (ObjectKey::new("n", "owner"), ObjectKey::new("n", "a"), ObjectKey::new("n", "b"));
        assert_eq!(expectations.wait(&owner), None);
        expectations.expect(&owner, 2, [a.clone()]);
        expectations.created(&owner, 1);
        expectations.deleted(&owner, &b);
        expectations.deleted(&owner, &a);
        assert_eq!(expectations.wait(&owner), Some(EXPIRE));
        expectations.deleted(&owner, &a);
        expectations.created(&owner, 1);
        assert_eq!(expectations.wait(&owner), None);
        expectations.expect(&owner, 1, []);
        tokio::time::advance(EXPIRE).await;
        assert_eq!(expectations.wait(&owner), None);
    }
}
