//! The `continue` of a paged list, in upstream's form: base64url (no padding) of `{"v":"meta.k8s.io/v1","rv":…,"start":"…"}`, the
//! start being a key relative to the list's prefix.

use apimachinery::StatusError;
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: &str = "meta.k8s.io/v1";

#[derive(Debug, Default, Serialize, Deserialize)]
struct Token {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

/// A token that starts at `key` (inclusive), which begins with `prefix`, at `revision`.
pub(crate) fn encode(key: &str, prefix: &str, revision: u64) -> Result<String, StatusError> {
    let Some(start) = key.strip_prefix(prefix) else {
        return Err(StatusError::internal(format!("unable to encode next field: the key {key} is not in the list")));
    };
    let token = Token { v: VERSION.into(), rv: i64::try_from(revision).unwrap_or(i64::MAX), start: start.into() };
    let json = serde_json::to_vec(&token).map_err(StatusError::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// The key and revision of a token. A revision of -1 asks for the newest state and is `None`.
///
/// # Errors
/// 400 in upstream's words.
pub(crate) fn decode(token: &str, prefix: &str) -> Result<(String, Option<u64>), StatusError> {
    parse(token, prefix).map_err(|error| {
        StatusError::bad_request(format!("invalid continue token: continue key is not valid: {error}"))
    })
}

fn parse(token: &str, prefix: &str) -> Result<(String, Option<u64>), String> {
    let json = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| format!("illegal base64 data at input byte {}", illegal_byte(token)))?;
    let token: Token =
        serde_json::from_slice(&json).map_err(|_| match json.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => "unexpected end of JSON input".to_owned(),
            Some(b'{') => "unexpected end of JSON input".to_owned(),
            Some(byte) => format!("invalid character '{}' looking for beginning of value", char::from(*byte)),
        })?;
    if token.v != VERSION {
        return Err(format!("server does not recognize this encoded version {}", token.v));
    }
    if token.rv == 0 {
        return Err(format!("incorrect encoded start resourceVersion (version {VERSION})"));
    }
    if token.start.is_empty() {
        return Err(format!("encoded start key empty (version {VERSION})"));
    }
    // The key is the client's word: it may not lead out of the prefix.
    let leads_out = format!("/{}", token.start).split('/').any(|part| matches!(part, "." | ".."));
    if leads_out || token.start.starts_with('/') {
        return Err(token.start);
    }
    Ok((format!("{prefix}{}", token.start), u64::try_from(token.rv).ok()))
}

/// Where Go's decoder stops.
fn illegal_byte(token: &str) -> usize {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let at = token.as_bytes().iter().position(|byte| !is_digit(byte));
    at.unwrap_or_else(|| if URL_SAFE.decode(token).is_ok() { 0 } else { token.len().saturating_sub(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let token = encode("/registry/secrets/ns/b\0", "/registry/secrets/ns/", 7).unwrap();
        assert_eq!(decode(&token, "/registry/secrets/ns/").unwrap(), ("/registry/secrets/ns/b\0".into(), Some(7)));
    }

    #[test]
    fn bad_tokens_are_refused_in_upstream_s_words() {
        let cases = [
            ("***", "illegal base64 data at input byte 0"),
            ("e30=", "illegal base64 data at input byte 3"),
            ("aGVsbG8", "invalid character 'h' looking for beginning of value"),
            ("e30", "server does not recognize this encoded version "),
            ("eyJ2IjoidjkiLCJydiI6NSwic3RhcnQiOiJzMSJ9", "server does not recognize this encoded version v9"),
            (
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJzMSJ9",
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (
                "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIifQ",
                "encoded start key empty (version meta.k8s.io/v1)",
            ),
            ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIuLi9jb25maWdtYXBzL3gifQ", "../configmaps/x"),
        ];
        for (token, words) in cases {
            let error = decode(token, "/registry/secrets/ns/").unwrap_err();
            assert_eq!(
                error.message(),
                format!("invalid continue token: continue key is not valid: {words}"),
                "{token}"
            );
        }
    }
}
