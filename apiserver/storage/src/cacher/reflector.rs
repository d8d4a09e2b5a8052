//! Follows one prefix of the store: a list, then a watch from there, resumed when it breaks, and a new list when the
//! events since are gone.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{BoxStream, Peekable, Stream, StreamExt, unfold};

use super::ingest::Ingest;
use super::published::Published;
use super::snapshot::{Entries, Snapshot};
use crate::{Error, Event, ListOptions, ProgressRequester, Result, Revision, Storage};

/// So many pairs are read at once, so that a large resource is never in memory twice.
const LIST_PAGE: usize = 500;
/// So many events are taken at once, if that many are waiting; more if they are of one revision. A watcher's queue has room
/// for several times as many.
const BATCH: usize = 128;
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What the store has to tell.
pub(super) enum Update {
    /// The whole state, read anew; events between the state before and this one are lost.
    Replaced(Snapshot),
    /// A watch runs; this asks it for progress.
    Watching(ProgressRequester),
    /// What happened next, never empty.
    Events(Vec<Event>),
    /// Something failed and will be tried again.
    Failed(Error),
}

enum Phase {
    List,
    Connect,
    Watch(Peekable<BoxStream<'static, Result<Event>>>),
}

struct Reflector {
    storage: Arc<dyn Storage>,
    prefix: Box<str>,
    ingest: Arc<Ingest>,
    /// The state until now, whose entries a new list shares where they have not changed.
    published: Arc<Published>,
    phase: Phase,
    /// Everything up to here has been told.
    reached: Revision,
    /// How often in a row it failed.
    failures: u32,
    /// An error that came behind events which have just been told.
    failed: Option<Error>,
}

/// Follows `prefix` for ever.
pub(super) fn reflect(
    storage: Arc<dyn Storage>,
    prefix: Box<str>,
    ingest: Arc<Ingest>,
    published: Arc<Published>,
) -> impl Stream<Item = Update> + Send {
    let reflector =
        Reflector { storage, prefix, ingest, published, phase: Phase::List, reached: 0, failures: 0, failed: None };
    unfold(reflector, |mut reflector| async move { Some((reflector.next().await, reflector)) })
}

impl Reflector {
    async fn next(&mut self) -> Update {
        if let Some(error) = self.failed.take() {
            return self.fail(error);
        }
        match &mut self.phase {
            Phase::List => {
                self.delay().await;
                match self.list().await {
                    Ok(snapshot) => {
                        self.reached = snapshot.revision;
                        self.failures = 0;
                        self.phase = Phase::Connect;
                        Update::Replaced(snapshot)
                    }
                    Err(error) => self.fail(error),
                }
            }
            Phase::Connect => {
                self.delay().await;
                match self.storage.follow(self.prefix.as_bytes(), self.reached).await {
                    Ok(watch) => {
                        self.phase = Phase::Watch(watch.events.peekable());
                        Update::Watching(watch.progress)
                    }
                    Err(error) => self.fail(error),
                }
            }
            Phase::Watch(stream) => {
                let (events, failed) = batch(stream).await;
                if let Some(last) = events.last() {
                    self.reached = self.reached.max(revision(last));
                    self.failures = 0;
                }
                match failed {
                    Some(error) if events.is_empty() => self.fail(error),
                    failed => {
                        self.failed = failed;
                        Update::Events(events)
                    }
                }
            }
        }
    }

    /// Decides how to go on after `error`: with a new list if events are lost, else from the last revision.
    fn fail(&mut self, error: Error) -> Update {
        self.failures += 1;
        self.phase = match (&self.phase, &error) {
            (Phase::List, _) | (_, Error::Compacted { .. }) => Phase::List,
            _ => Phase::Connect,
        };
        Update::Failed(error)
    }

    /// Waits before the next try: not at all after the first failure, then longer each time.
    async fn delay(&mut self) {
        if let Some(doublings) = self.failures.checked_sub(2) {
            tokio::time::sleep(LONGEST_DELAY.min(FIRST_DELAY * 2_u32.pow(doublings.min(16)))).await;
        }
    }

    /// Reads the whole prefix in pages of one revision.
    async fn list(&mut self) -> Result<Snapshot> {
        let before = self.published.snapshot();
        let mut entries = Entries::new();
        let mut options = ListOptions { limit: LIST_PAGE, uncounted: true, ..ListOptions::default() };
        loop {
            let page = self.storage.list(self.prefix.as_bytes(), options.clone()).await?;
            for kv in &page.kvs {
                let Some(key) = self.ingest.key(&kv.key) else { continue };
                let known = before.as_ref().and_then(|before| before.entries.get(key));
                if let Some(entry) = self.ingest.entry(kv, known) {
                    entries.insert(entry.key().clone(), entry);
                }
            }
            match page.kvs.last() {
                Some(last) if page.remaining > 0 => {
                    options.revision = Some(page.revision);
                    let mut start = last.key.to_vec();
                    start.push(0);
                    options.start = Some(start.into());
                }
                _ => return Ok(Snapshot::new(page.revision, entries)),
            }
            // A store in this process may answer without ever waiting.
            tokio::task::yield_now().await;
        }
    }
}

/// The events that are waiting, and what ends them. All those of one revision stay together: from a state that shows
/// half of them nobody could go on, as the revision is all that a reader knows of where it is.
async fn batch(stream: &mut Peekable<BoxStream<'static, Result<Event>>>) -> (Vec<Event>, Option<Error>) {
    let mut events: Vec<Event> = Vec::new();
    let mut next = stream.next().await;
    loop {
        match next {
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) => return (events, Some(error)),
            None => return (events, Some(Error::Unavailable("the watch ended".into()))),
        }
        let room = events.len() < BATCH;
        let last = events.last().map(revision);
        let belongs = |item: &Result<Event>| room || item.as_ref().is_ok_and(|event| Some(revision(event)) == last);
        next = match Pin::new(&mut *stream).next_if(belongs).now_or_never() {
            Some(Some(item)) => Some(item),
            // Nothing is waiting, or it comes next time; so does the end.
            Some(None) | None => return (events, None),
        };
    }
}

/// The revision that `event` brings.
pub(super) fn revision(event: &Event) -> Revision {
    match event {
        Event::Put { kv, .. } => kv.mod_revision,
        Event::Delete { revision, .. } | Event::Progress(revision) => *revision,
    }
}
