//! What the headers of a request and its answer become on their way through.

use std::fmt::Write as _;
use std::net::IpAddr;

use apimachinery::user::UserInfo;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SEC_WEBSOCKET_PROTOCOL, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::Failure;

const EXTRA: &str = "x-remote-extra-";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A token of a browser's WebSocket, which can send no other headers.
const WEBSOCKET_TOKEN: &str = "base64url.bearer.authorization.k8s.io.";

/// Headers of one connection, beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// What another server may not say of us to a browser.
const CORS: [HeaderName; 4] = [
    HeaderName::from_static("access-control-allow-credentials"),
    HeaderName::from_static("access-control-allow-headers"),
    HeaderName::from_static("access-control-allow-methods"),
    HeaderName::from_static("access-control-allow-origin"),
];

/// Whether a request asks to leave HTTP.
pub(super) fn asks_to_upgrade(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONNECTION).iter();
    values.any(|value| value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("upgrade")))
}

/// The headers with which a client's request goes on: as it sent them, without credentials and what was said of the
/// connection alone; `user` is who we found it to be.
pub(super) fn request(sent: &HeaderMap, user: &UserInfo, client: IpAddr, upgrade: bool) -> Result<HeaderMap, Failure> {
    let mut headers = sent.clone();
    let protocol = headers.get(UPGRADE).filter(|_| upgrade).cloned();
    let trailers = headers.get(TE).is_some_and(|te| te.to_str().is_ok_and(|te| te.contains("trailers")));
    remove_hop_by_hop(&mut headers);
    if trailers && !upgrade {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(UPGRADE, protocol);
        }
        remove_websocket_tokens(&mut headers);
    }
    headers.remove(HOST);
    headers.remove(AUTHORIZATION);
    remove_starting(&mut headers, "impersonate-");
    let before = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let forwarded = before.map(str::to_owned).chain([client.to_string()]).collect::<Vec<_>>().join(", ");
    set(&mut headers, FORWARDED_FOR, &forwarded)?;
    set_user(&mut headers, user)?;
    Ok(headers)
}

/// Says who makes a request, and nothing else of that kind.
pub(super) fn set_user(headers: &mut HeaderMap, user: &UserInfo) -> Result<(), Failure> {
    for name in ["x-remote-user", "x-remote-uid", "x-remote-group"] {
        headers.remove(name);
    }
    remove_starting(headers, EXTRA);
    set(headers, HeaderName::from_static("x-remote-user"), &user.name)?;
    if !user.uid.is_empty() {
        set(headers, HeaderName::from_static("x-remote-uid"), &user.uid)?;
    }
    for group in &user.groups {
        add(headers, HeaderName::from_static("x-remote-group"), group)?;
    }
    for (key, values) in &user.extra {
        let name = format!("{EXTRA}{}", escaped(key));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid_name(&name))?;
        for value in values {
            add(headers, name.clone(), value)?;
        }
    }
    Ok(())
}

/// Removes from an answer what is not for the client.
pub(super) fn response(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    for name in &CORS {
        headers.remove(name);
    }
}

pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid_value(&name))?;
    headers.insert(name, value);
    Ok(())
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid_value(&name))?;
    headers.append(name, value);
    Ok(())
}

fn invalid_value(name: &HeaderName) -> Failure {
    Failure(format!("net/http: invalid header field value for \"{name}\""))
}

fn invalid_name(name: &str) -> Failure {
    Failure(format!("net/http: invalid header field name {}", apimachinery::quote::quoted(name)))
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn remove_starting(headers: &mut HeaderMap, prefix: &str) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with(prefix)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn remove_websocket_tokens(headers: &mut HeaderMap) {
    let values: Vec<String> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|protocol| protocol.trim().to_owned())
        .collect();
    if !values.iter().any(|protocol| protocol.starts_with(WEBSOCKET_TOKEN)) {
        return;
    }
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    for protocol in values.into_iter().filter(|protocol| !protocol.starts_with(WEBSOCKET_TOKEN)) {
        if let Ok(value) = HeaderValue::from_str(&protocol) {
            headers.append(SEC_WEBSOCKET_PROTOCOL, value);
        }
    }
}

/// A key as a part of a header's name: what no name can have is escaped as in URLs, and the `%` itself.
fn escaped(key: &str) -> String {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&b);
    key.bytes().fold(String::with_capacity(key.len()), |mut escaped, byte| {
        if legal(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let mut all: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
        all.sort();
        all
    }

    #[test]
    fn a_request_goes_on_without_credentials_and_as_the_user_it_was_found_to_be() {
        let sent = map(&[
            ("accept", "application/json"),
            ("authorization", "Bearer secret"),
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "front.example"),
            ("impersonate-user", "alice"),
            ("impersonate-extra-a", "b"),
            ("x-remote-user", "admin"),
            ("x-remote-uid", "0"),
            ("x-remote-group", "system:masters"),
            ("x-remote-extra-scopes", "all"),
            ("x-forwarded-for", "192.0.2.1"),
        ]);
        let mut user = UserInfo::new("alice", ["dev", "ops"]);
        user.extra.insert("example.com/a b%".into(), vec!["1".into(), "2".into()]);
        let headers = request(&sent, &user, IpAddr::from(Ipv4Addr::LOCALHOST), false).unwrap();
        assert_eq!(
            shown(&headers),
            [
                "accept: application/json",
                "te: trailers",
                "x-forwarded-for: 192.0.2.1, 127.0.0.1",
                "x-remote-extra-example.com%2fa%20b%25: 1",
                "x-remote-extra-example.com%2fa%20b%25: 2",
                "x-remote-group: dev",
                "x-remote-group: ops",
                "x-remote-user: alice",
            ]
        );
    }

    #[test]
    fn an_upgrade_keeps_its_protocol_and_loses_tokens() {
        let sent = map(&[
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.c2VjcmV0, v5.channel.k8s.io"),
        ]);
        assert!(asks_to_upgrade(&sent) && !asks_to_upgrade(&map(&[("connection", "close")])));
        let headers = request(&sent, &UserInfo::new("u", [""; 0]), IpAddr::from(Ipv4Addr::LOCALHOST), true).unwrap();
        assert_eq!(
            shown(&headers),
            [
                "connection: Upgrade",
                "sec-websocket-protocol: v5.channel.k8s.io",
                "upgrade: websocket",
                "x-forwarded-for: 127.0.0.1",
                "x-remote-user: u",
            ]
        );
    }

    #[test]
    fn a_user_that_no_header_can_name_is_not_sent_as_another() {
        let user = UserInfo::new("a\r\nX-Remote-Group: system:masters", [""; 0]);
        let refused = request(&HeaderMap::new(), &user, IpAddr::from(Ipv4Addr::LOCALHOST), false).unwrap_err();
        assert_eq!(refused.0, "net/http: invalid header field value for \"x-remote-user\"");
    }
}
