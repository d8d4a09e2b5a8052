//! Text of objects that is put together where it is sent.

use std::cell::OnceCell;

use bytes::{Buf, Bytes};
use registry::Served;

use crate::raw;

/// Objects and what stands between them, on the way to a client.
///
/// They are put together when the text is first read, which is when the connection's own task sends it. Whoever answered may
/// run elsewhere: what it copied would have to be fetched from another processor's cache.
#[derive(Debug, Default)]
pub struct Text {
    parts: Vec<Part>,
    /// Of all parts.
    length: usize,
    /// How much has been sent.
    at: usize,
    whole: OnceCell<Vec<u8>>,
}

#[derive(Debug)]
enum Part {
    Made(Vec<u8>),
    Comma,
    Object(Served),
    /// A brace, and an object from here on.
    Rest(Served, usize),
}

impl Part {
    fn push_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Made(text) => out.extend_from_slice(text),
            Self::Comma => out.push(b','),
            Self::Object(object) => out.extend_from_slice(object.bytes()),
            Self::Rest(object, from) => {
                out.push(b'{');
                out.extend_from_slice(object.bytes().get(*from..).unwrap_or_default());
            }
        }
    }
}

impl Text {
    fn add(&mut self, part: Part, length: usize) {
        self.parts.push(part);
        self.length += length;
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: Vec<u8>) {
        if !text.is_empty() {
            let length = text.len();
            self.add(Part::Made(text), length);
        }
    }

    /// Appends a comma.
    pub(crate) fn push_comma(&mut self) {
        self.add(Part::Comma, 1);
    }

    /// Appends an object.
    pub(crate) fn push_object(&mut self, object: Served) {
        let length = object.bytes().len();
        self.add(Part::Object(object), length);
    }

    /// Appends an object without its `apiVersion` and `kind`.
    pub(crate) fn push_object_without_type_meta(&mut self, object: Served) {
        match raw::after_type_meta(object.bytes()) {
            Some(from) => {
                let length = 1 + object.bytes().len() - from;
                self.add(Part::Rest(object, from), length);
            }
            None => {
                let mut text = Vec::with_capacity(object.bytes().len());
                raw::push_without_type_meta(object.bytes(), &mut text);
                self.push(text);
            }
        }
    }

    fn whole(&self) -> &[u8] {
        self.whole.get_or_init(|| {
            let mut whole = Vec::with_capacity(self.length);
            self.parts.iter().for_each(|part| part.push_to(&mut whole));
            debug_assert_eq!(whole.len(), self.length);
            whole
        })
    }
}

impl From<Text> for Bytes {
    fn from(mut text: Text) -> Self {
        text.copy_to_bytes(text.remaining())
    }
}

impl Buf for Text {
    fn remaining(&self) -> usize {
        self.length - self.at
    }

    fn chunk(&self) -> &[u8] {
        self.whole().get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.remaining(), "beyond the end");
        self.at += count;
    }
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Piece {
    /// Bytes, shared.
    Bytes(Bytes),
    /// Objects.
    Text(Text),
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.remaining(),
            Self::Text(text) => text.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.chunk(),
            Self::Text(text) => text.chunk(),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(count),
            Self::Text(text) => text.advance(count),
        }
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.copy_to_bytes(length),
            Self::Text(text) => text.copy_to_bytes(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_was_pushed_however_it_is_read() {
        let object = |json: &'static str| Served::from_bytes(Bytes::from_static(json.as_bytes()));
        let text = || {
            let mut text = Text::default();
            text.push(b"[".to_vec());
            text.push_object(object(r#"{"a":1}"#));
            text.push_comma();
            text.push_object_without_type_meta(object(r#"{"kind":"C","apiVersion":"v1","b":{"c":2}}"#));
            text.push_comma();
            text.push_object_without_type_meta(object(r#"{"apiVersion":"v1","data":3,"kind":"C"}"#));
            text.push(b"]".to_vec());
            text
        };
        let expected = r#"[{"a":1},{"b":{"c":2}},{"data":3}]"#;
        assert_eq!(text().remaining(), expected.len());
        assert_eq!(Bytes::from(text()), expected);
        let (mut by_bytes, mut text) = (Vec::new(), Piece::Text(text()));
        while text.has_remaining() {
            by_bytes.push(text.chunk()[0]);
            text.advance(1);
        }
        assert_eq!(String::from_utf8_lossy(&by_bytes), expected);
        assert_eq!(text.chunk(), b"");
    }
}
