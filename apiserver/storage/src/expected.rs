//! Writes that are still to come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Held by who may be about to write, until that is done or will not be. See [`crate::Storage::expect_write`].
#[derive(Debug, Default)]
#[must_use]
pub struct Expected(Option<Arc<Coming>>);

impl Drop for Expected {
    fn drop(&mut self) {
        if let Some(coming) = &self.0 {
            coming.expected.fetch_sub(1, Ordering::AcqRel);
            coming.tell();
        }
    }
}

/// What a store knows of the writes that are to come, so that it commits many of them at once: a commit costs much the same for one
/// as for many. While more writers are on their way than wait, a commit waits for them; a writer alone waits for nobody.
#[derive(Debug, Default)]
pub(crate) struct Coming {
    /// Who may write, and who waits for the answer to a write.
    expected: AtomicUsize,
    /// Writes that wait for their commit.
    queued: AtomicUsize,
    /// So many of those who may write were waited for in vain: what they do takes longer.
    slow: AtomicUsize,
    /// Told when there is nobody to wait for any more.
    enough: Notify,
}

impl Coming {
    pub(crate) fn expect(self: &Arc<Self>) -> Expected {
        self.expected.fetch_add(1, Ordering::AcqRel);
        Expected(Some(self.clone()))
    }

    /// A write is about to wait for its commit; [`Self::tell`] when it does.
    pub(crate) fn queue(&self) {
        self.queued.fetch_add(1, Ordering::AcqRel);
    }

    /// So many writes wait no more.
    pub(crate) fn take(&self, writes: usize) {
        self.queued.fetch_sub(writes, Ordering::AcqRel);
    }

    /// Wakes who waits, if there is nobody to wait for.
    pub(crate) fn tell(&self) {
        if self.queued.load(Ordering::Acquire) > 0 && self.is_enough() {
            self.enough.notify_one();
        }
    }

    /// Waits until at least as many writes wait as are on their way, for no longer than `patience`.
    pub(crate) async fn wait(&self, patience: Duration) {
        self.slow.fetch_min(self.on_their_way(), Ordering::AcqRel);
        let enough = async {
            while !self.is_enough() {
                self.enough.notified().await;
            }
        };
        if !self.is_enough() && tokio::time::timeout(patience, enough).await.is_err() {
            self.slow.store(self.on_their_way(), Ordering::Release);
        }
    }

    fn on_their_way(&self) -> usize {
        self.expected.load(Ordering::Acquire).saturating_sub(self.queued.load(Ordering::Acquire))
    }

    fn is_enough(&self) -> bool {
        let awaited = self.on_their_way().saturating_sub(self.slow.load(Ordering::Acquire));
        self.queued.load(Ordering::Acquire) >= awaited
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    /// How long is waited.
    async fn waited(coming: &Coming) -> Duration {
        let start = Instant::now();
        coming.wait(PATIENCE).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_writer_alone_and_one_of_two_wait_for_nobody() {
        let coming = Arc::new(Coming::default());
        coming.queue();
        assert_eq!(waited(&coming).await, Duration::ZERO, "a writer that nobody told of");
        let _one = coming.expect();
        assert_eq!(waited(&coming).await, Duration::ZERO);
        let _other = coming.expect();
        assert_eq!(waited(&coming).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_waits_until_as_many_writes_are_there_as_are_on_their_way() {
        let coming = Arc::new(Coming::default());
        let mut expected: Vec<Expected> = (0..6).map(|_| coming.expect()).collect();
        coming.queue();
        let waiting = tokio::spawn({
            let coming = coming.clone();
            async move { waited(&coming).await }
        });
        tokio::task::yield_now().await;
        coming.queue();
        coming.tell();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "two wait, four are on their way");
        expected.pop();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "two wait, three are on their way");
        expected.pop();
        assert_eq!(waiting.await.unwrap(), Duration::ZERO, "two and two");
        coming.take(2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_waited_for_once() {
        let coming = Arc::new(Coming::default());
        let slow: Vec<Expected> = (0..5).map(|_| coming.expect()).collect();
        coming.queue();
        assert_eq!(waited(&coming).await, PATIENCE);
        assert_eq!(waited(&coming).await, Duration::ZERO);
        let others: Vec<Expected> = (0..2).map(|_| coming.expect()).collect();
        assert_eq!(waited(&coming).await, PATIENCE, "others may be quicker");
        drop((slow, others));
        assert_eq!(waited(&coming).await, Duration::ZERO);
        let _new: Vec<Expected> = (0..5).map(|_| coming.expect()).collect();
        assert_eq!(waited(&coming).await, PATIENCE, "those who were slow are gone");
    }
}
