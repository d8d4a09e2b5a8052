//! Reading a path, as kubectl's parser does.

use serde_json::Value;

use super::compare::Comparison;
use super::{Path, Slice, Step};

/// A filter's path may hold filters itself, so deep at most.
const MAX_DEPTH: usize = 8;
/// The most steps of a path, those of filters and unions in it included.
const MAX_STEPS: usize = 256;

/// The steps of a path; `None` if it cannot be read. What follows a closing brace is not looked at.
pub(super) fn path(text: &str) -> Option<Path> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    action(text, 0, &mut 0)
}

fn action(text: &str, depth: usize, count: &mut usize) -> Option<Path> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut parser = Parser { rest: text, steps: Vec::new(), depth, count };
    parser.parse()?;
    Some(Path(parser.steps))
}

struct Parser<'a, 'c> {
    rest: &'a str,
    steps: Vec<Step>,
    depth: usize,
    count: &'c mut usize,
}

impl<'a> Parser<'a, '_> {
    fn parse(&mut self) -> Option<()> {
        loop {
            if let Some(rest) = self.rest.strip_prefix("[?(") {
                self.filter(rest)?;
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("..") {
                if matches!(self.steps.last(), Some(Step::Descent)) {
                    return None;
                }
                self.rest = rest;
                self.push(Step::Descent)?;
                if rest.starts_with(is_name) {
                    self.field()?;
                }
                continue;
            }
            let mut characters = self.rest.chars();
            let Some(next) = characters.next() else { return Some(()) };
            match next {
                '}' => return Some(()),
                ' ' | '@' | '$' => self.rest = characters.as_str(),
                '[' => self.bracket(characters.as_str())?,
                '"' | '\'' => self.quote(next)?,
                '.' => {
                    self.rest = characters.as_str();
                    self.field()?;
                }
                '+' | '-' => self.number()?,
                digit if digit.is_numeric() => self.number()?,
                letter if is_name(letter) => self.word()?,
                _ => return None,
            }
        }
    }

    fn push(&mut self, step: Step) -> Option<()> {
        *self.count += 1;
        self.steps.push(step);
        (*self.count <= MAX_STEPS).then_some(())
    }

    /// The text up to `end`, which is passed over with as much of it as `skip` says.
    fn take(&mut self, end: usize, skip: usize) -> Option<&'a str> {
        let (taken, rest) = (self.rest.get(..end)?, self.rest.get(end + skip..)?);
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<()> {
        let mut escaped = false;
        let end = self.rest.find(|next| {
            let ends = !escaped && is_end(next);
            escaped = !escaped && next == '\\';
            ends
        });
        let name = self.take(end.unwrap_or(self.rest.len()), 0)?;
        self.push(if name == "*" { Step::Wildcard } else { Step::Field(name.replace('\\', "")) })
    }

    fn word(&mut self) -> Option<()> {
        let word = self.take(self.rest.find(is_end).unwrap_or(self.rest.len()), 0)?;
        self.push(match word {
            "true" | "false" => Step::Literal(Value::Bool(word == "true")),
            _ => Step::Unknown,
        })
    }

    fn number(&mut self) -> Option<()> {
        let unsigned = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let sign = self.rest.len() - unsigned.len();
        let digits = unsigned.find(|next: char| next != '.' && !next.is_numeric()).unwrap_or(unsigned.len());
        let text = self.take(sign + digits, 0)?;
        let number = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok()?;
        self.push(Step::Literal(number))
    }

    fn quote(&mut self, quote: char) -> Option<()> {
        let end = end_of_quoted(self.rest, quote)?;
        let text = unquote(self.take(end, 0)?, quote)?;
        self.push(Step::Text(text.into()))
    }

    /// What stands in brackets; quotes keep no bracket.
    fn bracket(&mut self, rest: &'a str) -> Option<()> {
        let end = rest.find([']', '\n']).filter(|end| rest[*end..].starts_with(']'))?;
        let inside = &rest[..end];
        self.rest = &rest[end + 1..];
        let parts: Vec<&str> = inside.split(',').collect();
        if let [_, _, ..] = parts[..] {
            let one = |part: &str| {
                let (depth, text) = (self.depth + 1, format!("[{}]", part.trim_matches(' ')));
                action(&text, depth, self.count)
            };
            let paths = parts.into_iter().map(one).collect::<Option<_>>()?;
            return self.push(Step::Union(paths));
        }
        let quoted = inside.strip_prefix('\'').and_then(|inside| inside.strip_suffix('\''));
        if let Some(name) = quoted.filter(|name| !name.contains('\'')) {
            // A name in brackets is read as one after a dot: its dots part names.
            let below = action(&format!(".{name}"), self.depth + 1, self.count)?;
            self.steps.extend(below.0);
            return Some(());
        }
        let slice = slice(if inside == "*" { ":" } else { inside })?;
        self.push(Step::Slice(slice))
    }

    fn filter(&mut self, rest: &'a str) -> Option<()> {
        let end = end_of_filter(rest)?;
        let (inside, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
        self.rest = rest.strip_prefix(']')?;
        let is_operator = |next: char| matches!(next, '!' | '<' | '>' | '=');
        let sides = inside.find(is_operator).filter(|at| *at > 0).map(|at| inside.split_at(at));
        let sides = sides.and_then(|(left, after)| {
            // The operator leaves something for the right side, if need be of itself.
            let long = after.find(|next| !is_operator(next)).unwrap_or(after.len() - 1);
            (long > 0).then(|| (left, after.split_at(long)))
        });
        let depth = self.depth + 1;
        let filter = match sides {
            Some((left, (operator, right))) => {
                let left = action(left, depth, self.count)?;
                Step::Filter(left, Some((Comparison::of(operator), action(right, depth, self.count)?)))
            }
            None => Step::Filter(action(inside, depth, self.count)?, None),
        };
        self.push(filter)
    }
}

fn is_name(next: char) -> bool {
    next == '_' || next.is_alphanumeric()
}

fn is_end(next: char) -> bool {
    matches!(next, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

/// `start:end:step`, any of them absent.
fn slice(text: &str) -> Option<Slice> {
    let mut parts = text.splitn(3, ':');
    let mut part = || match parts.next() {
        None | Some("") => Some(None),
        Some(number) => {
            let digits = number.strip_prefix('-').unwrap_or(number);
            let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            valid.then(|| number.parse().ok()).flatten().map(Some)
        }
    };
    let (start, end, step) = (part()?, part()?, part()?);
    Some(Slice { start, end, single: !text.contains(':'), step })
}

/// Where a quoted text that `text` begins with ends, the quote included.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut before = quote;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            '\n' => return None,
            _ if next == quote && before != '\\' => return Some(at + 1),
            _ => before = next,
        }
    }
    None
}

/// Where a filter's closing parenthesis is: none within the first quotes.
fn end_of_filter(text: &str) -> Option<usize> {
    let (mut opened, mut closed) = (None, false);
    let mut before = '(';
    for (at, next) in text.char_indices() {
        match (next, opened) {
            ('\n', _) => return None,
            ('"' | '\'', None) => opened = Some(next),
            ('"' | '\'', Some(quote)) => closed |= next == quote && before != '\\',
            (')', _) if opened.is_some() == closed => return Some(at),
            _ => {}
        }
        before = next;
    }
    None
}

/// The text within quotes, by Go's escapes.
fn unquote(quoted: &str, quote: char) -> Option<String> {
    let inside = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(next) = characters.next() {
        if next != '\\' {
            text.push(next);
            continue;
        }
        let escape = characters.next()?;
        text.push(match escape {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            _ if escape == quote => quote,
            'x' | 'u' | 'U' => {
                let digits = if escape == 'x' {
                    2
                } else if escape == 'u' {
                    4
                } else {
                    8
                };
                coded(&mut characters, digits, 16, "")?
            }
            '0'..='7' => coded(&mut characters, 2, 8, escape.encode_utf8(&mut [0; 4]))?,
            _ => return None,
        });
    }
    Some(text)
}

/// The character whose number has these digits.
fn coded(characters: &mut std::str::Chars<'_>, digits: usize, radix: u32, first: &str) -> Option<char> {
    let rest = characters.as_str();
    let code = u32::from_str_radix(&format!("{first}{}", rest.get(..digits)?), radix).ok()?;
    *characters = rest.get(digits..)?.chars();
    char::from_u32(code)
}
