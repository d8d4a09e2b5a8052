//! URLs, as Go's `net/url` reads them.

use std::fmt;

use crate::quote::quoted;

/// The parts of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case, without the colon; empty if there is none.
    pub scheme: String,
    /// What stands before the `@` of the host, as written.
    pub user: Option<String>,
    /// With its port.
    pub host: String,
    /// As written.
    pub path: String,
    /// As written, without the `?`.
    pub query: String,
    /// As written, without the `#`.
    pub fragment: String,
}

/// Why a text is no URL, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    text: String,
    why: String,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parse {}: {}", quoted(&self.text), self.why)
    }
}

impl std::error::Error for UrlError {}

impl Url {
    /// Go's `url.Parse`: absolute or relative, with or without a fragment.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let wrong = |text: &str, why| UrlError { text: text.to_owned(), why };
        let url = Self::read(before, false).map_err(|why| wrong(before, why))?;
        check_escapes(fragment).map_err(|why| wrong(text, why))?;
        Ok(Self { fragment: fragment.to_owned(), ..url })
    }

    /// Go's `url.ParseRequestURI`: absolute, or a path from the root. A fragment is no part of a request, but it is taken
    /// apart.
    pub fn parse_request(text: &str) -> Result<Self, UrlError> {
        let wrong = |why: String| UrlError { text: text.to_owned(), why };
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        if before.is_empty() && !text.is_empty() {
            return Err(wrong("invalid URI for request".to_owned()));
        }
        let url = Self::read(before, true).map_err(wrong)?;
        Ok(Self { fragment: fragment.to_owned(), ..url })
    }

    fn read(text: &str, request: bool) -> Result<Self, String> {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        if text.is_empty() && request {
            return Err("empty url".to_owned());
        }
        if text == "*" {
            return Ok(Self { path: "*".to_owned(), ..Self::default() });
        }
        let (scheme, rest) = scheme(text)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = query.to_owned();
        if !rest.starts_with('/') {
            if !scheme.is_empty() {
                return Ok(Self { scheme, query, ..Self::default() });
            }
            if request {
                return Err("invalid URI for request".to_owned());
            }
            if rest.split('/').next().is_some_and(|first| first.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_authority = !scheme.is_empty() || (!request && !rest.starts_with("///"));
        let (authority, path) = match rest.strip_prefix("//").filter(|_| has_authority) {
            Some(after) => after.find('/').map_or((after, ""), |at| after.split_at(at)),
            None => ("", rest),
        };
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user.to_owned()), host));
        check_host(host)?;
        if user.as_deref().is_some_and(|user| !is_user(user)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        check_escapes(user.as_deref().unwrap_or_default())?;
        check_escapes(path)?;
        Ok(Self { scheme, user, host: host.to_owned(), path: path.to_owned(), query, fragment: String::new() })
    }

    /// The host without its port and the brackets of an IPv6 address.
    pub fn hostname(&self) -> &str {
        let host = match self.host.rfind(']') {
            Some(end) => &self.host[..=end],
            None => self.host.split_once(':').map_or(&*self.host, |(host, _)| host),
        };
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, empty if there is none.
    pub fn port(&self) -> &str {
        let after = self.host.rfind(']').map_or(0, |at| at + 1);
        self.host[after..].split_once(':').map_or("", |(_, port)| port)
    }

    /// The path with what must be escaped escaped; what the writer escaped stays as it was.
    pub fn escaped_path(&self) -> String {
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

    /// The parameters of the query, each with its values, in the order in which they first appear.
    pub fn query_values(&self) -> Vec<(String, Vec<String>)> {
        let mut entries: Vec<(String, Vec<String>)> = Vec::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (unescape(key), unescape(value)) else { continue };
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => values.push(value),
                None => entries.push((key, vec![value])),
            }
        }
        entries
    }
}

fn is_user(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_go_does_it() {
        for (text, want) in [
            ("https://u:p@h:1/p?q=1#f", Ok(("https", Some("u:p"), "h:1", "/p", "q=1", "f"))),
            ("HTTP://h", Ok(("http", None, "h", "", "", ""))),
            ("h/p", Ok(("", None, "", "h/p", "", ""))),
            ("//h/p", Ok(("", None, "h", "/p", "", ""))),
            ("mailto:a@b", Ok(("mailto", None, "", "", "", ""))),
            ("", Ok(("", None, "", "", "", ""))),
            ("127.0.0.1:443", Err("parse \"127.0.0.1:443\": first path segment in URL cannot contain colon")),
            (":x", Err("parse \":x\": missing protocol scheme")),
            ("https://h:x", Err("parse \"https://h:x\": invalid port \":x\" after host")),
            ("https://h/%zz#f", Err("parse \"https://h/%zz\": invalid URL escape \"%zz\"")),
            ("https://h#%zz", Err("parse \"https://h#%zz\": invalid URL escape \"%zz\"")),
            ("https://a b@h", Err("parse \"https://a b@h\": net/url: invalid userinfo")),
        ] {
            let got = Url::parse(text).map_err(|error| error.to_string());
            let parts = got
                .as_ref()
                .map(|url| (&*url.scheme, url.user.as_deref(), &*url.host, &*url.path, &*url.query, &*url.fragment));
            assert_eq!(parts.map_err(|error| error.as_str()), want, "{text:?}");
        }
    }

    #[test]
    fn a_request_is_absolute_or_a_path_from_the_root() {
        for (text, want) in [
            ("/p?q", None),
            ("https://h", None),
            ("p", Some("parse \"p\": invalid URI for request")),
            ("", Some("parse \"\": empty url")),
        ] {
            assert_eq!(Url::parse_request(text).err().map(|error| error.to_string()).as_deref(), want, "{text:?}");
        }
    }
}
