//! The resourceVersion of a stored JSON object. It is never stored; it is put into the bytes when they are read.

use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use crate::{Error, Result, Revision};

/// The order of the keys in an object's metadata, which says where the resourceVersion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    /// That in which Go declares the fields: built-in kinds.
    Declared,
    /// By name: custom resources.
    Sorted,
}

impl KeyOrder {
    /// Whether `key`, as written in JSON, comes before the resourceVersion.
    fn is_before(self, key: &[u8]) -> bool {
        match self {
            Self::Declared => matches!(key, b"name" | b"generateName" | b"namespace" | b"selfLink" | b"uid"),
            Self::Sorted => key < b"resourceVersion".as_slice(),
        }
    }
}

/// `object`, a JSON object, with its `metadata.resourceVersion` set to `revision`, at its place in the order of keys unless
/// a foreign writer stored one, which is then replaced. Missing or null metadata is made. White space after the
/// object is dropped (upstream stores a newline there, which would break the lines of a watch).
///
/// Reads no further than the end of metadata and builds no tree. [`Error::Corrupt`] if it meets something other than
/// JSON on the way there, or metadata that is no object.
pub fn with_resource_version(object: &[u8], revision: Revision, order: KeyOrder) -> Result<Bytes> {
    Ok(ResourceVersionPlace::find(object, order)?.fill(object, revision))
}

/// Where the resourceVersion of a stored object goes: replace `replaced` by `before`, the revision, `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceVersionPlace {
    replaced: Range<usize>,
    before: &'static str,
    after: &'static str,
}

impl ResourceVersionPlace {
    /// The place in `object`; see [`with_resource_version`], errors included.
    pub fn find(object: &[u8], order: KeyOrder) -> Result<Self> {
        Self::find_in(object, order, false)
    }

    fn find_in(object: &[u8], order: KeyOrder, own: bool) -> Result<Self> {
        let mut scanner = Scanner { text: object.trim_ascii_end(), at: 0 };
        locate(&mut scanner, order, own)
            .ok_or_else(|| Error::Corrupt(format!("not a JSON object with metadata, at byte {}", scanner.at)))
    }

    /// [`Self::find`] in an object that has no resourceVersion: reads no further than its place.
    ///
    /// # Errors
    /// As of [`Self::find`].
    pub fn find_in_own(object: &[u8], order: KeyOrder) -> Result<Self> {
        Self::find_in(object, order, true)
    }

    /// `object`, in which this is the place, with a resourceVersion.
    pub fn fill(&self, object: &[u8], revision: Revision) -> Bytes {
        let object = object.trim_ascii_end();
        let kept = object.len() - self.replaced.len();
        let digits = revision.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut out = Vec::with_capacity(kept + self.before.len() + digits + self.after.len());
        out.extend_from_slice(&object[..self.replaced.start]);
        out.extend_from_slice(self.before.as_bytes());
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{revision}");
        out.extend_from_slice(self.after.as_bytes());
        out.extend_from_slice(&object[self.replaced.end..]);
        Bytes::from(out)
    }

    fn insert(at: usize, before: &'static str, after: &'static str) -> Self {
        Self { replaced: at..at, before, after }
    }
}

/// Where the resourceVersion of the object at the scanner goes. `None` if it is no JSON object. `own`: none is there.
fn locate(scanner: &mut Scanner<'_>, order: KeyOrder, own: bool) -> Option<ResourceVersionPlace> {
    scanner.expect(b'{')?;
    let first = scanner.at;
    let mut empty = true;
    while let Some(key) = scanner.next_key(&mut empty)? {
        if !scanner.is_key(key, "metadata") {
            scanner.skip_value()?;
            continue;
        }
        if scanner.peek()? != b'{' {
            let start = scanner.at;
            scanner.skip_value()?;
            let null = &scanner.text[start..scanner.at] == b"null";
            return null.then_some(ResourceVersionPlace {
                replaced: start..scanner.at,
                before: r#"{"resourceVersion":""#,
                after: r#""}"#,
            });
        }
        return locate_in_metadata(scanner, order, own);
    }
    Some(if empty {
        ResourceVersionPlace::insert(first, r#""metadata":{"resourceVersion":""#, r#""}"#)
    } else {
        ResourceVersionPlace::insert(first, r#""metadata":{"resourceVersion":""#, r#""},"#)
    })
}

fn locate_in_metadata(scanner: &mut Scanner<'_>, order: KeyOrder, own: bool) -> Option<ResourceVersionPlace> {
    scanner.expect(b'{')?;
    // Where the first key stands that comes after it, and where the last value ends.
    let (mut next, mut end) = (None, scanner.at);
    let mut empty = true;
    while let Some(key) = scanner.next_key(&mut empty)? {
        if own && !order.is_before(&scanner.text[key.clone()]) {
            next = Some(key.start - 1);
            break;
        }
        scanner.peek()?;
        let start = scanner.at;
        scanner.skip_value()?;
        if scanner.is_key(key.clone(), "resourceVersion") {
            return Some(ResourceVersionPlace { replaced: start..scanner.at, before: "\"", after: "\"" });
        }
        if next.is_none() && !order.is_before(&scanner.text[key.clone()]) {
            next = Some(key.start - 1);
        }
        end = scanner.at;
    }
    Some(match next {
        Some(at) => ResourceVersionPlace::insert(at, r#""resourceVersion":""#, "\","),
        None if empty => ResourceVersionPlace::insert(end, r#""resourceVersion":""#, "\""),
        None => ResourceVersionPlace::insert(end, r#","resourceVersion":""#, "\""),
    })
}

/// A position in JSON text. Each step answers `None` where the text is not JSON (as far as it looks).
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// The next byte that is not white space, which the scanner then stands at.
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Goes past an object's next key and its colon; `Some(None)` at the end of the object.
    fn next_key(&mut self, first: &mut bool) -> Option<Option<Range<usize>>> {
        if self.peek()? == b'}' {
            return Some(None);
        }
        if !std::mem::take(first) {
            self.expect(b',')?;
        }
        let key = self.string()?;
        self.expect(b':')?;
        Some(Some(key))
    }

    /// Goes past a string; answers what is between the quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let found = self.at + memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[found] == b'"' {
                self.at = found + 1;
                return Some(start..found);
            }
            self.at = found + 2;
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            b',' | b'}' | b']' | b':' => None,
            _ => {
                let rest = &self.text[self.at..];
                let length = rest.iter().position(|byte| {
                    matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'{' | b'[' | b':')
                })?;
                self.at += length;
                Some(())
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Whether the string in `range` spells `name`, which is ASCII without characters that must be escaped.
    fn is_key(&self, range: Range<usize>, name: &str) -> bool {
        let mut raw = &self.text[range];
        if !raw.contains(&b'\\') {
            return raw == name.as_bytes();
        }
        for &wanted in name.as_bytes() {
            match raw {
                [b'\\', b'u', a, b, c, d, rest @ ..] => {
                    let code = [*a, *b, *c, *d]
                        .iter()
                        .try_fold(0_u32, |code, &digit| char::from(digit).to_digit(16).map(|digit| code * 16 + digit));
                    if code != Some(wanted.into()) {
                        return false;
                    }
                    raw = rest;
                }
                [byte, rest @ ..] if *byte == wanted => raw = rest,
                _ => return false,
            }
        }
        raw.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_put_at_its_place_in_metadata() {
        use KeyOrder::{Declared, Sorted};
        let cases = [
            (
                "a built-in kind's",
                Declared,
                r#"{"kind":"Pod","metadata":{"name":"a","namespace":"n","uid":"u","generation":1,"labels":{}},"spec":{}}"#,
                r#"{"kind":"Pod","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7","generation":1,"labels":{}},"spec":{}}"#,
            ),
            (
                "a custom resource's",
                Sorted,
                r#"{"metadata":{"generation":1,"name":"a","uid":"u"}}"#,
                r#"{"metadata":{"generation":1,"name":"a","resourceVersion":"7","uid":"u"}}"#,
            ),
            (
                "last",
                Declared,
                r#"{"kind":"Pod","metadata":{"name":"a"},"spec":{}}"#,
                r#"{"kind":"Pod","metadata":{"name":"a","resourceVersion":"7"},"spec":{}}"#,
            ),
            (
                "first",
                Declared,
                r#"{"metadata":{"labels":{"a":"b"},"name":"a"}}"#,
                r#"{"metadata":{"resourceVersion":"7","labels":{"a":"b"},"name":"a"}}"#,
            ),
            ("empty metadata", Declared, r#"{"metadata":{}}"#, r#"{"metadata":{"resourceVersion":"7"}}"#),
            ("blank metadata", Sorted, r#"{"metadata":{ }}"#, r#"{"metadata":{"resourceVersion":"7" }}"#),
            ("null metadata", Declared, r#"{"metadata":null,"a":1}"#, r#"{"metadata":{"resourceVersion":"7"},"a":1}"#),
            ("no metadata", Declared, r#"{"a":1}"#, r#"{"metadata":{"resourceVersion":"7"},"a":1}"#),
            ("nothing at all", Declared, r#"{}"#, r#"{"metadata":{"resourceVersion":"7"}}"#),
            (
                "a foreign writer's, first",
                Declared,
                r#"{"metadata":{"resourceVersion":"123","name":"a"}}"#,
                r#"{"metadata":{"resourceVersion":"7","name":"a"}}"#,
            ),
            (
                "a foreign writer's, last",
                Sorted,
                r#"{"metadata":{"name":"a","uid":"u","resourceVersion":""}}"#,
                r#"{"metadata":{"name":"a","uid":"u","resourceVersion":"7"}}"#,
            ),
            (
                "one in an annotation is not it",
                Declared,
                r#"{"metadata":{"annotations":{"resourceVersion":"1"}}}"#,
                r#"{"metadata":{"resourceVersion":"7","annotations":{"resourceVersion":"1"}}}"#,
            ),
            (
                "metadata of a template is not it",
                Declared,
                r#"{"data":{"metadata":{"x":"}"}},"metadata":{"name":"a"}}"#,
                r#"{"data":{"metadata":{"x":"}"}},"metadata":{"name":"a","resourceVersion":"7"}}"#,
            ),
            (
                "metadata in a string is not it",
                Declared,
                r#"{"data":"\"metadata\":{","metadata":{"name":"\\"}}"#,
                r#"{"data":"\"metadata\":{","metadata":{"name":"\\","resourceVersion":"7"}}"#,
            ),
            (
                "an escaped key",
                Declared,
                r#"{"m\u0065tadata":{"name":"a"}}"#,
                r#"{"m\u0065tadata":{"name":"a","resourceVersion":"7"}}"#,
            ),
            (
                "other escaped keys",
                Declared,
                r#"{"m\u0066tadata":1,"metadat\n":2,"metadata":{}}"#,
                r#"{"m\u0066tadata":1,"metadat\n":2,"metadata":{"resourceVersion":"7"}}"#,
            ),
            (
                "white space",
                Declared,
                "\n{ \"a\" : [1, {\"b\" : \"]\"}] ,\n\t\"metadata\" : { \"name\" : \"a\" , \"labels\" : {} } }\n",
                "\n{ \"a\" : [1, {\"b\" : \"]\"}] ,\n\t\"metadata\" : { \"name\" : \"a\" , \"resourceVersion\":\"7\",\"labels\" : {} } }",
            ),
            (
                "numbers and literals",
                Declared,
                r#"{"a":-1.5e3,"b":true,"c":null,"metadata":{"generation":1}}"#,
                r#"{"a":-1.5e3,"b":true,"c":null,"metadata":{"resourceVersion":"7","generation":1}}"#,
            ),
        ];
        for (what, order, stored, served) in cases {
            let got = with_resource_version(stored.as_bytes(), 7, order);
            let got = got.map_err(|error| panic!("{what}: {error}")).unwrap();
            assert_eq!(String::from_utf8_lossy(&got), served, "{what}");
            let place = ResourceVersionPlace::find(stored.as_bytes(), order).unwrap();
            let own = ResourceVersionPlace::find_in_own(stored.as_bytes(), order).unwrap();
            assert!(own == place || !place.replaced.is_empty(), "{what}");
        }
    }

    #[test]
    fn a_new_revision_replaces_the_old_one() {
        let mut object = Bytes::from_static(br#"{"metadata":{"name":"a"}}"#);
        for revision in [0, 9, 10, 99, 100, u64::MAX, 5] {
            object = with_resource_version(&object, revision, KeyOrder::Sorted).unwrap();
            let want = format!(r#"{{"metadata":{{"name":"a","resourceVersion":"{revision}"}}}}"#);
            assert_eq!(String::from_utf8_lossy(&object), want);
        }
    }

    #[test]
    fn what_is_no_json_object_is_an_error_and_no_panic() {
        let whole = br#"{"a":["\"",{}],"metadata":{"name":"a\\","labels":{"x":"y"}}}"#;
        let end_of_metadata = whole.len() - 1;
        for length in 0..end_of_metadata {
            assert!(
                with_resource_version(&whole[..length], 7, KeyOrder::Declared).is_err(),
                "{}",
                String::from_utf8_lossy(&whole[..length])
            );
        }
        for other in [
            "",
            "null",
            "[]",
            "1",
            "k8s\0binary",
            r#"{"metadata":"x"}"#,
            r#"{"metadata":[]}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1 "metadata":{}}"#,
            "{,}",
        ] {
            assert!(with_resource_version(other.as_bytes(), 7, KeyOrder::Sorted).is_err(), "{other}");
        }
    }
}
