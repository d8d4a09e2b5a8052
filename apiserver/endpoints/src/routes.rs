//! From a request to its handler: documents by their path, resources by the rows of the table.

use std::sync::Arc;

use apimachinery::gvk::{GroupResource, GroupVersionKind};
use apimachinery::status::{StatusDetails, StatusError};
use apimachinery::user::UserInfo;
use http::{Method, Response};
use registry::{RequestContext, Row, Subresource, Table, Target};

use crate::aggregation::proxy::proxy;
use crate::body::{Body, RequestBody};
use crate::handlers::{self, Call};
use crate::negotiation;
use crate::request_info::RequestInfo;
use crate::response::page_not_found;
use crate::server::{Connection, Exchange, Server};
use crate::{discovery, health, metrics, openapi, openid, version};

/// How the paths of documents begin.
const DOCUMENTS: [&str; 10] =
    [".well-known", "api", "apis", "healthz", "livez", "metrics", "openapi", "openid", "readyz", "version"];

/// Answers a request that passed the filters.
pub(crate) async fn route(
    server: &Arc<Server>,
    exchange: &Exchange,
    user: Arc<UserInfo>,
    body: RequestBody,
    connection: &Connection,
) -> Result<Response<Body>, StatusError> {
    if exchange.info.path.starts_with("//") {
        // Request info reads past several slashes; routers, upstream's too, know no such path.
        return Ok(page_not_found());
    }
    let known = server.config.aggregation.snapshot();
    // A version's resources, and the document that describes them.
    let elsewhere = match exchange.info.path.strip_prefix("/openapi/v3/") {
        Some(document) => known.remote_of_document(document),
        None => known.remote_of(&exchange.info.path),
    };
    if let Some(service) = elsewhere
        && let Some(remote) = &service.remote
    {
        return Ok(proxy(service, remote, exchange, &user, body, connection).await);
    }
    if exchange.info.is_resource {
        return resource(server, exchange, user, body, connection).await;
    }
    let path = exchange.info.path.as_str();
    let below = path.strip_prefix('/').unwrap_or(path);
    let first = below.split('/').next().unwrap_or_default();
    if first.is_empty() {
        return discovery::root::paths(server, exchange);
    }
    if !DOCUMENTS.contains(&first) {
        return Ok(page_not_found());
    }
    match first {
        "api" | "apis" => discovery::serve(server, exchange),
        "healthz" | "livez" | "readyz" => health::serve(&server.config.health, exchange).await,
        "version" if matches!(path, "/version" | "/version/") => version::serve(server, exchange),
        "metrics" if path == "/metrics" => Ok(metrics::serve(&server.config.metrics, &exchange.parts.headers)),
        "openapi" => openapi::serve(server, exchange).await,
        ".well-known" | "openid" => openid::serve(server, exchange).await,
        _ => Ok(page_not_found()),
    }
}

/// The 404 of a group and version: a Status where the group is built in, else the page that no router knows.
pub(crate) fn unknown(table: &Table, prefix: &str, group: &str) -> Result<Response<Body>, StatusError> {
    // The core group is under /api alone.
    let group = match prefix {
        "api" => Some(""),
        _ => Some(group).filter(|group| !group.is_empty()),
    };
    let built_in = table.rows().iter().any(|row| Some(row.gvr.group.as_str()) == group && !row.is_custom());
    if built_in { Err(StatusError::unknown_resource()) } else { Ok(page_not_found()) }
}

async fn resource(
    server: &Arc<Server>,
    exchange: &Exchange,
    user: Arc<UserInfo>,
    body: RequestBody,
    connection: &Connection,
) -> Result<Response<Body>, StatusError> {
    let info = &exchange.info;
    let table = server.config.registry.table();
    let row = match table.row(&info.group, &info.version, &info.resource) {
        // The core group is under /api alone, the others under /apis alone.
        Some(row) if (info.prefix == "api") == info.group.is_empty() => row,
        _ => return unknown(&table, &info.prefix, &info.group),
    };
    if let Some(warning) = &row.deprecation_warning {
        exchange.warnings.warn(warning.clone());
    }
    let custom = row.is_custom();
    let verb = match place(row, exchange) {
        Ok(verb) => verb,
        Err(Misplaced::Nowhere) if custom => return Ok(page_not_found()),
        Err(Misplaced::Nowhere) => return Err(StatusError::unknown_resource()),
        Err(Misplaced::Subresource) => return Err(StatusError::not_found(&row.group_resource(), &info.name)),
        Err(Misplaced::Method) if custom => {
            return Err(StatusError::method_not_supported(&row.group_resource(), &info.verb));
        }
        Err(Misplaced::Method) => return Err(StatusError::method_not_allowed()),
    };
    if !custom {
        let list = matches!(verb, "list" | "watch") && exchange.parts.method == Method::GET;
        if let Some(message) = negotiation::route_refusal(&exchange.parts.headers, &negotiation::route_types(list)) {
            return Err(StatusError::not_acceptable(message).with_details(StatusDetails::default()));
        }
    }
    // Cluster-scoped objects have no namespace; the path of a Namespace names itself.
    let namespace = if row.namespaced { info.namespace.clone() } else { String::new() };
    // A list that selects one name by field is about the collection all the same.
    let name = if named(exchange) { info.name.clone() } else { String::new() };
    let mut context = RequestContext::new(user, field_manager(exchange));
    context.warnings = exchange.warnings.clone();
    context.deadline = exchange.deadline;
    let target = Target::new(row.clone(), namespace, name).subresource(info.subresource.clone());
    let call = Call { server, exchange, connection, context, target, body };
    match verb {
        "get" => handlers::get::get(call).await,
        "list" => handlers::list::list(call).await,
        "watch" => handlers::watch::watch(call).await,
        "create" => handlers::create::create(call).await,
        "update" => handlers::update::update(call).await,
        "patch" => handlers::patch::patch(call).await,
        "delete" => handlers::delete::delete(call).await,
        "deletecollection" => handlers::delete_collection::delete_collection(call).await,
        _ => handlers::connect::connect(call),
    }
}

/// Whether the path itself names an object.
fn named(exchange: &Exchange) -> bool {
    exchange.info.parts >= 2
}

/// Why a resource's path or method leads nowhere.
enum Misplaced {
    /// No such path.
    Nowhere,
    /// No such subresource of a custom resource.
    Subresource,
    /// The path does not have this method.
    Method,
}

/// Subresources that connect to a Pod, Node or Service rather than speak of an object.
const CONNECTIONS: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// The handler's verb of a request, if the row has such a path and method.
fn place(row: &Row, exchange: &Exchange) -> Result<&'static str, Misplaced> {
    let info = &exchange.info;
    // Routes of built-in resources do not know HEAD; a custom resource's router goes by the verb alone.
    let method = match &exchange.parts.method {
        &Method::HEAD if row.is_custom() => &Method::GET,
        method => method,
    };
    let all_namespaces = row.namespaced && info.namespace.is_empty();
    let foreign_namespace = !row.namespaced && !info.namespace.is_empty() && info.resource != "namespaces";
    if foreign_namespace || namespace_within_another(info) {
        return Err(Misplaced::Nowhere);
    }
    if !info.subresource.is_empty() {
        let Some(subresource) = row.subresource(&info.subresource) else {
            return Err(if row.is_custom() { Misplaced::Subresource } else { Misplaced::Nowhere });
        };
        if CONNECTIONS.contains(&subresource.name.as_str()) {
            return Ok("connect");
        }
        if all_namespaces || info.parts > 3 {
            return Err(Misplaced::Nowhere);
        }
        return verb_of(method, subresource).ok_or(Misplaced::Method);
    }
    if info.verb_in_path {
        if info.verb != "watch" || !row.can("watch") {
            return Err(Misplaced::Nowhere);
        }
        return if matches!(*method, Method::GET) { Ok("watch") } else { Err(Misplaced::Method) };
    }
    let named = named(exchange);
    if all_namespaces && named {
        return Err(Misplaced::Nowhere);
    }
    let verb = match *method {
        Method::GET if named => "get",
        Method::GET if info.verb == "watch" => "watch",
        Method::GET => "list",
        // A custom resource's router asks for no name in the path of a create, and for one only later in an update.
        Method::POST if !named || row.is_custom() => "create",
        Method::PUT if named || row.is_custom() => "update",
        Method::PATCH if named => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => return Err(Misplaced::Method),
    };
    if all_namespaces && !matches!(verb, "list" | "watch") {
        return Err(if row.is_custom() { Misplaced::Nowhere } else { Misplaced::Method });
    }
    // Every list can be watched on its own path; kinds that cannot be say so in the handler.
    if row.can(verb) || verb == "watch" && row.can("list") { Ok(verb) } else { Err(Misplaced::Method) }
}

/// Whether the path is one of namespaces in a namespace, such as `/api/v1/namespaces/a/namespaces/b`. Who may do something
/// in a namespace is not to do it to all of them.
fn namespace_within_another(info: &RequestInfo) -> bool {
    if info.resource != "namespaces" || info.namespace.is_empty() {
        return false;
    }
    let mut parts = info.path.trim_matches('/').split('/').skip(2 + usize::from(info.verb_in_path));
    parts.next() == Some("namespaces") && parts.nth(1) == Some("namespaces")
}

fn verb_of(method: &Method, subresource: &Subresource) -> Option<&'static str> {
    let verb = match *method {
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => return None,
    };
    subresource.verbs.iter().any(|known| known == verb).then_some(verb)
}

/// The manager of changed fields where the request names none: the User-Agent up to the first `/`, printable characters
/// only, upstream's 128 bytes at most.
fn field_manager(exchange: &Exchange) -> String {
    let agent =
        exchange.parts.headers.get(http::header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let agent = agent.as_deref().unwrap_or_default();
    let mut manager = String::new();
    for character in agent.split('/').next().unwrap_or_default().chars() {
        if manager.len() + character.len_utf8() > 128 {
            break;
        }
        if !character.is_control() {
            manager.push(character);
        }
    }
    manager
}

/// The kind a target's bodies have: the subresource's, else the row's.
pub(crate) fn kind_of(target: &Target) -> GroupVersionKind {
    match target.row.subresource(&target.subresource) {
        Some(subresource) if !target.subresource.is_empty() => subresource.kind.clone(),
        _ => target.row.gvk(),
    }
}

/// The resource in refusals.
pub(crate) fn resource_of(target: &Target) -> GroupResource {
    target.row.group_resource()
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
