//! The time an HTTP/1.1 connection may take: for the head of a request, for nothing between two requests, and for an
//! answer that the client does not read.
//!
//! A connection waits for its socket alone, so the socket tells it when the time is over: reads and writes that would
//! wait longer fail.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The head of a request may take this long to arrive, from its first byte (the first one from the handshake).
const HEADER: Duration = Duration::from_secs(32);
/// What a client still sends is heard for this long once the last answer is written: a socket that is closed with
/// unread bytes takes the answer back. Go waits as long.
const LINGER: Duration = Duration::from_millis(500);

/// Where a connection is.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Between two requests, since then.
    Idle(Instant),
    /// In the head of a request, since then.
    Head(Instant),
    /// A request is served; its answer has to be read until then.
    Request(Option<Instant>),
    /// Another protocol than HTTP is spoken, which keeps its own times.
    HandedOver,
}

/// Where a connection is, shared by its socket and its requests.
#[derive(Clone, Debug)]
pub(super) struct Pace(Arc<Mutex<Phase>>);

impl Pace {
    /// A connection that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Head(Instant::now()))))
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        *self.0.lock() = Phase::Request(None);
    }

    /// The answer has to be read until `until`.
    pub(super) fn answer(&self, until: Instant) {
        *self.0.lock() = Phase::Request(Some(until));
    }

    /// Another protocol is spoken from now on.
    pub(super) fn hand_over(&self) {
        *self.0.lock() = Phase::HandedOver;
    }

    /// The request is over.
    pub(super) fn end(&self) {
        let mut phase = self.0.lock();
        if !matches!(*phase, Phase::HandedOver) {
            *phase = Phase::Idle(Instant::now());
        }
    }

    fn heard(&self) {
        let mut phase = self.0.lock();
        if let Phase::Idle(_) = *phase {
            *phase = Phase::Head(Instant::now());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.0.lock() {
            Phase::Idle(since) => Some(since + super::IDLE),
            Phase::Head(since) => Some(since + HEADER),
            Phase::Request(until) => until,
            Phase::HandedOver => None,
        }
    }
}

/// A socket that fails when the time is over.
pub(super) struct Paced<S> {
    socket: S,
    pace: Pace,
    timer: Pin<Box<Sleep>>,
    /// Until when what comes is passed over; set when the last answer is written.
    lingers: Option<Instant>,
}

impl<S> Paced<S> {
    pub(super) fn new(socket: S, pace: Pace) -> Self {
        Self { socket, pace, timer: Box::pin(tokio::time::sleep(HEADER)), lingers: None }
    }

    /// Ready when `deadline` has passed.
    fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx)
    }

    /// What a read or write that has to wait answers.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(deadline) = self.pace.deadline() else { return Poll::Pending };
        ready!(self.poll_until(deadline, cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took too long")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Ready(read) => {
                if buf.filled().len() > before {
                    self.pace.heard();
                }
                Poll::Ready(read)
            }
            Poll::Pending => self.wait(cx),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx),
            written => written,
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write_vectored(cx, bytes) {
            Poll::Pending => self.wait(cx),
            written => written,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Pending => self.wait(cx),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            match Pin::new(&mut self.socket).poll_shutdown(cx) {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => self.lingers = Some(Instant::now() + LINGER),
            }
        }
        let mut passed_over = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut passed_over);
            // What comes fast is read as long as what does not come is waited for.
            let over = self.lingers.is_none_or(|until| self.poll_until(until, cx).is_ready());
            let read = Pin::new(&mut self.socket).poll_read(cx, &mut buf);
            match read {
                _ if over => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
