//! The part of kubectl's JSONPath that printer columns use: fields (`.a.b`, `['a.b']`, `\.`), indexes and slices, `*`,
//! recursive descent, unions of fields or indexes, and filters (`[?(@.a=="b")]`).

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Fields(Vec<String>),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>, i64),
    Wildcard,
    Descent,
    Filter(Path, Option<(Comparison, Operand)>),
    /// What cannot be read finds nothing.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Debug)]
enum Operand {
    Literal(Value),
    Path(Path),
}

impl Path {
    /// Reads a path, with or without its leading `$`, `.` and braces. One that cannot be read finds nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let text = text.strip_prefix(['$', '@']).unwrap_or(text);
        let mut parser = Parser { text, steps: Vec::new() };
        match parser.parse() {
            Some(()) => Self(parser.steps),
            None => Self(vec![Step::Nothing]),
        }
    }

    /// The values it finds, in order.
    pub(crate) fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![root], |found, step| {
            let mut next = Vec::new();
            for value in found {
                step.apply(value, &mut next);
            }
            next
        })
    }
}

struct Parser<'a> {
    text: &'a str,
    steps: Vec<Step>,
}

impl Parser<'_> {
    fn parse(&mut self) -> Option<()> {
        while !self.text.is_empty() {
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
            parse_filter(filter)?
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

fn parse_filter(text: &str) -> Option<Step> {
    const OPERATORS: [(&str, Comparison); 6] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessEqual),
        (">=", Comparison::GreaterEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let text = text.trim();
    let found = OPERATORS.iter().filter_map(|(word, comparison)| Some((text.find(word)?, word, *comparison)));
    // The first operator of the text; of two at one place the longer, which is named first.
    let Some((at, word, comparison)) = found.min_by_key(|(at, word, _)| (*at, std::cmp::Reverse(word.len()))) else {
        return Some(Step::Filter(Path::parse(text), None));
    };
    let (left, right) = (text[..at].trim(), text[at + word.len()..].trim());
    let operand = if right.starts_with(['@', '$']) {
        Operand::Path(Path::parse(right))
    } else if let Some(text) = unquote(right) {
        Operand::Literal(text.into())
    } else {
        Operand::Literal(serde_json::from_str(right).ok()?)
    };
    Some(Step::Filter(Path::parse(left), Some((comparison, operand))))
}

impl Step {
    fn apply<'a>(&self, value: &'a Value, found: &mut Vec<&'a Value>) {
        match self {
            Self::Field(name) => found.extend(value.get(name)),
            Self::Fields(names) => found.extend(names.iter().filter_map(|name| value.get(name))),
            Self::Indexes(indexes) => {
                let Some(list) = value.as_array() else { return };
                found.extend(indexes.iter().filter_map(|index| list.get(position(*index, list.len()))));
            }
            Self::Slice(start, end, step) => {
                let Some(list) = value.as_array() else { return };
                let start = start.map_or(0, |at| position(at, list.len()));
                let end = end.map_or(list.len(), |at| position(at, list.len())).min(list.len());
                let step = usize::try_from(*step).unwrap_or(1);
                if start < end {
                    found.extend(list[start..end].iter().step_by(step));
                }
            }
            Self::Wildcard => children(value, |child| found.push(child)),
            Self::Descent => descend(value, found),
            Self::Filter(path, condition) => {
                children(value, |child| {
                    if holds(child, path, condition.as_ref()) {
                        found.push(child);
                    }
                });
            }
            Self::Nothing => {}
        }
    }
}

fn children<'a>(value: &'a Value, each: impl FnMut(&'a Value)) {
    match value {
        Value::Array(list) => list.iter().for_each(each),
        Value::Object(map) => map.values().for_each(each),
        _ => {}
    }
}

fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    children(value, |child| descend(child, found));
}

/// An index from the start, or with a minus from the end; far outside if there is no such place.
fn position(index: i64, length: usize) -> usize {
    match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => {
            usize::try_from(index.unsigned_abs()).ok().and_then(|back| length.checked_sub(back)).unwrap_or(usize::MAX)
        }
    }
}

fn holds(value: &Value, path: &Path, condition: Option<&(Comparison, Operand)>) -> bool {
    let found = path.find(value);
    let Some(left) = found.first() else { return false };
    let Some((comparison, operand)) = condition else { return true };
    let right = match operand {
        Operand::Literal(literal) => literal,
        Operand::Path(path) => match path.find(value).first() {
            Some(right) => right,
            None => return false,
        },
    };
    let order = match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match (comparison, order) {
        (Comparison::Equal, Some(order)) => order.is_eq(),
        (Comparison::NotEqual, Some(order)) => order.is_ne(),
        (Comparison::Less, Some(order)) => order.is_lt(),
        (Comparison::LessEqual, Some(order)) => order.is_le(),
        (Comparison::Greater, Some(order)) => order.is_gt(),
        (Comparison::GreaterEqual, Some(order)) => order.is_ge(),
        (Comparison::NotEqual, None) => left != &right,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_find_what_kubectl_finds() {
        let object = json!({
            "metadata": {"name": "x", "labels": {"a.b/c": "dotted"}},
            "spec": {"n": 3, "list": [{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "c", "v": 3}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        for (path, expected) in [
            (".metadata.name", json!(["x"])),
            ("metadata.name", json!(["x"])),
            ("{.metadata.name}", json!(["x"])),
            (".spec.none", json!([])),
            (".spec.list[0].k", json!(["a"])),
            (".spec.list[-1].k", json!(["c"])),
            (".spec.list[*].v", json!([1, 2, 3])),
            (".spec.list[1:].v", json!([2, 3])),
            (".spec.list[0,2].v", json!([1, 3])),
            (".spec.list[7].v", json!([])),
            (r".metadata.labels.a\.b/c", json!(["dotted"])),
            (".metadata.labels['a.b/c']", json!(["dotted"])),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
            (".status.conditions[?(@.type=='Nope')].status", json!([])),
            (".spec.list[?(@.v>1)].k", json!(["b", "c"])),
            ("..k", json!(["a", "b", "c"])),
            (".spec.list[", json!([])),
        ] {
            let found: Vec<Value> = Path::parse(path).find(&object).into_iter().cloned().collect();
            assert_eq!(Value::from(found), expected, "{path}");
        }
    }
}
