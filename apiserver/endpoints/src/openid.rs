//! `/.well-known/openid-configuration` and `/openid/v1/jwks`: how others verify this server's tokens.

use apimachinery::status::{StatusDetails, StatusError};
use authentication::openid::{CONFIGURATION_PATH, KEY_SET_PATH};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::body::Body;
use crate::negotiation;
use crate::response::{page_not_found, respond};
use crate::server::{Exchange, Server};

/// Answers either document: GET, each in one type alone.
pub(crate) async fn serve(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    let Some(documents) = &server.config.openid else { return Ok(page_not_found()) };
    let path = exchange.info.path.trim_end_matches('/');
    let content_type = match path {
        CONFIGURATION_PATH => "application/json",
        KEY_SET_PATH => "application/jwk-set+json",
        _ => return Ok(page_not_found()),
    };
    if exchange.parts.method != Method::GET {
        return Err(StatusError::method_not_allowed());
    }
    if let Some(message) = negotiation::route_refusal(&exchange.parts.headers, &[content_type]) {
        return Err(StatusError::not_acceptable(message).with_details(StatusDetails::default()));
    }
    let document = if path == KEY_SET_PATH { documents.key_set().await } else { documents.configuration().await };
    let document = document.map_err(StatusError::internal)?;
    let mut response = respond(StatusCode::OK, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    *response.body_mut() = Bytes::from(document).into();
    Ok(response)
}
