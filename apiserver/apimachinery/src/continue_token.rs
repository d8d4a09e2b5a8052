//! The `continue` of a paged list, in upstream's form: base64url (no padding) of `{"v":"meta.k8s.io/v1","rv":…,"start":"…"}`, the
//! start being a key relative to the list's prefix.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::Serialize;
use serde_json::Value;

use crate::StatusError;
use crate::json::{self, Duplicates};

/// The version that is written.
const VERSION: &str = "meta.k8s.io/v1";

/// As Go's `RawURLEncoding`, which does not look at the bits that are left over.
const ENCODING: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

#[derive(Debug, Default, Serialize)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

/// A token that starts at `key` (inclusive), which begins with `prefix`, at `revision`.
///
/// # Errors
/// 500 if the key is not below the prefix.
pub fn encode(key: &str, prefix: &str, revision: u64) -> Result<String, StatusError> {
    let Some(start) = key.strip_prefix(prefix) else {
        return Err(StatusError::internal("unable to encode next field: the key and key prefix do not match"));
    };
    let token = Token { v: VERSION.into(), rv: i64::try_from(revision).unwrap_or(i64::MAX), start: start.into() };
    let json = serde_json::to_vec(&token).map_err(StatusError::internal)?;
    Ok(ENCODING.encode(json))
}

/// The key and revision of a token. A revision below 0 asks for the newest state and is `None`.
///
/// # Errors
/// 400 in upstream's words.
pub fn decode(token: &str, prefix: &str) -> Result<(String, Option<u64>), StatusError> {
    parse(token, prefix).map_err(|error| {
        StatusError::bad_request(format!("invalid continue token: continue key is not valid: {error}"))
    })
}

fn parse(token: &str, prefix: &str) -> Result<(String, Option<u64>), String> {
    let token = read(&bytes(token)?)?;
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
    let start = token.start.strip_prefix('/').unwrap_or(&token.start);
    let clean = start.is_empty() || start.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !clean {
        return Err(token.start);
    }
    Ok((format!("{prefix}{start}"), u64::try_from(token.rv).ok()))
}

/// What a token holds. As Go's decoder, line breaks are passed over.
fn bytes(token: &str) -> Result<Vec<u8>, String> {
    let illegal = |at: usize| format!("illegal base64 data at input byte {at}");
    let is_break = |byte: u8| matches!(byte, b'\r' | b'\n');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if let Some(at) = token.bytes().position(|byte| !is_digit(byte) && !is_break(byte)) {
        return Err(illegal(at));
    }
    let digits: Vec<u8> = token.bytes().filter(|byte| !is_break(*byte)).collect();
    // All are digits: there can only be one too many.
    ENCODING.decode(digits).map_err(|_| illegal(token.len().saturating_sub(1)))
}

/// The fields of a token by the rules of Go's decoder: names in any case, nulls are not given.
fn read(text: &[u8]) -> Result<Token, String> {
    let decoded = json::decode(text, Duplicates::Last).map_err(|error| error.to_string())?;
    let fields = match &decoded.value {
        Value::Object(fields) => fields,
        Value::Null => return Ok(Token::default()),
        other => {
            return Err(format!(
                "json: cannot unmarshal {} into Go value of type storage.continueToken",
                json::type_word(other)
            ));
        }
    };
    let mut token = Token::default();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.to_ascii_lowercase();
        let wrong = |of: &str| {
            let shown = if value.is_number() && of == "int64" {
                format!("number {value}")
            } else {
                json::type_word(value).to_owned()
            };
            format!("json: cannot unmarshal {shown} into Go struct field continueToken.{name} of type {of}")
        };
        match name.as_str() {
            "v" => token.v = value.as_str().ok_or_else(|| wrong("string"))?.to_owned(),
            "rv" => token.rv = value.as_i64().ok_or_else(|| wrong("int64"))?,
            "start" => token.start = value.as_str().ok_or_else(|| wrong("string"))?.to_owned(),
            _ => {}
        }
    }
    Ok(token)
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
            ("e", "illegal base64 data at input byte 0"),
            ("", "unexpected end of JSON input"),
            ("W10", "json: cannot unmarshal array into Go value of type storage.continueToken"),
            ("eyJydiI6IjEifQ", "json: cannot unmarshal string into Go struct field continueToken.rv of type int64"),
            ("eyJydiI6MS41fQ", "json: cannot unmarshal number 1.5 into Go struct field continueToken.rv of type int64"),
            ("eyJ2IjoxfQ", "json: cannot unmarshal number into Go struct field continueToken.v of type string"),
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

    #[test]
    fn a_key_stays_below_the_prefix_and_is_clean() {
        for (start, key) in [
            ("a", Some("/p/a")),
            ("a/b\0", Some("/p/a/b\0")),
            ("/a", Some("/p/a")),
            ("/", Some("/p/")),
            ("a/", None),
            ("a//b", None),
            ("//a", None),
            (".", None),
            ("..", None),
            ("a/../b", None),
            ("...", Some("/p/...")),
        ] {
            let token = ENCODING.encode(serde_json::json!({"v": VERSION, "RV": -1, "start": start}).to_string());
            let broken = format!("{}\r\n{}", &token[..5], &token[5..]);
            for token in [token, broken] {
                assert_eq!(decode(&token, "/p/").ok(), key.map(|key| (key.to_owned(), None)), "{start}");
            }
        }
    }
}
