//! Credentials that are not good are answered 401, and the log does not repeat them.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tests::{ControlPlane, Part, Store, on_each_store};

use super::front_proxy::Authority;
use super::{user, who_is};

on_each_store!(
    forged_certificates_are_refused_and_the_connection_lives,
    forged_tokens_are_refused_and_nobody_reads_them_in_the_log,
    nobody_becomes_through_another_who_they_may_not_become,
);

fn forged_certificates_are_refused_and_the_connection_lives(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let (own, strangers) = (Authority::of(&plane), Authority::new());
    let masters = "system:masters";
    let names = |count: usize| {
        (0..count).map(|at| SanType::DnsName(format!("{at:060}.example").try_into().unwrap())).collect::<Vec<_>>()
    };
    for (what, shown) in [
        ("of another authority", strangers.client("admin", masters, |_| {})),
        ("that has ended", own.client("admin", masters, |params| params.not_after = date_time_ymd(2001, 1, 1))),
        ("that has not begun", own.client("admin", masters, |params| params.not_before = date_time_ymd(4000, 1, 1))),
        (
            "of a server",
            own.client("admin", masters, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]
            }),
        ),
        ("that is large", strangers.client("admin", masters, |params| params.subject_alt_names = names(600))),
    ] {
        let answer = who_is(&plane, Some(shown), "");
        assert_eq!(answer.code, 401, "a certificate {what}: {answer:?}");
        let status: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((&status["reason"], &status["message"]), (&json!("Unauthorized"), &json!("Unauthorized")));
    }
    // A chain that is larger than a handshake may be is not read to its end.
    let (chain, key) = strangers.client("admin", masters, |params| params.subject_alt_names = names(600));
    let huge = vec![chain[0].clone(); 4];
    let answer = who_is(&plane, Some((huge, key)), "");
    assert!(matches!(answer.code, 0 | 401), "{answer:?}");
    let good = own.client("carol", "dev", |_| {});
    assert_eq!(user(&who_is(&plane, Some(good), ""))["username"], "carol", "the server goes on");
}

/// A token of any header and claims, signed by `sign`.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn forged_tokens_are_refused_and_nobody_reads_them_in_the_log(store: Store) {
    let mut plane = ControlPlane::start(Part::ApiServer, store);
    let admin = plane.kubectl().namespace("default");
    admin.run(&["create", "serviceaccount", "bot"]);
    let good = admin.run(&["create", "token", "bot"]).trim().to_owned();
    let bearer = |token: &str| who_is(&plane, None, &format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(user(&bearer(&good))["username"], "system:serviceaccount:default:bot");

    let parts: Vec<&str> = good.split('.').collect();
    let read = |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (header, claims) = (read(parts[0]), read(parts[1]));
    let pem = plane.data_dir().join("pki/sa.key");
    let key = RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_file(&pem).unwrap().secret_pkcs8_der()).unwrap();
    let stranger = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let rsa = |key: &RsaKeyPair, message: &[u8]| {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    let set: Value = serde_json::from_slice(
        &tests::raw::Raw::ask(
            &plane,
            tests::raw::Who::Admin,
            &tests::raw::head("GET", "/openid/v1/jwks", "Accept: application/jwk-set+json\r\n"),
        )
        .body
        .into_bytes(),
    )
    .unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(set["keys"][0]["n"].as_str().unwrap()).unwrap();
    assert_eq!(set["keys"][0]["kid"], header["kid"]);

    let with = |of: &Value, field: &str, value: Value| {
        let mut changed = of.clone();
        changed[field] = value;
        changed
    };
    let of_us = |claims: &Value| token(&header, claims, |message| rsa(&key, message));
    assert_eq!(bearer(&of_us(&claims)).code, 201, "what the server's key signs is taken");
    let now = claims["iat"].as_i64().unwrap();
    let mut masters = claims.clone();
    masters["kubernetes.io"]["serviceaccount"]["name"] = json!("root");
    let none = |alg: &str| token(&with(&header, "alg", json!(alg)), &claims, |_| Vec::new());
    let secret = |secret: &[u8], header: &Value| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        token(header, &claims, |message| hmac::sign(&key, message).as_ref().to_vec())
    };
    let symmetric = with(&header, "alg", json!("HS256"));
    let embedded = with(&symmetric, "jwk", json!({"kty": "oct", "k": "AAAA"}));
    let forged = [
        ("no token", "garbage".to_owned()),
        ("parts of nothing", "..".to_owned()),
        ("no algorithm", none("none")),
        ("no algorithm, spelled otherwise", none("nOnE")),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("the public key as a secret", secret(&modulus, &symmetric)),
        ("a key that it brings along", secret(&[0, 0, 0], &embedded)),
        ("a stranger's key", token(&header, &claims, |message| rsa(&stranger, message))),
        ("a stranger's key of no name", token(&json!({"alg": "RS256"}), &claims, |message| rsa(&stranger, message))),
        (
            "another account's claims",
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(masters.to_string()), parts[2]),
        ),
        ("more signature", format!("{good}AA")),
        ("expired", of_us(&with(&claims, "exp", json!(now - 61)))),
        ("not valid yet", of_us(&with(&claims, "nbf", json!(now + 3600)))),
        ("issued in the future", of_us(&with(&claims, "iat", json!(now + 3600)))),
        ("another issuer", of_us(&with(&claims, "iss", json!("https://elsewhere.example")))),
        ("another audience", of_us(&with(&claims, "aud", json!(["elsewhere"])))),
        ("an account that is not there", of_us(&masters)),
        ("an account of another uid", {
            let mut other = claims.clone();
            other["kubernetes.io"]["serviceaccount"]["uid"] = json!("11111111-1111-1111-1111-111111111111");
            of_us(&other)
        }),
        ("claims of wrong types", of_us(&with(&claims, "kubernetes.io", json!([1])))),
        ("endless", "a".repeat(900_000)),
    ];
    for (what, forged) in &forged {
        let answer = bearer(forged);
        assert_eq!(answer.code, 401, "{what}: {} {}", answer.head, answer.body);
    }
    let log = plane.process().output();
    assert!(log.contains("unable to authenticate the request"), "{log}");
    for (what, secret) in forged.iter().map(|(what, token)| (*what, token.as_str())).chain([("good", good.as_str())]) {
        let tail = secret.rsplit('.').next().unwrap_or_default();
        let tail = if tail.len() < 16 { secret } else { tail };
        assert!(tail.len() < 16 || !log.contains(tail), "the log has the token: {what}");
    }
}

fn nobody_becomes_through_another_who_they_may_not_become(store: Store) {
    let plane = ControlPlane::start(Part::ApiServer, store);
    let own = Authority::of(&plane);
    let kubectl = plane.kubectl();
    // bob may become helper, and helper root.
    for (who, whom) in [("bob", "helper"), ("helper", "root")] {
        let role =
            ["create", "clusterrole", who, "--verb", "impersonate", "--resource", "users", "--resource-name", whom];
        kubectl.run(&role);
        kubectl.run(&["create", "clusterrolebinding", who, "--clusterrole", who, "--user", who]);
    }
    let ask = |who: Option<&str>, headers: &[(&str, &str)]| {
        let lines: String = headers.iter().map(|(name, value)| format!("Impersonate-{name}: {value}\r\n")).collect();
        who_is(&plane, who.map(|name| own.client(name, "dev", |_| {})), &lines)
    };
    for (who, headers, is) in [
        ("bob", &[("User", "helper")][..], "helper"),
        ("helper", &[("User", "root")], "root"),
        // The first counts, as upstream.
        ("bob", &[("User", "helper"), ("User", "root")], "helper"),
    ] {
        let answer = ask(Some(who), headers);
        assert_eq!(user(&answer)["username"], is, "{who} with {headers:?}");
        let groups = user(&answer)["groups"].clone();
        assert_eq!(groups, json!(["system:authenticated"]), "{who} with {headers:?} leaves their own groups behind");
    }
    for (who, headers) in [
        (Some("bob"), &[("User", "root")][..]),
        (Some("bob"), &[("User", "bob")]),
        (Some("bob"), &[("User", "root"), ("User", "helper")]),
        (Some("bob"), &[("User", "helper"), ("Group", "system:masters")]),
        (Some("bob"), &[("User", "helper"), ("Uid", "1")]),
        (Some("bob"), &[("User", "helper"), ("Extra-scopes", "all")]),
        (Some("bob"), &[("User", "system:serviceaccount:kube-system:default")]),
        (Some("helper"), &[("User", "helper")]),
        (None, &[("User", "helper")]),
        (None, &[("User", "system:anonymous")]),
    ] {
        let answer = ask(who, headers);
        assert_eq!(answer.code, 403, "{who:?} with {headers:?}: {answer:?}");
    }
    for headers in [&[("Group", "system:masters")][..], &[("Uid", "1")], &[("User", ""), ("Group", "dev")]] {
        let answer = ask(Some("bob"), headers);
        assert!(answer.code >= 400, "bob with {headers:?}: {answer:?}");
    }
}
