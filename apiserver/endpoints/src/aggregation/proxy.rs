//! A request that another server answers: there and back, without keeping any of it.

use std::time::Duration;

use apimachinery::user::UserInfo;
use http::header::{HeaderName, LOCATION};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::backend::authority;
use super::{ApiService, Backend, Failure, Remote, headers};
use crate::body::{Body, Proxied, RequestBody};
use crate::response::text;
use crate::server::{Connection, Exchange};

/// A version's list of resources is read by everybody who looks around: one slow server may not hold them up.
const DISCOVERY: Duration = Duration::from_secs(5);
/// How long the end of a connection may take that has left HTTP.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers with what the server of `service` does.
pub(crate) async fn proxy(
    service: &ApiService,
    remote: &Remote,
    exchange: &Exchange,
    user: &UserInfo,
    body: RequestBody,
    connection: &Connection,
) -> Response<Body> {
    if !remote.available {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "service unavailable");
    }
    let backend = match &remote.backend {
        Ok(backend) => backend,
        Err(why) => return refused(StatusCode::INTERNAL_SERVER_ERROR, why),
    };
    let answered = forward(backend, exchange, user, body, connection);
    let answered = match discovers(exchange) {
        true => tokio::time::timeout(DISCOVERY, answered)
            .await
            .unwrap_or_else(|_| Err(Failure("context deadline exceeded".to_owned()))),
        false => answered.await,
    };
    answered.unwrap_or_else(|failure| {
        // Whoever watches over it need not wait to hear of it.
        backend.miss();
        tracing::debug!(service = service.name(), path = exchange.info.path, %failure, "a backend did not answer");
        refused(StatusCode::SERVICE_UNAVAILABLE, &failure.0)
    })
}

fn refused(code: StatusCode, why: &str) -> Response<Body> {
    text(code, format!("{why}\n"))
}

/// Whether the request is for `/apis/<group>/<version>` itself.
fn discovers(exchange: &Exchange) -> bool {
    !exchange.info.is_resource && exchange.info.path.trim_matches('/').split('/').count() == 3
}

async fn forward(
    backend: &Backend,
    exchange: &Exchange,
    user: &UserInfo,
    body: RequestBody,
    connection: &Connection,
) -> Result<Response<Body>, Failure> {
    let address = backend.address().await.map_err(|why| {
        tracing::debug!(%why, "a backend cannot be found");
        Failure("service unavailable".to_owned())
    })?;
    let parts = &exchange.parts;
    let upgrade = headers::asks_to_upgrade(&parts.headers);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.headers_mut() = headers::request(&parts.headers, user, connection.remote.ip(), upgrade)?;
    let path = escaped(&exchange.info.path);
    let target = match exchange.query.encoded() {
        query if query.is_empty() => path.clone(),
        query => format!("{path}?{query}"),
    };
    *request.uri_mut() = target.parse().map_err(|error: http::uri::InvalidUri| Failure(error.to_string()))?;
    if upgrade {
        let client = parts.extensions.get::<OnUpgrade>().cloned();
        let client = client.ok_or_else(|| Failure("request connection cannot be hijacked".to_owned()))?;
        let answer = backend.upgrade(&address, request).await?;
        return joined(answer, client, connection.closing.clone());
    }
    for (name, value) in
        [("x-forwarded-uri", path.as_str()), ("x-forwarded-host", &authority(&address)), ("x-forwarded-proto", "https")]
    {
        headers::set(request.headers_mut(), HeaderName::from_static(name), value)?;
    }
    let unreachable = |failure: Failure| Failure(format!("error trying to reach service: {failure}"));
    let mut answer = backend.send(&address, request).await.map_err(unreachable)?;
    if answer.status().is_redirection() && answer.headers().get(LOCATION).is_some_and(|to| !to.is_empty()) {
        // Whoever was sent elsewhere would send its credentials there.
        let why = "the backend attempted to redirect this request, which is not permitted";
        let mut refused = Response::new(Body::Full(why.into()));
        *refused.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(refused);
    }
    headers::response(answer.headers_mut());
    Ok(answer)
}

/// Joins client and server once both have left HTTP, until one of them ends. A server that does not leave it answers as it
/// does; one that goes on as if nothing was asked is refused.
fn joined(
    mut answer: Response<Incoming>,
    client: OnUpgrade,
    closing: CancellationToken,
) -> Result<Response<Body>, Failure> {
    let status = answer.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        if status.as_u16() < 400 {
            return Err(Failure(format!("invalid upgrade response: status code {}", status.as_u16())));
        }
        headers::response(answer.headers_mut());
        return Ok(answer.map(|body| Body::Proxied(Proxied::new(body, ()))));
    }
    let backend = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        match tokio::try_join!(client, backend) {
            Ok((client, backend)) => pass(TokioIo::new(client), TokioIo::new(backend), closing).await,
            Err(error) => tracing::debug!(%error, "a connection did not leave HTTP"),
        }
    });
    Ok(answer.map(|_| Body::Empty))
}

/// Passes bytes both ways until one side ends or the server stops.
async fn pass(client: impl AsyncRead + AsyncWrite, backend: impl AsyncRead + AsyncWrite, closing: CancellationToken) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_backend, mut to_backend) = tokio::io::split(backend);
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_backend) => {}
        _ = tokio::io::copy(&mut from_backend, &mut to_client) => {}
        () = closing.cancelled() => {}
    }
    let ends = futures::future::join(to_client.shutdown(), to_backend.shutdown());
    // Whoever does not hear of it notices that nobody is there.
    let _ = tokio::time::timeout(FAREWELL, ends).await;
}

/// A decoded path as Go's `url.URL` writes it.
fn escaped(path: &str) -> String {
    let keeps = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&b);
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if keeps(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
