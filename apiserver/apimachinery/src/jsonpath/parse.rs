//! Reading a path.

use super::{Comparison, Operand, Path, Step};

/// A filter's path may hold filters itself, so deep at most.
const MAX_DEPTH: usize = 8;
/// The most steps of a path.
const MAX_STEPS: usize = 256;

/// The steps of a path; `None` if it cannot be read.
pub(super) fn path(text: &str, depth: usize) -> Option<Path> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let text = text.strip_prefix(['$', '@']).unwrap_or(text);
    let mut parser = Parser { text, steps: Vec::new(), depth };
    parser.parse()?;
    Some(Path(parser.steps))
}

struct Parser<'a> {
    text: &'a str,
    steps: Vec<Step>,
    depth: usize,
}

impl Parser<'_> {
    fn parse(&mut self) -> Option<()> {
        while !self.text.is_empty() {
            if self.steps.len() >= MAX_STEPS {
                return None;
            }
            if let Some(rest) = self.text.strip_prefix("..") {
                self.steps.push(Step::Descent);
                self.text = rest;
                if !rest.starts_with('[') {
                    self.field()?;
                }
            } else if let Some(rest) = self.text.strip_prefix('.') {
                self.text = rest;
                if !rest.is_empty() && !rest.starts_with('[') {
                    self.field()?;
                }
            } else if self.text.starts_with('[') {
                self.bracket()?;
            } else {
                self.field()?;
            }
        }
        Some(())
    }

    fn field(&mut self) -> Option<()> {
        let mut name = String::new();
        let mut characters = self.text.char_indices();
        let mut end = self.text.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => name.push(characters.next()?.1),
                '.' | '[' => {
                    end = at;
                    break;
                }
                c => name.push(c),
            }
        }
        self.text = &self.text[end..];
        match name.as_str() {
            "" => return None,
            "*" => self.steps.push(Step::Wildcard),
            _ => self.steps.push(Step::Field(name)),
        }
        Some(())
    }

    fn bracket(&mut self) -> Option<()> {
        let inside = matching(self.text)?;
        self.text = &self.text[inside.len() + 2..];
        let inside = inside.trim();
        let step = if let Some(filter) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
            self.filter(filter)?
        } else if inside == "*" {
            Step::Wildcard
        } else if inside.starts_with(['\'', '"']) {
            let names = inside.split(',').map(|part| unquote(part.trim()));
            Step::Fields(names.collect::<Option<_>>()?)
        } else if inside.contains(':') {
            let mut parts = inside.split(':').map(|part| match part.trim() {
                "" => Some(None),
                number => number.parse().ok().map(Some),
            });
            let (start, end) = (parts.next()??, parts.next()??);
            let step = parts.next().unwrap_or(Some(None))?.unwrap_or(1);
            if step <= 0 || parts.next().is_some() {
                return None;
            }
            Step::Slice(start, end, step)
        } else {
            Step::Indexes(inside.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?)
        };
        self.steps.push(step);
        Some(())
    }

    fn filter(&self, text: &str) -> Option<Step> {
        const OPERATORS: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessEqual),
            (">=", Comparison::GreaterEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return None;
        }
        let text = text.trim();
        let found = OPERATORS.iter().filter_map(|(word, comparison)| Some((text.find(word)?, word, *comparison)));
        // The first operator of the text; of two at one place the longer, which is named first.
        let Some((at, word, comparison)) = found.min_by_key(|(at, word, _)| (*at, std::cmp::Reverse(word.len())))
        else {
            return Some(Step::Filter(path(text, depth)?, None));
        };
        let (left, right) = (text[..at].trim(), text[at + word.len()..].trim());
        let operand = if right.starts_with(['@', '$']) {
            Operand::Path(path(right, depth)?)
        } else if let Some(text) = unquote(right) {
            Operand::Literal(text.into())
        } else {
            Operand::Literal(serde_json::from_str(right).ok()?)
        };
        Some(Step::Filter(path(left, depth)?, Some((comparison, operand))))
    }
}

/// What is between the `[` that `text` begins with and its `]`.
fn matching(text: &str) -> Option<&str> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[1..at]);
                }
            }
            _ => {}
        }
    }
    None
}

fn unquote(text: &str) -> Option<String> {
    for quote in ['\'', '"'] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return Some(inside.to_owned());
        }
    }
    None
}
