//! Who may do what.

use std::sync::Arc;

use apimachinery::gvk::GroupResource;
use apimachinery::status::StatusError;
use apimachinery::user::{ALL_AUTHENTICATED, SYSTEM_MASTERS, UserInfo};
use async_trait::async_trait;

use crate::request_info::RequestInfo;

/// What is asked for, in the authorizer's terms (upstream's `authorizer.Attributes`).
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Who asks.
    pub user: Arc<UserInfo>,
    /// The verb of a resource request (`get`, `list`, `deletecollection`…) or the lower-case method of another.
    pub verb: String,
    /// Whether a resource is asked for; else only `path` counts.
    pub resource_request: bool,
    /// The API group, empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource's plural.
    pub resource: String,
    /// The subresource, empty for none.
    pub subresource: String,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The object's name, empty for none.
    pub name: String,
    /// The request's path.
    pub path: String,
}

impl Attributes {
    /// What `user` asks for with a request.
    pub fn of(user: Arc<UserInfo>, info: &RequestInfo) -> Self {
        Self {
            user,
            verb: info.verb.clone(),
            resource_request: info.is_resource,
            group: info.group.clone(),
            version: info.version.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            path: info.path.clone(),
        }
    }

    /// The 403 of a request that was not allowed, in upstream's words.
    pub fn forbidden(&self, reason: &str) -> StatusError {
        let user = apimachinery::quote::quoted(&self.user.name);
        let verb = &self.verb;
        let (resource, mut message) = if self.resource_request {
            let mut resource = self.resource.clone();
            if !self.subresource.is_empty() {
                resource = format!("{resource}/{}", self.subresource);
            }
            let place = match self.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace \"{namespace}\""),
            };
            let group = &self.group;
            let message = format!("User {user} cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}");
            (GroupResource { group: group.clone(), resource: self.resource.clone() }, message)
        } else {
            let message = format!("User {user} cannot {verb} path {}", apimachinery::quote::quoted(&self.path));
            (GroupResource::default(), message)
        };
        // Upstream's words are safe to show in a page.
        message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !reason.is_empty() {
            message = format!("{message}: {reason}");
        }
        StatusError::forbidden(&resource, &self.name, message)
    }
}

/// An authorizer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed; no other authorizer is asked.
    Allow,
    /// Refused; no other authorizer is asked. The text goes to the client behind upstream's words.
    Deny(String),
    /// No opinion: the next one is asked; when none is left the request is refused. The text may be empty.
    NoOpinion(String),
}

/// Decides whether a request may go on.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Its decision.
    async fn authorize(&self, attributes: &Attributes) -> Decision;
}

/// Several authorizers, asked in order.
pub struct Union(pub Vec<Arc<dyn Authorizer>>);

/// Lets groups and users do everything.
pub struct Privileged {
    groups: Vec<String>,
    users: Vec<String>,
}

impl Privileged {
    /// `system:masters`, and the users and groups named.
    pub fn new(groups: Vec<String>, users: Vec<String>) -> Self {
        Self { groups, users }
    }
}

/// What everyone may do while no role says more: authenticated users read discovery and ask about themselves,
/// anonymous ones reach the health and version paths (upstream's `system:discovery`, `system:basic-user` and
/// `system:public-info-viewer`).
pub struct Everyone;

#[async_trait]
impl Authorizer for Union {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(attributes).await {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        Decision::NoOpinion(reasons.join("\n"))
    }
}

#[async_trait]
impl Authorizer for Privileged {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let user = &attributes.user;
        let privileged = |group: &String| group == SYSTEM_MASTERS || self.groups.contains(group);
        if user.groups.iter().any(privileged) || self.users.contains(&user.name) {
            Decision::Allow
        } else {
            Decision::NoOpinion(String::new())
        }
    }
}

/// Paths that even an anonymous user may read (`system:public-info-viewer`).
const PUBLIC: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
/// Paths that every authenticated user may read (`system:discovery`); a trailing `*` matches any rest.
const DISCOVERY: [&str; 11] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];

fn listed(paths: &[&str], path: &str) -> bool {
    paths.iter().any(|rule| match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => *rule == path,
    })
}

#[async_trait]
impl Authorizer for Everyone {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let authenticated = attributes.user.is_in_group(ALL_AUTHENTICATED);
        let allowed = if attributes.resource_request {
            // system:basic-user
            authenticated
                && attributes.verb == "create"
                && match attributes.group.as_str() {
                    "authorization.k8s.io" => {
                        matches!(attributes.resource.as_str(), "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
                    }
                    "authentication.k8s.io" => attributes.resource == "selfsubjectreviews",
                    _ => false,
                }
        } else {
            attributes.verb == "get"
                && (listed(&PUBLIC, &attributes.path) || authenticated && listed(&DISCOVERY, &attributes.path))
        };
        if allowed { Decision::Allow } else { Decision::NoOpinion(String::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn attributes(user: &str, groups: &[&str], method: &str, path: &str) -> Attributes {
        let info = RequestInfo::new(&method.parse().unwrap(), path, &Query::default()).unwrap();
        Attributes::of(Arc::new(UserInfo::new(user, groups.iter().copied())), &info)
    }

    #[tokio::test]
    async fn before_any_role_says_more_only_the_privileged_get_in() {
        let authorizer: Arc<dyn Authorizer> = Arc::new(Union(vec![
            Arc::new(Privileged::new(vec!["operators".into()], vec!["system:kube-scheduler".into()])),
            Arc::new(Everyone),
        ]));
        let auth = "system:authenticated";
        for (user, groups, method, path, allowed) in [
            ("admin", &["system:masters", auth][..], "DELETE", "/api/v1/nodes/n", true),
            ("op", &["operators", auth], "GET", "/api/v1/pods", true),
            ("system:kube-scheduler", &[auth], "GET", "/api/v1/pods", true),
            ("alice", &[auth], "GET", "/api/v1/pods", false),
            ("alice", &[auth], "GET", "/apis/apps/v1", true),
            ("alice", &[auth], "GET", "/openapi/v3", true),
            ("alice", &[auth], "GET", "/metrics", false),
            ("alice", &[auth], "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", true),
            ("system:anonymous", &["system:unauthenticated"], "GET", "/healthz", true),
            ("system:anonymous", &["system:unauthenticated"], "GET", "/version", true),
            ("system:anonymous", &["system:unauthenticated"], "GET", "/apis", false),
            ("system:anonymous", &["system:unauthenticated"], "POST", "/healthz", false),
        ] {
            let decision = authorizer.authorize(&attributes(user, groups, method, path)).await;
            assert_eq!(decision == Decision::Allow, allowed, "{user} {method} {path}");
        }
    }

    #[test]
    fn a_refusal_has_upstreams_words() {
        for (method, path, message) in [
            (
                "GET",
                "/api/v1/namespaces/x/pods",
                r#"pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "x""#,
            ),
            (
                "GET",
                "/api/v1/nodes/n/proxy/m",
                r#"nodes "n" is forbidden: User "alice" cannot get resource "nodes/proxy" in API group "" at the cluster scope"#,
            ),
            (
                "POST",
                "/apis/a.b/v1/things",
                r#"things.a.b is forbidden: User "alice" cannot create resource "things" in API group "a.b" at the cluster scope"#,
            ),
            ("OPTIONS", "/x/%3Cb%3E", r#"forbidden: User "alice" cannot options path "/x/&lt;b&gt;""#),
        ] {
            assert_eq!(attributes("alice", &[], method, path).forbidden("").to_string(), message);
        }
    }
}
