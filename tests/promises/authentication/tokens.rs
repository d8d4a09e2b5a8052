//! Tokens of service accounts, from kubectl's first to the last that dies with what it names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tests::{ControlPlane, Part, Store, eventually, on_each_store};

use super::Bearer;

on_each_store!(
    a_token_of_a_service_account_is_good_until_what_it_names_is_gone,
    a_pod_runs_as_an_account_that_is_there_and_has_its_token,
);

fn claims(token: &str) -> Value {
    let payload = token.trim().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn a_token_of_a_service_account_is_good_until_what_it_names_is_gone(store: Store) {
    let mut plane = ControlPlane::start(Part::ApiServer, store);
    let admin = plane.kubectl().namespace("default");
    admin.run(&["create", "serviceaccount", "bot"]);
    admin.run(&["create", "secret", "generic", "bound"]);

    let token = admin.run(&["create", "token", "bot"]);
    let user = Bearer::new(&plane, &token).whoami().unwrap();
    assert_eq!(user["username"], "system:serviceaccount:default:bot");
    assert_eq!(
        user["groups"],
        json!(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"])
    );
    let id = claims(&token)["jti"].as_str().unwrap().to_owned();
    assert_eq!(user["extra"]["authentication.kubernetes.io/credential-id"], json!([format!("JTI={id}")]));

    // Whoever reads the discovery documents can verify it.
    let configuration: Value =
        serde_json::from_str(&admin.run(&["get", "--raw", "/.well-known/openid-configuration"])).unwrap();
    assert_eq!(configuration["issuer"], claims(&token)["iss"]);
    let uri = configuration["jwks_uri"].as_str().unwrap();
    assert_eq!(uri, format!("{}/openid/v1/jwks", plane.url()));

    let elsewhere = admin.run(&["create", "token", "bot", "--audience", "elsewhere"]);
    assert!(Bearer::new(&plane, &elsewhere).is_refused(), "a token for others");
    let review = |token: &str, audiences: Value| -> Value {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token.trim(), "audiences": audiences},
        });
        let answer = admin.run_with(&["create", "-f", "-", "-o", "json"], &review.to_string());
        serde_json::from_str::<Value>(&answer).unwrap()["status"].clone()
    };
    let status = review(&elsewhere, json!(["elsewhere"]));
    assert_eq!((&status["authenticated"], &status["audiences"]), (&json!(true), &json!(["elsewhere"])));
    let expected = r#"[invalid bearer token, token audiences ["elsewhere"] is invalid for the target audiences ["https://kubernetes.default.svc"]]"#;
    assert_eq!(review(&elsewhere, json!([]))["error"], expected);

    let bound = ["create", "token", "bot", "--bound-object-kind", "Secret", "--bound-object-name", "bound"];
    let bound = admin.run(&bound);
    assert!(Bearer::new(&plane, &bound).whoami().is_ok());
    admin.run(&["delete", "secret", "bound"]);
    assert!(Bearer::new(&plane, &bound).is_refused(), "its secret is gone");

    plane.kill();
    plane.restart();
    assert!(Bearer::new(&plane, &token).whoami().is_ok(), "the key is kept");
    admin.run(&["delete", "serviceaccount", "bot"]);
    assert!(Bearer::new(&plane, &token).is_refused(), "its account is gone");
    admin.run(&["create", "serviceaccount", "bot"]);
    assert!(Bearer::new(&plane, &token).is_refused(), "another account has its name");
}

fn a_pod_runs_as_an_account_that_is_there_and_has_its_token(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let admin = plane.kubectl().namespace("default");
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let create = || admin.output(&["create", "-f", "-", "-o", "json"], &pod.to_string());
    let refused = String::from_utf8_lossy(&create().stderr).into_owned();
    let words = r#"pods "p" is forbidden: error looking up service account default/default: serviceaccount "default" not found"#;
    assert!(refused.contains(words), "{refused}");

    admin.run(&["create", "serviceaccount", "default"]);
    let created: Value = serde_json::from_slice(&create().stdout).unwrap();
    let spec = &created["spec"];
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    let volume = spec["volumes"][0]["name"].as_str().unwrap();
    assert!(volume.starts_with("kube-api-access-") && volume.len() == "kube-api-access-".len() + 5, "{volume}");
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["name"], volume);

    // What a kubelet does with it: the token of the volume is the pod's, and is good for longer than it asks.
    let source = &spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    let seconds = format!("{}s", source["expirationSeconds"]);
    let bound = ["create", "token", "default", "--duration", &seconds, "--bound-object-kind", "Pod"];
    let token = admin.run(&[&bound[..], &["--bound-object-name", "p"]].concat());
    let said = claims(&token);
    let time = |claim: &str| said[claim].as_i64().unwrap();
    assert_eq!(time("exp") - time("iat"), 365 * 24 * 3600);
    assert_eq!(said["kubernetes.io"]["warnafter"].as_i64().unwrap() - time("iat"), 3607);
    let user = Bearer::new(&plane, &token).whoami().unwrap();
    assert_eq!(user["extra"]["authentication.kubernetes.io/pod-name"], json!(["p"]));
    admin.run(&["delete", "pod", "p", "--grace-period", "0", "--force"]);
    assert!(Bearer::new(&plane, &token).is_refused(), "the pod is gone");
}

#[test]
fn a_bootstrap_token_lets_in_while_its_secret_is_there_and_only_where_asked_for() {
    for (flags, asked_for) in [(&["--enable-bootstrap-token-auth"][..], true), (&[], false)] {
        let plane = ControlPlane::start_with(Part::ApiServer, Store::Embedded, flags);
        let admin = plane.kubectl().namespace("kube-system");
        let secret =
            ["create", "secret", "generic", "bootstrap-token-abc123", "--type", "bootstrap.kubernetes.io/token"];
        let data = ["token-id=abc123", "token-secret=0123456789abcdef", "usage-bootstrap-authentication=true"];
        let data: Vec<String> = data.iter().map(|literal| format!("--from-literal={literal}")).collect();
        admin.run(&secret.iter().copied().chain(data.iter().map(String::as_str)).collect::<Vec<_>>());
        let bearer = Bearer::new(&plane, "abc123.0123456789abcdef");
        if !asked_for {
            assert!(bearer.is_refused());
            continue;
        }
        let user = eventually("the token is known", || bearer.whoami());
        let expected = json!(["system:bootstrappers", "system:authenticated"]);
        assert_eq!((&user["username"], &user["groups"]), (&json!("system:bootstrap:abc123"), &expected));
        assert!(Bearer::new(&plane, "abc123.0123456789abcdeg").is_refused(), "another secret");
        admin.run(&["delete", "secret", "bootstrap-token-abc123"]);
        eventually(
            "the token is forgotten",
            || if bearer.is_refused() { Ok(()) } else { Err("it is known".to_owned()) },
        );
    }
}
