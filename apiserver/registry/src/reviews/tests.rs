use apimachinery::user::UserInfo;
use authorization::{Attributes, Decision, ResourceRule, Rules};

use super::*;
use crate::tests::Server;

/// Knows one user, who may get everything.
struct One;

#[async_trait]
impl Authorizer for One {
    async fn authorize(&self, attributes: &Attributes) -> Decision {
        match (attributes.user.name.as_str(), attributes.verb.as_str()) {
            ("alice", "get") => Decision::Allow("she may".into()),
            ("alice", "delete") => Decision::Deny("never".into()),
            _ => Decision::no_opinion(),
        }
    }

    async fn rules(&self, _user: &UserInfo, namespace: &str) -> Rules {
        let rule = ResourceRule { resources: vec![namespace.to_owned()], ..ResourceRule::default() };
        Rules { resource: vec![rule], ..Rules::default() }
    }
}

#[async_trait]
impl TokenReviewer for One {
    async fn review(&self, token: &str, audiences: &[String], _: &Warnings) -> Result<Option<TokenUser>, String> {
        match token {
            "good" => Ok(Some(TokenUser { user: UserInfo::new("alice", ["dev"]), audiences: audiences.to_vec() })),
            _ => Err("invalid bearer token".into()),
        }
    }
}

/// The status of the answer, or what is wrong.
async fn ask(resource: &str, namespace: &str, body: Value) -> Result<Value, String> {
    let server = Server::start();
    let registry = &server.registry;
    registry.set_reviewers(Reviewers { authorizer: Arc::new(One), tokens: Arc::new(One) });
    let table = registry.table();
    let group = if resource == "tokenreviews" { "authentication.k8s.io" } else { "authorization.k8s.io" };
    let row = table.row(group, "v1", resource).unwrap().clone();
    let target = Target::new(row, namespace, "");
    let written = registry.create(&server.ctx, &target, body.into(), &CreateOptions::default()).await;
    let written = written.map_err(|error| error.message().to_owned())?;
    Ok(written.object.value().unwrap()["status"].clone())
}

#[tokio::test]
async fn the_authorizer_answers_for_others() {
    for (verb, expected) in [
        ("get", json!({"allowed": true, "reason": "she may"})),
        ("delete", json!({"allowed": false, "denied": true, "reason": "never"})),
        ("list", json!({"allowed": false})),
    ] {
        let spec = json!({"user": "alice", "resourceAttributes": {"resource": "pods", "verb": verb}});
        let told = ask("subjectaccessreviews", "", json!({ "spec": spec })).await;
        assert_eq!(told, Ok(expected), "{verb}");
    }
}

#[tokio::test]
async fn questions_that_are_none_are_refused_in_upstreams_words() {
    let pods = json!({"resource": "pods", "verb": "get", "namespace": "ns"});
    for (resource, namespace, body, words) in [
        (
            "subjectaccessreviews",
            "",
            json!({}),
            ".authorization.k8s.io \"\" is invalid: [spec.resourceAttributes: Invalid value: null: exactly one of \
             nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: \"\": at least one of \
             user or group must be specified]",
        ),
        (
            "localsubjectaccessreviews",
            "other",
            json!({"spec": {"user": "u", "resourceAttributes": pods}}),
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes.namespace: Invalid value: \"ns\": must match \
             metadata.namespace",
        ),
        (
            "selfsubjectaccessreviews",
            "",
            json!({"spec": {"resourceAttributes": pods, "nonResourceAttributes": {"path": "/x"}}}),
            ".authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: Invalid value: {\"Path\":\"/x\",\"Verb\":\"\"}: \
             cannot be specified in combination with resourceAttributes",
        ),
        ("selfsubjectrulesreviews", "", json!({}), "no namespace on request"),
        ("tokenreviews", "", json!({}), "token is required for TokenReview in authentication"),
    ] {
        assert_eq!(ask(resource, namespace, body).await, Err(words.to_owned()), "{resource}");
    }
}

#[tokio::test]
async fn a_token_is_its_users_for_the_audiences_asked_for() {
    let told = ask("tokenreviews", "", json!({"spec": {"token": "good", "audiences": ["a"]}})).await.unwrap();
    assert_eq!(
        told,
        json!({"authenticated": true, "user": {"username": "alice", "groups": ["dev"]}, "audiences": ["a"]})
    );
    let told = ask("tokenreviews", "", json!({"spec": {"token": "bad"}})).await.unwrap();
    assert_eq!(told, json!({"user": {}, "error": "invalid bearer token"}));
}

#[tokio::test]
async fn rules_are_those_of_the_namespace() {
    let told = ask("selfsubjectrulesreviews", "", json!({"spec": {"namespace": "ns"}})).await.unwrap();
    assert_eq!(told["resourceRules"][0]["resources"], json!(["ns"]));
}
