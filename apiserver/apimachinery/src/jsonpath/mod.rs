//! The part of kubectl's JSONPath that printer columns use: fields (`.a.b`, `['a.b']`, `\.`), indexes and slices, `*`,
//! recursive descent, unions of fields or indexes, and filters (`[?(@.a=="b")]`).
//!
//! Whoever defines a resource writes its paths, and each object of a list is searched with them: a path has at most 256 steps
//! and filters in filters 8 deep, and a search looks at 200,000 values at most (`..*..*..*` would look at more than there are).

mod parse;

use std::ops::ControlFlow;

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, Default)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Fields(Vec<String>),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>, i64),
    Wildcard,
    Descent,
    Filter(Path, Option<(Comparison, Operand)>),
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

/// How many values one search looks at.
const MAX_VISITS: usize = 200_000;

impl Path {
    /// Reads a path, with or without its leading `$`, `.` and braces; `None` if it cannot be read.
    pub fn parse(text: &str) -> Option<Self> {
        parse::path(text, 0)
    }

    /// The first value that it finds.
    pub fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        Search { visits: MAX_VISITS }.first(&self.0, root)
    }

    /// The values it finds, in order.
    pub fn all<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = Vec::new();
        let _ = Search { visits: MAX_VISITS }.each(&self.0, root, &mut |value| {
            found.push(value);
            ControlFlow::Continue(())
        });
        found
    }
}

/// What is done with a value that was found.
type Visit<'v, 'a> = dyn FnMut(&'a Value) -> ControlFlow<()> + 'v;

struct Search {
    /// How many values may still be looked at.
    visits: usize,
}

impl Search {
    fn first<'a>(&mut self, steps: &[Step], root: &'a Value) -> Option<&'a Value> {
        let mut first = None;
        let _ = self.each(steps, root, &mut |value| {
            first = Some(value);
            ControlFlow::Break(())
        });
        first
    }

    /// Breaks off when `visit` does, or when too much was looked at.
    fn each<'a>(&mut self, steps: &[Step], value: &'a Value, visit: &mut Visit<'_, 'a>) -> ControlFlow<()> {
        let Some(left) = self.visits.checked_sub(1) else { return ControlFlow::Break(()) };
        self.visits = left;
        let Some((step, rest)) = steps.split_first() else { return visit(value) };
        match step {
            Step::Field(name) => value.get(name).map_or(ControlFlow::Continue(()), |it| self.each(rest, it, visit)),
            Step::Fields(names) => {
                names.iter().filter_map(|name| value.get(name)).try_for_each(|it| self.each(rest, it, visit))
            }
            Step::Indexes(indexes) => {
                let Some(list) = value.as_array() else { return ControlFlow::Continue(()) };
                let mut found = indexes.iter().filter_map(|index| list.get(position(*index, list.len())));
                found.try_for_each(|it| self.each(rest, it, visit))
            }
            Step::Slice(start, end, step) => {
                let Some(list) = value.as_array() else { return ControlFlow::Continue(()) };
                let start = start.map_or(0, |at| position(at, list.len()));
                let end = end.map_or(list.len(), |at| position(at, list.len())).min(list.len());
                let step = usize::try_from(*step).unwrap_or(usize::MAX);
                let slice = list.get(start..end).unwrap_or_default();
                slice.iter().step_by(step).try_for_each(|it| self.each(rest, it, visit))
            }
            Step::Wildcard => children(value).try_for_each(|it| self.each(rest, it, visit)),
            Step::Descent => {
                self.each(rest, value, visit)?;
                children(value).try_for_each(|child| self.each(steps, child, visit))
            }
            Step::Filter(path, condition) => children(value).try_for_each(|child| {
                if self.holds(child, path, condition.as_ref()) {
                    self.each(rest, child, visit)
                } else {
                    ControlFlow::Continue(())
                }
            }),
        }
    }

    fn holds(&mut self, value: &Value, path: &Path, condition: Option<&(Comparison, Operand)>) -> bool {
        let Some(left) = self.first(&path.0, value) else { return false };
        let Some((comparison, operand)) = condition else { return true };
        let right = match operand {
            Operand::Literal(literal) => literal,
            Operand::Path(path) => match self.first(&path.0, value) {
                Some(right) => right,
                None => return false,
            },
        };
        compare(*comparison, left, right)
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
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
        (Comparison::NotEqual, None) => left != right,
        (_, None) => false,
    }
}

fn children(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, map) = match value {
        Value::Array(list) => (Some(list), None),
        Value::Object(map) => (None, Some(map)),
        _ => (None, None),
    };
    list.into_iter().flatten().chain(map.into_iter().flat_map(|map| map.values()))
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
        ] {
            let path_read = Path::parse(path).unwrap();
            let found: Vec<Value> = path_read.all(&object).into_iter().cloned().collect();
            assert_eq!(path_read.first(&object), found.first(), "{path}");
            assert_eq!(Value::from(found), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_or_is_too_long_is_none() {
        let nested = format!("{}@.a{}", "[?(".repeat(9), ")]".repeat(9));
        for path in [".spec.list[", ".a..", "[::0]", "['a]", "[?(@.a==b)]", &".a".repeat(257), &nested] {
            assert!(Path::parse(path).is_none(), "{path}");
        }
        // Bounded by what is written, not by the stack.
        assert!(Path::parse(&"[?(@".repeat(50_000)).is_none());
        assert!(Path::parse(&format!("{}{}", "[?(@".repeat(50_000), ")]".repeat(50_000))).is_none());
    }

    #[test]
    fn a_search_ends_whatever_the_path() {
        let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner}));
        let path = Path::parse(&"..*".repeat(80)).unwrap();
        assert!(path.all(&deep).len() < MAX_VISITS);
        assert!(Path::parse(&format!("{}.none", "..*".repeat(30))).unwrap().first(&deep).is_none());
    }
}
