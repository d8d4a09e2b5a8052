//! A watch from before the cache's history: served from the store's own until it reaches the feed, then from there.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{Stream, unfold};
use tokio::time::Instant;

use super::Cacher;
use super::event::{Delivery, Event, SharedEvent};
use super::feed::Join;
use super::reflector::revision;
use super::snapshot::KeyRange;
use super::watch::{FeedWatch, WatchRequest};
use crate::{Error, Result, Revision, Watch};

/// The events after `after`: from the store up to the present, then from `cacher`'s feed.
pub(super) async fn catch_up(
    cacher: Cacher,
    request: WatchRequest,
    range: KeyRange,
    after: Revision,
) -> Result<impl Stream<Item = Result<Delivery>> + Send + 'static> {
    let prefix = range.low.clone();
    let target = cacher.present_revision().await?;
    let watch = cacher.storage().watch(prefix.as_bytes(), after).await?;
    watch.progress.request();
    let catching_up = CatchUp { cacher, request, range, watch, after, target, ready: VecDeque::new() };
    Ok(unfold(State::Store(Box::new(catching_up)), |mut state| async move {
        if let State::Store(store) = &mut state {
            match store.next().await {
                Ok(Step::Deliver(delivery)) => return Some((Ok(delivery), state)),
                Ok(Step::Switch(feed)) => state = State::Feed(feed),
                Err(error) => return Some((Err(error), State::Ended)),
            }
        }
        let State::Feed(feed) = &mut state else { return None };
        Some((feed.next().await?, state))
    }))
}

enum State {
    Store(Box<CatchUp>),
    Feed(Box<FeedWatch>),
    Ended,
}

enum Step {
    Deliver(Delivery),
    Switch(Box<FeedWatch>),
}

struct CatchUp {
    cacher: Cacher,
    request: WatchRequest,
    range: KeyRange,
    watch: Watch,
    /// Everything up to here has been delivered.
    after: Revision,
    /// The feed is joined when this has been reached.
    target: Revision,
    /// Received, but not delivered.
    ready: VecDeque<Delivery>,
}

impl CatchUp {
    async fn next(&mut self) -> Result<Step> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Ok(Step::Deliver(delivery));
            }
            let event = match self.watch.events.next().await {
                Some(event) => event?,
                None => return Err(Error::Unavailable("the watch ended".into())),
            };
            // A revision is complete once a later one or a progress has come.
            let complete = match &event {
                crate::Event::Progress(revision) => *revision,
                other => revision(other).saturating_sub(1),
            };
            self.after = self.after.max(complete);
            if self.after >= self.target {
                let subscribe = self.request.subscribe(self.range.clone(), Join::After(self.after));
                match self.cacher.subscribe(subscribe).await? {
                    Ok(subscription) => {
                        return Ok(Step::Switch(Box::new(self.cacher.feed_watch(
                            &self.request,
                            self.range.clone(),
                            subscription,
                        ))));
                    }
                    // The history has moved on in the meantime.
                    Err(start) => self.target = start,
                }
            }
            if self.after < self.target && matches!(event, crate::Event::Progress(_)) {
                self.watch.progress.request();
            }
            if let Some(event) = self.decode(event)?
                && let Some(kind) = event.kind(self.request.predicate.as_ref())
            {
                self.ready.push_back(Delivery::change(kind, SharedEvent::new(Arc::new(event))));
            }
        }
    }

    /// The store's event as the feed would have made it.
    fn decode(&self, event: crate::Event) -> Result<Option<Event>> {
        let ingest = self.cacher.ingest();
        let (key, revision, kv, previous) = match event {
            crate::Event::Put { kv, previous } => (kv.key.clone(), kv.mod_revision, Some(kv), previous),
            crate::Event::Delete { previous: None, revision, .. } => {
                // What was deleted is not known any more, so it cannot be shown.
                return Err(Error::Compacted { requested: self.after, compacted: revision });
            }
            crate::Event::Delete { key, revision, previous } => (key, revision, None, previous),
            crate::Event::Progress(_) => return Ok(None),
        };
        let Some(key) = ingest.key(&key).filter(|key| self.range.contains(key)) else { return Ok(None) };
        let previous = previous.and_then(|kv| ingest.entry(&kv, None));
        let current = kv.and_then(|kv| ingest.entry(&kv, previous.as_ref()));
        Ok(Some(Event { key: key.into(), revision, current, previous, received: Instant::now() }))
    }
}
