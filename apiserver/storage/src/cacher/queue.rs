//! The queue between the feed and one watcher: what a round of events is to a watcher goes in at once, and the watcher takes at
//! once what there is.
//!
//! A channel hands over one thing at a time, for a permit, a slot and a wakening each: with two hundred watchers that was a
//! tenth of what an event costs. And an idle watcher would keep room for what may come.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::event::Delivery;
use crate::{Error, Result};

/// A queue for `room` deliveries; the watcher may have taken as many again that it has not passed on.
pub(super) fn queue(room: usize) -> (Giver, Taker) {
    let shared = Arc::new(Shared { room: room.max(1), state: Mutex::default() });
    (Giver { shared: shared.clone() }, Taker { shared, taken: Vec::new().into_iter() })
}

struct Shared {
    room: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    /// Who waits for more.
    waits: Option<Waker>,
    /// One of the two sides is gone.
    closed: bool,
    /// What the watcher is told at the end.
    error: Option<Error>,
}

/// The feed's side. Once it is dropped, the watcher's side ends behind what is there.
pub(super) struct Giver {
    shared: Arc<Shared>,
}

/// Why deliveries were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no room for this one and those after it.
    Full(crate::Revision),
    /// Nobody watches any more.
    Gone,
}

impl Giver {
    /// Puts `deliveries`, `count` of them, into the queue, as many as there is room for: how many, and why no more.
    pub fn give(&self, count: usize, deliveries: impl IntoIterator<Item = Delivery>) -> (Given, Option<Refused>) {
        let mut given = Given::default();
        let mut state = self.shared.state.lock();
        if state.closed {
            return (given, Some(Refused::Gone));
        }
        let room = self.shared.room.saturating_sub(state.deliveries.len());
        state.deliveries.reserve(count.min(room));
        let mut refused = None;
        for delivery in deliveries {
            if given.count == room {
                refused = Some(Refused::Full(delivery.revision()));
                break;
            }
            given = Given { count: given.count + 1, last: delivery.revision() };
            state.deliveries.push(delivery);
        }
        let waits = state.waits.take();
        drop(state);
        if let Some(waker) = waits {
            waker.wake();
        }
        (given, refused)
    }

    /// Says what the watcher is told at the end.
    pub fn fail(&self, error: Error) {
        self.shared.state.lock().error = Some(error);
    }
}

/// What was put into a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub count: usize,
    /// The revision of the last; 0 if there is none.
    pub last: crate::Revision,
}

impl Drop for Giver {
    fn drop(&mut self) {
        let waits = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            state.waits.take()
        };
        if let Some(waker) = waits {
            waker.wake();
        }
    }
}

/// The watcher's side.
pub(super) struct Taker {
    shared: Arc<Shared>,
    taken: std::vec::IntoIter<Delivery>,
}

impl Taker {
    /// The next delivery, or the error at the end.
    pub fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Delivery>>> {
        if let Some(delivery) = self.taken.next() {
            return Poll::Ready(Some(Ok(delivery)));
        }
        // What is taken is let go of outside of the lock; a watcher that waits keeps no room.
        self.taken = Vec::new().into_iter();
        let mut state = self.shared.state.lock();
        if !state.deliveries.is_empty() {
            self.taken = std::mem::take(&mut state.deliveries).into_iter();
        } else if state.closed {
            return Poll::Ready(state.error.take().map(Err));
        } else {
            match &mut state.waits {
                Some(waker) => waker.clone_from(context.waker()),
                waits => *waits = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        drop(state);
        Poll::Ready(self.taken.next().map(Ok))
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            std::mem::take(&mut state.deliveries)
        };
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::task::{ArcWake, waker};

    use super::*;
    use crate::Revision;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl ArcWake for Wakes {
        fn wake_by_ref(wakes: &Arc<Self>) {
            wakes.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give(giver: &Giver, revisions: &[Revision]) -> (Given, Option<Refused>) {
        giver.give(revisions.len(), revisions.iter().map(|&revision| Delivery::bookmark(revision, false)))
    }

    /// What can be taken now: revisions, and how it ends if it does: the error's words, or none.
    fn take(taker: &mut Taker, wakes: &Arc<Wakes>) -> (Vec<Revision>, Option<String>) {
        let waker = waker(wakes.clone());
        let mut context = Context::from_waker(&waker);
        let mut taken = Vec::new();
        loop {
            match taker.poll_take(&mut context) {
                Poll::Ready(Some(Ok(delivery))) => taken.push(delivery.revision()),
                Poll::Ready(Some(Err(error))) => return (taken, Some(error.to_string())),
                Poll::Ready(None) => return (taken, Some(String::new())),
                Poll::Pending => return (taken, None),
            }
        }
    }

    #[test]
    fn a_round_arrives_whole_with_one_wakening() {
        let (giver, mut taker) = queue(10);
        let wakes = Arc::new(Wakes::default());
        assert_eq!(take(&mut taker, &wakes), (vec![], None));
        assert_eq!(give(&giver, &[1, 2, 3]), (Given { count: 3, last: 3 }, None));
        assert_eq!(give(&giver, &[4]), (Given { count: 1, last: 4 }, None));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "who was woken and has not come yet is not woken again");
        assert_eq!(take(&mut taker, &wakes), (vec![1, 2, 3, 4], None));
        give(&giver, &[5]);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2, "who waits again is woken again");
    }

    #[test]
    fn what_has_no_room_is_refused_and_named() {
        let (giver, mut taker) = queue(3);
        let wakes = Arc::default();
        assert_eq!(give(&giver, &[1, 2]), (Given { count: 2, last: 2 }, None));
        assert_eq!(give(&giver, &[3, 4, 5]), (Given { count: 1, last: 3 }, Some(Refused::Full(4))));
        assert_eq!(give(&giver, &[4]), (Given::default(), Some(Refused::Full(4))));
        assert_eq!(take(&mut taker, &wakes), (vec![1, 2, 3], None));
        assert_eq!(give(&giver, &[4, 5, 6]), (Given { count: 3, last: 6 }, None));
    }

    #[test]
    fn the_end_comes_behind_what_is_there() {
        for error in [None, Some(Error::Lagged)] {
            let (giver, mut taker) = queue(3);
            let wakes = Arc::new(Wakes::default());
            take(&mut taker, &wakes);
            give(&giver, &[1]);
            let words = error.as_ref().map(ToString::to_string).unwrap_or_default();
            if let Some(error) = error {
                giver.fail(error);
            }
            assert_eq!(take(&mut taker, &wakes), (vec![1], None));
            drop(giver);
            assert_eq!(wakes.0.load(Ordering::Relaxed), 2, "who waits is told of the end");
            assert_eq!(take(&mut taker, &wakes), (vec![], Some(words)));
            assert_eq!(take(&mut taker, &wakes), (vec![], Some(String::new())), "after the end");
        }
    }

    #[test]
    fn nothing_is_kept_for_who_is_gone() {
        let (giver, taker) = queue(3);
        give(&giver, &[1]);
        drop(taker);
        assert_eq!(give(&giver, &[2]), (Given::default(), Some(Refused::Gone)));
        assert!(giver.shared.state.lock().deliveries.is_empty());
    }
}
