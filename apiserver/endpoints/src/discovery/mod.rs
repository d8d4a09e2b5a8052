//! `/api`, `/apis` and what is below them down to a version's list of resources; in one document each where a client asks
//! for the aggregated form.

mod aggregated;
mod legacy;
pub(crate) mod root;

use std::sync::Arc;

use apimachinery::quote::go_json_bytes;
use apimachinery::status::{StatusDetails, StatusError};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Method, Response, StatusCode};
use registry::Table;
use sha2::{Digest, Sha512};

use crate::body::Body;
use crate::negotiation::{self, Encoding, Endpoint};
use crate::response::{self, Form, page_not_found};
use crate::server::{Exchange, Server};

/// The aggregated documents of one table.
struct Documents {
    table: Arc<Table>,
    /// `/api` and `/apis`, each with its ETag.
    core: Document,
    groups: Document,
}

struct Document {
    json: Bytes,
    etag: HeaderValue,
}

/// The aggregated documents, made when first asked for and again when the table has changed.
#[derive(Default)]
pub(crate) struct Cache(ArcSwapOption<Documents>);

impl Cache {
    fn get(&self, table: &Arc<Table>) -> Arc<Documents> {
        if let Some(documents) = self.0.load_full()
            && Arc::ptr_eq(&documents.table, table)
        {
            return documents;
        }
        let documents = Arc::new(Documents {
            table: table.clone(),
            core: Document::new(&aggregated::core(table)),
            groups: Document::new(&aggregated::groups(table)),
        });
        self.0.store(Some(documents.clone()));
        documents
    }
}

impl Document {
    fn new<T: serde::Serialize>(value: &T) -> Self {
        let json = go_json_bytes(value);
        Self { etag: etag(&json), json: json.into() }
    }
}

/// Upstream's ETag: the SHA-512 in capital hexadecimal, quoted.
fn etag(json: &[u8]) -> HeaderValue {
    let digest = Sha512::digest(json);
    let hex: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Answers a discovery path.
pub(crate) fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let table = server.config.registry.table();
    let path = exchange.info.path.as_str();
    let parts: Vec<&str> = path.trim_start_matches('/').trim_end_matches('/').split('/').collect();
    // A router knows its paths with and without one slash at the end, and no other spelling.
    if path.contains("//") {
        return Err(StatusError::unknown_resource());
    }
    let custom =
        |group: &str| table.rows().iter().find(|row| row.gvr.group == group).is_some_and(|row| row.is_custom());
    match parts.as_slice() {
        ["api"] => {
            routed(exchange)?;
            let form = match aggregated_form(exchange) {
                Some(form) => return Ok(aggregate(&form, exchange, &server.discovery.get(&table).core)),
                None => plain_form(exchange)?,
            };
            Ok(form.value(StatusCode::OK, &legacy::versions(&server.config.advertise_address)))
        }
        ["apis"] => {
            routed(exchange)?;
            let form = match aggregated_form(exchange) {
                Some(form) => return Ok(aggregate(&form, exchange, &server.discovery.get(&table).groups)),
                None => plain_form(exchange)?,
            };
            Ok(form.value(StatusCode::OK, &legacy::groups(&table)))
        }
        ["api", version] => match legacy::resources(&table, "", version) {
            Some(list) => {
                routed(exchange)?;
                Ok(plain_form(exchange)?.value(StatusCode::OK, &list))
            }
            None => Err(StatusError::unknown_resource()),
        },
        ["apis", group] => match legacy::group(&table, group) {
            // Upstream answers any method here.
            Some(group) => Ok(plain_form(exchange)?.value(StatusCode::OK, &group)),
            None => Ok(page_not_found()),
        },
        ["apis", group, version] => match legacy::resources(&table, group, version) {
            Some(list) => {
                if !custom(group) {
                    routed(exchange)?;
                }
                Ok(plain_form(exchange)?.value(StatusCode::OK, &list))
            }
            None => crate::routes::unknown(&table, "apis", group),
        },
        _ => Ok(page_not_found()),
    }
}

/// What the router checks: the method, and that `Accept` names a type outright.
fn routed(exchange: &Exchange) -> Result<(), StatusError> {
    if exchange.parts.method != Method::GET {
        return Err(StatusError::method_not_allowed());
    }
    match negotiation::route_refusal(&exchange.parts.headers, &negotiation::route_types(false)) {
        Some(message) => Err(StatusError::not_acceptable(message).with_details(StatusDetails::default())),
        None => Ok(()),
    }
}

fn plain_form(exchange: &Exchange) -> Result<Form, StatusError> {
    let accepted = negotiation::negotiate(&exchange.parts.headers, &exchange.query, Endpoint::Document)?;
    Ok(Form { accepted, gzip: response::accepts_gzip(&exchange.parts.headers) })
}

/// The form of the aggregated document, if a clause of `Accept` asks for it.
fn aggregated_form(exchange: &Exchange) -> Option<Form> {
    let headers = &exchange.parts.headers;
    headers.get(http::header::ACCEPT)?;
    let accepted = negotiation::negotiate(headers, &exchange.query, Endpoint::Aggregated).ok()?;
    Some(Form { accepted, gzip: response::accepts_gzip(headers) })
}

fn aggregate(form: &Form, exchange: &Exchange, document: &Document) -> Response<Body> {
    let known = exchange.parts.headers.get(IF_NONE_MATCH).is_some_and(|known| known == document.etag);
    let mut response = if known {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = form.json(StatusCode::OK, document.json.clone());
        let content_type = match form.accepted.encoding {
            Encoding::Json => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Encoding::Yaml => "application/yaml;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Encoding::Protobuf => {
                "application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            }
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    response.headers_mut().insert(ETAG, document.etag.clone());
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("public"));
    response
}
