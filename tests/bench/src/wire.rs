//! HTTP/2 at the least cost to the client: frames made and read in place, on a thread's own socket. The load shares the
//! machine with the server it measures, and a general client would take as much of it as the server does.
//!
//! It speaks what servers of this API (and etcd, over gRPC) answer with: no pushes, no headers of more than a frame.

mod frame;
mod transport;

use std::io;

use tests::connection::Endpoint;

use frame::{Frame, HEADER, Kind, flags};
use transport::Transport;

/// The client's windows: as large as they can be, so that nothing ever waits for the client's permission.
const WINDOW: u32 = i32::MAX as u32;
/// What HTTP/2 begins with.
const FIRST_WINDOW: u32 = 65_535;
/// The most a frame may hold by either side.
const FRAME: usize = 16_384;

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The type of the body, where there is one.
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Default for Request {
    fn default() -> Self {
        Self { method: Method::Get, path: String::new(), content_type: "application/json", body: Vec::new() }
    }
}

/// What comes back.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// The head of an answer; status 0 for trailers.
    Head { stream: u32, status: u16, end: bool },
    /// Some of its body.
    Data { stream: u32, bytes: &'a [u8], end: bool },
}

/// One connection.
pub struct Wire {
    transport: Transport,
    authority: String,
    /// `https` or `http`.
    scheme: u8,
    /// `authorization` and `te` where they are sent: the same for every request.
    common: Vec<u8>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// The part of `incoming` that is not read yet.
    unread: std::ops::Range<usize>,
    next_stream: u32,
    /// What the server takes on the connection, and on a new stream.
    window: i64,
    stream_window: i64,
    max_streams: usize,
    /// What came since the server was last told that it may go on.
    consumed: u32,
}

impl Wire {
    /// Connects over TLS as the user of a kubeconfig.
    pub fn open(endpoint: &Endpoint) -> io::Result<Self> {
        let mut common = Vec::new();
        if let Some(authorization) = &endpoint.authorization {
            frame::literal(&mut common, frame::AUTHORIZATION, authorization.as_bytes());
        }
        let authority = endpoint.origin.trim_start_matches("https://").to_owned();
        Self::begin(Transport::tls(endpoint)?, authority, frame::HTTPS, common)
    }

    /// Connects without TLS, for gRPC.
    pub fn open_grpc(address: &str) -> io::Result<Self> {
        let mut common = Vec::new();
        frame::named_literal(&mut common, b"te", b"trailers");
        Self::begin(Transport::plain(address)?, address.to_owned(), frame::HTTP, common)
    }

    fn begin(transport: Transport, authority: String, scheme: u8, common: Vec<u8>) -> io::Result<Self> {
        let mut wire = Self {
            transport,
            authority,
            scheme,
            common,
            outgoing: Vec::with_capacity(64 * 1024),
            incoming: vec![0; 4 * (FRAME + HEADER)],
            unread: 0..0,
            next_stream: 1,
            window: FIRST_WINDOW.into(),
            stream_window: FIRST_WINDOW.into(),
            max_streams: usize::MAX,
            consumed: 0,
        };
        frame::preface(&mut wire.outgoing, WINDOW, WINDOW - FIRST_WINDOW);
        wire.flush()?;
        // Its first frame is its settings.
        let first = wire.frame()?;
        wire.control(&first)?;
        Ok(wire)
    }

    /// How many requests the server serves at once on a connection.
    pub fn max_streams(&self) -> usize {
        self.max_streams
    }

    /// Whether the server takes a body of this size now.
    pub fn has_room(&self, body: usize) -> bool {
        i64::try_from(body).is_ok_and(|body| body <= self.window)
    }

    /// Queues a request, to go out with the next [`Wire::flush`]; the stream of its answer.
    pub fn submit(&mut self, request: &Request) -> io::Result<u32> {
        let (stream, body) = (self.next_stream, &request.body);
        self.next_stream += 2;
        let start = self.outgoing.len();
        let ends = if body.is_empty() { flags::END_STREAM } else { 0 };
        frame::header(&mut self.outgoing, 0, Kind::Headers, flags::END_HEADERS | ends, stream);
        // What begins with a colon comes before the rest.
        frame::method(&mut self.outgoing, request.method);
        self.outgoing.push(self.scheme);
        frame::literal(&mut self.outgoing, frame::AUTHORITY, self.authority.as_bytes());
        frame::literal(&mut self.outgoing, frame::PATH, request.path.as_bytes());
        self.outgoing.extend_from_slice(&self.common);
        if !body.is_empty() {
            frame::literal(&mut self.outgoing, frame::CONTENT_TYPE, request.content_type.as_bytes());
            frame::literal(&mut self.outgoing, frame::CONTENT_LENGTH, body.len().to_string().as_bytes());
        }
        frame::set_length(&mut self.outgoing, start);
        let size = i64::try_from(body.len()).map_err(io::Error::other)?;
        if size > self.stream_window || size > self.window {
            return Err(io::Error::other(format!("a body of {size} bytes is more than the server takes at once")));
        }
        self.window -= size;
        let mut chunks = body.chunks(FRAME).peekable();
        while let Some(chunk) = chunks.next() {
            let ends = if chunks.peek().is_none() { flags::END_STREAM } else { 0 };
            frame::header(&mut self.outgoing, chunk.len(), Kind::Data, ends, stream);
            self.outgoing.extend_from_slice(chunk);
        }
        Ok(stream)
    }

    /// Sends what was queued.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.outgoing.is_empty() {
            self.transport.write(&self.outgoing)?;
            self.outgoing.clear();
        }
        Ok(())
    }

    /// Whether [`Wire::next`] answers from what has come already.
    pub fn has_next(&self) -> bool {
        frame::whole(&self.incoming[self.unread.clone()]).is_some()
    }

    /// The next part of an answer; sends what was queued before it waits.
    pub fn next(&mut self) -> io::Result<Incoming<'_>> {
        loop {
            let frame = self.frame()?;
            let end = frame.flags & flags::END_STREAM != 0;
            match frame.kind {
                Kind::Headers => {
                    if frame.flags & flags::END_HEADERS == 0 {
                        return Err(io::Error::other("a head of more than a frame"));
                    }
                    let status = frame::status(&self.incoming[frame.payload]);
                    return Ok(Incoming::Head { stream: frame.stream, status, end });
                }
                Kind::Data => {
                    self.consumed += frame.length;
                    if self.consumed > WINDOW / 2 {
                        frame::window_update(&mut self.outgoing, 0, self.consumed);
                        self.consumed = 0;
                    }
                    return Ok(Incoming::Data { stream: frame.stream, bytes: &self.incoming[frame.payload], end });
                }
                _ => self.control(&frame)?,
            }
        }
    }

    /// The next frame, waited for.
    fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = Frame::read(&self.incoming, self.unread.clone())? {
                self.unread.start = frame.end;
                return Ok(frame);
            }
            self.flush()?;
            if self.unread.start > 0 {
                self.incoming.copy_within(self.unread.clone(), 0);
                self.unread = 0..self.unread.len();
            }
            let read = self.transport.read(&mut self.incoming[self.unread.end..])?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server has closed the connection"));
            }
            self.unread.end += read;
        }
    }

    /// What is said about the connection.
    fn control(&mut self, frame: &Frame) -> io::Result<()> {
        let payload = &self.incoming[frame.payload.clone()];
        let number =
            |at: usize| payload.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        match frame.kind {
            Kind::Settings if frame.flags & flags::ACK == 0 => {
                for setting in payload.chunks_exact(6) {
                    let value = u32::from_be_bytes(setting[2..].try_into().unwrap());
                    match u16::from_be_bytes([setting[0], setting[1]]) {
                        frame::MAX_CONCURRENT_STREAMS => self.max_streams = value as usize,
                        frame::INITIAL_WINDOW_SIZE => self.stream_window = value.into(),
                        _ => {}
                    }
                }
                frame::header(&mut self.outgoing, 0, Kind::Settings, flags::ACK, 0);
            }
            Kind::Ping if frame.flags & flags::ACK == 0 => {
                frame::header(&mut self.outgoing, payload.len(), Kind::Ping, flags::ACK, 0);
                self.outgoing.extend_from_slice(payload);
            }
            // Bodies are smaller than the window that a stream begins with: only the connection's matters.
            Kind::WindowUpdate if frame.stream == 0 => self.window += i64::from(number(0)),
            Kind::GoAway => return Err(io::Error::other(format!("the server goes away, code {}", number(4)))),
            Kind::Reset => {
                return Err(io::Error::other(format!("stream {} is reset, code {}", frame.stream, number(0))));
            }
            _ => {}
        }
        Ok(())
    }
}
