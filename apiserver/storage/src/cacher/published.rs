//! What the feed's task shows to readers: the newest state, and how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::snapshot::Snapshot;
use crate::{Error, ProgressRequester, Result, Revision};

/// How often a waiting reader asks again for progress: an answer is lost when the store's watch breaks.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How far the feed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The first list is not complete.
    Starting,
    /// Everything up to this revision is in the snapshot.
    At(Revision),
    /// The feed has ended.
    Stopped,
}

/// Written by the feed's task alone; read by everyone without a lock.
pub(super) struct Published {
    snapshot: ArcSwapOption<Snapshot>,
    reached: watch::Sender<Reached>,
    progress: ArcSwapOption<ProgressRequester>,
    /// The highest revision that progress has been asked for.
    asked: AtomicU64,
    failure: Mutex<Option<Error>>,
}

impl Published {
    pub fn new() -> Self {
        Self {
            snapshot: ArcSwapOption::empty(),
            reached: watch::Sender::new(Reached::Starting),
            progress: ArcSwapOption::empty(),
            asked: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// The newest state, if there is one yet and the feed has not ended.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    pub fn reached(&self) -> Reached {
        *self.reached.borrow()
    }

    /// The last failure since the feed worked.
    pub fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    /// Shows a newer state.
    pub fn publish(&self, snapshot: Snapshot) {
        let revision = snapshot.revision;
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.reached.send_replace(Reached::At(revision));
    }

    /// A watch of the store runs, and `progress` asks it.
    pub fn watching(&self, progress: ProgressRequester) {
        *self.failure.lock() = None;
        self.progress.store(Some(Arc::new(progress)));
        if let Reached::At(revision) = self.reached()
            && self.asked.load(Ordering::Relaxed) > revision
        {
            self.request_progress();
        }
    }

    pub fn failed(&self, error: Error) {
        self.progress.store(None);
        *self.failure.lock() = Some(error);
    }

    /// Nothing more will come.
    pub fn stop(&self) {
        self.snapshot.store(None);
        self.progress.store(None);
        self.reached.send_replace(Reached::Stopped);
    }

    /// Returns when the feed has ended.
    pub async fn stopped(&self) {
        // The sender lives as long as `self`: this never fails.
        let _ = self.reached.subscribe().wait_for(|reached| *reached == Reached::Stopped).await;
    }

    /// Asks the store to say how far it is, if its watch runs.
    pub fn request_progress(&self) {
        if let Some(progress) = &*self.progress.load() {
            progress.request();
        }
    }

    /// The state once it is at `revision` or later; `None` if that is not so within `timeout`, or not to be waited for as
    /// nothing follows the store at the moment.
    pub async fn soon(&self, revision: Revision, timeout: Duration) -> Option<Arc<Snapshot>> {
        let reached = |snapshot: &Arc<Snapshot>| snapshot.revision >= revision;
        if let Some(snapshot) = self.snapshot().filter(reached) {
            return Some(snapshot);
        }
        let progress = self.progress.load_full()?;
        let mut changes = self.reached.subscribe();
        if self.asked.fetch_max(revision, Ordering::Relaxed) < revision {
            progress.request();
        }
        let came = changes.wait_for(|reached| !matches!(reached, Reached::At(at) if *at < revision));
        // The sender lives as long as `self`: this never fails.
        let _ = timeout_at(Instant::now() + timeout, came).await.ok()?;
        self.snapshot().filter(reached)
    }

    /// The state once it is at `revision` or later. [`Error::Unavailable`] if there is none within `start_timeout`,
    /// [`Error::FutureRevision`] if it has not come that far within `fresh_timeout` from there.
    pub async fn wait(
        &self,
        revision: Revision,
        start_timeout: Duration,
        fresh_timeout: Duration,
    ) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = self.snapshot().filter(|snapshot| snapshot.revision >= revision) {
            return Ok(snapshot);
        }
        let mut reached = self.reached.subscribe();
        let deadline = Instant::now() + start_timeout;
        let started = timeout_at(deadline, reached.wait_for(|reached| *reached != Reached::Starting)).await.is_ok();
        if !started {
            let reason = self.failure().map_or_else(|| "not read yet".into(), |error| error.to_string());
            return Err(Error::Unavailable(format!("the cache is not ready: {reason}")));
        }
        let deadline = Instant::now() + fresh_timeout;
        if self.asked.fetch_max(revision, Ordering::Relaxed) < revision {
            self.request_progress();
        }
        loop {
            tokio::select! {
                // The sender lives as long as `self`: this never fails.
                _ = reached.wait_for(|reached| !matches!(reached, Reached::At(at) if *at < revision)) => {}
                () = sleep(ASK_AGAIN) => self.request_progress(),
            }
            match self.snapshot() {
                Some(snapshot) if snapshot.revision >= revision => return Ok(snapshot),
                Some(snapshot) if Instant::now() >= deadline => {
                    return Err(Error::FutureRevision { requested: revision, current: snapshot.revision });
                }
                Some(_) => {}
                None => return Err(Error::Unavailable("the cache was shut down".into())),
            }
        }
    }
}
