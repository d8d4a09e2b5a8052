//! What changed between two values.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map as Object, Value};

use super::ValidationErrors;
use super::atom::{Kind, Shape, ascending_entry_type, resolve};
use super::list_items::path_element;
use super::sides::{check_scalar_sides, zip_entries};
use crate::fieldpath::{Filter, PathElement, Set};
use crate::schema::{List, Schema, TypeRef};
use crate::value;

/// What became of the fields of one value in another. No field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The fields the second value does not have.
    pub removed: Set,
    /// The fields both have, with different values.
    pub modified: Set,
    /// The fields only the second value has.
    pub added: Set,
}

impl Comparison {
    /// Whether the two values were the same.
    pub fn is_same(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// The comparison of what the filter leaves.
    #[must_use]
    pub fn filter(self, filter: Option<&Filter>) -> Self {
        match filter {
            None => self,
            Some(filter) => Self {
                removed: filter.apply(&self.removed),
                modified: filter.apply(&self.modified),
                added: filter.apply(&self.added),
            },
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, name) in [(&self.modified, "Modified"), (&self.added, "Added"), (&self.removed, "Removed")] {
            if !set.is_empty() {
                writeln!(f, "- {name} Fields:\n{set}")?;
            }
        }
        Ok(())
    }
}

pub(super) fn compare(
    schema: &Schema,
    type_ref: &TypeRef,
    lhs: &Value,
    rhs: &Value,
) -> Result<Comparison, ValidationErrors> {
    let mut comparison = Comparison::default();
    let mut walker = Walker { schema, errors: ValidationErrors::new() };
    walker.compare(Some(type_ref), Some(lhs), Some(rhs), &mut comparison);
    walker.errors.into_result()?;
    Ok(comparison)
}

/// What became of one path.
#[derive(Clone, Copy)]
enum Change {
    Removed,
    Modified,
    Added,
}

impl Change {
    /// Of a value that is not gone into.
    fn of_leaf(lhs: Option<&Value>, rhs: Option<&Value>) -> Option<Self> {
        match (lhs, rhs) {
            (Some(lhs), Some(rhs)) => (!value::equals(lhs, rhs)).then_some(Self::Modified),
            _ => Self::of_presence(lhs, rhs),
        }
    }

    /// Of a value whose parts speak for themselves.
    fn of_presence(lhs: Option<&Value>, rhs: Option<&Value>) -> Option<Self> {
        match (lhs, rhs) {
            (None, Some(_)) => Some(Self::Added),
            (Some(_), None) => Some(Self::Removed),
            _ => None,
        }
    }
}

impl Comparison {
    fn record(&mut self, change: Option<Change>, element: &PathElement) {
        match change {
            None => {}
            Some(Change::Removed) => self.removed.insert_member(element.clone()),
            Some(Change::Modified) => self.modified.insert_member(element.clone()),
            Some(Change::Added) => self.added.insert_member(element.clone()),
        }
    }

    fn record_below(&mut self, element: PathElement, below: Self) {
        self.removed.insert_children(element.clone(), below.removed);
        self.modified.insert_children(element.clone(), below.modified);
        self.added.insert_children(element, below.added);
    }
}

struct Walker<'a> {
    schema: &'a Schema,
    errors: ValidationErrors,
}

impl Walker<'_> {
    /// Records what changed below the value, and answers what became of the value itself.
    fn compare(
        &mut self,
        type_ref: Option<&TypeRef>,
        lhs: Option<&Value>,
        rhs: Option<&Value>,
        out: &mut Comparison,
    ) -> Option<Change> {
        let atom = match resolve(self.schema, type_ref) {
            Ok(atom) => atom,
            Err(errors) => {
                self.errors.extend(errors);
                return None;
            }
        };
        let (left, right) = (Shape::of(atom, lhs), Shape::of(atom, rhs));
        if rhs.is_none() {
            self.visit(left, type_ref, lhs, rhs, out)
        } else if lhs.is_none() || left.same_parts(right) {
            self.visit(right, type_ref, lhs, rhs, out)
        } else {
            // The value took another form: what the first form had goes, what the second has comes.
            let first = self.visit(left, type_ref, lhs, rhs, out);
            let second = self.visit(right, type_ref, lhs, rhs, out);
            first.or(second)
        }
    }

    fn visit(
        &mut self,
        shape: Shape<'_>,
        type_ref: Option<&TypeRef>,
        lhs: Option<&Value>,
        rhs: Option<&Value>,
        out: &mut Comparison,
    ) -> Option<Change> {
        match shape.kind(type_ref) {
            Ok(Kind::Scalar(scalar)) => match check_scalar_sides(scalar, lhs, rhs) {
                Ok(()) => Change::of_leaf(lhs, rhs),
                Err(errors) => {
                    self.errors.extend(errors);
                    None
                }
            },
            Ok(Kind::List(list)) => {
                let (left, right) = (items(lhs), items(rhs));
                // Empty is told from null, and from absent, by treating them as leaves.
                if list.is_atomic() || (left.is_empty() && right.is_empty()) {
                    return Change::of_leaf(lhs, rhs);
                }
                self.list(list, left, right, out);
                Change::of_presence(lhs, rhs)
            }
            Ok(Kind::Map(map)) => {
                let (left, right) = (lhs.and_then(Value::as_object), rhs.and_then(Value::as_object));
                let is_empty = |side: Option<&Object<String, Value>>| side.is_none_or(Object::is_empty);
                if map.is_atomic() || (is_empty(left) && is_empty(right)) {
                    return Change::of_leaf(lhs, rhs);
                }
                let mut entry_type = ascending_entry_type(map);
                for (key, left, right) in zip_entries(left, right) {
                    if are_equal(left, right) {
                        continue;
                    }
                    let (type_ref, field) = entry_type(key);
                    let mut below = Comparison::default();
                    let change = self.compare(type_ref, left, right, &mut below);
                    if change.is_some() || !below.is_same() {
                        let name = field.map_or_else(|| key.as_str().into(), |field| field.name.clone());
                        let element = PathElement::Field(name);
                        out.record(change, &element);
                        out.record_below(element, below);
                    }
                }
                Change::of_presence(lhs, rhs)
            }
            Err(errors) => {
                self.errors.extend(errors);
                None
            }
        }
    }

    fn list(&mut self, list: &List, left: &[Value], right: &[Value], out: &mut Comparison) {
        if left.len() == right.len() && left.iter().zip(right).all(|(l, r)| value::equals(l, r)) {
            return;
        }
        let left = self.named(list, left);
        let right = self.named(list, right);
        let mut left = left.chunk_by(|a, b| a.0 == b.0).peekable();
        let mut right = right.chunk_by(|a, b| a.0 == b.0).peekable();
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(l), Some(r)) => l[0].0.cmp(&r[0].0),
            };
            let l = left.next_if(|_| order.is_le()).unwrap_or_default();
            let r = right.next_if(|_| order.is_ge()).unwrap_or_default();
            self.same_name(list, l, r, out);
        }
    }

    /// The items with their names, sorted by name; items of one name stay in order.
    fn named<'v>(&mut self, list: &List, items: &'v [Value]) -> Vec<(PathElement, &'v Value)> {
        let mut named = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            match path_element(self.schema, list, item) {
                Ok(element) => named.push((element, item)),
                Err(err) => self.errors.push(format!("element {i}: {err}")),
            }
        }
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        named
    }

    /// Compares the items of one name. Two or more on a side are one value without parts.
    fn same_name(
        &mut self,
        list: &List,
        left: &[(PathElement, &Value)],
        right: &[(PathElement, &Value)],
        out: &mut Comparison,
    ) {
        let Some((element, _)) = left.first().or(right.first()) else { return };
        let (lhs, rhs) = (left.first().map(|(_, v)| *v), right.first().map(|(_, v)| *v));
        let (lhs, rhs, duplicates) = match (left.len(), right.len()) {
            (0..=1, 0..=1) => (lhs, rhs, None),
            (2.., 2..) => {
                let equal =
                    left.len() == right.len() && left.iter().zip(right).all(|((_, l), (_, r))| value::equals(l, r));
                (None, None, (!equal).then_some(Change::Modified))
            }
            (2.., _) => (None, rhs, Some(Change::Removed)),
            (_, 2..) => (lhs, None, Some(Change::Added)),
        };
        if (lhs.is_some() || rhs.is_some()) && !are_equal(lhs, rhs) {
            let mut below = Comparison::default();
            let change = self.compare(Some(&list.element_type), lhs, rhs, &mut below);
            out.record(change, element);
            out.record_below(element.clone(), below);
        }
        out.record(duplicates, element);
    }
}

/// Whether both are there and the same, so that nothing changed below. To find out costs less than to compare.
fn are_equal(lhs: Option<&Value>, rhs: Option<&Value>) -> bool {
    matches!((lhs, rhs), (Some(lhs), Some(rhs)) if value::equals(lhs, rhs))
}

/// The items of a list; none of anything else.
fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
