//! The window of events behind the newest state.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::HistoryLimits;
use super::event::Event;
use crate::Revision;

/// What holding one event costs beside its previous version.
const EVENT_OVERHEAD: usize = size_of::<Event>() + 3 * size_of::<usize>();

/// The last events, in revision order, without a gap up to the newest state.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Arc<Event>>,
    /// All events after this revision are held.
    start: Revision,
    /// What the events hold that the newest state does not: their previous versions.
    bytes: usize,
    limits: HistoryLimits,
}

impl History {
    /// An empty history that begins at the state at `start`.
    pub fn new(start: Revision, limits: HistoryLimits) -> Self {
        Self { events: VecDeque::new(), start, bytes: 0, limits }
    }

    /// The events after `revision`, oldest first; the revision that they reach back to if that is later.
    pub fn since(&self, revision: Revision) -> Result<Vec<Arc<Event>>, Revision> {
        if revision < self.start {
            return Err(self.start);
        }
        let first = self.events.partition_point(|event| event.revision <= revision);
        Ok(self.events.range(first..).cloned().collect())
    }

    /// Adds the newest event.
    pub fn push(&mut self, event: Arc<Event>) {
        self.bytes += cost(&event);
        self.events.push_back(event);
        while self.events.len() > self.limits.max_events || self.bytes > self.limits.max_bytes {
            self.pop();
        }
    }

    /// Forgets the events that are too old to be kept.
    pub fn expire(&mut self, now: Instant) {
        while self.next_expiry().is_some_and(|expiry| expiry <= now) {
            self.pop();
        }
    }

    /// When the oldest event becomes too old to be kept.
    pub fn next_expiry(&self) -> Option<Instant> {
        let oldest = self.events.front().filter(|_| self.events.len() > self.limits.min_events)?;
        Some(oldest.received + self.limits.window)
    }

    /// How many events are held.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    fn pop(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= cost(&event);
            self.start = event.revision;
        }
        if self.events.is_empty() {
            self.events.shrink_to_fit();
        }
    }
}

fn cost(event: &Event) -> usize {
    EVENT_OVERHEAD + event.previous.as_ref().map_or(0, |previous| previous.size())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(revision: Revision, received: Instant) -> Arc<Event> {
        Arc::new(Event { key: "/r/a".into(), revision, current: None, previous: None, received })
    }

    fn revisions(history: &History, after: Revision) -> Result<Vec<Revision>, Revision> {
        history.since(after).map(|events| events.iter().map(|event| event.revision).collect())
    }

    #[test]
    fn everything_after_the_start_is_answered_and_nothing_before_it() {
        let now = Instant::now();
        let mut history = History::new(10, HistoryLimits::default());
        assert_eq!((revisions(&history, 9), revisions(&history, 10)), (Err(10), Ok(vec![])));
        // A lease that ends deletes several keys at one revision.
        [12, 15, 15, 20].into_iter().for_each(|revision| history.push(event(revision, now)));
        for (after, want) in
            [(10, vec![12, 15, 15, 20]), (12, vec![15, 15, 20]), (14, vec![15, 15, 20]), (15, vec![20]), (99, vec![])]
        {
            assert_eq!(revisions(&history, after), Ok(want), "after {after}");
        }
    }

    #[test]
    fn count_bytes_and_age_bound_it() {
        let start = Instant::now();
        let limits =
            HistoryLimits { min_events: 2, max_events: 4, max_bytes: usize::MAX, window: Duration::from_secs(75) };
        let mut history = History::new(1, limits.clone());
        (2..=7).for_each(|revision| history.push(event(revision, start + Duration::from_secs(revision))));
        assert_eq!((revisions(&history, 2), revisions(&history, 3)), (Err(3), Ok(vec![4, 5, 6, 7])));
        history.expire(start + Duration::from_secs(4 + 74));
        assert_eq!(history.len(), 4, "none is older than the window");
        history.expire(history.next_expiry().unwrap());
        assert_eq!(revisions(&history, 4), Ok(vec![5, 6, 7]));
        history.expire(start + Duration::from_secs(3600));
        assert_eq!((revisions(&history, 5), history.next_expiry()), (Ok(vec![6, 7]), None), "the minimum stays");

        let mut history = History::new(1, HistoryLimits { max_bytes: 2 * EVENT_OVERHEAD, ..limits });
        (2..=5).for_each(|revision| history.push(event(revision, start)));
        assert_eq!(revisions(&history, 3), Ok(vec![4, 5]));
    }
}
