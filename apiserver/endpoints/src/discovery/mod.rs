//! `/api`, `/apis` and what is below them down to a version's list of resources; in one document each where a client asks
//! for the aggregated form.

mod aggregated;
mod legacy;
mod order;
pub(crate) mod root;

use std::sync::{Arc, OnceLock};

use apimachinery::quote::go_json_bytes;
use apimachinery::status::{StatusDetails, StatusError};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY};
use http::{Method, Response, StatusCode};
use registry::{Group, Table};
use sha2::{Digest, Sha512};

use crate::aggregation::{Aggregation, Snapshot};
use crate::body::Body;
use crate::negotiation::{self, Encoding, Endpoint};
use crate::response::{self, Form, page_not_found};
use crate::server::{Exchange, Server};

/// The documents of one table and what was known of other servers with it.
struct Documents {
    table: Arc<Table>,
    known: Arc<Snapshot>,
    /// `/apis` in its first form.
    listed: Vec<Group>,
    /// `/api` and `/apis` in the aggregated form, each with its ETag; made when first asked for.
    core: OnceLock<Document>,
    groups: OnceLock<Document>,
}

struct Document {
    json: Bytes,
    etag: HeaderValue,
}

/// The documents, made when first asked for and again when something has changed.
#[derive(Default)]
pub(crate) struct Cache(ArcSwapOption<Documents>);

impl Cache {
    fn get(&self, table: &Arc<Table>, known: Arc<Snapshot>) -> Arc<Documents> {
        if let Some(documents) = self.0.load_full()
            && Arc::ptr_eq(&documents.table, table)
            && Arc::ptr_eq(&documents.known, &known)
        {
            return documents;
        }
        let documents = Arc::new(Documents {
            table: table.clone(),
            listed: order::listed(table, &known),
            known,
            core: OnceLock::new(),
            groups: OnceLock::new(),
        });
        self.0.store(Some(documents.clone()));
        documents
    }
}

impl Documents {
    fn core(&self) -> &Document {
        self.core.get_or_init(|| Document::new(&aggregated::core(&self.table)))
    }

    fn groups(&self, aggregation: &Aggregation) -> &Document {
        self.groups.get_or_init(|| {
            let ordered = order::aggregated(&self.table, aggregation, &self.known);
            Document::new(&aggregated::groups(&self.table, &ordered))
        })
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
    let aggregation = &server.config.aggregation;
    let documents = || server.discovery.get(&table, aggregation.snapshot());
    let path = exchange.info.path.as_str();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    // A router knows its paths with and without one slash at the end, and no other spelling.
    if path.contains("//") {
        return Err(StatusError::unknown_resource());
    }
    let custom =
        |group: &str| table.rows().iter().find(|row| row.gvr.group == group).is_some_and(|row| row.is_custom());
    match parts.as_slice() {
        // Who has no core group knows nothing of its paths.
        ["api", ..] if !table.has_version("", "v1") => Ok(page_not_found()),
        ["api"] => {
            routed(exchange)?;
            let form = match aggregated_form(exchange) {
                Some(form) => return Ok(aggregate(&form, exchange, documents().core())),
                None => plain_form(exchange)?,
            };
            Ok(form.value(StatusCode::OK, &legacy::versions(&server.config.advertise_address)))
        }
        ["apis"] => {
            routed(exchange)?;
            let form = match aggregated_form(exchange) {
                Some(form) => return Ok(aggregate(&form, exchange, documents().groups(aggregation))),
                None => plain_form(exchange)?,
            };
            Ok(form.value(StatusCode::OK, &legacy::groups(&documents().listed)))
        }
        ["api", version] => match legacy::resources(&table, "", version) {
            Some(list) => {
                routed(exchange)?;
                Ok(plain_form(exchange)?.value(StatusCode::OK, &list))
            }
            None => Err(StatusError::unknown_resource()),
        },
        ["apis", group] => match legacy::group(&documents().listed, &table, group) {
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
