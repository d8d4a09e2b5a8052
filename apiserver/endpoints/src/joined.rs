//! Events of a watch that are ready at the same time leave in one piece, for a piece costs a connection as much as the small
//! event in it. Watchers who are told of the same events share the piece.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::{Fuse, StreamExt as _};
use parking_lot::Mutex;

/// The most that is joined: what one frame of HTTP/2 holds.
const MOST: usize = 16 * 1024;
/// So many pieces are looked through for one that may be shared. Each is held by whoever sends it, not for being found.
const LATEST: usize = 8;

/// The latest pieces of one kind.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<VecDeque<Weak<Piece>>>);

/// Frames, and the same in one piece. Frames are told by their places in memory, which they keep as long as they are here.
#[derive(Debug)]
struct Piece {
    frames: Vec<Bytes>,
    text: Vec<u8>,
}

/// What is sent of a piece.
struct Shared(Arc<Piece>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.text
    }
}

impl Piece {
    /// Whether `frames` begin with those of this piece.
    fn begins(&self, frames: &VecDeque<Bytes>) -> bool {
        let same = |(a, b): (&Bytes, &Bytes)| a.as_ptr() == b.as_ptr() && a.len() == b.len();
        self.frames.len() <= frames.len() && self.frames.iter().zip(frames).all(same)
    }
}

impl Pieces {
    /// Takes frames that are sent as one piece off the front of `frames`, at least one if there is any.
    fn take(&self, frames: &mut VecDeque<Bytes>) -> Option<Bytes> {
        let mut length = 0;
        let fits = |frame: &&Bytes| {
            length += frame.len();
            length <= MOST
        };
        let count = frames.iter().take_while(fits).count();
        if count < 2 {
            return frames.pop_front();
        }
        let mut latest = self.0.lock();
        let known = latest.iter().filter_map(|piece| piece.upgrade().filter(|piece| piece.begins(frames)));
        let known = known.max_by_key(|piece| piece.frames.len());
        if let Some(known) = known {
            drop(latest);
            frames.drain(..known.frames.len());
            return Some(Bytes::from_owner(Shared(known)));
        }
        let frames: Vec<Bytes> = frames.drain(..count).collect();
        let piece = Arc::new(Piece { text: frames.concat(), frames });
        if latest.len() == LATEST {
            latest.pop_front();
        }
        latest.push_back(Arc::downgrade(&piece));
        drop(latest);
        Some(Bytes::from_owner(Shared(piece)))
    }
}

/// Joins frames that are ready at once, sharing `pieces` with others who do so.
pub(crate) fn joined(
    frames: impl Stream<Item = Bytes> + Send + Unpin + 'static,
    pieces: Arc<Pieces>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    Joined { frames: frames.fuse(), ready: VecDeque::new(), pieces }
}

struct Joined<S> {
    /// Asked again after its end.
    frames: Fuse<S>,
    /// Frames that wait to be sent: no more than a piece of them and one.
    ready: VecDeque<Bytes>,
    pieces: Arc<Pieces>,
}

impl<S: Stream<Item = Bytes> + Unpin> Stream for Joined<S> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Self { frames, ready, pieces } = self.get_mut();
        let mut length: usize = ready.iter().map(Bytes::len).sum();
        while length <= MOST {
            match frames.poll_next_unpin(cx) {
                Poll::Ready(Some(frame)) => {
                    length += frame.len();
                    ready.push_back(frame);
                }
                Poll::Ready(None) => break,
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        let piece = pieces.take(ready);
        if ready.is_empty() {
            // A watch that has nothing to tell keeps no room for it.
            *ready = VecDeque::new();
        }
        Poll::Ready(piece)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::channel::mpsc;

    use super::*;

    fn frames(sizes: &[usize]) -> Vec<Bytes> {
        sizes.iter().enumerate().map(|(number, size)| Bytes::from(vec![number as u8; *size])).collect()
    }

    fn ready(joined: &mut (impl Stream<Item = Bytes> + Unpin)) -> Vec<Bytes> {
        std::iter::from_fn(|| joined.next().now_or_never().flatten()).collect()
    }

    #[tokio::test]
    async fn frames_that_are_ready_at_once_leave_in_one_piece() {
        let (events, watch) = mpsc::unbounded::<Bytes>();
        let mut joined = Box::pin(joined(watch, Arc::default()));
        for (sizes, lengths) in [
            (vec![1], vec![1]),
            (vec![10, 20, 30], vec![60]),
            (vec![MOST, 1, 2], vec![MOST, 3]),
            (vec![1, MOST, 2], vec![1, MOST, 2]),
            (vec![1, 2 * MOST], vec![1, 2 * MOST]),
            (vec![MOST / 2; 5], vec![MOST, MOST, MOST / 2]),
        ] {
            let sent = frames(&sizes);
            sent.iter().for_each(|frame| events.unbounded_send(frame.clone()).unwrap());
            let got = ready(&mut joined);
            assert_eq!(got.iter().map(Bytes::len).collect::<Vec<_>>(), lengths, "of {sizes:?}");
            assert!(got.concat() == sent.concat());
        }
        events.unbounded_send(Bytes::from_static(b"last")).unwrap();
        drop(events);
        assert_eq!(joined.next().await.as_deref(), Some(&b"last"[..]));
        assert_eq!(joined.next().await, None);
    }

    #[test]
    fn watchers_of_the_same_events_share_the_piece() {
        let pieces = Arc::<Pieces>::default();
        let watcher = || {
            let (events, watch) = mpsc::unbounded::<Bytes>();
            (events, Box::pin(joined(watch, pieces.clone())))
        };
        let sent = frames(&[10, 20, 30]);
        let tell = |events: &mpsc::UnboundedSender<Bytes>, frames: &[Bytes]| {
            frames.iter().for_each(|frame| events.unbounded_send(frame.clone()).unwrap());
        };
        let [(a, mut one), (b, mut two), (c, mut less)] = [watcher(), watcher(), watcher()];
        tell(&a, &sent);
        tell(&b, &sent);
        tell(&c, &sent[..2]);
        let (first, second, third) = (ready(&mut one), ready(&mut two), ready(&mut less));
        assert_eq!(first[0].as_ptr(), second[0].as_ptr(), "joined twice");
        assert_eq!((&first, &third[0]), (&second, &first[0].slice(..30)));
        // Whose frames go on after those of a piece: the rest is a piece of its own.
        let more = frames(&[5, 6]);
        let (d, mut ahead) = watcher();
        tell(&d, &[&sent[..], &more[..]].concat());
        assert_eq!(ready(&mut ahead).iter().map(Bytes::len).collect::<Vec<_>>(), [60, 11]);
        assert!(pieces.0.lock().iter().any(|piece| piece.strong_count() > 0));
        drop((first, second, third));
        assert!(pieces.0.lock().iter().all(|piece| piece.strong_count() == 0), "what was sent is held");
    }
}
