//! The headers in which a front proxy names the user of a request that it passes on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use apimachinery::user::UserInfo;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

/// The headers in which a proxy names a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    usernames: Vec<HeaderName>,
    uids: Vec<HeaderName>,
    groups: Vec<HeaderName>,
    /// In lower case.
    extra_prefixes: Vec<String>,
}

impl Headers {
    /// Headers of these names (in any case; space around them does not count) and, for extra values, prefixes.
    ///
    /// # Errors
    /// The name that is none.
    pub fn new(
        usernames: &[String],
        uids: &[String],
        groups: &[String],
        extra_prefixes: &[String],
    ) -> Result<Self, String> {
        let name =
            |text: &String| text.trim().parse::<HeaderName>().map_err(|_| format!("{text:?} is not a header's name"));
        let names = |texts: &[String]| texts.iter().map(name).collect::<Result<Vec<_>, _>>();
        let extra_prefixes = names(extra_prefixes)?.iter().map(|prefix| prefix.as_str().to_owned()).collect();
        Ok(Self { usernames: names(usernames)?, uids: names(uids)?, groups: names(groups)?, extra_prefixes })
    }

    /// The user that the headers name, without `system:authenticated`.
    pub fn user(&self, headers: &HeaderMap) -> Option<UserInfo> {
        let first = |names: &[HeaderName]| {
            names.iter().find_map(|name| headers.get(name).and_then(text).filter(|value| !value.is_empty()))
        };
        let groups = self.groups.iter().flat_map(|name| headers.get_all(name)).filter_map(text);
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for prefix in &self.extra_prefixes {
            for (name, value) in headers {
                if let (Some(key), Some(value)) = (name.as_str().strip_prefix(prefix.as_str()), text(value)) {
                    extra.entry(extra_key(key)).or_default().push(value);
                }
            }
        }
        Some(UserInfo {
            name: first(&self.usernames)?,
            uid: first(&self.uids).unwrap_or_default(),
            groups: groups.filter(|group| !group.is_empty()).collect(),
            extra,
        })
    }

    /// Takes these headers away.
    pub fn strip(&self, headers: &mut HeaderMap) {
        for name in self.usernames.iter().chain(&self.uids).chain(&self.groups) {
            headers.remove(name);
        }
        let is_extra = |name: &&HeaderName| self.extra_prefixes.iter().any(|prefix| name.as_str().starts_with(prefix));
        let extra: Vec<HeaderName> = headers.keys().filter(is_extra).cloned().collect();
        for name in extra {
            headers.remove(name);
        }
    }
}

/// A value that is text. What is not may stand for several users, and names none.
fn text(value: &HeaderValue) -> Option<String> {
    std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

/// The key of an extra value, whose name in a header is escaped where it has to be; what is not escaped rightly stays.
fn extra_key(key: &str) -> String {
    let escapes_are_whole = key.bytes().enumerate().filter(|(_, byte)| *byte == b'%').all(|(at, _)| {
        key.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes_are_whole {
        return key.to_owned();
    }
    percent_decode_str(key).decode_utf8().map_or_else(|_| key.to_owned(), |key| key.into_owned())
}

/// The headers that proxies use where nothing else is agreed.
pub fn standard() -> &'static Headers {
    static STANDARD: LazyLock<Headers> = LazyLock::new(|| Headers {
        usernames: vec![HeaderName::from_static("x-remote-user")],
        uids: vec![HeaderName::from_static("x-remote-uid")],
        groups: vec![HeaderName::from_static("x-remote-group")],
        extra_prefixes: vec!["x-remote-extra-".to_owned()],
    });
    &STANDARD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value);
        }
        headers
    }

    fn agreed() -> Headers {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        Headers::new(
            &of(&["X-Remote-User", " X-Other-User "]),
            &of(&["X-Remote-Uid"]),
            &of(&["X-Remote-Group"]),
            &of(&["X-Remote-Extra-"]),
        )
        .unwrap()
    }

    #[test]
    fn headers_name_a_user_its_uid_groups_and_extra_values() {
        let sent = headers(&[
            ("X-Remote-User", ""),
            ("X-Other-User", "ünal"),
            ("X-Remote-Uid", "u"),
            ("X-Remote-Group", "dev"),
            ("X-Remote-Group", ""),
            ("x-remote-group", "a, b"),
            ("X-Remote-Extra-Acme.com%2FProject", "p"),
            ("X-Remote-Extra-a%zz", "q"),
            ("Accept", "any"),
        ]);
        let user = agreed().user(&sent).unwrap();
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("ünal", "u"));
        assert_eq!(user.groups, ["dev", "a, b"]);
        let extra: Vec<_> = user.extra.iter().map(|(key, values)| (key.as_str(), values.join("+"))).collect();
        assert_eq!(extra, [("a%zz", "q".to_owned()), ("acme.com/project", "p".to_owned())]);
        assert_eq!(agreed().user(&headers(&[("X-Remote-Group", "system:masters")])), None);
    }

    #[test]
    fn what_named_a_user_is_taken_away() {
        let mut sent =
            headers(&[("X-Remote-User", "a"), ("X-Remote-Extra-b", "c"), ("X-Remote-Extras", "d"), ("Accept", "e")]);
        agreed().strip(&mut sent);
        let mut left: Vec<&str> = sent.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-remote-extras"]);
    }

    #[test]
    fn an_empty_header_name_is_refused() {
        assert!(Headers::new(&[" ".to_owned()], &[], &[], &[]).is_err());
    }
}
