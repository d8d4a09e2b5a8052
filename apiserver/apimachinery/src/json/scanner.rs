//! The parts of a JSON text, each with what Go's scanner says if it goes wrong there.

use std::fmt;

use super::text::end_of_plain;

/// Why a text is no JSON. Displayed in Go's words.
pub(super) enum Fault {
    /// It ends too early.
    End,
    /// It is nested too deep.
    Depth,
    /// A character that cannot stand where it stands.
    Character(u8, String),
}

impl Fault {
    pub(super) fn character(byte: u8, context: &str) -> Self {
        Self::Character(byte, context.to_owned())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("unexpected end of JSON input"),
            Self::Depth => f.write_str("exceeded max depth"),
            Self::Character(byte, context) => write!(f, "invalid character {} {context}", quote(*byte)),
        }
    }
}

/// Go's `quoteChar`.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = crate::quote::quoted(&char::from(byte).to_string());
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    /// The same if all of it is UTF-8: then its parts need not be looked at.
    text: Option<&'a str>,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, text: std::str::from_utf8(bytes).ok(), at: 0 }
    }

    pub(super) fn peek(&self) -> Result<u8, Fault> {
        self.bytes.get(self.at).copied().ok_or(Fault::End)
    }

    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    pub(super) fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Nothing but space may follow.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        self.space();
        self.bytes.get(self.at).map_or(Ok(()), |byte| Err(Fault::character(*byte, "after top-level value")))
    }

    /// A field's name, and the colon behind it.
    pub(super) fn key(&mut self) -> Result<String, Fault> {
        let name = self.string()?;
        self.space();
        match self.peek()? {
            b':' => self.at += 1,
            byte => return Err(Fault::character(byte, "after object key")),
        }
        Ok(name)
    }

    /// The text of an object that has no values but objects of the same kind, and no space. `None` for any other, of which
    /// nothing is read, and for one that is nested deeper than `most`.
    pub(super) fn names(&mut self, most: usize) -> Option<&'a str> {
        let end = self.names_end(most)?;
        let text = self.text?.get(self.at..end)?;
        self.at = end;
        Some(text)
    }

    fn names_end(&self, most: usize) -> Option<usize> {
        let (mut at, mut open) = (self.at, 0);
        loop {
            // An object begins.
            if *self.bytes.get(at)? != b'{' || open >= most {
                return None;
            }
            at += 1;
            if *self.bytes.get(at)? == b'}' {
                at += 1;
                // Those that end with it.
                loop {
                    if open == 0 {
                        return Some(at);
                    }
                    match self.bytes.get(at)? {
                        b'}' => (at, open) = (at + 1, open - 1),
                        b',' => {
                            at += 1;
                            break;
                        }
                        _ => return None,
                    }
                }
            } else {
                open += 1;
            }
            at = self.name_end(at)?;
        }
    }

    /// Behind a field's name and the colon after it.
    fn name_end(&self, start: usize) -> Option<usize> {
        if *self.bytes.get(start)? != b'"' {
            return None;
        }
        let mut at = start + 1;
        loop {
            let rest = self.bytes.get(at..)?;
            at += end_of_plain(rest)?;
            match self.bytes.get(at..)? {
                [b'"', b':', ..] => return Some(at + 2),
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => at += 2,
                [b'\\', b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => at += 6,
                _ => return None,
            }
        }
    }

    /// A string, from its first quotation mark to its last.
    pub(super) fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = end_of_plain(rest).unwrap_or(rest.len());
            match self.text.and_then(|text| text.get(self.at..self.at + plain)) {
                // Nearly always that is all of it.
                Some(valid) if text.is_empty() => text = valid.to_owned(),
                Some(valid) => text.push_str(valid),
                None => push(&rest[..plain], &mut text),
            }
            self.at += plain;
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => {
                    self.at += 1;
                    text.push(self.escaped()?);
                }
                byte => return Err(Fault::character(byte, "in string literal")),
            }
        }
    }

    /// What is behind a backslash. Halves of surrogate pairs are U+FFFD.
    fn escaped(&mut self) -> Result<char, Fault> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hexadecimal()?;
                let low = || {
                    let next = self.bytes.get(self.at..self.at + 6)?.strip_prefix(b"\\u")?;
                    u32::from_str_radix(std::str::from_utf8(next).ok()?, 16).ok().filter(|low| is_low(*low))
                };
                match (unit, (0xd800..0xdc00).contains(&unit).then(low).flatten()) {
                    (high, Some(low)) => {
                        self.at += 6;
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    }
                    (unit, None) => char::from_u32(unit),
                }
                .unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            byte => return Err(Fault::character(byte, "in string escape code")),
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek()?;
            let digit = char::from(byte).to_digit(16);
            unit = unit * 16 + digit.ok_or_else(|| Fault::character(byte, "in \\u hexadecimal character escape"))?;
            self.at += 1;
        }
        Ok(unit)
    }

    pub(super) fn literal<T>(&mut self, word: &str, value: T) -> Result<T, Fault> {
        for expected in word.bytes() {
            let byte = self.peek()?;
            if byte != expected {
                return Err(Fault::Character(byte, format!("in literal {word} (expecting {})", quote(expected))));
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// The text of a number.
    pub(super) fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return Err(Fault::character(byte, "in numeric literal")),
        }
        if self.peek().is_ok_and(|byte| byte == b'.') {
            self.at += 1;
            let byte = self.peek()?;
            if !byte.is_ascii_digit() {
                return Err(Fault::character(byte, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if self.peek().is_ok_and(|byte| matches!(byte, b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek()?, b'+' | b'-') {
                self.at += 1;
            }
            let byte = self.peek()?;
            if !byte.is_ascii_digit() {
                return Err(Fault::character(byte, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default())
    }

    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }
}

fn is_low(unit: u32) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

/// Adds text, with U+FFFD for each byte that is not UTF-8.
fn push(bytes: &[u8], text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}
