//! What a connection sends at about the same time leaves in one piece.
//!
//! HTTP/2 writes and flushes each frame of data, so that an event for fifty watchers of a connection would be fifty records and
//! fifty segments, and the frames of a long answer a full record and one of a few bytes each. Here a flush only promises: the
//! connection is woken once more, after the tasks that are ready now, and what has been gathered by then is sent. Nothing waits
//! for time to pass.
//!
//! Both ends profit: the server's connections, and the one to etcd, on which each transaction would leave alone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much is sent at once: a few TLS records, each as large as they can be.
const MOST: usize = 4 * 16 * 1024;
/// Room for what is sent most often: an answer, or a few events.
const USUAL: usize = 16 * 1024;
/// So much is copied at a time. What is longer glibc copies with `rep movsb` (from 2,112 bytes on, where the processor calls that
/// fast), which takes AMD's a twentieth of its speed where the target lies a few bytes behind the source in a page: that is just
/// where a TLS record's five bytes of head put it. TLS copies piece by piece what it is given in pieces.
const COPIED: usize = 2 * 1024;

/// A stream whose writes are gathered. For HTTP/2 over TLS: it reads before it writes each time it is woken, and flushes last;
/// and what a frame of its own would make a record of its own shares one.
#[derive(Debug)]
pub struct Gathered<S> {
    stream: S,
    held: Vec<u8>,
    /// How much of `held` has been sent.
    sent: usize,
    /// How often the connection was woken, as far as reads tell.
    turn: usize,
    /// The turn in which the first of `held` was written.
    since: usize,
    /// Whether the connection will be woken for `held`.
    woken: bool,
}

impl<S> Gathered<S> {
    /// Gathers what is written to `stream`.
    pub fn new(stream: S) -> Self {
        Self { stream, held: Vec::new(), sent: 0, turn: 0, since: 0, woken: false }
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            let Self { stream, held, sent, .. } = &mut *self;
            let mut pieces = [IoSlice::new(&[]); MOST / COPIED];
            let mut count = 0;
            for (piece, bytes) in pieces.iter_mut().zip(held[*sent..].chunks(COPIED)) {
                *piece = IoSlice::new(bytes);
                count += 1;
            }
            let written = ready!(Pin::new(stream).poll_write_vectored(cx, &pieces[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.held.clear();
        self.sent = 0;
        self.woken = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.turn = self.turn.wrapping_add(1);
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.held.len() >= MOST {
            ready!(self.drain(cx))?;
        }
        if self.held.is_empty() {
            self.since = self.turn;
            self.held.reserve(USUAL);
        }
        let mut taken = 0;
        for slice in data {
            let length = slice.len().min(MOST - self.held.len());
            if self.held.len() + length > self.held.capacity() {
                // Once there is more, there is much more.
                let room = MOST - self.held.len();
                self.held.reserve_exact(room);
            }
            slice[..length].chunks(COPIED).for_each(|piece| self.held.extend_from_slice(piece));
            taken += length;
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            if self.since == self.turn {
                if !std::mem::replace(&mut self.woken, true) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Ready(Ok(()));
            }
            ready!(self.drain(cx))?;
            // A connection that says nothing any more keeps no room for it.
            self.held = Vec::new();
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client's connection says of itself what its stream does.
impl<S: Connection> Connection for Gathered<TokioIo<S>> {
    fn connected(&self) -> Connected {
        self.stream.inner().connected()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::task::{ArcWake, noop_waker, waker};
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Counts how often the connection is woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl ArcWake for Wakes {
        fn wake_by_ref(wakes: &Arc<Self>) {
            wakes.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(socket: &mut Gathered<impl AsyncWrite + Unpin>, data: &[u8]) -> Poll<io::Result<usize>> {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let written = Pin::new(&mut *socket).poll_write(&mut cx, data);
        assert!(Pin::new(socket).poll_flush(&mut cx).map_err(|e| e.to_string()) == Poll::Ready(Ok(())));
        written
    }

    /// Wakes the connection as HTTP/2 is woken: it reads, writes what there is, and flushes.
    async fn turn(socket: &mut Gathered<impl AsyncRead + AsyncWrite + Unpin>) {
        poll_fn(|cx| {
            let mut room = [0; 1];
            assert!(Pin::new(&mut *socket).poll_read(cx, &mut ReadBuf::new(&mut room)).is_pending());
            Pin::new(&mut *socket).poll_flush(cx)
        })
        .await
        .unwrap();
    }

    async fn sent(peer: &mut tokio::io::DuplexStream) -> Vec<u8> {
        let mut sent = vec![0; 2 * MOST];
        let length = poll_fn(|cx| {
            let mut room = ReadBuf::new(&mut sent);
            let read = Pin::new(&mut *peer).poll_read(cx, &mut room);
            Poll::Ready(if read.is_ready() { room.filled().len() } else { 0 })
        })
        .await;
        sent.truncate(length);
        sent
    }

    #[tokio::test]
    async fn what_is_flushed_in_one_turn_is_sent_in_the_next_in_one_piece() {
        let (socket, mut peer) = tokio::io::duplex(1 << 20);
        let mut socket = Gathered::new(socket);
        turn(&mut socket).await;
        for frame in [b"1", b"2", b"3"] {
            assert!(write(&mut socket, frame).is_ready());
        }
        assert_eq!(sent(&mut peer).await, b"");
        turn(&mut socket).await;
        assert_eq!(sent(&mut peer).await, b"123");
        turn(&mut socket).await;
        assert_eq!(sent(&mut peer).await, b"");
    }

    #[tokio::test]
    async fn what_is_left_of_much_is_sent_too() {
        let (socket, mut peer) = tokio::io::duplex(4 << 20);
        let mut socket = Gathered::new(socket);
        let wakes = Arc::new(Wakes::default());
        let waker = waker(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        let mut sent = 0;
        // Each turn begins with what the one before has left, and leaves some.
        for _ in 0..3 {
            let mut room = [0; 1];
            assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut ReadBuf::new(&mut room)).is_pending());
            for size in [USUAL, MOST] {
                let data = vec![7; size];
                let mut rest = &data[..];
                while !rest.is_empty() {
                    let Poll::Ready(Ok(written)) = Pin::new(&mut socket).poll_write(&mut cx, rest) else {
                        panic!("there is room for {size}")
                    };
                    rest = &rest[written..];
                }
                sent += size;
                assert!(matches!(Pin::new(&mut socket).poll_flush(&mut cx), Poll::Ready(Ok(()))));
            }
            assert!(wakes.0.swap(0, Ordering::Relaxed) > 0, "nothing wakes the connection for what is held");
        }
        turn(&mut socket).await;
        let mut got = vec![0; sent];
        peer.read_exact(&mut got).await.unwrap();
    }

    #[tokio::test]
    async fn order_is_kept_whatever_the_sizes() {
        let (socket, mut peer) = tokio::io::duplex(4 << 20);
        let mut socket = Gathered::new(socket);
        let mut expected = Vec::new();
        for (number, size) in [1, USUAL - 1, USUAL, 3, MOST, USUAL + 1, 2 * MOST, 5].into_iter().enumerate() {
            let data = vec![number as u8; size];
            let mut rest = &data[..];
            while !rest.is_empty() {
                let Poll::Ready(Ok(written)) = write(&mut socket, rest) else { panic!("there is room for {size}") };
                rest = &rest[written..];
            }
            expected.extend(data);
        }
        turn(&mut socket).await;
        let mut got = vec![0; expected.len()];
        peer.read_exact(&mut got).await.unwrap();
        assert!(got == expected);
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_holds_up_the_writer() {
        let (socket, mut peer) = tokio::io::duplex(1024);
        let mut socket = Gathered::new(socket);
        let frame = [7; 4096];
        let taken = (0..1000).take_while(|_| write(&mut socket, &frame).is_ready()).count();
        assert!(taken * frame.len() <= MOST + 1024, "{taken} frames were taken");
        let mut got = vec![0; taken * frame.len()];
        let all = async {
            peer.read_exact(&mut got).await.unwrap();
        };
        tokio::join!(turn(&mut socket), all);
    }

    #[tokio::test]
    async fn what_is_held_is_sent_before_the_end() {
        let (socket, mut peer) = tokio::io::duplex(1024);
        let mut socket = Gathered::new(socket);
        assert!(write(&mut socket, b"last").is_ready());
        tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"last");
    }
}
