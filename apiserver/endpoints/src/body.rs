//! The bodies of requests and answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
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
    /// One piece, and a line break behind it.
    Line(Bytes),
    /// Pieces that are made when the client is ready for them (lists).
    Chunks(Box<dyn Iterator<Item = Bytes> + Send>),
    /// Pieces as they come (watches).
    Stream(BoxStream<'static, Bytes>),
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
            Self::Line(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Full(Bytes::from_static(b"\n"));
                Some(bytes)
            }
            Self::Chunks(chunks) => chunks.next(),
            Self::Stream(stream) => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) | Self::Line(_) | Self::Chunks(_) | Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Line(bytes) => SizeHint::with_exact(bytes.len() as u64 + 1),
            Self::Chunks(_) | Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => f.debug_tuple("Full").field(bytes).finish(),
            Self::Line(bytes) => f.debug_tuple("Line").field(bytes).finish(),
            Self::Chunks(_) => f.write_str("Chunks"),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
