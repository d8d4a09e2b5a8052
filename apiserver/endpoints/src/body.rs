//! The bodies of requests and answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures::Stream;
use futures::stream::BoxStream;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

/// What a client sent: from a socket, or bytes (tests, and requests made inside the process).
pub enum RequestBody {
    /// Still on its way.
    Incoming(Incoming),
    /// All there.
    Full(Bytes),
}

/// What is answered. Every form hands shared bytes to the socket without copying them.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// One piece.
    Full(Bytes),
    /// Pieces one after the other; the length of all is known.
    Slices(VecDeque<Bytes>, u64),
    /// Pieces as they come (watches).
    Stream(BoxStream<'static, Bytes>),
}

impl Body {
    /// A body of several pieces.
    pub fn slices(slices: impl IntoIterator<Item = Bytes>) -> Self {
        let slices: VecDeque<Bytes> = slices.into_iter().filter(Buf::has_remaining).collect();
        let length = slices.iter().map(|slice| slice.len() as u64).sum();
        Self::Slices(slices, length)
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            Self::Empty => None,
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Some(bytes)
            }
            Self::Slices(slices, length) => {
                let next = slices.pop_front();
                *length -= next.as_ref().map_or(0, |slice| slice.len() as u64);
                next
            }
            Self::Stream(stream) => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) | Self::Stream(_) => false,
            Self::Slices(slices, _) => slices.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Slices(_, length) => SizeHint::with_exact(*length),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
