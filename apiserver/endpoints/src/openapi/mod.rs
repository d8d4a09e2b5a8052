//! `/openapi/v3` (an index with hashes, and a document for each version) and `/openapi/v2` (one document). They are made
//! when first asked for and kept until what they describe changes.

mod cache;
mod operations;
mod parameters;
mod proto;
mod schemas;
mod v2;
mod v3;

use apimachinery::status::StatusError;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use http::{Response, StatusCode};

use crate::body::Body;
use crate::query::Query;
use crate::response::{self, Form, page_not_found, respond};
use crate::server::{Exchange, Server};

pub(crate) use cache::Cache;

/// Answers a path under `/openapi`.
pub(crate) async fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let title = v3::Title { version: server.config.version.git_version.clone() };
    let documents = server.openapi.of(&server.config.registry.table(), title);
    let form = Form { gzip: response::accepts_gzip(&exchange.parts.headers), ..Form::plain() };
    let path = exchange.info.path.trim_end_matches('/');
    if path == "/openapi/v3" {
        let index = &documents.index;
        return Ok(answer(&form, exchange, index.bytes.clone(), &index.hash));
    }
    if path == "/openapi/v2" {
        return serve_v2(&documents, &form, exchange).await;
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
    let mut response = answer(&form, exchange, documents.v3(version).await?, &version.hash);
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

async fn serve_v2(
    documents: &cache::Documents,
    form: &Form,
    exchange: &Exchange,
) -> Result<Response<Body>, StatusError> {
    let accept = exchange.parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Clients that can read the protobuf form ask for nothing else first.
    if accept.split(',').next().unwrap_or_default().contains("com.github.proto-openapi.spec.v2") {
        let document = documents.v2_proto().await?;
        let mut response = answer(form, exchange, document.bytes, &document.hash);
        let media = HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
        response.headers_mut().insert(CONTENT_TYPE, media);
        return Ok(response);
    }
    let document = documents.v2().await?;
    Ok(answer(form, exchange, document.bytes, &document.hash))
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

fn answer(form: &Form, exchange: &Exchange, bytes: Bytes, etag: &str) -> Response<Body> {
    let etag = HeaderValue::from_str(&format!("\"{etag}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    let known = exchange.parts.headers.get(IF_NONE_MATCH).is_some_and(|known| *known == etag);
    let mut response = if known {
        let mut response = respond(StatusCode::NOT_MODIFIED, "application/json");
        *response.body_mut() = Body::Empty;
        response
    } else {
        form.json(StatusCode::OK, bytes)
    };
    response.headers_mut().insert(ETAG, etag);
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    response
}
