//! The one thread that writes: it takes what is queued, commits it at once, tells the watches and answers everybody.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::batch::{Batch, Operation, Progress};
use super::feed::{Feed, Subscription, Watched};
use super::file::{Commit, Failure};
use crate::{Error, Outcome, Result, Revision};

/// How many commands, and about how many bytes, go into one transaction.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 8 << 20;
/// How many keys expire, and how many old log entries are swept, in one transaction.
const EXPIRE_STEP: usize = 256;
const SWEEP_STEP: usize = 512;
/// A watch that starts further back than this reads the log first and joins then.
const JOIN_WITHIN: u64 = 1024;
/// How long a commit waits for writes that may come.
const PATIENCE: Duration = Duration::from_millis(1);
/// How often a file that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the clock is read while keys wait to expire.
const CLOCK: Duration = Duration::from_secs(30);

/// What the committer is asked to do.
pub(super) enum Command {
    Write { operation: Operation, reply: oneshot::Sender<Result<Outcome>> },
    Compact { revision: Revision, reply: oneshot::Sender<Result<()>> },
    Watch { watched: Watched, after: Revision, reply: oneshot::Sender<Result<Joined>> },
}

/// How a watch may go on.
pub(super) enum Joined {
    /// Every event after `at` will be in the subscription.
    Live { at: Revision, subscription: Subscription },
    /// The log holds much that came since; read it and ask again.
    Behind,
}

/// Sends a command, waiting for room in the queue, and waits for the answer.
pub(super) async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.map_err(|_| super::closed())?;
    answer.await.map_err(|_| super::closed())
}

/// The committer's own state.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) stop: CancellationToken,
    pub(super) progress: Progress,
    feed: Feed,
}

/// An answer that waits for the commit.
enum Answer {
    Write(oneshot::Sender<Result<Outcome>>, Result<Outcome>),
    Compact(oneshot::Sender<Result<()>>, Result<()>),
}

impl Answer {
    /// Gives it, or this error in its place. Nobody may be waiting any more.
    fn give(self, failed: Option<&Error>) {
        match self {
            Self::Write(reply, answer) => drop(reply.send(failed.map_or(answer, |error| Err(error.clone())))),
            Self::Compact(reply, answer) => drop(reply.send(failed.map_or(answer, |error| Err(error.clone())))),
        }
    }
}

impl Committer {
    pub(super) fn new(
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
        progress: Progress,
        watch_queue: usize,
    ) -> Self {
        Self { shared, commands, stop, progress, feed: Feed::new(watch_queue) }
    }

    /// Works until it is told to stop; what was queued then is still done. Closes the file.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut inbox = Vec::with_capacity(BATCH);
        loop {
            let stop = self.stop.clone();
            let idle = self.idle();
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.commands.is_closed() => self.commands.close(),
                received = self.commands.recv_many(&mut inbox, BATCH) => if received == 0 { break },
                () = idle => {}
            }
            self.gather(&mut inbox).await;
            self.turn(&mut inbox);
        }
        self.feed.end(&super::closed());
        self.shared.file.close()
    }

    /// Adds the writes that are about to come to those that are there.
    async fn gather(&mut self, inbox: &mut Vec<Command>) {
        let is_write = |command: &&Command| matches!(command, Command::Write { .. });
        if inbox.iter().any(|command| is_write(&command)) {
            self.shared.coming.wait(PATIENCE).await;
            while inbox.len() < BATCH
                && let Ok(command) = self.commands.try_recv()
            {
                inbox.push(command);
            }
        }
        self.shared.coming.take(inbox.iter().filter(is_write).count());
    }

    /// Ends when there is something to do without being asked.
    fn idle(&self) -> impl Future<Output = ()> + use<> {
        let failed = self.shared.health.lock().is_some();
        let wait = if failed {
            Some(RETRY)
        } else if self.progress.swept < self.progress.compacted {
            Some(Duration::ZERO)
        } else {
            // Not for too long: the clock may be set.
            self.progress.next_expiry.map(|at| Duration::from_millis(at.saturating_sub(now())).min(CLOCK))
        };
        async move {
            match wait {
                Some(Duration::ZERO) => {}
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Does what was asked, in order, in one transaction for each [`BATCH_BYTES`]; then lets new watches in.
    fn turn(&mut self, inbox: &mut Vec<Command>) {
        let mut work = Vec::new();
        let mut watches = Vec::new();
        let mut bytes = 0;
        for command in inbox.drain(..) {
            match command {
                Command::Watch { watched, after, reply } => watches.push((watched, after, reply)),
                command => {
                    if let Command::Write { operation, .. } = &command {
                        bytes += operation.size();
                    }
                    work.push(command);
                    if bytes >= BATCH_BYTES {
                        bytes = 0;
                        self.commit(std::mem::take(&mut work));
                    }
                }
            }
        }
        self.commit(work);
        for (watched, after, reply) in watches {
            // The asker may be gone; the next subscription clears its place.
            drop(reply.send(self.join(watched, after)));
        }
    }

    fn join(&mut self, watched: Watched, after: Revision) -> Result<Joined> {
        let Progress { revision: at, compacted, .. } = self.progress;
        if after < compacted {
            return Err(Error::Compacted { requested: after, compacted });
        }
        if at.saturating_sub(after) > JOIN_WITHIN {
            return Ok(Joined::Behind);
        }
        Ok(Joined::Live { at, subscription: self.feed.subscribe(watched) })
    }

    /// One transaction: due expiries, the work, a step of a running compaction.
    fn commit(&mut self, work: Vec<Command>) {
        let now = now();
        let failed = self.shared.health.lock().is_some();
        let due = self.progress.next_expiry.is_some_and(|at| at <= now);
        let sweeping = self.progress.swept < self.progress.compacted;
        if work.is_empty() && !due && !sweeping && !failed {
            return;
        }
        let mut answers = Vec::with_capacity(work.len());
        let mut work = work.into_iter();
        let feed = &self.feed;
        let (result, generation) = self.shared.file.write(|transaction| {
            let mut batch = Batch::begin(transaction, feed, now)?;
            batch.expire(EXPIRE_STEP)?;
            for command in work.by_ref() {
                match command {
                    Command::Write { operation, reply } => match batch.apply(&operation) {
                        Ok(outcome) => answers.push(Answer::Write(reply, Ok(outcome))),
                        Err(failure) => {
                            answers.push(Answer::Write(reply, Err(super::closed())));
                            return Err(failure);
                        }
                    },
                    Command::Compact { revision, reply } => {
                        let answer = batch.compact(revision);
                        answers.push(Answer::Compact(reply, answer));
                    }
                    Command::Watch { .. } => {}
                }
            }
            batch.sweep(SWEEP_STEP)?;
            if failed {
                batch.touch()?;
            }
            let base = batch.base();
            let (progress, events, changed) = batch.finish()?;
            Ok(((base, progress, events), if changed || failed { Commit::Yes } else { Commit::No }))
        });
        match result {
            Ok((base, progress, events)) => {
                if base != self.progress.revision {
                    self.feed.end(&late());
                }
                self.publish(progress, &events);
                answers.into_iter().for_each(|answer| answer.give(None));
            }
            Err(failure) => {
                let error = self.fail(failure, generation);
                answers.into_iter().for_each(|answer| answer.give(Some(&error)));
                for command in work {
                    match command {
                        Command::Write { reply, .. } => drop(reply.send(Err(error.clone()))),
                        Command::Compact { reply, .. } => drop(reply.send(Err(error.clone()))),
                        Command::Watch { .. } => {}
                    }
                }
            }
        }
    }

    /// Makes a commit known. Who has seen its events must not be told an older revision, and who is told that all events
    /// up to a revision were published must find them; so one number moves before, the other after.
    fn publish(&mut self, progress: Progress, events: &[crate::Event]) {
        self.progress = progress;
        self.shared.set_revision(progress.revision);
        self.feed.publish(events);
        self.shared.published.send_replace(progress.revision);
        if self.shared.health.lock().take().is_some() {
            tracing::info!("the store takes writes again");
        }
    }

    /// After a failed transaction: opens the file again, and finds out how far the store is, for the commit may have
    /// reached the disk all the same.
    fn fail(&mut self, failure: Failure, generation: u64) -> Error {
        let error = failure.into_error();
        if self.shared.health.lock().replace(error.to_string()).is_none() {
            tracing::error!(%error, "the store takes no writes");
        }
        let reopened = self.shared.file.recover(generation).map_err(Failure::into_error);
        let found = reopened.and_then(|()| self.shared.file.read(|snapshot| snapshot.progress()));
        match found {
            Ok(progress) => {
                if progress.revision != self.progress.revision {
                    self.feed.end(&late());
                }
                self.progress = progress;
                self.shared.set_revision(progress.revision);
                self.shared.published.send_replace(progress.revision);
            }
            Err(error) => tracing::warn!(%error, "the store's file cannot be opened again yet"),
        }
        error
    }
}

/// For watches, when a commit turns out to be on the disk whose events were not published; they resume from the log.
fn late() -> Error {
    Error::Unavailable("the store's file was opened again after a failure".to_owned())
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
