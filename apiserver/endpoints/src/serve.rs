//! Connections: accept, TLS, HTTP/2 or HTTP/1.1, and the end of them.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::authentication;
use crate::body::{Body, RequestBody};
use crate::server::{Connection, Server};

/// A TLS handshake may take this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The head of an HTTP/1.1 request may take this long to arrive (upstream's 32 s).
const HEADER: Duration = Duration::from_secs(32);
/// An HTTP/2 connection is pinged when it is silent for this long, and dropped if the ping is not answered.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(15);
/// Upstream's number of requests at once on one HTTP/2 connection is 100 by default; watches of one client share it.
const MAX_STREAMS: u32 = 1000;
/// What a client may send ahead, on a stream and on a connection.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How much of an answer waits in memory for a slow reader, for each stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Requests that run when the server stops have this long to finish.
const GRACE: Duration = Duration::from_secs(1);
/// How long a connection whose requests are answered may take to tell its client that it ends.
const FAREWELL: Duration = Duration::from_millis(50);

/// Serves connections until `stop` is cancelled. Then watches and idle connections are ended at once, running requests
/// have a second to finish, and the call returns.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls);
    let builder = Arc::new(builder());
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
        let (acceptor, builder, server, stop) = (acceptor.clone(), builder.clone(), server.clone(), stop.clone());
        connections.spawn(async move { connection(socket, remote, acceptor, &builder, server, stop).await });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER).max_headers(200);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_frame_size(64 * 1024)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}

async fn connection(
    socket: TcpStream,
    remote: SocketAddr,
    acceptor: TlsAcceptor,
    builder: &auto::Builder<TokioExecutor>,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let _ = socket.set_nodelay(true);
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
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.and_then(authentication::certificate_user).map(Arc::new);
    let peer = Arc::new(Connection { remote, certificate, closing: stop.clone() });
    let requests = TaskTracker::new();
    let tracker = requests.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (server, peer, running) = (server.clone(), peer.clone(), tracker.token());
        async move {
            let response = server.handle(request.map(RequestBody::Incoming), &peer).await;
            Ok::<_, Infallible>(response.map(|body| Answer { body, _running: running }))
        }
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            // HTTP/2 ends when the client says so, which one that sleeps does not.
            requests.close();
            let answered = async {
                let _ = tokio::time::timeout(GRACE, requests.wait()).await;
                tokio::time::sleep(FAREWELL).await;
            };
            tokio::select! {
                served = serving.as_mut() => served,
                () = answered => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%remote, error = %Chain(&*error), "connection ended");
    }
}

/// The body of an answer; its request runs until the last of it is sent.
struct Answer {
    body: Body,
    _running: TaskTrackerToken,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
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
