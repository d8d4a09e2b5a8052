//! Tokens that are made, shown, and refused when what they name is gone.

use std::sync::{Arc, Mutex};

use admission::{Context, Lister};
use apimachinery::gvk::GroupVersionResource;
use apimachinery::{ObjectExt as _, StatusError};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::*;
use crate::jws;
use crate::key_ring::KeyRing;
use crate::keys::{Algorithm, PrivateKey};
use crate::token::TokenAuthenticator as _;

/// The objects there are.
#[derive(Default)]
struct There(Mutex<Vec<(&'static str, Value)>>);

impl There {
    fn put(&self, resource: &'static str, object: Value) {
        self.remove(resource, object.name());
        self.0.lock().unwrap().push((resource, object));
    }

    fn remove(&self, resource: &str, name: &str) {
        self.0.lock().unwrap().retain(|(of, object)| *of != resource || object.name() != name);
    }
}

#[async_trait]
impl Lister for There {
    async fn get(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        let there = self.0.lock().unwrap();
        let found = there
            .iter()
            .find(|(of, object)| *of == resource.resource && object.namespace() == namespace && object.name() == name);
        Ok(found.map(|(_, object)| Arc::new(object.clone())))
    }

    async fn list(&self, _resource: &GroupVersionResource) -> Result<Arc<[Arc<Value>]>, StatusError> {
        Ok(Arc::new([]))
    }
}

const US: &str = "https://us";

struct Setting {
    there: Arc<There>,
    keys: Arc<KeyRing>,
    issuer: Issuer,
    tokens: ServiceAccountTokens,
    legacy: ServiceAccountTokens,
    now: Timestamp,
}

fn object(namespace: &str, name: &str, uid: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace, "uid": uid}})
}

impl Setting {
    fn new() -> Self {
        let there = Arc::new(There::default());
        there.put("serviceaccounts", object("ns", "bot", "u1"));
        let keys = Arc::new(KeyRing::new(PrivateKey::generate(Algorithm::Es256).unwrap().0));
        let audiences = vec![US.to_owned()];
        Self {
            issuer: Issuer::new(US, keys.clone(), audiences.clone()),
            tokens: ServiceAccountTokens::bound(
                keys.clone(),
                vec![US.to_owned(), "old".to_owned()],
                audiences.clone(),
                there.clone(),
            ),
            legacy: ServiceAccountTokens::legacy(keys.clone(), audiences, there.clone(), None),
            there,
            keys,
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    async fn issue(&self, bound: Bound, seconds: i64, audiences: &[&str]) -> String {
        let account = object("ns", "bot", "u1");
        let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        self.issuer.issue(&account, bound, seconds, audiences, self.now).await.unwrap().token
    }

    async fn show(&self, token: &str, later: i64) -> Result<Option<UserInfo>, String> {
        let at = self.now + SignedDuration::from_secs(later);
        let shown = self.tokens.authenticate_at(token, &[US.to_owned()], &Context::new(), at).await;
        shown.map(|known| known.map(|known| known.user)).map_err(apimachinery::aggregate)
    }

    async fn sign(&self, claims: &Value) -> String {
        jws::sign(self.keys.signing().await.unwrap(), claims.to_string().as_bytes()).unwrap()
    }
}

fn reference(name: &str, uid: &str) -> Option<Reference> {
    Some(Reference { name: name.to_owned(), uid: uid.to_owned() })
}

fn words(shown: Result<Option<UserInfo>, String>) -> String {
    shown.expect_err("the token is refused")
}

#[tokio::test]
async fn a_token_is_its_accounts_until_it_expires() {
    let setting = Setting::new();
    let token = setting.issue(Bound::default(), 600, &[US]).await;
    let user = setting.show(&token, 0).await.unwrap().unwrap();
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("system:serviceaccount:ns:bot", "u1"));
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns"]);
    assert!(user.extra[CREDENTIAL_ID][0].starts_with("JTI="), "{user:?}");
    assert!(setting.show(&token, 600 + 60).await.is_ok(), "clocks may differ by a minute");
    assert_eq!(words(setting.show(&token, 600 + 61).await), "service account token has expired");
    assert_eq!(words(setting.show(&token, -61).await), "service account token is not valid yet");
}

#[tokio::test]
async fn a_token_for_others_and_one_of_others_are_not_taken() {
    let setting = Setting::new();
    let token = setting.issue(Bound::default(), 600, &["other", "more"]).await;
    let expected = r#"token audiences ["other" "more"] is invalid for the target audiences ["https://us"]"#;
    assert_eq!(words(setting.show(&token, 0).await), expected);
    let stranger = Setting::new();
    let token = stranger.issue(Bound::default(), 600, &[US]).await;
    assert_eq!(words(setting.show(&token, 0).await), "invalid signature, no keys found");
    let token = setting.sign(&json!({"iss": "somebody"})).await;
    assert_eq!(setting.show(&token, 0).await, Ok(None));
    for token in ["", "garbage", "a.b.c", "e30.e30.e30", "{}"] {
        assert_eq!(setting.show(token, 0).await, Ok(None), "{token}");
    }
}

#[tokio::test]
async fn a_token_that_was_changed_is_refused() {
    let setting = Setting::new();
    let token = setting.issue(Bound::default(), 600, &[US]).await;
    let other = setting.issue(Bound::default(), 601, &[US]).await;
    let (signed, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    for changed in [format!("{signed}.{signature}"), format!("{signed}."), format!("{token}x")] {
        assert_eq!(words(setting.show(&changed, 0).await), jws::BAD_SIGNATURE, "{changed}");
    }
}

#[tokio::test]
async fn a_token_ends_with_its_account() {
    let setting = Setting::new();
    let token = setting.issue(Bound::default(), 600, &[US]).await;
    setting.there.remove("serviceaccounts", "bot");
    assert_eq!(words(setting.show(&token, 0).await), r#"serviceaccounts "bot" not found"#);
    setting.there.put("serviceaccounts", object("ns", "bot", "u2"));
    assert_eq!(words(setting.show(&token, 0).await), "service account UID (u2) does not match claim (u1)");
    let mut going = object("ns", "bot", "u1");
    going.set_deletion_timestamp(Some("2026-01-02T03:04:05Z"));
    setting.there.put("serviceaccounts", going);
    assert!(setting.show(&token, 60).await.is_ok());
    assert_eq!(words(setting.show(&token, 61).await), "service account ns/bot has been deleted");
}

#[tokio::test]
async fn a_token_ends_with_what_it_is_bound_to() {
    let bound = |pod, secret, node| Bound { pod, secret, node };
    for (resource, word, namespace, of) in [
        ("pods", "pod", "ns", bound(reference("o", "u"), None, reference("n", ""))),
        ("secrets", "secret", "ns", bound(None, reference("o", "u"), None)),
        ("nodes", "node", "", bound(None, None, reference("o", "u"))),
    ] {
        let setting = Setting::new();
        let token = setting.issue(of, 600, &[US]).await;
        let gone = "service account token has been invalidated";
        assert_eq!(words(setting.show(&token, 0).await), gone, "{resource}");
        setting.there.put(resource, object(namespace, "o", "u"));
        let user = setting.show(&token, 0).await.unwrap().unwrap();
        let told = |key: &str| user.extra.get(&format!("authentication.kubernetes.io/{key}")).map(|of| of[0].as_str());
        match resource {
            "pods" => {
                assert_eq!((told("pod-name"), told("pod-uid"), told("node-name")), (Some("o"), Some("u"), Some("n")))
            }
            "nodes" => assert_eq!((told("node-name"), told("node-uid")), (Some("o"), Some("u"))),
            _ => assert_eq!(user.extra.len(), 1),
        }
        setting.there.put(resource, object(namespace, "o", "w"));
        let expected = format!("{word} UID (w) does not match service account {word} ref claim (u)");
        assert_eq!(words(setting.show(&token, 0).await), expected);
        let mut going = object(namespace, "o", "u");
        going.set_deletion_timestamp(Some("2026-01-02T03:04:05Z"));
        setting.there.put(resource, going);
        assert!(setting.show(&token, 60).await.is_ok(), "{resource}");
        assert_eq!(words(setting.show(&token, 61).await), gone, "{resource}");
    }
}

#[tokio::test]
async fn what_is_mounted_into_pods_is_good_for_longer_and_its_late_use_is_noted() {
    let setting = Setting::new();
    setting.there.put("pods", object("ns", "p", "u"));
    let pod = || Bound { pod: reference("p", "u"), ..Bound::default() };
    let token = setting.issue(pod(), WARN_ONLY_EXPIRATION, &[US]).await;
    let context = Context::new();
    let late = setting.now + 2.hours();
    assert!(setting.tokens.authenticate_at(&token, &[US.to_owned()], &context, late).await.is_ok());
    let expected = "subject: system:serviceaccount:ns:bot, seconds after warning threshold: 3593";
    assert_eq!(context.annotations(), [("authentication.k8s.io/stale-token".into(), expected.into())]);
    let plain = setting.issue(Bound::default(), WARN_ONLY_EXPIRATION, &[US]).await;
    assert_eq!(words(setting.show(&plain, 7200).await), "service account token has expired");
    let foreign = setting.issue(pod(), WARN_ONLY_EXPIRATION, &[US, "other"]).await;
    assert_eq!(words(setting.show(&foreign, 7200).await), "service account token has expired");
}

#[tokio::test]
async fn a_token_in_a_secret_is_good_while_the_secret_holds_it() {
    let setting = Setting::new();
    let claims = json!({
        "iss": LEGACY_ISSUER,
        "sub": "system:serviceaccount:ns:bot",
        "kubernetes.io/serviceaccount/namespace": "ns",
        "kubernetes.io/serviceaccount/secret.name": "s",
        "kubernetes.io/serviceaccount/service-account.name": "bot",
        "kubernetes.io/serviceaccount/service-account.uid": "u1",
    });
    let token = setting.sign(&claims).await;
    let show = async |token: &str| {
        let shown = setting.legacy.authenticate(token, &[US.to_owned()], &Context::new()).await;
        shown.map(|known| known.map(|known| known.user.name)).map_err(|errors| errors.join(", "))
    };
    assert_eq!(show(&token).await, Err("Token has been invalidated".to_owned()));
    let mut secret = object("ns", "s", "us");
    secret["data"] = json!({"token": STANDARD.encode("another")});
    setting.there.put("secrets", secret.clone());
    assert_eq!(show(&token).await, Err("Token does not match server's copy".to_owned()));
    secret["data"] = json!({"token": STANDARD.encode(&token)});
    setting.there.put("secrets", secret.clone());
    assert_eq!(show(&token).await, Ok(Some("system:serviceaccount:ns:bot".to_owned())));
    secret.set_label(INVALID_SINCE_LABEL, "2026-01-01");
    setting.there.put("secrets", secret);
    assert!(show(&token).await.unwrap_err().contains("has been marked invalid"));
    for missing in ["sub", "kubernetes.io/serviceaccount/namespace", "kubernetes.io/serviceaccount/secret.name"] {
        let mut less = claims.clone();
        less.as_object_mut().unwrap().remove(missing);
        let error = show(&setting.sign(&less).await).await.unwrap_err();
        assert!(error.ends_with("claim is missing"), "{missing}: {error}");
    }
}
