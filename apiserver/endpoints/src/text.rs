//! Text in pieces that lie anywhere, put together where it is sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use registry::Served;

use crate::raw;

/// Objects and what stands between them, or events, on the way to a client.
///
/// The objects' own text is read when the connection's task sends it, and let go of as it is sent. Whoever answered may run
/// elsewhere: what it copied would have to be fetched from another processor's cache, and be copied again.
#[derive(Debug, Default)]
pub struct Text {
    /// What is left to send. None of them is empty.
    parts: VecDeque<Part>,
    /// How much of the first part has been sent.
    at: usize,
    /// How much is left.
    length: usize,
}

#[derive(Debug)]
enum Part {
    Made(Vec<u8>),
    Shared(Bytes),
    /// An object from somewhere on, and what stands before it.
    Object {
        lead: &'static [u8],
        object: Served,
        from: usize,
    },
}

impl Part {
    fn slices(&self) -> [&[u8]; 2] {
        match self {
            Self::Made(text) => [&[], text],
            Self::Shared(text) => [&[], text],
            Self::Object { lead, object, from } => [lead, object.bytes().get(*from..).unwrap_or_default()],
        }
    }

    /// The same without the first `at` bytes.
    fn slices_from(&self, at: usize) -> [&[u8]; 2] {
        let [lead, text] = self.slices();
        match lead.get(at..) {
            Some(lead) => [lead, text],
            None => [&[], text.get(at - lead.len()..).unwrap_or_default()],
        }
    }

    fn len(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }
}

impl Text {
    fn add(&mut self, part: Part) {
        let length = part.len();
        if length > 0 {
            self.parts.push_back(part);
            self.length += length;
        }
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: Vec<u8>) {
        self.add(Part::Made(text));
    }

    /// Appends text that others hold too.
    pub(crate) fn push_shared(&mut self, text: Bytes) {
        self.add(Part::Shared(text));
    }

    /// Appends an object, behind a comma unless it is the `first` of a list.
    pub(crate) fn push_object(&mut self, object: Served, first: bool) {
        self.add(Part::Object { lead: if first { b"" } else { b"," }, object, from: 0 });
    }

    /// The same without the object's `apiVersion` and `kind`.
    pub(crate) fn push_object_without_type_meta(&mut self, object: Served, first: bool) {
        match raw::after_type_meta(object.bytes()) {
            Some(from) => self.add(Part::Object { lead: if first { b"{" } else { b",{" }, object, from }),
            None => {
                let mut text = Vec::with_capacity(object.bytes().len());
                if !first {
                    text.push(b',');
                }
                raw::push_without_type_meta(object.bytes(), &mut text);
                self.push(text);
            }
        }
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        let mut bytes = BytesMut::with_capacity(text.remaining());
        bytes.put(text);
        bytes.freeze()
    }
}

impl Buf for Text {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        let [lead, text] = self.parts.front().map_or([&[][..]; 2], |part| part.slices_from(self.at));
        if lead.is_empty() { text } else { lead }
    }

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        let (mut at, mut count, mut to) = (self.at, 0, to.iter_mut());
        for part in &self.parts {
            for slice in part.slices_from(at).into_iter().filter(|slice| !slice.is_empty()) {
                let Some(place) = to.next() else { return count };
                *place = IoSlice::new(slice);
                count += 1;
            }
            at = 0;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.length, "beyond the end");
        self.length -= count;
        while let Some(left) = self.parts.front().map(|part| part.len() - self.at) {
            if count < left {
                self.at += count;
                return;
            }
            count -= left;
            self.at = 0;
            self.parts.pop_front();
        }
    }
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Piece {
    /// Bytes, shared.
    Bytes(Bytes),
    /// Pieces of text.
    Text(Text),
}

impl From<Piece> for Bytes {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Text(text) => text.into(),
        }
    }
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

    fn chunks_vectored<'a>(&'a self, to: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.chunks_vectored(to),
            Self::Text(text) => text.chunks_vectored(to),
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
            text.push(Vec::new());
            text.push_shared(Bytes::from_static(b"0,"));
            text.push_object(object(r#"{"a":1}"#), true);
            text.push_object_without_type_meta(object(r#"{"kind":"C","apiVersion":"v1","b":{"c":2}}"#), false);
            text.push_object_without_type_meta(object(r#"{"apiVersion":"v1","data":3,"kind":"C"}"#), false);
            text.push_object(object(r#"{"d":4}"#), false);
            text.push(b"]".to_vec());
            Piece::Text(text)
        };
        let expected = r#"[0,{"a":1},{"b":{"c":2}},{"data":3},{"d":4}]"#;
        assert_eq!(text().remaining(), expected.len());
        assert_eq!(text().copy_to_bytes(expected.len()), expected);
        for step in 1..=expected.len() {
            for most in [1, 2, 5, 64] {
                let (mut text, mut sent) = (text(), Vec::new());
                while text.has_remaining() {
                    let mut slices = [IoSlice::new(&[]); 64];
                    let count = text.chunks_vectored(&mut slices[..most]);
                    assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
                    let seen: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
                    assert!(seen.starts_with(text.chunk()));
                    let step = step.min(seen.len());
                    sent.extend_from_slice(&seen[..step]);
                    text.advance(step);
                }
                assert_eq!(String::from_utf8_lossy(&sent), expected, "by {step} of {most} slices");
                assert_eq!((text.chunk(), text.chunks_vectored(&mut [IoSlice::new(&[])])), (&b""[..], 0));
            }
        }
    }
}
