//! The tokens of an expression.

use crate::source::Issue;

/// What a token is. `Symbol` covers operators, brackets and the words `in`, `true`, `false`, `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Symbol,
    Int,
    Uint,
    Float,
    String,
    Bytes,
    Identifier,
    /// An identifier in backquotes.
    Escaped,
    End,
}

/// A token: its text and its place in characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) text: &'a str,
    pub(crate) offset: usize,
}

impl Token<'_> {
    pub(crate) fn is(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }
}

const SYMBOLS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "+", "*",
    "/", "%",
];

/// Whether a word is the language's own, so that no variable can have its name.
pub(crate) fn is_reserved(word: &str) -> bool {
    const WORDS: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    WORDS.contains(&word)
}

/// The tokens of `text`, the last of them [`TokenKind::End`]; what is no token is an issue, and passed over.
pub(crate) fn tokens<'a>(text: &'a str, issues: &mut Vec<Issue>) -> Vec<Token<'a>> {
    let mut lexer = Lexer { text, at: 0, offset: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let (rest, offset) = (lexer.rest(), lexer.offset);
        if rest.is_empty() {
            tokens.push(Token { kind: TokenKind::End, text: "<EOF>", offset });
            return tokens;
        }
        match lexer.next_token(rest) {
            Some((kind, length)) => {
                tokens.push(Token { kind, text: &rest[..length], offset });
                lexer.advance(length);
            }
            None => {
                let length = unreadable(rest);
                let shown = rest[..length].replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
                let message = format!("Syntax error: token recognition error at: '{shown}'");
                issues.push(Issue { offset: Some(offset), message });
                lexer.advance(length);
            }
        }
    }
}

/// How much of what is no token is passed over: an open string to the end of its line, else one character.
fn unreadable(rest: &str) -> usize {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    match rest.as_bytes().first() {
        Some(b'\'' | b'"') => rest.find('\n').map_or(rest.len(), |end| end + 1).max(first),
        // The beginnings of `||`, `&&` and `==`: what does not go on as they do belongs to the error.
        Some(b'|' | b'&' | b'=') => first + rest[first..].chars().next().map_or(0, char::len_utf8),
        _ => first,
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    offset: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        self.offset += self.text[self.at..self.at + bytes].chars().count();
        self.at += bytes;
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(['\t', ' ', '\r', '\n', '\u{c}']).len();
            if blank > 0 {
                self.advance(blank);
            } else if rest.starts_with("//") {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else {
                return;
            }
        }
    }

    fn next_token(&self, rest: &str) -> Option<(TokenKind, usize)> {
        if let Some(found) = string_or_bytes(rest).or_else(|| number(rest)) {
            return Some(found);
        }
        let first = rest.as_bytes()[0];
        if first.is_ascii_alphabetic() || first == b'_' {
            let length = count(rest, |b| b.is_ascii_alphanumeric() || b == b'_');
            let reserved = matches!(&rest[..length], "in" | "true" | "false" | "null");
            return Some((if reserved { TokenKind::Symbol } else { TokenKind::Identifier }, length));
        }
        if first == b'`' {
            let inner = count(&rest[1..], |b| b.is_ascii_alphanumeric() || b"_.-/ ".contains(&b));
            return (inner > 0 && rest[1 + inner..].starts_with('`')).then_some((TokenKind::Escaped, inner + 2));
        }
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol))?;
        Some((TokenKind::Symbol, symbol.len()))
    }
}

/// How many bytes from the start are of a kind.
fn count(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| is(*b)).count()
}

fn number(rest: &str) -> Option<(TokenKind, usize)> {
    let digits = count(rest, |b| b.is_ascii_digit());
    let unsigned = |length: usize| match rest.as_bytes().get(length) {
        Some(b'u' | b'U') => (TokenKind::Uint, length + 1),
        _ => (TokenKind::Int, length),
    };
    if let Some(after) = rest.strip_prefix("0x") {
        let hex = count(after, |b| b.is_ascii_hexdigit());
        if hex > 0 {
            return Some(unsigned(2 + hex));
        }
    }
    let mut end = digits;
    let fraction = match rest[digits..].strip_prefix('.') {
        Some(after) => count(after, |b| b.is_ascii_digit()),
        None => 0,
    };
    if fraction > 0 {
        end += 1 + fraction;
    }
    if end == 0 {
        return None;
    }
    let exponent = exponent(&rest[end..]);
    match (fraction + exponent, digits) {
        (0, 0) => None,
        (0, _) => Some(unsigned(digits)),
        _ => Some((TokenKind::Float, end + exponent)),
    }
}

fn exponent(rest: &str) -> usize {
    if !rest.starts_with(['e', 'E']) {
        return 0;
    }
    let sign = usize::from(rest[1..].starts_with(['+', '-']));
    match count(&rest[1 + sign..], |b| b.is_ascii_digit()) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

/// A string with its prefixes: `b` for bytes, `r` for raw, three quotes for several lines.
fn string_or_bytes(rest: &str) -> Option<(TokenKind, usize)> {
    let bytes = usize::from(rest.starts_with(['b', 'B']));
    let raw = usize::from(rest[bytes..].starts_with(['r', 'R']));
    let start = bytes + raw;
    let quoted = &rest[start..];
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let triple = [quote; 3].iter().collect::<String>();
    let close = if quoted.starts_with(&triple) { triple } else { quote.to_string() };
    let length = match closed(&quoted[close.len()..], &close, raw > 0) {
        Some(length) => close.len() + length,
        // What opens like a triple quote may be an empty string.
        None if close.len() == 3 => 2,
        None => return None,
    };
    Some((if bytes > 0 { TokenKind::Bytes } else { TokenKind::String }, start + length))
}

/// The length of the text up to and with its closing quotes; escapes must be ones.
fn closed(text: &str, close: &str, raw: bool) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(close) {
            return Some(at + close.len());
        }
        let first = rest.chars().next()?;
        match first {
            '\\' if !raw => at += 1 + escape(&rest[1..])?,
            '\n' | '\r' if close.len() == 1 => return None,
            _ => at += first.len_utf8(),
        }
    }
    None
}

/// The length of an escape after its backslash.
fn escape(rest: &str) -> Option<usize> {
    let digits = |length: usize, is: fn(&u8) -> bool| {
        let found = rest.as_bytes().get(1..=length)?;
        found.iter().all(is).then_some(1 + length)
    };
    match rest.as_bytes().first()? {
        b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'"' | b'\'' | b'\\' | b'?' | b'`' => Some(1),
        b'x' | b'X' => digits(2, u8::is_ascii_hexdigit),
        b'u' => digits(4, u8::is_ascii_hexdigit),
        b'U' => digits(8, u8::is_ascii_hexdigit),
        b'0'..=b'3' => digits(2, |b| (b'0'..=b'7').contains(b)),
        _ => None,
    }
}
