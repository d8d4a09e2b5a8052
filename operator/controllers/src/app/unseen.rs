//! Pods that were created and that the cache does not show yet. Until it does, what is missing cannot be told from what
//! is on its way: a name may be free again before the Pod that took the next one is seen.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::ObjectKey;
use tokio::time::Instant;

/// After this time a Pod that was never seen counts as gone again: the watch may have missed its whole life.
const FORGET: Duration = Duration::from_secs(30);

/// Created Pods by App and uid, with when each was created.
#[derive(Debug, Default)]
pub struct Unseen(Mutex<HashMap<ObjectKey, HashMap<String, Instant>>>);

impl Unseen {
    fn pods(&self) -> MutexGuard<'_, HashMap<ObjectKey, HashMap<String, Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Pod of an App was created.
    pub fn created(&self, app: &ObjectKey, uid: &str) {
        self.pods().entry(app.clone()).or_default().insert(uid.to_owned(), Instant::now());
    }

    /// The cache shows a Pod, or has shown it.
    pub fn seen(&self, app: &ObjectKey, uid: &str) {
        let mut pods = self.pods();
        if let Some(of_app) = pods.get_mut(app) {
            of_app.remove(uid);
            if of_app.is_empty() {
                pods.remove(app);
            }
        }
    }

    /// How long an App is to wait for what is not seen yet; nothing when it need not.
    pub fn wait(&self, app: &ObjectKey) -> Option<Duration> {
        let mut pods = self.pods();
        let of_app = pods.get_mut(app)?;
        of_app.retain(|_, created| created.elapsed() < FORGET);
        match of_app.values().max() {
            Some(last) => Some(FORGET.saturating_sub(last.elapsed())),
            None => {
                pods.remove(app);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_app_waits_for_its_pods_to_be_seen_but_not_forever() {
        let unseen = Unseen::default();
        let (web, other) = (ObjectKey::new("default", "web"), ObjectKey::new("default", "other"));
        unseen.created(&web, "a");
        unseen.created(&web, "b");
        assert_eq!((unseen.wait(&web), unseen.wait(&other)), (Some(FORGET), None));
        unseen.seen(&web, "a");
        tokio::time::advance(FORGET / 2).await;
        assert_eq!(unseen.wait(&web), Some(FORGET / 2));
        unseen.seen(&web, "b");
        assert_eq!(unseen.wait(&web), None);
        unseen.created(&web, "c");
        tokio::time::advance(FORGET).await;
        assert_eq!(unseen.wait(&web), None, "it is never seen");
    }
}
