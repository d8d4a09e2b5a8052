//! `/openapi/v3` and `/openapi/v2`.

use apimachinery::status::StatusError;
use http::Response;

use crate::body::Body;
use crate::response::page_not_found;
use crate::server::{Exchange, Server};

/// Documents.
#[derive(Default)]
pub(crate) struct Cache;

/// Answers a path under `/openapi`.
pub(crate) fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let _ = (&server.openapi, exchange);
    Ok(page_not_found())
}
