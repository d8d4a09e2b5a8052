//! Writing PEM, and reading it as Go does, which takes the text apart more leniently than others and tells what kind a
//! section is of. (For keys and certificates of the server's own, rustls-pki-types reads it.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

/// A section of a PEM text.
pub fn encode(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    for at in (0..text.len()).step_by(64) {
        pem.push_str(&text[at..text.len().min(at + 64)]);
        pem.push('\n');
    }
    pem.push_str("-----END ");
    pem.push_str(kind);
    pem.push_str("-----\n");
    pem
}

/// A section that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it says it is: `CERTIFICATE`, `CERTIFICATE REQUEST`, …
    pub kind: String,
    /// Whether lines of `name: value` precede the content.
    pub has_headers: bool,
    /// The content.
    pub der: Vec<u8>,
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// The sections of a text, in order; what is none is passed over.
pub fn sections(text: &[u8]) -> Sections<'_> {
    Sections { rest: text }
}

/// What [`sections`] gives.
#[derive(Clone, Debug)]
pub struct Sections<'a> {
    /// What is left, from the beginning of a line.
    rest: &'a [u8],
}

impl Iterator for Sections<'_> {
    type Item = Section;

    fn next(&mut self) -> Option<Section> {
        loop {
            let start = if self.rest.starts_with(BEGIN) { 0 } else { memmem::find(self.rest, b"\n-----BEGIN ")? + 1 };
            let after = &self.rest[start + BEGIN.len()..];
            let (kind, mut content) = line(after);
            self.rest = content;
            let Some(kind) = kind.strip_suffix(DASHES) else { continue };
            let mut has_headers = false;
            loop {
                let (header, next) = line(content);
                if !header.contains(&b':') {
                    break;
                }
                has_headers = true;
                content = next;
            }
            let Some((encoded, rest)) = ended(content, kind, has_headers) else { continue };
            let spaceless: Vec<u8> = encoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let (Ok(der), Ok(kind)) = (STANDARD.decode(spaceless), std::str::from_utf8(kind)) else { continue };
            self.rest = rest;
            return Some(Section { kind: kind.to_owned(), has_headers, der });
        }
    }
}

/// The content up to the line that ends a section of `kind`, and what follows that line.
fn ended<'a>(content: &'a [u8], kind: &[u8], has_headers: bool) -> Option<(&'a [u8], &'a [u8])> {
    // Without headers the end may follow at once.
    let (until, trailer) = if !has_headers && content.starts_with(&END[1..]) {
        (0, END.len() - 1)
    } else {
        let at = memmem::find(content, END)?;
        (at, at + END.len())
    };
    let trailer = content[trailer..].strip_prefix(kind)?.strip_prefix(DASHES)?;
    let (rest_of_line, rest) = line(trailer);
    rest_of_line.is_empty().then_some((&content[..until], rest))
}

/// The first line, without the white space at its end, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match memchr::memchr(b'\n', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &text[text.len()..]),
    };
    (line.trim_ascii_end(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, bool, Vec<u8>)> {
        sections(text.as_bytes()).map(|section| (section.kind, section.has_headers, section.der)).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let der: Vec<u8> = (0..200).collect();
        let text = format!("text before\n{}text between\n{}", encode("A THING", &der), encode("ANOTHER", &[]));
        assert_eq!(read(&text), [("A THING".to_owned(), false, der), ("ANOTHER".to_owned(), false, Vec::new())]);
    }

    #[test]
    fn sections_are_found_as_go_finds_them() {
        let a = || ("A".to_owned(), false, vec![0, 0]);
        for (text, expected) in [
            ("-----BEGIN A-----\nAAA=\n-----END A-----\n", vec![a()]),
            ("-----BEGIN A-----\r\nA A\tA=\r\n-----END A-----  \r\n", vec![a()]),
            ("-----BEGIN A-----\nAAA=\n-----END A-----", vec![a()]),
            ("-----BEGIN A-----\nProc: x\n\nAAA=\n-----END A-----\n", vec![("A".to_owned(), true, vec![0, 0])]),
            ("x-----BEGIN A-----\nAAA=\n-----END A-----\n", vec![]),
            ("-----BEGIN A-----\nAAA=\n-----END B-----\n", vec![]),
            ("-----BEGIN A-----\nAAA=\n-----END A-----x\n", vec![]),
            ("-----BEGIN A\nAAA=\n-----END A-----\n", vec![]),
            ("-----BEGIN A-----\n***\n-----END A-----\n", vec![]),
            ("-----BEGIN A-----\nAAA=", vec![]),
            ("-----BEGIN B-----\n***\n-----END B-----\n-----BEGIN A-----\nAAA=\n-----END A-----\n", vec![a()]),
            ("", vec![]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
