//! The impersonation filter: a user who may acts as another one, named in `Impersonate-*` headers.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use ::authorization::node::GROUP as NODES;
use apimachinery::quote::quoted;
use apimachinery::status::StatusError;
use apimachinery::user::{ALL_AUTHENTICATED, ALL_UNAUTHENTICATED, ANONYMOUS, SYSTEM_MASTERS, UserInfo};
use apimachinery::validation::{is_dns1123_label, is_dns1123_subdomain};
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use crate::authorization::{self, Attributes, Authorizer, Decision};
use crate::request_info::RequestInfo;

const EXTRA: &str = "impersonate-extra-";
/// Every service account's name begins so.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// How many users' last modes are remembered.
const REMEMBERED: usize = 10_000;

/// A way to act as somebody, each with verbs of its own: `impersonate:<mode>` says as whom, `impersonate-on:<mode>:<verb>`
/// for what. The legacy way has the verb `impersonate` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A service account as the node that its Pod runs on.
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    /// Who is no node and no service account.
    UserInfo,
    Legacy,
}

/// The filter, and by which mode each user impersonated last: that one is tried first, and its refusal is told.
#[derive(Debug, Default)]
pub(crate) struct Impersonation {
    last: Mutex<HashMap<String, Mode>>,
}

impl Impersonation {
    /// The user a request is made as: `user`, or whom the headers name. 400 if they name no user, 403 if `user` may not.
    pub async fn impersonate(
        &self,
        headers: &HeaderMap,
        user: Arc<UserInfo>,
        info: &RequestInfo,
        authorizer: &dyn Authorizer,
    ) -> Result<Arc<UserInfo>, StatusError> {
        let Some(wanted) = requested(headers)? else { return Ok(user) };
        let request = authorization::attributes(user, info);
        let last = self.last.lock().get(&request.user.name).copied();
        let others = Mode::ALL.into_iter().filter(|mode| last != Some(*mode));
        let mut refusal = None;
        for mode in last.into_iter().chain(others).filter(|mode| mode.applies(&wanted, &request.user)) {
            match mode.check(&wanted, &request, authorizer).await {
                Ok(impersonated) => {
                    if last != Some(mode) {
                        self.remember(&request.user.name, mode);
                    }
                    return Ok(Arc::new(impersonated));
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| StatusError::internal("all impersonation modes failed")))
    }

    fn remember(&self, user: &str, mode: Mode) {
        let mut last = self.last.lock();
        if last.len() >= REMEMBERED {
            last.clear();
        }
        last.insert(user.to_owned(), mode);
    }
}

impl Mode {
    /// In the order in which they are tried.
    const ALL: [Self; 5] =
        [Self::AssociatedNode, Self::ArbitraryNode, Self::ServiceAccount, Self::UserInfo, Self::Legacy];

    fn name(self) -> &'static str {
        match self {
            Self::AssociatedNode => "associated-node",
            Self::ArbitraryNode => "arbitrary-node",
            Self::ServiceAccount => "serviceaccount",
            Self::UserInfo => "user-info",
            Self::Legacy => "",
        }
    }

    /// Whether one can become `wanted` that way.
    fn applies(self, wanted: &UserInfo, requestor: &UserInfo) -> bool {
        let only_named = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let wanted_node = node(&wanted.name);
        match self {
            Self::AssociatedNode => {
                let own = requestor.extra.get(NODE_NAME).map_or(&[][..], Vec::as_slice);
                let on_it = matches!((own, wanted_node), ([own], Some(wanted)) if own == wanted);
                only_named && on_it && service_account(&requestor.name).is_some()
            }
            Self::ArbitraryNode => only_named && wanted_node.is_some(),
            Self::ServiceAccount => only_named && service_account(&wanted.name).is_some(),
            Self::UserInfo => wanted_node.is_none() && service_account(&wanted.name).is_none(),
            Self::Legacy => true,
        }
    }

    /// Asks whether the request's user may become `wanted` for it, and makes up what goes with such a user.
    async fn check(
        self,
        wanted: &UserInfo,
        request: &Attributes,
        authorizer: &dyn Authorizer,
    ) -> Result<UserInfo, StatusError> {
        let legacy = self == Self::Legacy;
        if !legacy {
            let verb = format!("impersonate-on:{}:{}", self.name(), request.verb);
            ask(authorizer, Attributes { verb, ..request.clone() }).await?;
        }
        let verb = if legacy { "impersonate".to_owned() } else { format!("impersonate:{}", self.name()) };
        let of = |group: &str, version: &str, resource: &str, subresource: &str, name: &str| Attributes {
            resource_request: true,
            group: group.to_owned(),
            version: version.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            ..Attributes::new(request.user.clone(), verb.as_str())
        };
        let (group, version) = if legacy { ("", "v1") } else { (AUTHENTICATION, "v1") };
        let mut impersonated = wanted.clone();
        let mut named = of(group, version, "users", "", &wanted.name);
        if let (false, Some(node)) = (legacy, node(&wanted.name)) {
            named.resource = "nodes".to_owned();
            // One answer has to hold for all nodes: who asks is a service account on any of them.
            named.name = if self == Self::AssociatedNode { "*" } else { node }.to_owned();
            impersonated.groups = vec![NODES.to_owned()];
        }
        if let Some((namespace, name)) = service_account(&wanted.name) {
            named.resource = "serviceaccounts".to_owned();
            named.namespace = namespace.to_owned();
            named.name = name.to_owned();
            if wanted.groups.is_empty() {
                impersonated.groups =
                    vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
            }
        }
        ask(authorizer, named).await?;
        if !wanted.uid.is_empty() {
            ask(authorizer, of(AUTHENTICATION, "v1", "uids", "", &wanted.uid)).await?;
        }
        let refused =
            |resource: &str, name: &str, why: &str| Err(of(AUTHENTICATION, "v1", resource, "", name).forbidden(why));
        if !legacy && wanted.groups.iter().any(String::is_empty) {
            return refused("groups", "", "impersonating the empty string group is not allowed");
        }
        if !legacy && wanted.is_in_group(SYSTEM_MASTERS) {
            return refused("groups", SYSTEM_MASTERS, "impersonating the system:masters group is not allowed");
        }
        let many = |count: usize| !legacy && count >= MANY;
        let any_group = of(group, version, "groups", "", "*");
        if !(many(wanted.groups.len()) && authorizer.authorize(&any_group).await.is_allowed()) {
            for name in &wanted.groups {
                ask(authorizer, of(group, version, "groups", "", name)).await?;
            }
        }
        if let (false, Some(why)) = (legacy, bad_extra(&wanted.extra)) {
            return refused("userextras", "", why);
        }
        let any_extra = of(AUTHENTICATION, "v1", "userextras", "*", "*");
        let extras: usize = wanted.extra.values().map(Vec::len).sum();
        if !(many(extras) && authorizer.authorize(&any_extra).await.is_allowed()) {
            for (key, values) in &wanted.extra {
                for value in values {
                    ask(authorizer, of(AUTHENTICATION, "v1", "userextras", key, value)).await?;
                }
            }
        }
        let class = if wanted.name == ANONYMOUS { ALL_UNAUTHENTICATED } else { ALL_AUTHENTICATED };
        let unauthenticated = impersonated.is_in_group(ALL_UNAUTHENTICATED);
        if !unauthenticated && !impersonated.is_in_group(class) {
            impersonated.groups.push(class.to_owned());
        }
        Ok(impersonated)
    }
}

/// So many groups or extra values are asked for at once first, but for the legacy way.
const MANY: usize = 4;
const AUTHENTICATION: &str = "authentication.k8s.io";
/// Where a service account's token says which node its Pod runs on.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";

async fn ask(authorizer: &dyn Authorizer, asked: Attributes) -> Result<(), StatusError> {
    match authorizer.authorize(&asked).await {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(asked.forbidden(&reason)),
        Decision::Failed { reason, error, .. } if reason.is_empty() => Err(asked.forbidden(&error)),
        Decision::Failed { reason, error, .. } => Err(asked.forbidden(&format!("{error}: {reason}"))),
    }
}

/// What the newer modes do not let pass, and the legacy one does.
fn bad_extra(extra: &BTreeMap<String, Vec<String>>) -> Option<&'static str> {
    extra.iter().find_map(|(key, values)| {
        if key.is_empty() {
            Some("impersonating the empty string key in extra is not allowed")
        } else if values.iter().any(String::is_empty) {
            Some("impersonating the empty string value in extra is not allowed")
        } else {
            None
        }
    })
}

/// The node whose user's name it is.
fn node(user: &str) -> Option<&str> {
    let name = user.strip_prefix("system:node:")?;
    is_dns1123_subdomain(name).is_empty().then_some(name)
}

/// Whom the headers name; `None` if there are none of them.
fn requested(headers: &HeaderMap) -> Result<Option<UserInfo>, StatusError> {
    // Whoever names somebody acts as that one or not at all: a value in any bytes is a value.
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let first = |name: &str| headers.get(name).map(text).unwrap_or_default();
    let groups = headers.get_all("impersonate-group").iter().map(text);
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            extra.entry(key).or_default().push(text(value));
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
    use crate::authorization::Privileged;
    use crate::query::Query;
    use http::HeaderName;

    #[test]
    fn a_value_in_any_bytes_names_somebody_else() {
        for (bytes, name) in [("zoë".as_bytes(), "zoë"), (&b"\xff"[..], "\u{fffd}")] {
            let mut headers = HeaderMap::new();
            let value = || HeaderValue::from_bytes(bytes).unwrap();
            headers.insert("impersonate-user", value());
            headers.insert("impersonate-group", value());
            headers.insert("impersonate-extra-k", value());
            let user = requested(&headers).unwrap().unwrap();
            assert_eq!(
                (user.name.as_str(), user.groups, &user.extra["k"][0]),
                (name, vec![name.to_owned()], &name.to_owned())
            );
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect()
    }

    async fn act(user: &str, groups: &[&str], pairs: &[(&str, &str)]) -> Result<Arc<UserInfo>, StatusError> {
        let info = RequestInfo::new(&http::Method::GET, "/api/v1/namespaces/x/pods", &Query::default()).unwrap();
        let user = Arc::new(UserInfo::new(user, groups.iter().copied()));
        Impersonation::default().impersonate(&headers(pairs), user, &info, &Privileged).await
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

    /// Allows the verbs it has, on anything.
    struct Verbs(&'static [&'static str]);

    #[async_trait::async_trait]
    impl Authorizer for Verbs {
        async fn authorize(&self, asked: &Attributes) -> Decision {
            if self.0.contains(&asked.verb.as_str()) { Decision::allow() } else { Decision::no_opinion() }
        }
    }

    #[tokio::test]
    async fn each_mode_has_verbs_of_its_own_and_the_last_that_worked_is_tried_first() {
        let info = RequestInfo::new(&http::Method::GET, "/api/v1/namespaces/x/pods", &Query::default()).unwrap();
        let filter = Impersonation::default();
        let act = async |verbs: &'static [&'static str], user: &str, wanted: &str| {
            let user = Arc::new(UserInfo::new(user, ["g"]));
            let acted = filter.impersonate(&headers(&[("impersonate-user", wanted)]), user, &info, &Verbs(verbs)).await;
            acted.map(|user| user.groups.join(" ")).map_err(|error| error.to_string())
        };
        let nodes: &[&str] = &["impersonate-on:arbitrary-node:list", "impersonate:arbitrary-node"];
        assert_eq!(act(nodes, "bob", "system:node:n").await.unwrap(), "system:nodes system:authenticated");
        assert_eq!(act(&["impersonate"], "carl", "system:node:n").await.unwrap(), "system:authenticated");
        let refused = act(&["impersonate-on:serviceaccount:list"], "dora", "system:serviceaccount:n:a").await;
        assert_eq!(
            refused.unwrap_err(),
            r#"serviceaccounts.authentication.k8s.io "a" is forbidden: User "dora" cannot impersonate:serviceaccount resource "serviceaccounts" in API group "authentication.k8s.io" in the namespace "n""#
        );
        let refused = act(&[], "carl", "alice").await.unwrap_err();
        assert_eq!(
            refused,
            r#"users "alice" is forbidden: User "carl" cannot impersonate resource "users" in API group "" at the cluster scope"#
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
