//! Who may do what.

use std::sync::Arc;

use apimachinery::user::UserInfo;
use async_trait::async_trait;

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
        let privileged = |group: &String| group == crate::authentication::MASTERS || self.groups.contains(group);
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
    "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version",
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
        let member = |group| attributes.user.groups.iter().any(|of| of == group);
        let authenticated = member(crate::authentication::ALL_AUTHENTICATED);
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
