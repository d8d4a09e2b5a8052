//! Why bytes are no JSON, in the words of Go's `encoding/json` scanner. Only run on bodies that were refused.

/// Go's limit of nesting.
const MAX_DEPTH: usize = 10_000;

/// The first syntax error of `bytes` in Go's words; `None` if Go's scanner finds none.
pub(super) fn explain(bytes: &[u8]) -> Option<String> {
    let mut scanner = Scanner { bytes, at: 0 };
    match scanner.document() {
        Ok(()) => None,
        Err(Fault::End) => Some("unexpected end of JSON input".to_owned()),
        Err(Fault::Depth) => Some("exceeded max depth".to_owned()),
        Err(Fault::Character(byte, context)) => Some(format!("invalid character {} {context}", quote(byte))),
    }
}

enum Fault {
    End,
    Depth,
    Character(u8, String),
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Go's `quoteChar`.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => {
            let quoted = apimachinery::quote::quoted(&char::from(byte).to_string());
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

impl Scanner<'_> {
    fn peek(&self) -> Result<u8, Fault> {
        self.bytes.get(self.at).copied().ok_or(Fault::End)
    }

    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn fault<T>(&self, byte: u8, context: &str) -> Result<T, Fault> {
        Err(Fault::Character(byte, context.to_owned()))
    }

    fn document(&mut self) -> Result<(), Fault> {
        self.space();
        self.value()?;
        self.space();
        match self.peek() {
            Ok(byte) => self.fault(byte, "after top-level value"),
            Err(_) => Ok(()),
        }
    }

    /// A value with a stack of its own, so that no input can exhaust the thread's.
    fn value(&mut self) -> Result<(), Fault> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // At the beginning of a value.
            self.space();
            match self.peek()? {
                b'{' => {
                    self.at += 1;
                    open.push(b'{');
                    self.space();
                    match self.peek()? {
                        b'}' => {}
                        b'"' => {
                            self.key()?;
                            continue;
                        }
                        byte => return self.fault(byte, "looking for beginning of object key string"),
                    }
                }
                b'[' => {
                    self.at += 1;
                    open.push(b'[');
                    self.space();
                    if self.peek()? != b']' {
                        if open.len() > MAX_DEPTH {
                            return Err(Fault::Depth);
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                b'-' | b'0'..=b'9' => self.number()?,
                byte => return self.fault(byte, "looking for beginning of value"),
            }
            if open.len() > MAX_DEPTH {
                return Err(Fault::Depth);
            }
            // Behind a value, or at the end of an empty object or array.
            loop {
                let Some(container) = open.last() else { return Ok(()) };
                self.space();
                match (container, self.peek()?) {
                    (b'{', b'}') | (b'[', b']') => {
                        self.at += 1;
                        open.pop();
                    }
                    (b'{', b',') => {
                        self.at += 1;
                        self.space();
                        match self.peek()? {
                            b'"' => self.key()?,
                            byte => return self.fault(byte, "looking for beginning of object key string"),
                        }
                        break;
                    }
                    (b'[', b',') => {
                        self.at += 1;
                        break;
                    }
                    (b'{', byte) => return self.fault(byte, "after object key:value pair"),
                    (_, byte) => return self.fault(byte, "after array element"),
                }
            }
        }
    }

    fn key(&mut self) -> Result<(), Fault> {
        self.string()?;
        self.space();
        match self.peek()? {
            b':' => self.at += 1,
            byte => return self.fault(byte, "after object key"),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
                        b'u' => {
                            self.at += 1;
                            for _ in 0..4 {
                                let byte = self.peek()?;
                                if !byte.is_ascii_hexdigit() {
                                    return self.fault(byte, "in \\u hexadecimal character escape");
                                }
                                self.at += 1;
                            }
                        }
                        byte => return self.fault(byte, "in string escape code"),
                    }
                }
                byte if byte < 0x20 => return self.fault(byte, "in string literal"),
                _ => self.at += 1,
            }
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), Fault> {
        for expected in word.bytes() {
            let byte = self.peek()?;
            if byte != expected {
                let context = format!("in literal {word} (expecting {})", quote(expected));
                return self.fault(byte, &context);
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return self.fault(byte, "in numeric literal"),
        }
        if self.peek().is_ok_and(|byte| byte == b'.') {
            self.at += 1;
            let byte = self.peek()?;
            if !byte.is_ascii_digit() {
                return self.fault(byte, "after decimal point in numeric literal");
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
                return self.fault(byte, "in exponent of numeric literal");
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }
}
