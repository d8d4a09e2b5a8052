//! The bodies of requests and answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::BoxStream;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::text::{Piece, Text};

/// What a client sent: from a socket, or bytes (tests, and requests made inside the process).
pub enum RequestBody {
    /// Still on its way.
    Incoming(Incoming),
    /// All there.
    Full(Bytes),
}

/// Why a body that comes from elsewhere ended early.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Full(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
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
    /// The same, of objects.
    Texts(Box<dyn Iterator<Item = Text> + Send>),
    /// Pieces as they come (watches).
    Stream(BoxStream<'static, Piece>),
    /// What another server answers, as it comes. It may break off, and then this answer does.
    Proxied(Proxied),
}

/// The body of another server's answer, and what is held until it ends.
pub struct Proxied {
    body: Incoming,
    held: Box<dyn Send + Sync>,
}

impl Proxied {
    /// `held` is dropped with the body.
    pub fn new(body: Incoming, held: impl Send + Sync + 'static) -> Self {
        Self { body, held: Box::new(held) }
    }

    /// The same, with `more` held.
    pub fn holding(self, more: impl Send + Sync + 'static) -> Self {
        Self { body: self.body, held: Box::new((self.held, more)) }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl http_body::Body for Body {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
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
            Self::Texts(texts) => return Poll::Ready(texts.next().map(|text| Ok(Frame::data(Piece::Text(text))))),
            Self::Stream(stream) => {
                return stream.as_mut().poll_next(cx).map(|next| next.map(|piece| Ok(Frame::data(piece))));
            }
            Self::Proxied(proxied) => {
                let frame = std::task::ready!(Pin::new(&mut proxied.body).poll_frame(cx));
                let frame = frame.map(|frame| frame.map(|frame| frame.map_data(Piece::Bytes)).map_err(Into::into));
                return Poll::Ready(frame);
            }
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(Piece::Bytes(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) | Self::Line(_) | Self::Chunks(_) | Self::Texts(_) | Self::Stream(_) => false,
            Self::Proxied(proxied) => proxied.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Line(bytes) => SizeHint::with_exact(bytes.len() as u64 + 1),
            Self::Chunks(_) | Self::Texts(_) | Self::Stream(_) => SizeHint::default(),
            Self::Proxied(proxied) => proxied.body.size_hint(),
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
            Self::Texts(_) => f.write_str("Texts"),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Proxied(_) => f.write_str("Proxied"),
        }
    }
}
