//! What a request is about, read off its method and path by upstream's `RequestInfo` rules. A request is either for a
//! resource (`/api/v1/…`, `/apis/<group>/<version>/…`) or for a path.

use apimachinery::selector::{fields, labels};
use http::Method;
use percent_encoding::percent_decode_str;

use crate::query::Query;

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether it is for a resource; else only `path` and `verb` are set.
    pub is_resource: bool,
    /// The decoded path.
    pub path: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, `proxy`; for a path the
    /// method in lower case. Empty for a resource with a method that has no verb.
    pub verb: String,
    /// `api` or `apis`.
    pub prefix: String,
    /// The API group, empty for the core group.
    pub group: String,
    /// The API version.
    pub version: String,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The resource's plural.
    pub resource: String,
    /// The subresource, empty for none.
    pub subresource: String,
    /// The object's name, empty for a collection (a list that selects one `metadata.name` has it here too).
    pub name: String,
    /// How many parts follow the namespace: resource, name, subresource, and what only a proxy understands.
    pub parts: usize,
    /// Whether the verb was a part of the path: `/api/v1/watch/…`.
    pub verb_in_path: bool,
    /// The terms of a collection's `fieldSelector`; none of a selector that cannot be read.
    pub field_selector: Vec<fields::Requirement>,
    /// The terms of a collection's `labelSelector`, likewise.
    pub label_selector: Vec<labels::Requirement>,
}

/// Parts that follow a namespace's name and belong to the namespace itself.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads a request. An `Err` is upstream's 500: a `/api/v1/watch` that names nothing.
    pub fn new(method: &Method, raw_path: &str, query: &Query) -> Result<Self, String> {
        let path = percent_decode_str(raw_path).decode_utf8_lossy().into_owned();
        let mut info = Self { verb: method.as_str().to_ascii_lowercase(), ..Self::default() };
        let trimmed = path.trim_matches('/').to_owned();
        info.path = path;
        let parts: Vec<&str> = if trimmed.is_empty() { Vec::new() } else { trimmed.split('/').collect() };
        let mut rest = match parts.as_slice() {
            ["api", rest @ ..] if rest.len() >= 2 => {
                info.prefix = "api".into();
                rest
            }
            ["apis", group, rest @ ..] if rest.len() >= 2 => {
                info.prefix = "apis".into();
                info.group = (*group).to_owned();
                rest
            }
            _ => return Ok(info),
        };
        info.is_resource = true;
        info.version = rest[0].to_owned();
        rest = &rest[1..];
        if matches!(rest[0], "proxy" | "watch") {
            if rest.len() < 2 {
                return Err(format!("unable to determine kind and namespace from url, {raw_path}"));
            }
            info.verb = rest[0].to_owned();
            info.verb_in_path = true;
            rest = &rest[1..];
        } else {
            info.verb = verb(method).to_owned();
        }
        if rest[0] == "namespaces" && rest.len() > 1 {
            info.namespace = rest[1].to_owned();
            if rest.len() > 2 && !NAMESPACE_SUBRESOURCES.contains(&rest[2]) {
                rest = &rest[2..];
            }
        }
        info.parts = rest.len();
        info.resource = rest[0].to_owned();
        info.name = rest.get(1).copied().unwrap_or_default().to_owned();
        if info.verb != "proxy" {
            info.subresource = rest.get(2).copied().unwrap_or_default().to_owned();
        }
        if info.name.is_empty() && info.verb == "get" {
            info.verb = if query.flag("watch") == Some(true) { "watch" } else { "list" }.to_owned();
            info.name = selected_name(query).unwrap_or_default();
        }
        if info.name.is_empty() && info.verb == "delete" {
            info.verb = "deletecollection".to_owned();
        }
        if matches!(info.verb.as_str(), "list" | "watch" | "deletecollection") {
            let selector = query.first("fieldSelector").and_then(|text| fields::Selector::parse(text).ok());
            info.field_selector = selector.map(|selector| selector.requirements().to_vec()).unwrap_or_default();
            let selector = query.first("labelSelector").and_then(|text| labels::Selector::parse(text).ok());
            info.label_selector = selector.map(|selector| selector.requirements().to_vec()).unwrap_or_default();
        }
        Ok(info)
    }

    /// Whether the request may last: watches, and connections to Pods and other servers.
    pub fn long_running(&self) -> bool {
        self.is_resource
            && (matches!(self.verb.as_str(), "watch" | "proxy")
                || matches!(self.subresource.as_str(), "attach" | "exec" | "proxy" | "log" | "portforward"))
    }

    /// Whether the request only reads.
    pub fn read_only(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// Whether each escape of a path is one. Go answers 400 to a request whose path has another.
pub(crate) fn readable(path: &str) -> bool {
    let bytes = path.as_bytes();
    memchr::memchr_iter(b'%', bytes)
        .all(|at| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::GET | Method::HEAD => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    }
}

/// The one name that a `fieldSelector` lets through, if it is a valid one.
fn selected_name(query: &Query) -> Option<String> {
    let selector = query.first("fieldSelector")?;
    // A selector is a list of terms that must all hold: one `metadata.name=x` is enough.
    let name = selector.split(',').find_map(|term| {
        let value = term.strip_prefix("metadata.name=")?;
        Some(value.strip_prefix('=').unwrap_or(value))
    })?;
    let valid = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '%', '\\', '=']);
    valid.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(method: &str, url: &str) -> RequestInfo {
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
        RequestInfo::new(&method.parse().unwrap(), path, &Query::parse(query)).unwrap()
    }

    #[test]
    fn resource_paths_are_read_as_upstream_reads_them() {
        // method, url → verb, group, version, namespace, resource, subresource, name
        let cases: &[(&str, &str, [&str; 7])] = &[
            ("GET", "/api/v1/namespaces", ["list", "", "v1", "", "namespaces", "", ""]),
            ("GET", "/api/v1/namespaces/other", ["get", "", "v1", "other", "namespaces", "", "other"]),
            ("GET", "/api/v1/namespaces/other/pods", ["list", "", "v1", "other", "pods", "", ""]),
            ("GET", "/api/v1/namespaces/other/pods/foo", ["get", "", "v1", "other", "pods", "", "foo"]),
            ("HEAD", "/api/v1/namespaces/other/pods/foo", ["get", "", "v1", "other", "pods", "", "foo"]),
            ("GET", "/api/v1/pods", ["list", "", "v1", "", "pods", "", ""]),
            ("GET", "/api/v1/pods?watch=1", ["watch", "", "v1", "", "pods", "", ""]),
            ("GET", "/api/v1/pods?watch=false", ["list", "", "v1", "", "pods", "", ""]),
            ("GET", "/api/v1/namespaces/x/pods/foo/status", ["get", "", "v1", "x", "pods", "status", "foo"]),
            ("PUT", "/api/v1/namespaces/x/status", ["update", "", "v1", "x", "namespaces", "status", "x"]),
            ("PUT", "/api/v1/namespaces/x/finalize", ["update", "", "v1", "x", "namespaces", "finalize", "x"]),
            ("GET", "/api/v1/watch/pods", ["watch", "", "v1", "", "pods", "", ""]),
            ("GET", "/api/v1/watch/namespaces/x/pods/a", ["watch", "", "v1", "x", "pods", "", "a"]),
            ("DELETE", "/api/v1/namespaces/x/pods", ["deletecollection", "", "v1", "x", "pods", "", ""]),
            (
                "DELETE",
                "/apis/apps/v1/namespaces/x/deployments/d",
                ["delete", "apps", "v1", "x", "deployments", "", "d"],
            ),
            ("PATCH", "/apis/a.b/v1/things/t", ["patch", "a.b", "v1", "", "things", "", "t"]),
            ("POST", "/apis/a.b/v1/things", ["create", "a.b", "v1", "", "things", "", ""]),
            ("GET", "/api/v1/nodes/n/proxy/metrics/x", ["get", "", "v1", "", "nodes", "proxy", "n"]),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dp", ["list", "", "v1", "", "pods", "", "p"]),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3D%3Dp%2Ca%3Db", ["list", "", "v1", "", "pods", "", "p"]),
        ];
        for (method, url, expected) in cases {
            let info = info(method, url);
            let got = [
                &*info.verb,
                &*info.group,
                &*info.version,
                &*info.namespace,
                &*info.resource,
                &*info.subresource,
                &*info.name,
            ];
            assert_eq!(got, *expected, "{method} {url}");
            assert!(info.is_resource, "{method} {url}");
        }
    }

    #[test]
    fn other_paths_have_the_method_as_their_verb() {
        for (method, path) in
            [("GET", "/"), ("GET", "/api"), ("GET", "/api/v1"), ("GET", "/apis/apps/v1"), ("POST", "/x/y/z")]
        {
            let info = info(method, path);
            assert!(!info.is_resource, "{path}");
            assert_eq!(info.verb, method.to_lowercase(), "{path}");
        }
    }
}
