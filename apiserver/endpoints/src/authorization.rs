//! Who may do what.

use std::sync::Arc;

use apimachinery::gvk::GroupResource;
use apimachinery::status::StatusError;
use apimachinery::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, SYSTEM_MASTERS, UserInfo};
use async_trait::async_trait;

pub use admission::authorizer::{Attributes, Authorizer, Decision, NonResourceRule, ResourceRule, Rules};

use crate::request_info::RequestInfo;

/// What `user` asks for with a request.
pub fn attributes(user: Arc<UserInfo>, info: &RequestInfo) -> Attributes {
    Attributes {
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
pub fn forbidden(attributes: &Attributes, reason: &str) -> StatusError {
    let user = apimachinery::quote::quoted(&attributes.user.name);
    let verb = &attributes.verb;
    let (resource, mut message) = if attributes.resource_request {
        let mut resource = attributes.resource.clone();
        if !attributes.subresource.is_empty() {
            resource = format!("{resource}/{}", attributes.subresource);
        }
        let place = match attributes.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let group = &attributes.group;
        let message = format!("User {user} cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}");
        (GroupResource { group: group.clone(), resource: attributes.resource.clone() }, message)
    } else {
        let message = format!("User {user} cannot {verb} path {}", apimachinery::quote::quoted(&attributes.path));
        (GroupResource::default(), message)
    };
    // Upstream's words are safe to show in a page.
    message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if !reason.is_empty() {
        message = format!("{message}: {reason}");
    }
    StatusError::forbidden(&resource, &attributes.name, message)
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

    async fn rules(&self, user: &UserInfo, namespace: &str) -> Rules {
        let mut all = Rules::default();
        for authorizer in &self.0 {
            let Rules { resource, non_resource, incomplete } = authorizer.rules(user, namespace).await;
            all.resource.extend(resource);
            all.non_resource.extend(non_resource);
            all.incomplete |= incomplete;
        }
        all
    }
}

impl Privileged {
    fn includes(&self, user: &UserInfo) -> bool {
        let privileged = |group: &String| group == SYSTEM_MASTERS || self.groups.contains(group);
        user.groups.iter().any(privileged) || self.users.contains(&user.name)
    }
}

#[async_trait]
impl Authorizer for Privileged {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        if self.includes(&attributes.user) { Decision::allow() } else { Decision::no_opinion() }
    }

    async fn rules(&self, user: &UserInfo, _namespace: &str) -> Rules {
        if !self.includes(user) {
            return Rules::default();
        }
        let all = || vec!["*".to_owned()];
        Rules {
            resource: vec![ResourceRule {
                verbs: all(),
                api_groups: all(),
                resources: all(),
                ..ResourceRule::default()
            }],
            non_resource: vec![NonResourceRule { verbs: all(), urls: all() }],
            incomplete: false,
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

/// What every authenticated user may create, by group (`system:basic-user`).
const BASIC: [(&str, &[&str]); 2] = [
    ("authorization.k8s.io", &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    ("authentication.k8s.io", &["selfsubjectreviews"]),
];

#[async_trait]
impl Authorizer for Everyone {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        let authenticated = attributes.user.is_in_group(ALL_AUTHENTICATED);
        let role = if attributes.resource_request {
            let basic = |(group, resources): &(&str, &[&str])| {
                attributes.group == *group && resources.contains(&attributes.resource.as_str())
            };
            let may = authenticated && attributes.verb == "create" && BASIC.iter().any(basic);
            may.then_some("system:basic-user")
        } else if attributes.verb != "get" {
            None
        } else if authenticated && listed(&DISCOVERY, &attributes.path) {
            Some("system:discovery")
        } else {
            listed(&PUBLIC, &attributes.path).then_some("system:public-info-viewer")
        };
        let Some(role) = role else { return Decision::no_opinion() };
        let group = if authenticated { ALL_AUTHENTICATED } else { ALL_UNAUTHENTICATED };
        // The words that upstream's RBAC has for the same roles.
        Decision::Allow(format!(
            "RBAC: allowed by ClusterRoleBinding \"{role}\" of ClusterRole \"{role}\" to Group \"{group}\""
        ))
    }

    async fn rules(&self, user: &UserInfo, _namespace: &str) -> Rules {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let get = |urls: &[&str]| NonResourceRule { verbs: texts(&["get"]), urls: texts(urls) };
        if !user.is_in_group(ALL_AUTHENTICATED) {
            return Rules { non_resource: vec![get(&PUBLIC)], ..Rules::default() };
        }
        let create = |(group, resources): &(&str, &[&str])| ResourceRule {
            verbs: texts(&["create"]),
            api_groups: texts(&[group]),
            resources: texts(resources),
            resource_names: Vec::new(),
        };
        Rules {
            resource: BASIC.iter().map(create).collect(),
            non_resource: vec![get(&DISCOVERY), get(&PUBLIC)],
            incomplete: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn asked(user: &str, groups: &[&str], method: &str, path: &str) -> Attributes {
        let info = RequestInfo::new(&method.parse().unwrap(), path, &Query::default()).unwrap();
        attributes(Arc::new(UserInfo::new(user, groups.iter().copied())), &info)
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
            let decision = authorizer.authorize(&asked(user, groups, method, path)).await;
            assert_eq!(decision.is_allowed(), allowed, "{user} {method} {path}");
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
            assert_eq!(forbidden(&asked("alice", &[], method, path), "").to_string(), message);
        }
    }
}
