//! Indented JSON for people, in the order it has.

use bytes::Bytes;
use memchr::memchr2;

/// What a level is indented by, in spaces.
const INDENT: usize = 2;
/// A piece ends behind so many bytes.
const PIECE: usize = 64 * 1024;

/// Compact JSON with each field and item on a line of its own, as Go's `json.Indent` makes it. It comes in pieces: what is
/// nested deeply grows by its indentation to a thousand times its size.
pub(crate) struct Indented {
    json: Bytes,
    at: usize,
    depth: usize,
}

impl Indented {
    /// The text of compact JSON.
    pub(crate) fn new(json: Bytes) -> Self {
        Self { json, at: 0, depth: 0 }
    }
}

impl Iterator for Indented {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let json = &self.json;
        let mut out = Vec::new();
        while out.len() < PIECE
            && let Some(&byte) = json.get(self.at)
        {
            self.at += 1;
            match byte {
                b'"' => {
                    let end = string_end(json, self.at);
                    out.extend_from_slice(&json[self.at - 1..end]);
                    self.at = end;
                }
                b'{' | b'[' => {
                    out.push(byte);
                    self.depth += 1;
                    // What is empty stays together.
                    match json.get(self.at) {
                        Some(b'}' | b']') => {}
                        _ => line(&mut out, self.depth),
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if !matches!(json.get(self.at.wrapping_sub(2)), Some(b'{' | b'[')) {
                        line(&mut out, self.depth);
                    }
                    out.push(byte);
                }
                b',' => {
                    out.push(byte);
                    line(&mut out, self.depth);
                }
                b':' => out.extend_from_slice(b": "),
                b'\n' => {}
                _ => out.push(byte),
            }
        }
        (!out.is_empty()).then(|| out.into())
    }
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + depth * INDENT, b' ');
}

/// Behind the closing quote of the string that begins here.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indented(json: &[u8]) -> Vec<u8> {
        Indented::new(Bytes::copy_from_slice(json)).flatten().collect()
    }

    #[test]
    fn fields_and_items_get_lines_of_their_own() {
        for (json, want) in [
            ("{}", "{}"),
            ("[]", "[]"),
            (r#"{"b":1,"a":[]}"#, "{\n  \"b\": 1,\n  \"a\": []\n}"),
            (r#"[{"a":"{\",:"},null]"#, "[\n  {\n    \"a\": \"{\\\",:\"\n  },\n  null\n]"),
            ("{\"a\":{}}\n", "{\n  \"a\": {}\n}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&indented(json.as_bytes())), want);
        }
    }

    #[test]
    fn what_is_no_json_is_no_panic() {
        for json in ["\"", "\"\\", "}", "]]", "{", "[[[", ",:", "\\"] {
            let _ = indented(json.as_bytes());
        }
    }

    #[test]
    fn deep_nesting_comes_in_pieces() {
        let json = ["[".repeat(10_000), "1,".repeat(1000), "1".to_owned(), "]".repeat(10_000)].concat();
        let pieces = Indented::new(json.into());
        let sizes: Vec<usize> = pieces.map(|piece| piece.len()).collect();
        assert!(sizes.iter().sum::<usize>() > 200 << 20, "{} pieces", sizes.len());
        assert!(sizes.iter().all(|size| *size < 2 * PIECE), "{:?}", sizes.iter().max());
    }
}
