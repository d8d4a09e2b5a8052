//! `/openapi/v3` (an index with hashes, and a document for each version) and `/openapi/v2` (one document). They are made
//! when first asked for and kept, compressed, until what they describe changes.

mod cache;
mod compressed;
mod operations;
mod parameters;
mod proto;
mod schemas;
mod shared;
mod v2;
mod v3;

use apimachinery::status::StatusError;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use http::{Response, StatusCode};

use crate::body::Body;
use crate::query::Query;
use crate::response::{self, Form, GZIP_THRESHOLD, page_not_found, respond};
use crate::server::{Exchange, Server};

pub(crate) use cache::Cache;
use compressed::Document;

const JSON: &str = "application/json";
const PROTO: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Answers a path under `/openapi`.
pub(crate) async fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let title = v3::Title { version: server.config.version.git_version.clone() };
    let others = server.config.aggregation.snapshot().descriptions();
    let documents = server.openapi.of(&server.config.registry.table(), others, title).await?;
    let gzip = response::accepts_gzip(&exchange.parts.headers);
    let path = exchange.info.path.trim_end_matches('/');
    if path == "/openapi/v3" {
        let (index, hash) = &documents.index;
        let form = Form { gzip, ..Form::plain() };
        return tagged(exchange, hash, async { Ok(form.json(StatusCode::OK, index.clone())) }).await;
    }
    if path == "/openapi/v2" {
        let accept = exchange.parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Clients that can read the protobuf form ask for nothing else first.
        let proto = accept.split(',').next().unwrap_or_default().contains("com.github.proto-openapi.spec.v2");
        let hash = documents.v2_hash(proto);
        return match proto {
            true => tagged(exchange, &hash, async { Ok(whole(documents.v2_proto().await?, PROTO, gzip)) }).await,
            false => tagged(exchange, &hash, async { Ok(whole(documents.v2().await?, JSON, gzip)) }).await,
        };
    }
    let Some(path) = path.strip_prefix("/openapi/v3/") else { return Ok(page_not_found()) };
    let Some(version) = documents.version(path) else {
        // Upstream's 404 has no body here.
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    if wrong_hash(&exchange.query, &version.hash) {
        return Ok(redirect(path, &version.hash));
    }
    let answer = async { Ok(whole(documents.v3(version).await?, JSON, gzip)) };
    let mut response = tagged(exchange, &version.hash, answer).await?;
    if exchange.query.first("hash").is_some() {
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
        let year = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
        if let Ok(expires) = HeaderValue::from_str(&year.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
            headers.insert(EXPIRES, expires);
        }
    }
    Ok(response)
}

fn wrong_hash(query: &Query, hash: &str) -> bool {
    query.first("hash").is_some_and(|asked| !asked.is_empty() && asked != hash)
}

/// The hash is old: the document is elsewhere.
fn redirect(version: &str, hash: &str) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::from_str(&format!("/openapi/v3/{version}?hash={hash}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// An answer that a client may have already; it is made for those who do not.
async fn tagged(
    exchange: &Exchange,
    hash: &str,
    answer: impl Future<Output = Result<Response<Body>, StatusError>>,
) -> Result<Response<Body>, StatusError> {
    let etag = HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let known = exchange.parts.headers.get(IF_NONE_MATCH).is_some_and(|known| *known == etag);
    let mut response = if known { respond(StatusCode::NOT_MODIFIED, JSON) } else { answer.await? };
    response.headers_mut().insert(ETAG, etag);
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// A document as it is held for clients that read gzip.
fn whole(document: Document, media_type: &'static str, gzip: bool) -> Response<Body> {
    let mut response = respond(StatusCode::OK, media_type);
    *response.body_mut() = if gzip && document.len() > GZIP_THRESHOLD {
        response::compressed(response.headers_mut());
        Body::Chunks(Box::new(document.gzip()))
    } else {
        response::on_a_thread(document.plain())
    };
    response
}
