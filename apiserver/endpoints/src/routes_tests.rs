//! Every route is behind authorization: who is given nothing is refused on all of them, one rule opens one route, and
//! all rules but that one do not. The routes are listed from the table by the router's own rules, so a new one is
//! covered, or fails here for its question is not known. Custom resources are rows of it, too; what another server answers
//! is asked for the same way before it is passed on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ::authorization::rbac::{Binding, Kind, Policy, PolicyRule, Rbac, RoleRef, Subject};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use parking_lot::RwLock;
use registry::crd::Definition;
use registry::{Registry, Warnings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::aggregation::{ApiService, Remote};
use crate::authentication::Peer;
use crate::query::Query;
use crate::server::Config;

/// A request that leads to a handler, and what has to be asked before it is answered.
#[derive(Debug)]
struct Route {
    method: Method,
    url: String,
    verb: &'static str,
    /// Group, resource with subresource, namespace and name; `None` for a document.
    resource: Option<[String; 4]>,
}

/// Where on a resource's paths a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Collection,
    Object,
    Subresource,
}

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// The verb that is asked for; upstream's rule.
fn verb(method: &Method, shape: Shape) -> Option<&'static str> {
    Some(match (method.as_str(), shape) {
        ("GET" | "HEAD", Shape::Collection) => "list",
        ("GET" | "HEAD", _) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", Shape::Collection) => "deletecollection",
        ("DELETE", _) => "delete",
        // What connects to a Pod or Service takes any method.
        ("OPTIONS", _) => "",
        _ => return None,
    })
}

fn leads_somewhere(row: &Row, method: &Method, url: &str) -> bool {
    let (parts, ()) = Request::builder().method(method).uri(url).body(()).unwrap().into_parts();
    let query = Query::parse(parts.uri.query());
    let info = RequestInfo::new(method, parts.uri.path(), &query).unwrap();
    let exchange = Exchange { parts, query, info, user: None, warnings: Warnings::new(), deadline: None };
    place(row, &exchange).is_ok()
}

/// Every path a row could have, with its shape, its namespace and its name.
fn paths(row: &Row) -> Vec<(String, Shape, String, &'static str, &'static str)> {
    let version = match row.gvr.group.as_str() {
        "" => format!("/api/{}", row.gvr.version),
        group => format!("/apis/{group}/{}", row.gvr.version),
    };
    let resource = &row.gvr.resource;
    let mut paths = Vec::new();
    for namespace in ["", "ns"] {
        let base = match namespace {
            "" => format!("{version}/{resource}"),
            namespace => format!("{version}/namespaces/{namespace}/{resource}"),
        };
        paths.push((base.clone(), Shape::Collection, resource.clone(), namespace, ""));
        // The path of a namespace is its own, so that is the namespace it is in.
        let within = if resource == "namespaces" && row.gvr.group.is_empty() { "one" } else { namespace };
        paths.push((format!("{base}/one"), Shape::Object, resource.clone(), within, "one"));
        for subresource in &row.subresources {
            let what = format!("{resource}/{}", subresource.name);
            let path = format!("{base}/one/{}", subresource.name);
            paths.push((path, Shape::Subresource, what, within, "one"));
        }
    }
    paths
}

fn of_row(row: &Row) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, shape, resource, namespace, name) in paths(row) {
        for method in METHODS.iter().filter(|method| leads_somewhere(row, method, &path)) {
            let verb = verb(method, shape).unwrap_or_else(|| panic!("no test knows what {method} {path} asks for"));
            let what = [row.gvr.group.clone(), resource.clone(), namespace.to_owned(), name.to_owned()];
            let route = |url: String, verb| Route { method: method.clone(), url, verb, resource: Some(what.clone()) };
            routes.push(route(path.clone(), verb));
            if verb == "list" {
                routes.push(route(format!("{path}?watch=true&timeoutSeconds=1"), "watch"));
            }
        }
    }
    routes
}

struct Fixture {
    server: Arc<Server>,
    policy: Arc<RwLock<Policy>>,
    connection: Connection,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = storage::embedded::Embedded::open(folder.path().join("store"), Default::default()).unwrap();
    let policy = Arc::new(RwLock::new(Policy::default()));
    let mut config = Config::new(Registry::new(Arc::new(store), Default::default()));
    config.authorizer = Arc::new(Rbac(policy.clone()));
    let connection = Connection {
        remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        peer: Arc::new(Peer::assumed(UserInfo::new("nobody", ["g"]))),
        closing: CancellationToken::new(),
    };
    let subjects = vec![Subject { kind: "User".into(), name: "nobody".into(), namespace: String::new() }];
    let role = RoleRef { kind: "ClusterRole".into(), name: "role".into() };
    policy.write().put_binding(Binding { namespace: String::new(), name: "b".into(), role, subjects });
    Fixture { server: Server::new(config), policy, connection, _folder: folder }
}

impl Fixture {
    fn give(&self, rules: Vec<PolicyRule>) {
        self.policy.write().put_role(Kind::ClusterRole, "", "role", rules);
    }

    async fn code(&self, route: &Route) -> StatusCode {
        let request = Request::builder().method(&route.method).uri(&route.url);
        let request = request.body(RequestBody::Full(Bytes::new())).unwrap();
        self.server.handle(request, &self.connection).await.status()
    }

    /// Code and message of the answer, if it is a refusal; any other answer is empty.
    async fn refusal(&self, route: &Route) -> Option<String> {
        let request = Request::builder().method(&route.method).uri(&route.url);
        let request = request.body(RequestBody::Full(Bytes::new())).unwrap();
        let answer = self.server.handle(request, &self.connection).await;
        if answer.status() != StatusCode::FORBIDDEN {
            return None;
        }
        let body = answer.into_body().collect().await.unwrap();
        if route.method == Method::HEAD {
            return Some(String::new());
        }
        let status: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        Some(status["message"].as_str().unwrap_or_default().to_owned())
    }
}

impl Route {
    fn refusal(&self) -> String {
        let verb = self.verb;
        match &self.resource {
            _ if self.method == Method::HEAD => String::new(),
            None => format!("forbidden: User \"nobody\" cannot {verb} path \"{}\"", self.url),
            Some([group, resource, namespace, name]) => {
                let of = resource.split('/').next().unwrap_or_default();
                let of = if group.is_empty() { of.to_owned() } else { format!("{of}.{group}") };
                let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
                let place = match namespace.as_str() {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace \"{namespace}\""),
                };
                format!(
                    "{of}{named} is forbidden: User \"nobody\" cannot {verb} resource \"{resource}\" in API group \
                     \"{group}\" {place}"
                )
            }
        }
    }

    fn rule(&self) -> PolicyRule {
        let verbs = vec![self.verb.to_owned()];
        match &self.resource {
            None => PolicyRule { verbs, non_resource_urls: vec![self.url.clone()], ..PolicyRule::default() },
            Some([group, resource, _, name]) => PolicyRule {
                verbs,
                api_groups: vec![group.clone()],
                resources: vec![resource.clone()],
                resource_names: if name.is_empty() { Vec::new() } else { vec![name.clone()] },
                ..PolicyRule::default()
            },
        }
    }
}

impl Route {
    /// Everything but what it takes: the other verbs, groups, resources, names and paths.
    fn other_rules(&self) -> Vec<PolicyRule> {
        let one = |text: &str| vec![text.to_owned()];
        let all = || one("*");
        let own = self.rule();
        let everything = PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() };
        let verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post", "head"];
        let verbs = verbs.into_iter().filter(|verb| *verb != self.verb).map(str::to_owned).collect();
        let Some([_, resource, _, name]) = &self.resource else {
            let paths = || PolicyRule { non_resource_urls: all(), ..PolicyRule::default() };
            let longer = vec![format!("{}/more", self.url), format!("{}/more/*", self.url)];
            return vec![everything, PolicyRule { verbs, ..paths() }, PolicyRule { non_resource_urls: longer, ..own }];
        };
        let other_resource = match resource.split_once('/') {
            Some((of, subresource)) => {
                vec![of.to_owned(), format!("*/{subresource}er"), format!("{of}s/{subresource}")]
            }
            None => vec![format!("{resource}/status"), "*/*".to_owned(), format!("*/{resource}")],
        };
        let mut rules = vec![
            PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() },
            PolicyRule { verbs, ..everything.clone() },
            PolicyRule { api_groups: one("other"), ..own.clone() },
            PolicyRule { resources: other_resource, resource_names: Vec::new(), ..own.clone() },
        ];
        if !name.is_empty() {
            rules.push(PolicyRule { resource_names: one("another"), ..own });
        }
        rules
    }
}

/// The rows of a definition with every subresource there is.
fn custom(scope: &str) -> (String, Vec<Arc<Row>>) {
    let plural = format!("{}things", scope.to_lowercase());
    let name = format!("{plural}.example.com");
    let names = json!({"plural": plural, "singular": "thing", "kind": format!("{scope}Thing"), "listKind": format!("{scope}ThingList")});
    let scale = json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {"group": "example.com", "scope": scope, "names": names, "versions": [{
            "name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            "subresources": {"status": {}, "scale": scale},
        }]},
        "status": {"acceptedNames": names, "storedVersions": ["v1"], "conditions": [
            {"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"},
        ]},
    });
    let rows = Definition::of(&definition).unwrap().rows().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.is_custom()));
    (name, rows)
}

/// Another server's group: it decides itself which paths it has.
fn aggregated(fixture: &Fixture) -> Vec<Route> {
    let remote = Remote { backend: Err("not reached".into()), available: false, served: None, described: None };
    fixture.server.config.aggregation.update(|known| {
        let (group, version) = ("stars.example.com".to_owned(), "v1".to_owned());
        let remote = Some(remote.clone());
        known.put(Arc::new(ApiService { group, version, group_priority: 1, version_priority: 1, remote }));
    });
    let version = "/apis/stars.example.com/v1";
    let mut routes = Vec::new();
    for (below, shape, resource, namespace, name) in [
        ("stars", Shape::Collection, "stars", "", ""),
        ("namespaces/ns/stars", Shape::Collection, "stars", "ns", ""),
        ("stars/one", Shape::Object, "stars", "", "one"),
        ("namespaces/ns/stars/one", Shape::Object, "stars", "ns", "one"),
        ("namespaces/ns/stars/one/light", Shape::Subresource, "stars/light", "ns", "one"),
        ("namespaces/ns/stars/one/light/more/../x", Shape::Subresource, "stars/light", "ns", "one"),
    ] {
        for method in METHODS {
            let Some(verb) = verb(&method, shape) else { continue };
            let what = ["stars.example.com", resource, namespace, name].map(str::to_owned);
            routes.push(Route { method, url: format!("{version}/{below}"), verb, resource: Some(what) });
        }
    }
    for url in [version, "/openapi/v3/apis/stars.example.com/v1"] {
        for (method, verb) in [(Method::GET, "get"), (Method::POST, "post"), (Method::DELETE, "delete")] {
            routes.push(Route { method, url: url.to_owned(), verb, resource: None });
        }
    }
    routes
}

async fn documents(fixture: &Fixture) -> Vec<Route> {
    let all = |field: &str| vec![field.to_owned()];
    fixture.give(vec![PolicyRule { verbs: all("*"), non_resource_urls: all("*"), ..PolicyRule::default() }]);
    let request = Request::get("/").body(RequestBody::Full(Bytes::new())).unwrap();
    let body = fixture.server.handle(request, &fixture.connection).await.into_body().collect().await.unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    let listed = listed["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned());
    let groups = fixture.server.config.registry.table();
    let openapi = groups.groups().iter().flat_map(|group| {
        group.versions.iter().map(|version| match group.name.as_str() {
            "" => format!("/openapi/v3/api/{version}"),
            name => format!("/openapi/v3/apis/{name}/{version}"),
        })
    });
    // What is not listed: unless asked for, or at all.
    let others = ["/.well-known/openid-configuration", "/openid/v1/jwks", "/", "/nonsense", "/metrics/x", "//api"];
    let others = others.into_iter().chain(["/api/v1/", "/apis/apps/v1/"]).map(str::to_owned);
    let paths: Vec<String> = listed.chain(openapi).chain(others).collect();
    for document in DOCUMENTS {
        let known = paths.iter().any(|path| path.trim_start_matches('/').split('/').next() == Some(document));
        assert!(known, "no test knows a path below /{document}");
    }
    let methods = [(Method::GET, "get"), (Method::POST, "post"), (Method::HEAD, "head")];
    paths
        .into_iter()
        .flat_map(|url| methods.clone().map(|(method, verb)| Route { method, url: url.clone(), verb, resource: None }))
        .collect()
}

#[tokio::test]
async fn every_route_is_closed_until_its_own_rule_opens_it() {
    let fixture = fixture();
    for scope in ["Namespaced", "Cluster"] {
        let (name, rows) = custom(scope);
        fixture.server.config.registry.update_table(|table| table.with_crd(&name, rows.clone()));
    }
    let passed_on = aggregated(&fixture);
    let mut routes = documents(&fixture).await;
    let table = fixture.server.config.registry.table();
    for row in table.rows() {
        let of = of_row(row);
        for verb in &row.verbs {
            assert!(of.iter().any(|route| route.verb == verb), "no test asks to {verb} {}", row.gvr);
        }
        for subresource in &row.subresources {
            let resource = format!("{}/{}", row.gvr.resource, subresource.name);
            for verb in &subresource.verbs {
                let asks =
                    |route: &Route| route.verb == verb && route.resource.as_ref().is_some_and(|r| r[1] == resource);
                assert!(of.iter().any(asks), "no test asks to {verb} {resource}");
            }
        }
        routes.extend(of);
    }
    for route in &passed_on {
        fixture.give(vec![route.rule()]);
        assert_eq!(fixture.code(route).await, StatusCode::SERVICE_UNAVAILABLE, "{route:?} is passed on");
    }
    routes.extend(passed_on);
    assert!(routes.len() > 1000, "{} routes", routes.len());
    let mut wrong = Vec::new();
    for route in &routes {
        fixture.give(Vec::new());
        match fixture.refusal(route).await {
            Some(message) if message == route.refusal() => {}
            said => wrong.push(format!("{} {}: {said:?} without any rule", route.method, route.url)),
        }
        let question = question(route);
        fixture.give(vec![route.rule()]);
        if !fixture.policy.read().authorize(&question).is_allowed() {
            wrong.push(format!("{} {}: refused in spite of {:?}", route.method, route.url, route.rule()));
        }
        fixture.give(route.other_rules());
        if fixture.policy.read().authorize(&question).is_allowed() {
            wrong.push(format!("{} {}: allowed by rules for something else", route.method, route.url));
        }
    }
    assert!(wrong.is_empty(), "{} of {} routes:\n{}", wrong.len(), routes.len(), wrong.join("\n"));
}

/// What the server asks about a route's request; that it does, the words of the refusal show.
fn question(route: &Route) -> ::authorization::Attributes {
    let uri: http::Uri = route.url.parse().unwrap();
    let info = RequestInfo::new(&route.method, uri.path(), &Query::parse(uri.query())).unwrap();
    crate::authorization::attributes(Arc::new(UserInfo::new("nobody", ["g"])), &info)
}

#[test]
fn no_namespace_is_reached_through_another() {
    let table = Table::builtin();
    let row = table.row("", "v1", "namespaces").unwrap();
    for (url, leads) in [
        ("/api/v1/namespaces/a", true),
        ("/api/v1/namespaces/namespaces", true),
        ("/api/v1/namespaces/a/namespaces", false),
        ("/api/v1/namespaces/a/namespaces/b", false),
        ("/api/v1/namespaces/b/namespaces/b/status", false),
        ("/api/v1/watch/namespaces/a", true),
        ("/api/v1/watch/namespaces/a/namespaces/b", false),
    ] {
        assert_eq!(leads_somewhere(row, &Method::GET, url), leads, "{url}");
    }
}
