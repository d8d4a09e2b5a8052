//! Bringing a field set in line with a type that changed since the set was written.

use super::ValidationErrors;
use super::atom::{Kind, Shape};
use crate::fieldpath::{Path, PathElement, Set};
use crate::schema::{List, Map, Schema, TypeRef};

/// The set with each container that is atomic now as one field; nothing when there is no such container.
///
/// A container that is no longer atomic is left as it is: its owner owns the whole until it writes again.
pub(super) fn reconcile(schema: &Schema, type_ref: &TypeRef, set: &Set) -> Result<Option<Set>, ValidationErrors> {
    if is_in_line(schema, type_ref, Some(set)) {
        return Ok(None);
    }
    let mut walker = Walker { schema, path: Path::new(), became_atomic: Set::new(), errors: ValidationErrors::new() };
    walker.visit(type_ref, Some(set), false);
    walker.errors.into_result()?;
    let atomic = walker.became_atomic;
    Ok((!atomic.is_empty()).then(|| set.recursive_difference(&atomic).union(&atomic)))
}

/// Whether no container on the way to a member has become atomic: what nearly every set is. `below` is what a set has below a
/// path, `None` for a member with nothing below it. `false` for what does not fit the type, too.
fn is_in_line(schema: &Schema, type_ref: &TypeRef, below: Option<&Set>) -> bool {
    let Some(Ok(kind)) = schema.resolve(type_ref).map(|atom| Shape::of(atom, None).kind(Some(type_ref))) else {
        return false;
    };
    let Some(set) = below else { return true };
    match kind {
        Kind::Scalar(_) => true,
        Kind::List(list) => {
            !list.is_atomic() && all_steps(set, |_, below| is_in_line(schema, &list.element_type, below))
        }
        Kind::Map(map) if is_untyped_deduced(map) => true,
        Kind::Map(map) if map.is_atomic() => set.is_bare(),
        Kind::Map(map) => all_steps(set, |element, below| {
            let field = match element {
                PathElement::Field(name) => map.field(name).map(|field| &field.type_ref),
                _ => None,
            };
            field.or(map.element_type()).is_none_or(|type_ref| is_in_line(schema, type_ref, below))
        }),
    }
}

/// [`for_each_step`] as long as it answers so.
fn all_steps(set: &Set, mut is: impl FnMut(&PathElement, Option<&Set>) -> bool) -> bool {
    let children = set.children_slice();
    if !children.iter().all(|(element, below)| is(element, Some(below))) {
        return false;
    }
    // Both are sorted.
    let mut parents = children.iter().map(|(element, _)| element).peekable();
    set.members().iter().all(|element| {
        while parents.next_if(|parent| *parent < element).is_some() {}
        parents.peek().is_some_and(|parent| *parent == element) || is(element, None)
    })
}

struct Walker<'a> {
    schema: &'a Schema,
    path: Path,
    became_atomic: Set,
    errors: ValidationErrors,
}

impl Walker<'_> {
    /// `whole` says that the set holds the path itself and nothing below it.
    fn visit(&mut self, type_ref: &TypeRef, below: Option<&Set>, whole: bool) {
        let Some(atom) = self.schema.resolve(type_ref) else {
            self.errors.push(format!("could not resolve {type_ref}"));
            return;
        };
        match Shape::of(atom, None).kind(Some(type_ref)) {
            Ok(Kind::Scalar(_)) => {}
            Ok(Kind::List(list)) if list.is_atomic() && !whole => self.became_atomic.insert(&self.path),
            Ok(Kind::List(list)) => self.list(list, below),
            // Values without a schema have nothing to reconcile with.
            Ok(Kind::Map(map)) if is_untyped_deduced(map) => {}
            Ok(Kind::Map(map)) if map.is_atomic() && !whole => {
                if below.is_some_and(|set| !set.is_empty()) {
                    self.became_atomic.insert(&self.path);
                }
            }
            Ok(Kind::Map(map)) => self.map(map, below),
            Err(errors) => self.errors.extend(errors),
        }
    }

    fn list(&mut self, list: &List, below: Option<&Set>) {
        let Some(set) = below else { return };
        for_each_step(set, |element, below, whole| {
            self.step(element, &list.element_type, below, whole);
        });
    }

    /// Fields that are not in the schema are passed over.
    fn map(&mut self, map: &Map, below: Option<&Set>) {
        let Some(set) = below else { return };
        for_each_step(set, |element, below, whole| {
            let field = match element {
                PathElement::Field(name) => map.field(name).map(|field| &field.type_ref),
                _ => None,
            };
            if let Some(type_ref) = field.or(map.element_type()) {
                self.step(element, type_ref, below, whole);
            }
        });
    }

    fn step(&mut self, element: &PathElement, type_ref: &TypeRef, below: Option<&Set>, whole: bool) {
        self.path.push(element.clone());
        self.visit(type_ref, below, whole);
        self.path.pop();
    }
}

/// Each first step of the set's paths, with what is below it and whether it is a member with nothing below.
fn for_each_step(set: &Set, mut visit: impl FnMut(&PathElement, Option<&Set>, bool)) {
    for (element, below) in set.children() {
        visit(element, Some(below), false);
    }
    for element in set.members() {
        if set.children_of(element).is_none() {
            visit(element, None, true);
        }
    }
}

/// Whether the map declares nothing and takes anything, as with `x-kubernetes-preserve-unknown-fields` alone.
fn is_untyped_deduced(map: &Map) -> bool {
    map.fields().is_empty() && map.element_type().is_some_and(TypeRef::is_untyped_deduced)
}
