//! The words and signs of a label selector.

/// A word or a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// The end of the text; every text ends with one.
    End,
    /// A key or a value.
    Word(&'a str),
    /// `in`, an operator or a value.
    In,
    /// `notin`, an operator or a value.
    NotIn,
    /// `!`.
    Not,
    /// `=`.
    Equals,
    /// `==`.
    DoubleEquals,
    /// `!=`.
    NotEquals,
    /// `>`.
    GreaterThan,
    /// `<`.
    LessThan,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
}

impl<'a> Token<'a> {
    /// The word this is where a key or a value may stand.
    pub(super) fn word(self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            Self::In => Some("in"),
            Self::NotIn => Some("notin"),
            _ => None,
        }
    }

    /// Whether a requirement can start with this.
    pub(super) fn starts_requirement(self) -> bool {
        self == Self::Not || self.word().is_some()
    }

    /// The text this was read from.
    pub(super) fn literal(self) -> &'a str {
        match self {
            Self::End => "",
            Self::Word(word) => word,
            Self::In => "in",
            Self::NotIn => "notin",
            Self::Not => "!",
            Self::Equals => "=",
            Self::DoubleEquals => "==",
            Self::NotEquals => "!=",
            Self::GreaterThan => ">",
            Self::LessThan => "<",
            Self::Open => "(",
            Self::Close => ")",
            Self::Comma => ",",
        }
    }
}

/// Reads the tokens of a text, [`Token::End`] last.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    ended: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // Upstream's lexer takes a NUL for the end of the text.
        let text = text.split('\0').next().unwrap_or_default();
        Self { rest: text, ended: false }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_sign(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.ended {
            return None;
        }
        self.rest = self.rest.trim_start_matches(is_space);
        let signs = [
            ("==", Token::DoubleEquals),
            ("!=", Token::NotEquals),
            ("=", Token::Equals),
            ("!", Token::Not),
            ("(", Token::Open),
            (")", Token::Close),
            (",", Token::Comma),
            (">", Token::GreaterThan),
            ("<", Token::LessThan),
        ];
        if self.rest.is_empty() {
            self.ended = true;
            return Some(Token::End);
        }
        if let Some((sign, token)) = signs.into_iter().find(|(sign, _)| self.rest.starts_with(sign)) {
            self.take(sign.len());
            return Some(token);
        }
        let length = self.rest.find(|c| is_sign(c) || is_space(c)).unwrap_or(self.rest.len());
        Some(match self.take(length) {
            "in" => Token::In,
            "notin" => Token::NotIn,
            word => Token::Word(word),
        })
    }
}
