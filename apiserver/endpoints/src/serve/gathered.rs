//! What a connection sends at about the same time leaves in one piece.
//!
//! HTTP/2 flushes each frame of data, so that an event for fifty watchers of a connection would be fifty segments. Here a flush
//! only promises: the connection is woken once more, after the tasks that are ready now, and what has been gathered by then is
//! sent. Nothing waits for time to pass.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// At most so much is gathered.
const MOST: usize = 64 * 1024;
/// What is at least as large goes out as it is.
const LARGE: usize = 8 * 1024;

/// A socket whose writes are gathered, once [`Gathered::begin`] was called. For HTTP/2, which reads before it writes each time
/// it is woken, and flushes last.
#[derive(Debug)]
pub(super) struct Gathered<S> {
    socket: S,
    gathers: bool,
    held: BytesMut,
    /// How often the connection was woken, as far as reads tell.
    turn: usize,
    /// The turn in which the first of `held` was written.
    since: usize,
    /// Whether the connection will be woken for `held`.
    woken: bool,
}

impl<S> Gathered<S> {
    /// A socket that sends what is written at once.
    pub(super) fn new(socket: S) -> Self {
        Self { socket, gathers: false, held: BytesMut::new(), turn: 0, since: 0, woken: false }
    }

    /// Gathers from now on.
    pub(super) fn begin(&mut self) {
        self.gathers = true;
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.held))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.advance(written);
        }
        self.woken = false;
        // A connection that says nothing any more keeps no room for it.
        self.held = BytesMut::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.turn = self.turn.wrapping_add(1);
        Pin::new(&mut self.socket).poll_read(cx, into)
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
        if !self.gathers {
            return Pin::new(&mut self.socket).poll_write_vectored(cx, data);
        }
        let length = data.iter().map(|slice| slice.len()).sum::<usize>();
        if length >= LARGE || self.held.len() + length > MOST {
            ready!(self.drain(cx))?;
            if length >= LARGE {
                return Pin::new(&mut self.socket).poll_write_vectored(cx, data);
            }
        }
        if self.held.is_empty() {
            self.since = self.turn;
            self.held.reserve(2 * LARGE);
        }
        for slice in data {
            self.held.extend_from_slice(slice);
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
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
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.drain(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::task::noop_waker;
    use tokio::io::AsyncReadExt as _;

    use super::*;

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
        assert!(write(&mut socket, b"0").is_ready());
        assert_eq!(sent(&mut peer).await, b"0", "nothing is gathered before it begins");
        socket.begin();
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
    async fn order_is_kept_whatever_the_sizes() {
        let (socket, mut peer) = tokio::io::duplex(4 << 20);
        let mut socket = Gathered::new(socket);
        socket.begin();
        let mut expected = Vec::new();
        for (number, size) in [1, LARGE - 1, LARGE, 3, MOST, LARGE - 1, 2 * MOST, 5].into_iter().enumerate() {
            let data = vec![number as u8; size];
            let Poll::Ready(Ok(written)) = write(&mut socket, &data) else { panic!("there is room for {size}") };
            assert_eq!(written, size);
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
        socket.begin();
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
        socket.begin();
        assert!(write(&mut socket, b"last").is_ready());
        tokio::io::AsyncWriteExt::shutdown(&mut socket).await.unwrap();
        let mut got = Vec::new();
        peer.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"last");
    }
}
