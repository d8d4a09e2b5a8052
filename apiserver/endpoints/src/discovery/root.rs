//! `/`: the paths this server knows.

use apimachinery::status::StatusError;
use authentication::openid;
use http::{Response, StatusCode};
use serde_json::json;

use crate::body::Body;
use crate::response::{Form, page_not_found};
use crate::server::{Exchange, Server};

/// Answers `/`.
pub(crate) fn paths(server: &Server, exchange: &Exchange) -> Result<Response<Body>, StatusError> {
    if exchange.info.path != "/" {
        return Ok(page_not_found());
    }
    let table = server.config.registry.table();
    let fixed = [
        "/apis",
        "/apis/",
        "/healthz",
        "/livez",
        "/metrics",
        "/openapi/v2",
        "/openapi/v3",
        "/openapi/v3/",
        "/readyz",
        "/version",
    ];
    let mut paths: Vec<String> = fixed.iter().map(|path| (*path).to_owned()).collect();
    if table.has_version("", "v1") {
        paths.extend(["/api", "/api/v1"].map(str::to_owned));
    }
    if server.config.openid.is_some() {
        paths.extend([openid::CONFIGURATION_PATH, openid::KEY_SET_PATH].map(str::to_owned));
    }
    for group in table.groups().iter().filter(|group| !group.name.is_empty()) {
        paths.push(format!("/apis/{}", group.name));
        paths.extend(group.versions.iter().map(|version| format!("/apis/{}/{version}", group.name)));
    }
    for service in server.config.aggregation.snapshot().services().filter(|service| !service.group.is_empty()) {
        paths.push(format!("/apis/{}", service.group));
        paths.push(format!("/apis/{}/{}", service.group, service.version));
    }
    for endpoint in ["healthz", "livez", "readyz"] {
        paths.extend(server.config.health.names(endpoint).into_iter().map(|name| format!("/{endpoint}/{name}")));
    }
    paths.sort();
    paths.dedup();
    Ok(Form::plain().value(StatusCode::OK, &json!({ "paths": paths })))
}
