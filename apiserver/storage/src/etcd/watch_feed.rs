//! A watch that outlives its stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{EventType, WatchClient, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream};
use futures::stream::{self, StreamExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::call::{Caller, Repeat};
use super::failure::Failure;
use super::{number, revision};
use crate::{Error, Event, KeyValue, ProgressRequester, Result, Revision, Watch, prefix};

/// etcd drops a progress request while a watch on the stream is catching up; it is made again after this.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Between two attempts to open a stream: at first, and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Starts a watch. A stream that breaks is opened again; if that does not work for the time of a request, the watch ends
/// with [`Error::Unavailable`].
pub(super) async fn start(
    client: WatchClient,
    caller: Caller,
    prefix: &[u8],
    after: Revision,
    previous: bool,
) -> Result<Watch> {
    let asked = Arc::new(Notify::new());
    let mut feed = WatchFeed {
        client,
        caller,
        prefix: Bytes::copy_from_slice(prefix),
        previous,
        position: Position { revision: after.saturating_add(1), seen: 0 },
        stream: None,
        ready: VecDeque::new(),
        asked: asked.clone(),
        waiting: false,
        broken_since: None,
        pause: PAUSE,
        ended: false,
    };
    feed.open().await.map_err(Failure::into_error)?;
    let events = stream::unfold(feed, |mut feed| async move { feed.next().await.map(|item| (item, feed)) });
    Ok(Watch { events: events.boxed(), progress: ProgressRequester::new(move || asked.notify_one()) })
}

/// Where a stream must go on: at this revision, without the first `seen` events of it. (One revision can bring several
/// events: all values of a lease are deleted at once.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    revision: Revision,
    seen: usize,
}

impl Position {
    fn after_event(self, revision: Revision) -> Self {
        let seen = if revision == self.revision { self.seen + 1 } else { 1 };
        Self { revision, seen }
    }

    fn after_progress(self, revision: Revision) -> Self {
        if revision >= self.revision { Self { revision: revision.saturating_add(1), seen: 0 } } else { self }
    }
}

struct WatchFeed {
    client: WatchClient,
    caller: Caller,
    prefix: Bytes,
    /// Whether events need the value that was there before.
    previous: bool,
    position: Position,
    stream: Option<Stream>,
    ready: VecDeque<Event>,
    asked: Arc<Notify>,
    /// Progress was asked for and has not come.
    waiting: bool,
    broken_since: Option<Instant>,
    pause: Duration,
    ended: bool,
}

struct Stream {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    /// How many events at the position's revision this stream repeats.
    repeated: usize,
}

impl WatchFeed {
    async fn next(&mut self) -> Option<Result<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.step().await {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }

    /// Opens a stream, or takes a response from it.
    async fn step(&mut self) -> Result<()> {
        let Some(stream) = &mut self.stream else {
            return match self.open().await {
                Ok(()) => Ok(()),
                Err(failure) => self.broken(failure).await,
            };
        };
        let response = tokio::select! {
            biased;
            () = self.asked.notified() => {
                self.waiting = true;
                // If this fails, so does the next response; the request is made again on the new stream.
                stream.requests.request_progress().await.ok();
                return Ok(());
            }
            response = stream.responses.message() => response,
            () = sleep(ASK_AGAIN), if self.waiting => {
                stream.requests.request_progress().await.ok();
                return Ok(());
            }
        };
        match response {
            Ok(Some(response)) => self.receive(&response).await,
            Ok(None) => self.broken(Failure::Transient("the watch's stream ended".to_owned())).await,
            Err(error) => self.broken(error.into()).await,
        }
    }

    async fn open(&mut self) -> Result<(), Failure> {
        let end = prefix::end(&self.prefix).unwrap_or_else(|| b"\0".to_vec());
        let key = if self.prefix.is_empty() { b"\0".to_vec() } else { self.prefix.to_vec() };
        // No fragments: all events of a revision come in one response, so that nobody sees half of them.
        let options = WatchOptions::new()
            .with_range(end)
            .with_start_revision(number(self.position.revision))
            .with_progress_notify();
        let options = if self.previous { options.with_prev_key() } else { options };
        let watch = || {
            let (mut client, key, options) = (self.client.clone(), key.clone(), options.clone());
            async move { client.watch(key, Some(options)).await }
        };
        let (requests, responses) = self.caller.call(Repeat::Always, watch).await?.split();
        self.stream = Some(Stream { requests, responses, repeated: self.position.seen });
        Ok(())
    }

    async fn receive(&mut self, response: &WatchResponse) -> Result<()> {
        if response.compact_revision() != 0 {
            let requested = self.position.revision.saturating_sub(1);
            return Err(Error::Compacted { requested, compacted: revision(response.compact_revision()) });
        }
        if response.canceled() {
            return self.broken(Failure::Transient(response.cancel_reason().to_owned())).await;
        }
        self.broken_since = None;
        self.pause = PAUSE;
        if response.created() {
            return Ok(());
        }
        if response.events().is_empty() {
            let reached = super::header(response.header()).map_err(Failure::into_error)?;
            self.position = self.position.after_progress(reached);
            self.waiting = false;
            self.ready.push_back(Event::Progress(reached));
            return Ok(());
        }
        for event in response.events() {
            let Some(kv) = event.kv() else { continue };
            let at = revision(kv.mod_revision());
            if let Some(stream) = &mut self.stream
                && stream.repeated > 0
                && at == self.position.revision
            {
                stream.repeated -= 1;
                continue;
            }
            self.position = self.position.after_event(at);
            let previous = event.prev_kv().map(pair);
            let is_change = event.event_type() == EventType::Put && kv.create_revision() != kv.mod_revision();
            if self.previous && previous.is_none() && is_change {
                // Forgotten, as the event itself ought to be: without it the object would look new.
                return Err(Error::Compacted { requested: at.saturating_sub(1), compacted: at });
            }
            self.ready.push_back(match event.event_type() {
                EventType::Put => Event::Put { kv: pair(kv), previous },
                EventType::Delete => Event::Delete { key: Bytes::copy_from_slice(kv.key()), revision: at, previous },
            });
        }
        Ok(())
    }

    /// The stream is gone. Waits a little before the next; gives up when there was none for too long.
    async fn broken(&mut self, failure: Failure) -> Result<()> {
        self.stream = None;
        let now = Instant::now();
        let since = *self.broken_since.get_or_insert(now);
        let lasting = matches!(failure, Failure::Other(Error::Corrupt(_)));
        if lasting || now.duration_since(since) >= self.caller.timeout {
            return Err(failure.into_error());
        }
        tracing::debug!(?failure, "a watch's stream broke; opening it again");
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn pair(kv: &etcd_client::KeyValue) -> KeyValue {
    KeyValue {
        key: Bytes::copy_from_slice(kv.key()),
        value: Bytes::copy_from_slice(kv.value()),
        mod_revision: revision(kv.mod_revision()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_stream_goes_on_after_the_last_event() {
        let start = Position { revision: 6, seen: 0 };
        let mut position = start;
        for (event, expected) in [(8, (8, 1)), (8, (8, 2)), (8, (8, 3)), (9, (9, 1))] {
            position = position.after_event(event);
            assert_eq!((position.revision, position.seen), expected, "after the event at {event}");
        }
        assert_eq!(position.after_progress(9), Position { revision: 10, seen: 0 });
        assert_eq!(start.after_event(6), Position { revision: 6, seen: 1 });
        assert_eq!(start.after_progress(3), start, "a watch in the future stays there");
    }
}
