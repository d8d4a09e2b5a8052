//! kubectl's JSONPath, as printer columns use it, with its ways: fields (`.a.b`, `['a']`, `\.`), indexes and slices, `*`,
//! recursive descent, unions, filters (`[?(@.a=="b")]`) and literals.
//!
//! Whoever defines a resource writes its paths, and each object of a list is searched with them: a path has at most 256 steps
//! and filters in filters 8 deep, and a search looks at 200,000 values at most.

mod compare;
mod parse;

use std::sync::LazyLock;

use serde_json::Value;

use compare::Comparison;

/// A parsed path.
#[derive(Clone, Debug, Default)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Slice(Slice),
    Union(Vec<Path>),
    /// What is in objects, lists and texts.
    Wildcard,
    /// What has something in it: the value, and everything below.
    Descent,
    Filter(Path, Option<(Comparison, Path)>),
    /// Takes the place of each value.
    Literal(Value),
    /// Takes the place of all values, if there are any or not.
    Text(Value),
    /// A word that means nothing.
    Unknown,
}

/// The items of a list from a place to another.
#[derive(Clone, Copy, Debug)]
struct Slice {
    start: Option<i64>,
    end: Option<i64>,
    /// The end was not written: it is the one after the start.
    single: bool,
    step: Option<i64>,
}

/// How many values one search looks at.
const MAX_VISITS: usize = 200_000;

type Found<'a> = Vec<&'a Value>;

/// A search fails as a whole. What it was at is kept: a filter asks no more than whether there is something.
struct Failed<'a>(Found<'a>);

impl Path {
    /// Reads a path, with or without the braces around it; `None` if it cannot be read.
    pub fn parse(text: &str) -> Option<Self> {
        parse::path(text)
    }

    /// The first value that it finds; none if it fails anywhere.
    pub fn first<'a>(&'a self, root: &'a Value) -> Option<&'a Value> {
        // Most paths are names alone.
        let mut value = Some(root);
        for step in &self.0 {
            let Step::Field(name) = step else {
                return Search { visits: MAX_VISITS }.walk(&self.0, vec![root]).ok()?.first().copied();
            };
            value = value.and_then(|value| value.get(name));
        }
        value
    }

    /// The values it finds, in order; none if it fails anywhere.
    pub fn all<'a>(&'a self, root: &'a Value) -> Vec<&'a Value> {
        Search { visits: MAX_VISITS }.walk(&self.0, vec![root]).unwrap_or_default()
    }
}

struct Search {
    /// How many values may still be looked at.
    visits: usize,
}

impl Search {
    fn walk<'a>(&mut self, steps: &'a [Step], root: Found<'a>) -> Result<Found<'a>, Failed<'a>> {
        steps.iter().try_fold(root, |values, step| self.step(step, values))
    }

    fn step<'a>(&mut self, step: &'a Step, values: Found<'a>) -> Result<Found<'a>, Failed<'a>> {
        let Some(left) = self.visits.checked_sub(values.len().max(1)) else { return Err(Failed(values)) };
        self.visits = left;
        Ok(match step {
            Step::Field(name) => values.into_iter().filter_map(|value| value.get(name)).collect(),
            Step::Slice(slice) => {
                let mut found = Found::new();
                for value in values.iter().filter(|value| !value.is_null()) {
                    match slice.of(value) {
                        Some([]) => break,
                        Some(items) => found.extend(items.iter().step_by(slice.stride())),
                        None => return Err(Failed(values)),
                    }
                }
                found
            }
            Step::Union(paths) => {
                let mut found = Found::new();
                for path in paths {
                    match self.walk(&path.0, values.clone()) {
                        Ok(more) => found.extend(more),
                        Err(_) => return Err(Failed(values)),
                    }
                }
                found
            }
            Step::Wildcard => values.into_iter().flat_map(children).collect(),
            Step::Descent => {
                let mut found = Found::new();
                for value in &values {
                    if self.descend(value, &mut found).is_none() {
                        return Err(Failed(values));
                    }
                }
                found
            }
            Step::Filter(path, condition) => {
                let mut found = Found::new();
                for value in &values {
                    let Value::Array(items) = value else { return Err(Failed(values)) };
                    for item in items {
                        match self.holds(item, path, condition.as_ref()) {
                            Some(true) => found.push(item),
                            Some(false) => {}
                            None => return Err(Failed(values)),
                        }
                    }
                }
                found
            }
            Step::Literal(literal) => values.iter().map(|_| literal).collect(),
            Step::Text(text) => vec![text],
            Step::Unknown => return Err(Failed(values)),
        })
    }

    /// `None` if that is too much.
    fn descend<'a>(&mut self, value: &'a Value, found: &mut Found<'a>) -> Option<()> {
        self.visits = self.visits.checked_sub(1)?;
        if let Value::String(text) = value {
            found.extend((!text.is_empty()).then_some(value));
            return Some(());
        }
        let mut below = children(value).peekable();
        if below.peek().is_some() {
            found.push(value);
        }
        below.try_for_each(|child| self.descend(child, found))
    }

    /// Whether a filter lets the value pass; `None` if that cannot be said.
    fn holds(&mut self, value: &Value, path: &Path, condition: Option<&(Comparison, Path)>) -> Option<bool> {
        let left = self.walk(&path.0, vec![value]);
        let Some((comparison, other)) = condition else {
            return Some(!left.unwrap_or_else(|Failed(values)| values).is_empty());
        };
        let left = match *left.ok()? {
            [] => return Some(false),
            [left] => left,
            _ => return None,
        };
        match *self.walk(&other.0, vec![value]).ok()? {
            [] => Some(false),
            [right] => comparison.holds(left, right),
            _ => None,
        }
    }
}

impl Slice {
    /// The items, before every one but each of so many is left out; `None` if there are none such.
    fn of<'a>(&self, value: &'a Value) -> Option<&'a [Value]> {
        let list = value.as_array()?;
        let length = i64::try_from(list.len()).ok()?;
        let from_end = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
        let written = self.start.unwrap_or(0);
        let start = from_end(written);
        let end = match self.end {
            _ if self.single && written == -1 => length,
            _ if self.single => from_end(written.saturating_add(1)),
            Some(end) => from_end(end),
            None => length,
        };
        if start == end {
            return Some(&[]);
        }
        if start >= length || self.step.is_some_and(|step| step <= 0) {
            return None;
        }
        list.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    fn stride(&self) -> usize {
        self.step.and_then(|step| usize::try_from(step).ok()).unwrap_or(1).max(1)
    }
}

/// What is in a value. As upstream's, texts have their bytes in them.
fn children(value: &Value) -> impl Iterator<Item = &Value> {
    static BYTES: LazyLock<Vec<Value>> = LazyLock::new(|| (0..=u8::MAX).map(Value::from).collect());
    let (list, map, text) = match value {
        Value::Array(list) => (Some(list), None, None),
        Value::Object(map) => (None, Some(map), None),
        Value::String(text) => (None, None, Some(text)),
        _ => (None, None, None),
    };
    let bytes = text.into_iter().flat_map(|text| text.bytes()).filter_map(|byte| BYTES.get(usize::from(byte)));
    list.into_iter().flatten().chain(map.into_iter().flat_map(|map| map.values())).chain(bytes)
}

#[cfg(test)]
mod tests;
