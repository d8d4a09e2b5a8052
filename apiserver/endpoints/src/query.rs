//! The parameters of a request's URL, and upstream's rules for reading them.

use apimachinery::status::StatusError;
use percent_encoding::percent_decode_str;

/// The decoded parameters, in the order sent.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL behind `?`. As Go's `url.ParseQuery`, a pair with a `;` or a broken escape is left out.
    pub fn parse(raw: Option<&str>) -> Self {
        let Some(raw) = raw else { return Self::default() };
        let pairs = raw.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        Self(
            pairs
                .filter_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((decode(key)?, decode(value)?))
                })
                .collect(),
        )
    }

    /// The first value of `key`; a parameter without a value is `""`.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of `key`.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The first value, empty if it was not sent.
    pub fn text(&self, key: &str) -> &str {
        self.first(key).unwrap_or_default()
    }

    /// The parameters as Go's `url.Values.Encode` writes them: by name, each name's values in the order sent.
    pub fn encoded(&self) -> String {
        let mut pairs: Vec<&(String, String)> = self.0.iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let mut encoded = String::new();
        for (name, value) in pairs {
            if !encoded.is_empty() {
                encoded.push('&');
            }
            encode(name, &mut encoded);
            encoded.push('=');
            encode(value, &mut encoded);
        }
        encoded
    }

    /// A switch: absent is `None`; everything but `false` (in any case) and `0` is true, also the empty value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.first(key).map(|value| !(value.eq_ignore_ascii_case("false") || value == "0"))
    }

    /// A whole number: absent is `None`, and 400 in the words of Go's `strconv` if it is none (the empty value is none).
    pub fn number(&self, key: &str) -> Result<Option<i64>, StatusError> {
        let Some(value) = self.first(key) else { return Ok(None) };
        match value.parse() {
            Ok(number) => Ok(Some(number)),
            Err(error) => {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                let why = match error.kind() {
                    PosOverflow | NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                let quoted = apimachinery::quote::quoted(value);
                Err(StatusError::bad_request(format!("strconv.ParseInt: parsing {quoted}: {why}")))
            }
        }
    }
}

fn encode(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// `+` is a space, `%XX` a byte; `None` for a broken escape. Bytes that are not UTF-8 become U+FFFD: Go's strings keep
/// them, and what they are a part of is refused as any odd value is, not left out.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%' && !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return None;
    }
    let spaced = if text.contains('+') { text.replace('+', " ") } else { text.to_owned() };
    Some(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_go_writes_them() {
        for (sent, written) in [
            ("watch=1&a=b&a=a", "a=b&a=a&watch=1"),
            ("labelSelector=x%3Dy%2Cz+w", "labelSelector=x%3Dy%2Cz+w"),
            ("a&b=%zz&c=1;2", "a="),
            ("n=%C3%A9~", "n=%C3%A9~"),
        ] {
            assert_eq!(Query::parse(Some(sent)).encoded(), written, "{sent}");
        }
    }

    #[test]
    fn parameters_are_read_as_go_reads_them() {
        let query = Query::parse(Some("a=1&b=x+y%2Cz&a=2&c&bad=%zz&semi;colon=1&raw=%ff"));
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.first("b"), Some("x y,z"));
        assert_eq!(query.first("c"), Some(""));
        assert_eq!(query.first("bad"), None);
        assert_eq!(query.first("semi"), None);
        assert_eq!(query.first("raw"), Some("\u{fffd}"));
    }

    #[test]
    fn a_switch_is_on_unless_it_says_false_or_0() {
        for (raw, expected) in [
            ("watch=false", Some(false)),
            ("watch=False", Some(false)),
            ("watch=0", Some(false)),
            ("watch=no", Some(true)),
            ("watch=", Some(true)),
            ("watch", Some(true)),
            ("other=1", None),
        ] {
            assert_eq!(Query::parse(Some(raw)).flag("watch"), expected, "{raw}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_refused_in_gos_words() {
        let query = Query::parse(Some("limit=x&big=99999999999999999999"));
        assert_eq!(query.number("limit").unwrap_err().to_string(), r#"strconv.ParseInt: parsing "x": invalid syntax"#);
        assert!(query.number("big").unwrap_err().to_string().ends_with("value out of range"));
        assert_eq!(query.number("none").unwrap(), None);
    }
}
