//! Where a request has its bearer token: in `Authorization`, or among the subprotocols of a WebSocket.

use std::borrow::Cow;

use admission::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};

/// How a subprotocol that is a token begins.
const PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";
const EXTRA_SPACE: &str =
    "the provided Authorization header contains extra space before the bearer token, and is ignored";

/// The token of a request.
///
/// # Errors
/// Why what a WebSocket's subprotocols say is none.
pub fn token<'h>(headers: &'h HeaderMap, context: &Context) -> Result<Option<Cow<'h, str>>, &'static str> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let found = match std::str::from_utf8(value.as_bytes()) {
            Ok(value) => token_of(value, context).map(Cow::Borrowed),
            // No token is written so: it is found out by nobody knowing it.
            Err(_) => token_of(&String::from_utf8_lossy(value.as_bytes()), context).map(|t| Cow::Owned(t.to_owned())),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(protocol_token(headers)?.map(Cow::Owned))
}

/// The token of `Bearer …` (the word in any case); an empty one is none.
pub fn token_of<'v>(value: &'v str, context: &Context) -> Option<&'v str> {
    let mut parts = value.trim().splitn(3, ' ');
    let (scheme, token) = (parts.next()?, parts.next()?);
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    if token.is_empty() && parts.next().is_some() {
        context.warn(EXTRA_SPACE);
    }
    (!token.is_empty()).then_some(token)
}

fn protocol_token(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    if !is_websocket(headers) {
        return Ok(None);
    }
    let mut token = None;
    let mut others = false;
    let protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    for protocol in protocols.flat_map(|value| value.split(',')).map(str::trim) {
        let Some(encoded) = protocol.strip_prefix(PROTOCOL) else {
            others = true;
            continue;
        };
        if token.is_some() {
            return Err("multiple base64.bearer.authorization tokens specified");
        }
        let decoded =
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "invalid base64.bearer.authorization token encoding")?;
        token = Some(String::from_utf8(decoded).map_err(|_| "invalid base64.bearer.authorization token")?);
    }
    match token.filter(|token| !token.is_empty()) {
        Some(_) if !others => Err("missing additional subprotocol"),
        token => Ok(token),
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let says = |name, word: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    says(CONNECTION, "upgrade") && says(UPGRADE, "websocket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_in_any_case_and_nothing_else_is_one() {
        for (value, expected, warns) in [
            ("Bearer abc", Some("abc"), false),
            ("bearer abc", Some("abc"), false),
            ("BEARER abc", Some("abc"), false),
            (" Bearer abc def", Some("abc"), false),
            ("Bearer ", None, false),
            ("Bearer  abc", None, true),
            ("Bearer", None, false),
            ("Basic abc", None, false),
            ("abc", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            let context = Context::new();
            assert_eq!(token(&headers, &context).unwrap().as_deref(), expected, "{value}");
            assert_eq!(!context.take_warnings().is_empty(), warns, "{value}");
        }
    }

    #[test]
    fn a_websocket_may_bring_its_token_as_a_subprotocol_beside_another_one() {
        let with = |token: &str| format!("{PROTOCOL}{}", URL_SAFE_NO_PAD.encode(token));
        for (protocols, expected) in [
            (format!("{}, v5.channel.k8s.io", with("abc")), Ok(Some("abc"))),
            (with("abc"), Err("missing additional subprotocol")),
            (format!("{}, {}, v5", with("a"), with("b")), Err("multiple base64.bearer.authorization tokens specified")),
            (format!("{PROTOCOL}!, v5"), Err("invalid base64.bearer.authorization token encoding")),
            (format!("{PROTOCOL}_w, v5"), Err("invalid base64.bearer.authorization token")),
            ("v5.channel.k8s.io".to_owned(), Ok(None)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols.parse().unwrap());
            assert_eq!(token(&headers, &Context::new()), Ok(None), "no WebSocket: {protocols}");
            headers.insert(CONNECTION, "keep-alive, Upgrade".parse().unwrap());
            headers.insert(UPGRADE, "websocket".parse().unwrap());
            let found = token(&headers, &Context::new());
            assert_eq!(found.as_ref().map(|found| found.as_deref()).map_err(|error| *error), expected, "{protocols}");
        }
    }
}
