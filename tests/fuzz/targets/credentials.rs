//! What clients show to say who they are. None of it is to be believed yet.

use std::sync::{Arc, LazyLock};

use admission::Context;
use admission::certificates::request as request_of;
use apimachinery::user::UserInfo;
use authentication::jws::{self, Jws};
use authentication::keys::{PrivateKey, PublicKey};
use authentication::request::{self, Headers, bearer};
use authentication::{certificate, pem, token_file};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// A key whose private half is nowhere: nothing is signed with it.
const PUBLIC_KEY: &str = include_str!("../corpus/token/public_key.pem");

static KEYS: LazyLock<Arc<Vec<PublicKey>>> =
    LazyLock::new(|| Arc::new(PublicKey::all_from_pem(PUBLIC_KEY).expect("a public key")));

/// Tokens: none is verified by a key that has signed none, and what is taken apart has three parts.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let payload = jws::unverified_payload(text);
    if let Some(parsed) = Jws::parse(text) {
        assert_eq!(text.split('.').count(), 3);
        assert!(payload.is_some());
        for key in KEYS.iter() {
            assert!(parsed.verify(key).is_err(), "{text}");
        }
    }
    let _ = PublicKey::all_from_pem(text);
    let _ = PrivateKey::from_pem(text);
    if let Ok(users) = token_file::parse(text) {
        assert!(users.keys().all(|token| !token.is_empty()));
    }
}

/// Headers, one a line: a bearer token has no space in it, and what named a user names nobody once it is taken away.
pub fn credential_headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let context = Context::new();
    if let Ok(Some(token)) = bearer::token(&headers, &context) {
        assert!(!token.is_empty());
    }
    let user = request::standard().user(&headers);
    assert!(
        user.is_none_or(|user: UserInfo| !user.name.is_empty() && user.groups.iter().all(|group| !group.is_empty()))
    );
    request::standard().strip(&mut headers);
    assert_eq!(request::standard().user(&headers), None);
    assert!(headers.keys().all(|name| !name.as_str().starts_with("x-remote-extra-")));
    if let Ok(text) = std::str::from_utf8(data) {
        let names: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let _ = Headers::new(&names, &[], &names, &names);
    }
}

/// Certificates: who has no name is nobody.
pub fn certificate_subject(data: &[u8]) {
    let name = certificate::common_name(data);
    if let Ok(Some(user)) = certificate::user(data) {
        assert!(!user.name.is_empty());
        assert_eq!(name, Ok(user.name));
    }
}

/// Requests for certificates: what is signed by its own key has a subject, and what was read of a PEM text is read again.
pub fn certificate_request(data: &[u8]) {
    let subject = request_of::subject(data);
    if request_of::check(data).is_ok() {
        assert!(subject.is_ok());
    }
    for section in pem::sections(data) {
        let again: Vec<_> = pem::sections(pem::encode(&section.kind, &section.der).as_bytes()).collect();
        assert_eq!(again, [pem::Section { has_headers: false, ..section }]);
    }
}
