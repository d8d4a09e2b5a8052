//! Another server is asked by a `SubjectAccessReview`, and its answers are remembered for a while: the mode `Webhook`, and
//! what a server behind another one asks that.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::{fields, labels};
use apimachinery::user::UserInfo;
use async_trait::async_trait;
use authorization::{Attributes, Authorizer, Decision, Rules};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::lru_expire_cache::LruExpireCache;
use crate::options::ReviewVersion as Version;
use crate::webhook::{Ask, Backoff};

/// How many answers are remembered.
const REMEMBERED: usize = 8192;
/// What a client chose and is longer than this, in bytes, is not remembered: it might be an attack on the memory.
const LONGEST_REMEMBERED: usize = 10_000;
const GROUP: &str = "authorization.k8s.io";

/// Asks another server.
pub struct SubjectAccessReviews {
    server: Arc<dyn Ask>,
    backoff: Backoff,
    version: Version,
    cache: LruExpireCache<Status>,
    authorized_ttl: Duration,
    unauthorized_ttl: Duration,
}

/// The other server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Status {
    allowed: bool,
    denied: bool,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Review {
    api_version: Option<String>,
    kind: Option<String>,
    status: Status,
}

impl SubjectAccessReviews {
    /// Asks `server`; what it allows is remembered for `authorized_ttl`, what not for `unauthorized_ttl`.
    pub fn new(server: Arc<dyn Ask>, version: Version, authorized_ttl: Duration, unauthorized_ttl: Duration) -> Self {
        let cache = LruExpireCache::new(REMEMBERED);
        Self { server, backoff: Backoff::default(), version, cache, authorized_ttl, unauthorized_ttl }
    }

    async fn status(&self, asked: &Attributes) -> Result<Status, String> {
        let spec = spec(asked, self.version);
        let key = spec.to_string();
        if let Some(status) = self.cache.get(key.as_bytes()) {
            return Ok(status);
        }
        let answer = self.backoff.ask(&*self.server, question(self.version, spec)).await?;
        let status = read(&answer)?;
        if chosen_by_client(asked) < LONGEST_REMEMBERED {
            let ttl = if status.allowed { self.authorized_ttl } else { self.unauthorized_ttl };
            self.cache.put(key.as_bytes(), status.clone(), ttl);
        }
        Ok(status)
    }
}

#[async_trait]
impl Authorizer for SubjectAccessReviews {
    async fn authorize(&self, asked: &Attributes) -> Decision {
        match self.status(asked).await {
            Ok(status) => decision(status),
            Err(error) => {
                tracing::error!(%error, "failed to make webhook authorizer request");
                Decision::Failed { denied: false, reason: String::new(), error }
            }
        }
    }

    async fn rules(&self, _user: &UserInfo, _namespace: &str) -> Rules {
        Rules {
            incomplete: true,
            errors: vec!["webhook authorizer does not support user rule resolution".to_owned()],
            ..Rules::default()
        }
    }
}

fn decision(Status { allowed, denied, reason }: Status) -> Decision {
    match (denied, allowed) {
        (true, true) => Decision::Failed {
            denied: true,
            reason,
            error: "webhook subject access review returned both allow and deny response".to_owned(),
        },
        (true, false) => Decision::Deny(reason),
        (false, true) => Decision::Allow(reason),
        (false, false) => Decision::NoOpinion(reason),
    }
}

fn chosen_by_client(asked: &Attributes) -> usize {
    let Attributes { verb, group, version, resource, subresource, namespace, name, path, .. } = asked;
    [verb, group, version, resource, subresource, namespace, name, path].iter().map(|text| text.len()).sum()
}

/// The question about `asked`, without what is empty.
fn spec(asked: &Attributes, version: Version) -> Value {
    let user = &asked.user;
    let mut spec = Map::new();
    if asked.resource_request {
        let mut of = Map::new();
        for (field, text) in [
            ("namespace", &asked.namespace),
            ("verb", &asked.verb),
            ("group", &asked.group),
            ("version", &asked.version),
            ("resource", &asked.resource),
            ("subresource", &asked.subresource),
            ("name", &asked.name),
        ] {
            put(&mut of, field, !text.is_empty(), || text.as_str().into());
        }
        let fields: Vec<Value> = asked.field_selector.iter().map(field_requirement).collect();
        put(&mut of, "fieldSelector", !fields.is_empty(), || json!({"requirements": fields}));
        let labels: Vec<Value> = asked.label_selector.iter().filter_map(label_requirement).collect();
        put(&mut of, "labelSelector", !labels.is_empty(), || json!({"requirements": labels}));
        spec.insert("resourceAttributes".to_owned(), of.into());
    } else {
        let of = json!({"path": asked.path, "verb": asked.verb});
        spec.insert("nonResourceAttributes".to_owned(), of);
    }
    let groups = match version {
        Version::V1 => "groups",
        Version::V1beta1 => "group",
    };
    put(&mut spec, "user", !user.name.is_empty(), || user.name.as_str().into());
    put(&mut spec, groups, !user.groups.is_empty(), || json!(user.groups));
    put(&mut spec, "extra", !user.extra.is_empty(), || json!(user.extra));
    put(&mut spec, "uid", !user.uid.is_empty(), || user.uid.as_str().into());
    spec.into()
}

fn put(of: &mut Map<String, Value>, field: &str, stated: bool, value: impl FnOnce() -> Value) {
    if stated {
        of.insert(field.to_owned(), value());
    }
}

fn field_requirement(requirement: &fields::Requirement) -> Value {
    let operator = match requirement.operator {
        fields::Operator::Equals => "In",
        fields::Operator::NotEquals => "NotIn",
    };
    json!({"key": requirement.field, "operator": operator, "values": [requirement.value]})
}

/// `None` for one that the form has no word for: without it more is asked for, never less.
fn label_requirement(requirement: &labels::Requirement) -> Option<Value> {
    use labels::Operator::{DoesNotExist, DoubleEquals, Equals, Exists, GreaterThan, In, LessThan, NotEquals, NotIn};
    let operator = match requirement.operator {
        Equals | DoubleEquals | In => "In",
        NotEquals | NotIn => "NotIn",
        Exists => "Exists",
        DoesNotExist => "DoesNotExist",
        GreaterThan | LessThan => return None,
    };
    let mut shown = json!({"key": requirement.key, "operator": operator});
    if !requirement.values.is_empty() {
        shown["values"] = json!(requirement.values);
    }
    Some(shown)
}

fn question(version: Version, spec: Value) -> Bytes {
    let version = match version {
        Version::V1 => "v1",
        Version::V1beta1 => "v1beta1",
    };
    let review = json!({
        "kind": "SubjectAccessReview",
        "apiVersion": format!("{GROUP}/{version}"),
        "metadata": {},
        "spec": spec,
        "status": {"allowed": false},
    });
    review.to_string().into()
}

fn read(answer: &[u8]) -> Result<Status, String> {
    let review: Review = serde_json::from_slice(answer).map_err(|error| format!("the answer is no review: {error}"))?;
    let kind = review.kind.as_deref().unwrap_or("SubjectAccessReview");
    let group = review.api_version.as_deref().unwrap_or(GROUP).split('/').next();
    if kind != "SubjectAccessReview" || group != Some(GROUP) {
        let version = review.api_version.unwrap_or_default();
        return Err(format!("the answer is a {kind} of {version}, no SubjectAccessReview"));
    }
    Ok(review.status)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn attributes() -> Attributes {
        let user = UserInfo {
            name: "jane".into(),
            groups: vec!["g".into()],
            extra: [("k".to_owned(), vec!["v".to_owned()])].into(),
            ..UserInfo::default()
        };
        Attributes::new(Arc::new(user), "list")
    }

    #[test]
    fn the_question_says_what_is_asked_and_leaves_out_what_is_empty() {
        let user = json!({"user": "jane", "groups": ["g"], "extra": {"k": ["v"]}});
        let with = |name: &str, value: Value| {
            let mut spec = user.clone();
            spec[name] = value;
            spec
        };
        let asked = Attributes { path: "/metrics".into(), ..attributes() };
        let expected = with("nonResourceAttributes", json!({"path": "/metrics", "verb": "list"}));
        assert_eq!(spec(&asked, Version::V1), expected);
        let labels = labels::Selector::parse("a=b,c!=d,e in (f,g),h,!i,j>1").unwrap();
        let asked = Attributes {
            resource_request: true,
            version: "v1".into(),
            resource: "pods".into(),
            namespace: "n".into(),
            field_selector: fields::Selector::parse("a=b,c!=d").unwrap().requirements().to_vec(),
            label_selector: labels.requirements().to_vec(),
            ..attributes()
        };
        let expected = json!({
            "namespace": "n", "verb": "list", "version": "v1", "resource": "pods",
            "fieldSelector": {"requirements": [
                {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "NotIn", "values": ["d"]}]},
            "labelSelector": {"requirements": [
                {"key": "a", "operator": "In", "values": ["b"]}, {"key": "c", "operator": "NotIn", "values": ["d"]},
                {"key": "e", "operator": "In", "values": ["f", "g"]}, {"key": "h", "operator": "Exists"},
                {"key": "i", "operator": "DoesNotExist"}]},
        });
        assert_eq!(spec(&asked, Version::V1), with("resourceAttributes", expected));
        assert_eq!(spec(&asked, Version::V1beta1)["group"], json!(["g"]));
        let sent: Value = serde_json::from_slice(&question(Version::V1, spec(&asked, Version::V1))).unwrap();
        assert_eq!([&sent["kind"], &sent["apiVersion"]], ["SubjectAccessReview", "authorization.k8s.io/v1"]);
    }

    #[test]
    fn an_answer_that_says_both_or_is_something_else_allows_nothing() {
        let reason = || "why".to_owned();
        for (answer, expected) in [
            (r#"{"status": {"allowed": true, "reason": "why"}}"#, Ok(Decision::Allow(reason()))),
            (r#"{"status": {"allowed": false, "reason": "why"}}"#, Ok(Decision::NoOpinion(reason()))),
            (r#"{"status": {"denied": true, "reason": "why"}}"#, Ok(Decision::Deny(reason()))),
            (
                r#"{"status": {"allowed": true, "denied": true, "reason": "why"}}"#,
                Ok(Decision::Failed {
                    denied: true,
                    reason: reason(),
                    error: "webhook subject access review returned both allow and deny response".into(),
                }),
            ),
            ("{}", Ok(Decision::no_opinion())),
            (
                r#"{"apiVersion": "authorization.k8s.io/v1beta1", "kind": "SubjectAccessReview", "status": {"allowed": true}}"#,
                Ok(Decision::allow()),
            ),
            (
                r#"{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": {"allowed": true}}"#,
                Err("the answer is a TokenReview of authentication.k8s.io/v1, no SubjectAccessReview".to_owned()),
            ),
        ] {
            assert_eq!(read(answer.as_bytes()).map(decision), expected, "{answer}");
        }
        assert!(read(b"<html>").is_err());
    }
}
