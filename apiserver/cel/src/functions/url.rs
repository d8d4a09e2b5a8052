//! URLs, as Go's `net/url` reads them.

use apimachinery::quote::quoted;

use super::Opaque;
use crate::interpreter::{Error, Result};
use crate::value::Value;

/// The parts of a URL that expressions may ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url {
    scheme: String,
    user: Option<String>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

impl Url {
    /// Go's `url.ParseRequestURI`: absolute, or a path from the root. The error has its words.
    pub(crate) fn parse_request(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|why| format!("parse {}: {why}", quoted(text)))
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        if text.is_empty() {
            return Err("empty url".to_owned());
        }
        if text == "*" {
            let [scheme, host, query, fragment] = [(); 4].map(|()| String::new());
            return Ok(Self { scheme, user: None, host, path: "*".to_owned(), query, fragment });
        }
        let (scheme, rest) = scheme(text)?;
        // A fragment is no part of a request, but it is read when the URL is taken apart.
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                let [host, path] = [String::new(), String::new()];
                return Ok(Self {
                    scheme,
                    user: None,
                    host,
                    path,
                    query: query.to_owned(),
                    fragment: fragment.to_owned(),
                });
            }
            return Err("invalid URI for request".to_owned());
        }
        let (authority, path) =
            match rest.strip_prefix("//").filter(|after| !after.starts_with('/') || !scheme.is_empty()) {
                Some(after) => after.find('/').map_or((after, ""), |at| after.split_at(at)),
                None => ("", rest),
            };
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user.to_owned()), host));
        check_host(host)?;
        check_escapes(path)?;
        let (host, path) = (host.to_owned(), path.to_owned());
        Ok(Self { scheme, user, host, path, query: query.to_owned(), fragment: fragment.to_owned() })
    }

    fn hostname(&self) -> &str {
        let host = match self.host.rfind(']') {
            Some(end) => &self.host[..=end],
            None => self.host.split_once(':').map_or(&*self.host, |(host, _)| host),
        };
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    fn port(&self) -> &str {
        let after = self.host.rfind(']').map_or(0, |at| at + 1);
        self.host[after..].split_once(':').map_or("", |(_, port)| port)
    }

    /// The path with what must be escaped escaped; what the writer escaped stays as it was.
    fn escaped_path(&self) -> String {
        let keeps = |b: u8| b.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@%!'()*[]".contains(&b);
        let mut escaped = String::with_capacity(self.path.len());
        for byte in self.path.bytes() {
            match byte {
                byte if keeps(byte) => escaped.push(char::from(byte)),
                byte => escaped.push_str(&format!("%{byte:02X}")),
            }
        }
        escaped
    }

    fn query<'a>(&self) -> Value<'a> {
        let mut entries: Vec<(String, Vec<Value<'a>>)> = Vec::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (unescape(key), unescape(value)) else { continue };
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(Value::text(value)),
                None => entries.push((key, vec![Value::text(value)])),
            }
        }
        let entries = entries.into_iter().map(|(key, values)| (Value::text(key), Value::list(values)));
        Value::Map(entries.collect())
    }
}

/// The scheme and what follows its colon.
fn scheme(text: &str) -> Result<(String, &str), String> {
    for (at, char) in text.char_indices() {
        match char {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((text[..at].to_ascii_lowercase(), &text[at + 1..])),
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), String> {
    let after = match host.strip_prefix('[') {
        Some(rest) => match rest.rsplit_once(']') {
            Some((_, after)) => after,
            None => return Err("missing ']' in host".to_owned()),
        },
        None => &host[host.rfind(':').unwrap_or(host.len())..],
    };
    let port = after.strip_prefix(':').unwrap_or(after);
    if !port.bytes().all(|b| b.is_ascii_digit()) || (!after.is_empty() && !after.starts_with(':')) {
        return Err(format!("invalid port {} after host", quoted(after)));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80 || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b);
    match host.bytes().find(|b| !allowed(*b)) {
        Some(bad) => Err(format!("invalid character {} in host name", quoted(&char::from(bad).to_string()))),
        None => check_escapes(host),
    }
}

fn check_escapes(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let escape: String = rest[at..].chars().take(3).collect();
        if escape.len() < 3 || !escape.bytes().skip(1).all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("invalid URL escape {}", quoted(&escape)));
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}

fn unescape(text: &str) -> Option<String> {
    check_escapes(text).ok()?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

pub(super) fn call<'a>(function: &str, values: &[Value<'a>]) -> Option<Result<Value<'a>>> {
    match (function, values) {
        ("isURL", [Value::String(text)]) => Some(Ok(Value::Bool(Url::parse_request(text).is_ok()))),
        ("url", [Value::String(text)]) => Some(match Url::parse_request(text) {
            Ok(url) => Ok(Value::opaque(Opaque::Url(url))),
            Err(why) => Err(Error::new(format!("URL parse error during conversion from string: {why}"))),
        }),
        (_, [Value::Opaque(opaque)]) => {
            let Opaque::Url(url) = &**opaque else { return None };
            Some(Ok(match function {
                "getScheme" => Value::text(url.scheme.as_str()),
                "getHost" => Value::text(url.host.as_str()),
                "getHostname" => Value::text(url.hostname()),
                "getPort" => Value::text(url.port()),
                "getEscapedPath" => Value::text(url.escaped_path()),
                "getQuery" => url.query(),
                _ => return None,
            }))
        }
        _ => None,
    }
}
