//! Who may do what: the question that a request is.

use std::sync::Arc;

use apimachinery::user::UserInfo;

pub use authorization::{Attributes, Authorizer, Decision, NonResourceRule, Privileged, ResourceRule, Rules, Union};

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
        field_selector: info.field_selector.clone(),
        label_selector: info.label_selector.clone(),
    }
}

/// Tells the log what was decided, at the level of each decision.
pub(crate) fn log(asked: &Attributes, decision: &Decision) {
    let Attributes { user, verb, group, resource, subresource, namespace, name, path, .. } = asked;
    let allowed = decision.is_allowed();
    let (user, reason) = (&user.name, decision.reason());
    if asked.resource_request {
        tracing::debug!(target: "authorization", user, verb, group, resource, subresource, namespace, name, allowed, reason);
    } else {
        tracing::debug!(target: "authorization", user, verb, path, allowed, reason);
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
            assert_eq!(asked("alice", &[], method, path).forbidden("").to_string(), message);
        }
    }
}
