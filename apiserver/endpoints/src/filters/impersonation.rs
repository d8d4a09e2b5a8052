//! The impersonation filter: a user who may acts as another one, named in `Impersonate-*` headers.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use apimachinery::quote::quoted;
use apimachinery::status::StatusError;
use apimachinery::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, UserInfo};
use apimachinery::validation::{is_dns1123_label, is_dns1123_subdomain};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::authorization::{self, Attributes, Authorizer};
use crate::request_info::RequestInfo;

const EXTRA: &str = "impersonate-extra-";
/// Every service account's name begins so.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The user a request is made as: `user`, or whom the headers name. 400 if they name no user, 403 if `user` may not.
pub(crate) async fn impersonate(
    headers: &HeaderMap,
    user: Arc<UserInfo>,
    info: &RequestInfo,
    authorizer: &dyn Authorizer,
) -> Result<Arc<UserInfo>, StatusError> {
    let Some(mut wanted) = requested(headers)? else { return Ok(user) };
    for (group, resource, subresource, namespace, name) in checks(&wanted) {
        let attributes = Attributes {
            user: user.clone(),
            verb: "impersonate".into(),
            resource_request: true,
            group: group.into(),
            version: "v1".into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: namespace.into(),
            name: name.into(),
            path: info.path.clone(),
        };
        if !authorizer.authorize(&attributes).await.is_allowed() {
            let mut refused = authorization::attributes(user.clone(), info);
            refused.verb = format!("impersonate-on:user-info:{}", info.verb);
            return Err(authorization::forbidden(&refused, ""));
        }
    }
    if wanted.groups.is_empty()
        && let Some((namespace, _)) = service_account(&wanted.name)
    {
        wanted.groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    }
    let class = if wanted.name == ANONYMOUS { ALL_UNAUTHENTICATED } else { ALL_AUTHENTICATED };
    if !wanted.is_in_group(ALL_AUTHENTICATED) && !wanted.is_in_group(ALL_UNAUTHENTICATED) {
        wanted.groups.push(class.to_owned());
    }
    Ok(Arc::new(wanted))
}

/// Whom the headers name; `None` if there are none of them.
fn requested(headers: &HeaderMap) -> Result<Option<UserInfo>, StatusError> {
    let first = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let groups = headers.get_all("impersonate-group").iter().filter_map(|v| v.to_str().ok().map(str::to_owned));
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(EXTRA), value.to_str()) {
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            extra.entry(key).or_default().push(value.to_owned());
        }
    }
    let user =
        UserInfo { name: first("impersonate-user"), uid: first("impersonate-uid"), groups: groups.collect(), extra };
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    if user.uid.is_empty() && user.groups.is_empty() && user.extra.is_empty() {
        return Ok(None);
    }
    let shown = go_user(&user);
    Err(StatusError::bad_request(format!("requested {shown} without impersonating a user name")))
}

/// What the real user must be allowed to impersonate: group, resource, subresource, namespace and name of each.
fn checks(wanted: &UserInfo) -> Vec<(&'static str, &'static str, &str, &str, &str)> {
    const AUTHENTICATION: &str = "authentication.k8s.io";
    let mut checks = vec![match service_account(&wanted.name) {
        Some((namespace, name)) => ("", "serviceaccounts", "", namespace, name),
        None => ("", "users", "", "", wanted.name.as_str()),
    }];
    if !wanted.uid.is_empty() {
        checks.push((AUTHENTICATION, "uids", "", "", wanted.uid.as_str()));
    }
    checks.extend(wanted.groups.iter().map(|group| ("", "groups", "", "", group.as_str())));
    for (key, values) in &wanted.extra {
        checks.extend(values.iter().map(|value| (AUTHENTICATION, "userextras", key.as_str(), "", value.as_str())));
    }
    checks
}

/// Namespace and name of a service account's user name.
fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let good = is_dns1123_label(namespace).is_empty() && is_dns1123_subdomain(name).is_empty();
    good.then_some((namespace, name))
}

/// The user as Go prints it, which is what upstream's message shows.
fn go_user(user: &UserInfo) -> String {
    let strings = |list: &[String]| {
        let quoted: Vec<String> = list.iter().map(|text| quoted(text)).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if user.groups.is_empty() { "[]string(nil)".to_owned() } else { strings(&user.groups) };
    let mut extra = String::from("map[string][]string");
    if user.extra.is_empty() {
        extra.push_str("(nil)");
    } else {
        extra.push('{');
        for (at, (key, values)) in user.extra.iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            let _ = write!(extra, "{separator}{}:{}", quoted(key), strings(values));
        }
        extra.push('}');
    }
    format!(
        "&user.DefaultInfo{{Name:{}, UID:{}, Groups:{groups}, Extra:{extra}}}",
        quoted(&user.name),
        quoted(&user.uid)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::{Privileged, Union};
    use crate::query::Query;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect()
    }

    async fn act(user: &str, groups: &[&str], pairs: &[(&str, &str)]) -> Result<Arc<UserInfo>, StatusError> {
        let info = RequestInfo::new(&http::Method::GET, "/api/v1/namespaces/x/pods", &Query::default()).unwrap();
        let user = Arc::new(UserInfo::new(user, groups.iter().copied()));
        let authorizer = Union(vec![Arc::new(Privileged::new(vec![], vec![]))]);
        impersonate(&headers(pairs), user, &info, &authorizer).await
    }

    #[tokio::test]
    async fn masters_act_as_anyone_and_others_as_nobody() {
        let user = act("admin", &["system:masters"], &[("impersonate-user", "alice")]).await.unwrap();
        assert_eq!(*user, UserInfo::new("alice", ["system:authenticated"]));
        let user = act("admin", &["system:masters"], &[("impersonate-user", "system:anonymous")]).await.unwrap();
        assert_eq!(*user, UserInfo::new("system:anonymous", ["system:unauthenticated"]));
        let user =
            act("admin", &["system:masters"], &[("impersonate-user", "system:serviceaccount:n:a")]).await.unwrap();
        assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"]);
        let refused = act("bob", &[], &[("impersonate-user", "alice")]).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"pods is forbidden: User "bob" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "x""#
        );
    }

    #[tokio::test]
    async fn headers_that_name_no_user_are_refused_in_upstreams_words() {
        let pairs = [("impersonate-extra-k", "v"), ("impersonate-group", "g"), ("impersonate-uid", "u")];
        let refused = act("admin", &["system:masters"], &pairs).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            r#"requested &user.DefaultInfo{Name:"", UID:"u", Groups:[]string{"g"}, Extra:map[string][]string{"k":[]string{"v"}}} without impersonating a user name"#
        );
    }
}
