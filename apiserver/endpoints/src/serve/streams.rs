//! The requests of an HTTP/2 connection: how many run, and until when each answer has to be read.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{SetOnce, watch};
use tokio::time::Instant;

tokio::task_local! {
    /// Until when the client has to have read the answer of the stream that this task serves.
    static UNTIL: Arc<SetOnce<Instant>>;
}

/// Runs each stream on a task of its own, and resets it when its answer is not read in time.
///
/// A stream waits for room in the client's window without a look at what it sends, so nothing but its task can end it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let until = Arc::new(SetOnce::new());
        // On the heap once, not moved from task to task's states: a watch holds this for as long as it lasts.
        let mut stream = Box::pin(UNTIL.scope(until.clone(), stream));
        tokio::spawn(async move {
            tokio::select! {
                () = &mut stream => {}
                () = async { tokio::time::sleep_until(*until.wait().await).await } => {
                    tracing::debug!("an answer was not read in time");
                }
            }
        });
    }
}

/// The answer of the stream that this task serves has to be read until `deadline`.
pub(super) fn answer(deadline: Instant) {
    // Set once, for a stream has one answer.
    let _ = UNTIL.try_with(|until| until.set(deadline));
}

/// How many requests of a connection run, and how often that has changed.
#[derive(Clone, Debug)]
pub(super) struct Running(watch::Sender<(usize, u64)>);

impl Running {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new((0, 0)))
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.0.send_modify(|(running, changes)| {
            *running += 1;
            *changes += 1;
        });
    }

    /// A request is over.
    pub(super) fn end(&self) {
        self.0.send_modify(|(running, changes)| {
            *running = running.saturating_sub(1);
            *changes += 1;
        });
    }

    /// Returns when no request has run for `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut changes = self.0.subscribe();
        loop {
            let idle = changes.borrow_and_update().0 == 0;
            if !idle {
                // The sender lives as long as this.
                let _ = changes.changed().await;
            } else if tokio::time::timeout(limit, changes.changed()).await.is_err() {
                return;
            }
        }
    }
}
