//! Events of a watch that are ready at the same time leave in one piece, for a piece costs a connection as much as the small
//! event in it. The events stay where they are, shared with all who watch them, until they are sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use futures::Stream;
use futures::stream::{Fuse, StreamExt as _};

use crate::text::Text;

/// Once it holds so much a piece is sent: what a connection writes at once.
const ENOUGH: usize = 64 * 1024;

/// Joins frames that are ready at once.
pub(crate) fn joined(
    frames: impl Stream<Item = Bytes> + Send + Unpin + 'static,
) -> impl Stream<Item = Text> + Send + 'static {
    // Asked again after its end.
    Joined(frames.fuse())
}

struct Joined<S>(Fuse<S>);

impl<S: Stream<Item = Bytes> + Unpin> Stream for Joined<S> {
    type Item = Text;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Text>> {
        let mut piece = Text::default();
        while piece.remaining() < ENOUGH {
            match self.0.poll_next_unpin(cx) {
                Poll::Ready(Some(frame)) => piece.push_shared(frame),
                Poll::Ready(None) if !piece.has_remaining() => return Poll::Ready(None),
                Poll::Pending if !piece.has_remaining() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::channel::mpsc;

    use super::*;

    #[tokio::test]
    async fn frames_that_are_ready_at_once_leave_in_one_piece() {
        let (events, watch) = mpsc::unbounded::<Bytes>();
        let mut joined = Box::pin(joined(watch));
        for (sizes, lengths) in [
            (vec![1], vec![1]),
            (vec![10, 20, 30], vec![60]),
            (vec![0, 10, 0], vec![10]),
            (vec![ENOUGH, 1, 2], vec![ENOUGH, 3]),
            (vec![1, ENOUGH, 2], vec![1 + ENOUGH, 2]),
            (vec![ENOUGH / 2; 5], vec![ENOUGH, ENOUGH, ENOUGH / 2]),
        ] {
            let sent: Vec<Bytes> =
                sizes.iter().enumerate().map(|(number, size)| Bytes::from(vec![number as u8; *size])).collect();
            sent.iter().for_each(|frame| events.unbounded_send(frame.clone()).unwrap());
            let got: Vec<Bytes> =
                std::iter::from_fn(|| joined.next().now_or_never().flatten()).map(Bytes::from).collect();
            assert_eq!(got.iter().map(Bytes::len).collect::<Vec<_>>(), lengths, "of {sizes:?}");
            assert!(got.concat() == sent.concat());
        }
        events.unbounded_send(Bytes::from_static(b"last")).unwrap();
        drop(events);
        assert_eq!(joined.next().await.map(Bytes::from).as_deref(), Some(&b"last"[..]));
        assert!(joined.next().await.is_none());
        assert!(joined.next().await.is_none());
    }

    #[tokio::test]
    async fn watchers_of_an_event_share_it_until_it_is_sent() {
        let frame = Bytes::from(vec![7; 100]);
        let watcher = || Box::pin(joined(futures::stream::iter([frame.clone()])));
        let (one, two) = (watcher().next().await.unwrap(), watcher().next().await.unwrap());
        assert!([one.chunk().as_ptr(), two.chunk().as_ptr()] == [frame.as_ptr(); 2], "a copy was made");
    }
}
