//! `/openapi/v3` (an index with hashes, and a document for each version) and `/openapi/v2` (one document). They are made
//! when first asked for, kept until the table changes, and of v3 only those that somebody reads.

mod operations;
mod proto;
mod schemas;
mod v2;
mod v3;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use apimachinery::status::StatusError;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, EXPIRES, HeaderValue, IF_NONE_MATCH, LOCATION, VARY};
use http::{Response, StatusCode};
use parking_lot::Mutex;
use registry::{Row, Table};
use serde_json::json;
use sha2::{Digest, Sha512};

use crate::body::Body;
use crate::query::Query;
use crate::response::{self, Form, page_not_found, respond};
use crate::server::{Exchange, Server};

/// The documents of the present table.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Documents>);

#[derive(Default)]
struct Documents {
    table: Option<Arc<Table>>,
    /// Hashes by path below `/openapi/v3/`.
    hashes: BTreeMap<String, String>,
    /// Hashes of versions that have no custom resources: the same in every table.
    fixed: HashMap<String, String>,
    read: HashMap<String, Bytes>,
    v2: Option<(Bytes, String)>,
    v2_proto: Option<(Bytes, String)>,
}

impl Documents {
    fn of(&mut self, table: &Arc<Table>) -> &mut Self {
        if !self.table.as_ref().is_some_and(|known| Arc::ptr_eq(known, table)) {
            let fixed = std::mem::take(&mut self.fixed);
            *self = Self { table: Some(table.clone()), fixed, ..Self::default() };
        }
        self
    }

    /// The hashes of all versions; the documents that have to be made for them are not kept.
    fn hashes(&mut self, table: &Table, title: &v3::Title) -> &BTreeMap<String, String> {
        if self.hashes.is_empty() {
            for (path, rows) in versions(table) {
                let fixed = rows.iter().all(|row| !row.is_custom());
                let hash = match self.fixed.get(&path) {
                    Some(hash) if fixed => hash.clone(),
                    _ => hash(v3::document(&rows, title).as_bytes()),
                };
                if fixed {
                    self.fixed.insert(path.clone(), hash.clone());
                }
                self.hashes.insert(path, hash);
            }
        }
        &self.hashes
    }
}

/// The rows of each version, by its path: `api/v1`, `apis/apps/v1`.
fn versions(table: &Table) -> BTreeMap<String, Vec<&Arc<Row>>> {
    let mut versions: BTreeMap<String, Vec<&Arc<Row>>> = BTreeMap::new();
    for row in table.rows() {
        versions.entry(version_path(row)).or_default().push(row);
    }
    versions
}

fn version_path(row: &Row) -> String {
    match row.gvr.group.as_str() {
        "" => format!("api/{}", row.gvr.version),
        group => format!("apis/{group}/{}", row.gvr.version),
    }
}

/// Upstream's hash: SHA-512 in capital hexadecimal.
fn hash(bytes: &[u8]) -> String {
    Sha512::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Answers a path under `/openapi`.
pub(crate) fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let table = server.config.registry.table();
    let title = v3::Title { version: server.config.version.git_version.clone() };
    let form = Form { gzip: response::accepts_gzip(&exchange.parts.headers), ..Form::plain() };
    let path = exchange.info.path.trim_end_matches('/');
    let mut documents = server.openapi.0.lock();
    let documents = documents.of(&table);
    if path == "/openapi/v3" {
        let hashes = documents.hashes(&table, &title);
        let paths: BTreeMap<&String, _> = hashes
            .iter()
            .map(|(path, hash)| (path, json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}") })))
            .collect();
        let index = serde_json::to_vec(&json!({ "paths": paths })).unwrap_or_default();
        let etag = hash(&index);
        return Ok(answer(&form, exchange, index.into(), &etag));
    }
    if path == "/openapi/v2" {
        return Ok(serve_v2(documents, &table, &title, &form, exchange));
    }
    let Some(version) = path.strip_prefix("/openapi/v3/") else { return Ok(page_not_found()) };
    let Some(hash) = documents.hashes(&table, &title).get(version).cloned() else {
        // Upstream's 404 has no body here.
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    };
    if let Some(asked) = wrong_hash(&exchange.query, &hash) {
        return Ok(redirect(version, &hash, asked));
    }
    let json = match documents.read.get(version) {
        Some(json) => json.clone(),
        None => {
            let versions = versions(&table);
            let rows = versions.get(version).map(Vec::as_slice).unwrap_or_default();
            let json = Bytes::from(v3::document(rows, &title));
            documents.read.insert(version.to_owned(), json.clone());
            json
        }
    };
    let mut response = answer(&form, exchange, json, &hash);
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

fn serve_v2(
    documents: &mut Documents,
    table: &Table,
    title: &v3::Title,
    form: &Form,
    exchange: &Exchange,
) -> Response<Body> {
    let accept =
        exchange.parts.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Clients that can read the protobuf form ask for nothing else first.
    let proto = accept.split(',').next().unwrap_or_default().contains("com.github.proto-openapi.spec.v2");
    let make = |bytes: Vec<u8>| (hash(&bytes), bytes);
    if proto {
        let (bytes, etag) = documents.v2_proto.get_or_insert_with(|| {
            let (etag, bytes) = make(proto::document(&v2::value(table, title)));
            (bytes.into(), etag)
        });
        let mut response = answer(form, exchange, bytes.clone(), etag);
        let media = HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
        response.headers_mut().insert(http::header::CONTENT_TYPE, media);
        return response;
    }
    let (bytes, etag) = documents.v2.get_or_insert_with(|| {
        let (etag, bytes) = make(serde_json::to_vec(&v2::value(table, title)).unwrap_or_default());
        (bytes.into(), etag)
    });
    answer(form, exchange, bytes.clone(), etag)
}

fn wrong_hash<'a>(query: &'a Query, hash: &str) -> Option<&'a str> {
    query.first("hash").filter(|asked| !asked.is_empty() && *asked != hash)
}

/// The hash is old: the document is elsewhere.
fn redirect(version: &str, hash: &str, _asked: &str) -> Response<Body> {
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
