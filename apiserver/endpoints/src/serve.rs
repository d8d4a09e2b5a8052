//! Connections: accept, TLS, HTTP/2 or HTTP/1.1, and the end of them.

mod pace;
mod streams;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::authentication::Peer;
use crate::body::{Body, BodyError, RequestBody};
use crate::filters::flow_control::Place;
use crate::server::{Connection, Server};
use crate::text::Piece;
use gathered::Gathered;
use pace::{Pace, Paced};
use streams::{Running, Streams};

/// A TLS handshake may take this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection without requests is closed after this long.
const IDLE: Duration = Duration::from_secs(90);
/// How long a client may go on sending requests on an HTTP/2 connection that it was told is closed.
const GO_AWAY: Duration = Duration::from_secs(1);
/// An HTTP/2 connection is pinged when it is silent for this long, and dropped if the ping is not answered.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// A silent connection is probed by the system so often, and dropped when nobody is there any more.
const PROBE: Duration = Duration::from_secs(180);
/// The largest head of a request (with HTTP/2 counted as its headers are there), and what Go adds to it.
const MAX_HEAD: usize = 1 << 20;
const MAX_HEAD_SLOP: usize = 4096;
/// The most headers of an HTTP/1.1 request. Upstream counts none; a proxy names each group of a user in one.
const MAX_HEADERS: usize = 1000;
/// What a client may send ahead, on a stream and on a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How much of an answer waits in memory for a slow reader, for each stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Requests that run when the server stops have this long to finish.
const GRACE: Duration = Duration::from_secs(1);
/// How long a connection whose requests are answered may take to tell its client that it ends.
const FAREWELL: Duration = Duration::from_millis(50);

/// Until when an answer has to be read, among its extensions. What is not read by then is taken back: the connection is
/// closed, or the stream reset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until(pub Instant);

/// Serves connections until `stop` is cancelled. Then watches and idle connections are ended at once, running requests
/// have a second to finish, and the call returns.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (socket, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: give connections a moment to end.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (acceptor, server, stop) = (acceptor.clone(), server.clone(), stop.clone());
        connections.spawn(async move { accept(socket, remote, acceptor, server, stop).await });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    socket: TcpStream,
    remote: SocketAddr,
    acceptor: TlsAcceptor,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let _ = socket.set_nodelay(true);
    let probes = TcpKeepalive::new().with_time(PROBE).with_interval(PROBE);
    let _ = SockRef::from(&socket).set_tcp_keepalive(&probes);
    let handshake = tokio::select! {
        handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)) => handshake,
        () = stop.cancelled() => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%remote, %error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            tracing::debug!(%remote, "TLS handshake took too long");
            return;
        }
    };
    let session = stream.get_ref().1;
    let chain = session.peer_certificates().unwrap_or_default();
    let shown = Arc::new(Peer::new(chain.iter().map(|certificate| certificate.clone().into_owned()).collect()));
    let http2 = session.alpn_protocol() == Some(b"h2");
    let peer = Connection { remote, peer: shown, closing: stop };
    let served = if http2 {
        http2_connection(Gathered::new(stream), server, peer).await
    } else {
        http1(stream, server, peer).await
    };
    if let Err(error) = served {
        tracing::debug!(%remote, error = %Chain(&error), "connection ended");
    }
}

/// Serves the requests of an HTTP/1.1 connection, one after the other.
async fn http1<S>(stream: S, server: Arc<Server>, peer: Connection) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Pace::new();
    let stop = peer.closing.clone();
    let mut builder = hyper::server::conn::http1::Builder::new();
    // Times are kept by `Paced`: hyper's would count a connection that is idle as one that sends a head.
    builder.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD + MAX_HEAD_SLOP);
    let requests = Requests::new(server, peer, Turn::Http1(pace.clone()));
    let service = requests.service();
    let connection = builder.serve_connection(TokioIo::new(Paced::new(stream, pace)), service);
    let mut serving = pin!(connection.with_upgrades());
    tokio::select! {
        served = serving.as_mut() => return served,
        () = stop.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    requests.finish(serving).await
}

/// Serves the requests of an HTTP/2 connection, each on a task of its own.
async fn http2_connection<S>(stream: S, server: Arc<Server>, peer: Connection) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let running = Running::new();
    let stop = peer.closing.clone();
    let mut builder = hyper::server::conn::http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(server.config.http2_max_streams_per_connection)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_frame_size(64 * 1024)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let requests = Requests::new(server, peer, Turn::Http2(running.clone()));
    let service = requests.service();
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let idle = tokio::select! {
        served = serving.as_mut() => return served,
        () = running.idle_for(IDLE) => true,
        () = stop.cancelled() => false,
    };
    serving.as_mut().graceful_shutdown();
    if idle {
        // A request may have crossed the notice.
        let silent = async {
            tokio::time::sleep(GO_AWAY).await;
            running.idle_for(Duration::ZERO).await;
        };
        tokio::select! {
            served = serving.as_mut() => return served,
            () = silent => return Ok(()),
            () = stop.cancelled() => {}
        }
    }
    requests.finish(serving).await
}

/// What a connection is told of its requests.
#[derive(Clone)]
enum Turn {
    Http1(Pace),
    Http2(Running),
}

impl Turn {
    fn begin(&self) {
        match self {
            Self::Http1(pace) => pace.begin(),
            Self::Http2(running) => running.begin(),
        }
    }

    fn answer(&self, until: Instant) {
        match self {
            Self::Http1(pace) => pace.answer(until),
            Self::Http2(_) => streams::answer(until),
        }
    }

    /// The connection is no longer one of HTTP: whoever has it keeps its times.
    fn hand_over(&self) {
        if let Self::Http1(pace) = self {
            pace.hand_over();
        }
    }

    fn end(&self) {
        match self {
            Self::Http1(pace) => pace.end(),
            Self::Http2(running) => running.end(),
        }
    }
}

/// The requests of a connection.
struct Requests {
    server: Arc<Server>,
    peer: Arc<Connection>,
    turn: Turn,
    running: TaskTracker,
}

impl Requests {
    fn new(server: Arc<Server>, peer: Connection, turn: Turn) -> Self {
        Self { server, peer: Arc::new(peer), turn, running: TaskTracker::new() }
    }

    fn service(
        &self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Answer>,
        Error = Infallible,
        Future = impl Future<Output = Result<Response<Answer>, Infallible>> + Send + 'static + use<>,
    > + use<> {
        let (server, peer, turn, tracker) =
            (self.server.clone(), self.peer.clone(), self.turn.clone(), self.running.clone());
        service_fn(move |request: Request<Incoming>| {
            turn.begin();
            let running = Run { turn: turn.clone(), _tracked: tracker.token() };
            let (server, peer) = (server.clone(), peer.clone());
            // From here on, before anything of the request is done: the store learns how many are waiting for their turn.
            let expected = (!request.method().is_safe()).then(|| server.config.registry.expect_write());
            // Gone with the answer's head: what is left of a watch is small.
            Box::pin(async move {
                let mut response = server.handle(request.map(RequestBody::Incoming), &peer).await;
                drop(expected);
                let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                let extensions = response.extensions_mut();
                match extensions.remove() {
                    _ if upgraded => running.turn.hand_over(),
                    Some(Until(until)) => running.turn.answer(until),
                    None => {}
                }
                let place = extensions.remove();
                Ok(response.map(|body| Answer { body, _running: running, _place: place }))
            })
        })
    }

    /// Waits for the end of a connection that was told to end, or until its requests have had their time.
    async fn finish(&self, serving: impl Future<Output = hyper::Result<()>>) -> hyper::Result<()> {
        // HTTP/2 ends when the client says so, which one that sleeps does not.
        self.running.close();
        let answered = async {
            let _ = tokio::time::timeout(GRACE, self.running.wait()).await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            served = serving => served,
            () = answered => Ok(()),
        }
    }
}

/// A request that runs until this is dropped.
struct Run {
    turn: Turn,
    _tracked: TaskTrackerToken,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.turn.end();
    }
}

/// The body of an answer; its request runs until the last of it is sent.
struct Answer {
    body: Body,
    _running: Run,
    _place: Option<Place>,
}

impl http_body::Body for Answer {
    type Data = Piece;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An error with what caused it.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
