//! A watch from its start in the past to the present: history from the log, then the committer's events.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{Notify, mpsc};

use super::committer::{Command, Joined, ask};
use super::feed::{Subscription, Watched};
use super::{Shared, off_thread};
use crate::{Error, Event, ProgressRequester, Result, Revision, Watch};

/// Starts a watch of what is to be seen after `after`.
pub(super) async fn start(
    shared: Arc<Shared>,
    commands: &mpsc::Sender<Command>,
    watched: Watched,
    after: Revision,
) -> Result<Watch> {
    let joined = ask(commands, |reply| Command::Watch { watched: watched.clone(), after, reply }).await??;
    let asked = Arc::new(Notify::new());
    let feed = WatchFeed {
        shared,
        commands: commands.downgrade(),
        watched,
        after,
        ready: VecDeque::new(),
        phase: phase(joined, after),
        asked: asked.clone(),
        progress: None,
    };
    let events = stream::unfold(feed, |mut feed| async move { feed.next().await.map(|item| (item, feed)) });
    Ok(Watch { events: events.boxed(), progress: ProgressRequester::new(move || asked.notify_one()) })
}

struct WatchFeed {
    shared: Arc<Shared>,
    /// Weak, so that a watch does not keep the store open.
    commands: mpsc::WeakSender<Command>,
    watched: Watched,
    /// Every event up to this revision was delivered or is in `ready`.
    after: Revision,
    ready: VecDeque<Event>,
    phase: Phase,
    /// Set when progress is asked for.
    asked: Arc<Notify>,
    /// Progress to report as soon as the events before it have been.
    progress: Option<Revision>,
}

enum Phase {
    /// Reads the log as far as it goes, then joins.
    Behind,
    /// Reads the log up to the revision at which `live` begins.
    Joining {
        until: Revision,
        live: Subscription,
    },
    Live(Subscription),
    Ended,
}

fn phase(joined: Joined, after: Revision) -> Phase {
    match joined {
        Joined::Behind => Phase::Behind,
        Joined::Live { at, subscription } if at <= after => Phase::Live(subscription),
        Joined::Live { at, subscription } => Phase::Joining { until: at, live: subscription },
    }
}

impl WatchFeed {
    async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            match self.step().await {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) if matches!(self.phase, Phase::Ended) => return None,
                Ok(None) => {}
                Err(error) => {
                    self.phase = Phase::Ended;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Gets an event, or gets closer to one.
    async fn step(&mut self) -> Result<Option<Event>> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ended => Ok(None),
            Phase::Live(subscription) => {
                self.phase = Phase::Live(subscription);
                self.live().await.map(Some)
            }
            Phase::Joining { until, live } => {
                let complete = self.read(Some(until)).await?;
                self.phase = if complete { Phase::Live(live) } else { Phase::Joining { until, live } };
                Ok(None)
            }
            Phase::Behind => {
                self.phase = Phase::Behind;
                if self.read(None).await? {
                    let commands = self.commands.upgrade().ok_or_else(super::closed)?;
                    let (watched, after) = (self.watched.clone(), self.after);
                    let joined = ask(&commands, |reply| Command::Watch { watched, after, reply }).await??;
                    self.phase = phase(joined, after);
                }
                Ok(None)
            }
        }
    }

    /// Reads a piece of history; whether it was the last.
    async fn read(&mut self, until: Option<Revision>) -> Result<bool> {
        let (shared, prefix, after) = (self.shared.clone(), self.watched.prefix.clone(), self.after);
        let history = off_thread(move || shared.file.read(|snapshot| snapshot.history(&prefix, after, until))).await?;
        self.after = history.through;
        if let Some(last) = history.events.last() {
            self.shared.seen(revision(last));
        }
        self.ready.extend(history.events);
        Ok(history.complete)
    }

    async fn live(&mut self) -> Result<Event> {
        let Phase::Live(subscription) = &mut self.phase else { return Err(super::closed()) };
        let ended = |ended: &std::sync::OnceLock<Error>| ended.get().cloned().unwrap_or_else(super::closed);
        loop {
            let event = if let Some(progress) = self.progress {
                // All events up to `progress` are in the queue.
                match subscription.events.try_recv() {
                    Ok(event) if revision(&event) > progress => {
                        self.progress = None;
                        self.after = self.after.max(revision(&event));
                        self.ready.push_back(event);
                        return Ok(Event::Progress(progress));
                    }
                    Ok(event) => event,
                    Err(TryRecvError::Empty) => {
                        self.progress = None;
                        return Ok(Event::Progress(progress));
                    }
                    Err(TryRecvError::Disconnected) => return Err(ended(&subscription.ended)),
                }
            } else {
                tokio::select! {
                    biased;
                    () = self.asked.notified() => {
                        let committed = self.shared.revision();
                        let mut published = self.shared.published.subscribe();
                        let published = published.wait_for(|&published| published >= committed).await;
                        self.progress = Some(*published.map_err(|_| super::closed())?);
                        continue;
                    }
                    event = subscription.events.recv() => match event {
                        Some(event) => event,
                        None => return Err(ended(&subscription.ended)),
                    }
                }
            };
            // A watch may start in the future.
            if revision(&event) > self.after {
                self.after = revision(&event);
                return Ok(event);
            }
        }
    }
}

fn revision(event: &Event) -> Revision {
    match event {
        Event::Put { kv, .. } => kv.mod_revision,
        Event::Delete { revision, .. } | Event::Progress(revision) => *revision,
    }
}
