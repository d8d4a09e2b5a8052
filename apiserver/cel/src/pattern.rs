//! Go's regular expressions by way of the `regex` crate.
//!
//! The two share their syntax but for a few corners. In Go `\d`, `\w`, `\s` and `\b` are ASCII, `[`, `&` and `~` are plain
//! characters inside a class, so is `{` where no count follows, `\<` is no boundary, characters may be given in octal, and
//! repetitions cannot be repeated.

use std::iter::Peekable;
use std::str::CharIndices;

use regex::Regex;

/// The most that Go repeats something.
const MAX_REPEAT: u32 = 1000;

/// Compiles a pattern as Go reads it.
///
/// # Errors
/// The pattern is no regular expression; in the words of Go's regexp package, for the mistakes that people make.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = Translation::of(pattern)?;
    Regex::new(&translated).map_err(|error| go_error(pattern, &error))
}

fn refused(problem: &str, part: &str) -> String {
    format!("error parsing regexp: {problem}: `{part}`")
}

fn go_error(pattern: &str, error: &regex::Error) -> String {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        return "error parsing regexp: expression too large".to_owned();
    }
    let text = error.to_string();
    let says = |words: &str| text.contains(words);
    let at_repetition = || pattern.find(['*', '+', '?', '{']).map_or(pattern, |at| &pattern[at..=at]);
    if says("look-around") {
        let start = ["(?!", "(?=", "(?<!", "(?<="].into_iter().filter_map(|s| Some((pattern.find(s)?, s))).min();
        refused("invalid or unsupported Perl syntax", start.map_or(pattern, |(_, s)| &s[..3]))
    } else if says("unclosed group") {
        refused("missing closing )", pattern)
    } else if says("unopened group") {
        refused("unexpected )", pattern)
    } else if says("unclosed character class") {
        refused("missing closing ]", pattern.rfind('[').map_or(pattern, |at| &pattern[at..]))
    } else if says("repetition operator missing expression") {
        refused("missing argument to repetition operator", at_repetition())
    } else if says("backreferences are not supported") || says("unrecognized escape sequence") {
        let at = pattern.find('\\').unwrap_or(0);
        let end = pattern[at..].char_indices().nth(2).map_or(pattern.len(), |(end, _)| at + end);
        refused("invalid escape sequence", &pattern[at..end])
    } else if says("incomplete escape sequence") {
        "error parsing regexp: trailing backslash at end of expression: ``".to_owned()
    } else {
        refused("invalid syntax", pattern)
    }
}

struct Translation<'a> {
    pattern: &'a str,
    chars: Peekable<CharIndices<'a>>,
    out: String,
    in_class: bool,
    /// Where the repetition begins that was read last, if nothing came after it.
    repeated: Option<usize>,
}

impl<'a> Translation<'a> {
    fn of(pattern: &'a str) -> Result<String, String> {
        let mut translation = Self {
            pattern,
            chars: pattern.char_indices().peekable(),
            out: String::with_capacity(pattern.len() + 16),
            in_class: false,
            repeated: None,
        };
        while let Some((at, char)) = translation.chars.next() {
            if translation.in_class {
                translation.class(char);
            } else {
                translation.outside(at, char)?;
            }
        }
        Ok(translation.out)
    }

    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.pattern.len(), |(at, _)| *at)
    }

    fn outside(&mut self, at: usize, char: char) -> Result<(), String> {
        let counted = if char == '{' { count(&self.pattern[at..]) } else { None };
        match char {
            '*' | '+' | '?' => self.repetition(at, 1)?,
            '{' => match counted {
                Some((length, fits)) => {
                    if !fits {
                        return Err(refused("invalid repeat count", &self.pattern[at..at + length]));
                    }
                    self.repetition(at, length)?;
                }
                None => {
                    self.repeated = None;
                    self.out.push_str("\\{");
                }
            },
            _ => {
                self.repeated = None;
                match char {
                    '\\' => self.escape(),
                    '[' => self.open_class(),
                    other => self.out.push(other),
                }
            }
        }
        Ok(())
    }

    /// `*`, `+`, `?` or a count, with the question mark behind it.
    fn repetition(&mut self, at: usize, length: usize) -> Result<(), String> {
        while self.at() < at + length {
            self.chars.next();
        }
        self.chars.next_if(|(_, char)| *char == '?');
        let end = self.at();
        if let Some(start) = self.repeated {
            return Err(refused("invalid nested repetition operator", &self.pattern[start..end]));
        }
        // At the beginning there is nothing to repeat, which the parser tells.
        self.repeated = (at > 0).then_some(at);
        self.out.push_str(&self.pattern[at..end]);
        Ok(())
    }

    fn open_class(&mut self) {
        self.in_class = true;
        self.out.push('[');
        if self.chars.next_if(|(_, char)| *char == '^').is_some() {
            self.out.push('^');
        }
        // `]` right after `[` or `[^` is a member, not the end.
        if self.chars.next_if(|(_, char)| *char == ']').is_some() {
            self.out.push_str("\\]");
        }
    }

    fn class(&mut self, char: char) {
        match char {
            '\\' => self.escape(),
            ']' => {
                self.in_class = false;
                self.out.push(']');
            }
            '[' if self.chars.peek().is_some_and(|(_, next)| *next == ':') => {
                self.out.push('[');
                for (_, char) in self.chars.by_ref() {
                    self.out.push(char);
                    if char == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' => {
                self.out.push('\\');
                self.out.push(char);
            }
            other => self.out.push(other),
        }
    }

    fn escape(&mut self) {
        match self.chars.next().map(|(_, char)| char) {
            Some('d') => self.out.push_str("[0-9]"),
            Some('D') => self.out.push_str("[^0-9]"),
            Some('w') => self.out.push_str("[0-9A-Za-z_]"),
            Some('W') => self.out.push_str("[^0-9A-Za-z_]"),
            Some('s') => self.out.push_str("[\\t\\n\\x0C\\r ]"),
            Some('S') => self.out.push_str("[^\\t\\n\\x0C\\r ]"),
            Some(word @ ('b' | 'B')) if !self.in_class => {
                self.out.push_str("(?-u:\\");
                self.out.push(word);
                self.out.push(')');
            }
            Some(bracket @ ('<' | '>')) => self.out.push(bracket),
            Some('Q') if !self.in_class => {
                let rest = &self.pattern[self.at()..];
                let literal = rest.find("\\E").map_or(rest, |end| &rest[..end]);
                let end = self.at() + literal.len() + if literal.len() < rest.len() { 2 } else { 0 };
                while self.at() < end {
                    self.chars.next();
                }
                self.out.push_str(&regex::escape(literal));
            }
            Some(digit @ '0'..='7')
                if digit == '0' || self.chars.peek().is_some_and(|(_, next)| ('0'..='7').contains(next)) =>
            {
                let mut code = digit.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some((_, next)) = self.chars.next_if(|(_, next)| ('0'..='7').contains(next)) else { break };
                    code = code * 8 + next.to_digit(8).unwrap_or(0);
                }
                self.out.push_str(&format!("\\x{{{code:x}}}"));
            }
            Some(named @ ('p' | 'P' | 'x')) if self.chars.peek().is_some_and(|(_, next)| *next == '{') => {
                self.out.push('\\');
                self.out.push(named);
                for (_, char) in self.chars.by_ref() {
                    self.out.push(char);
                    if char == '}' {
                        break;
                    }
                }
            }
            Some(other) => {
                self.out.push('\\');
                self.out.push(other);
            }
            None => self.out.push('\\'),
        }
    }
}

/// A count (`{2}`, `{2,}`, `{2,3}`) at the beginning of a text: its length, and whether Go repeats that often.
fn count(text: &str) -> Option<(usize, bool)> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = inside.split_once(',').map_or((inside, inside), |(least, most)| (least, most));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // As in Go: `{07}` is text.
    let number = |text: &str| digits(text) && (text.len() == 1 || !text.starts_with('0'));
    if !number(least) || !(most.is_empty() || number(most)) {
        return None;
    }
    let value = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    let fits =
        value(least) <= MAX_REPEAT && (most.is_empty() || value(most) <= MAX_REPEAT && value(least) <= value(most));
    Some((inside.len() + 2, fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^\w$", "ä", false),
            (r"^[\w.-]+$", "a_b.c-d", true),
            (r"^[^\s]+$", "a b", false),
            (r"^[[&~]+$", "[&~", true),
            (r"^[]a]+$", "]a", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^\p{Lu}\d{2}$", "Ä12", true),
            (r"\bfoo\b", "a foo b", true),
            (r"^{a}$", "{a}", true),
            (r"^a{,2}$", "a{,2}", true),
            (r"^\<a\>$", "<a>", true),
            (r"^\101\x42$", "AB", true),
            (r"^\Qa.b\E.$", "a.bc", true),
            (r"^\Qa.b", "axb", false),
            (r"^a+?b{2,3}?$", "aabb", true),
        ] {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text}");
        }
        for (pattern, why) in [
            ("(", "missing closing ): `(`"),
            ("x++", "invalid nested repetition operator: `++`"),
            ("x*?{2}y", "invalid nested repetition operator: `*?{2}`"),
            ("x{1001}", "invalid repeat count: `{1001}`"),
            ("x{3,2}", "invalid repeat count: `{3,2}`"),
            ("+", "missing argument to repetition operator: `+`"),
            (r"a\1", r"invalid escape sequence: `\1`"),
        ] {
            let error = compile(pattern).err();
            assert_eq!(error, Some(format!("error parsing regexp: {why}")), "{pattern}");
        }
    }
}
