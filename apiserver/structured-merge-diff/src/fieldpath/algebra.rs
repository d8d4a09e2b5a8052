//! Union, intersection, differences, and the sets derived from one set.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{PathElement, Set};
use crate::schema::{Schema, TypeRef};

type Children = Vec<(PathElement, Arc<Set>)>;

/// One step of walking two sorted lists side by side.
enum Side<'a, A, B> {
    Left(&'a A),
    Right(&'a B),
    Both(&'a A, &'a B),
}

fn merge_join<'a, A, B>(
    mut left: &'a [A],
    mut right: &'a [B],
    order: impl Fn(&A, &B) -> Ordering + 'a,
) -> impl Iterator<Item = Side<'a, A, B>> {
    std::iter::from_fn(move || match (left, right) {
        ([], []) => None,
        ([a, rest @ ..], []) => {
            left = rest;
            Some(Side::Left(a))
        }
        ([], [b, rest @ ..]) => {
            right = rest;
            Some(Side::Right(b))
        }
        ([a, rest_a @ ..], [b, rest_b @ ..]) => {
            let order = order(a, b);
            if order.is_le() {
                left = rest_a;
            }
            if order.is_ge() {
                right = rest_b;
            }
            Some(match order {
                Ordering::Less => Side::Left(a),
                Ordering::Greater => Side::Right(b),
                Ordering::Equal => Side::Both(a, b),
            })
        }
    })
}

fn join_members<'a>(
    a: &'a [PathElement],
    b: &'a [PathElement],
) -> impl Iterator<Item = Side<'a, PathElement, PathElement>> {
    merge_join(a, b, PathElement::cmp)
}

fn join_children<'a>(
    a: &'a Children,
    b: &'a Children,
) -> impl Iterator<Item = Side<'a, (PathElement, Arc<Set>), (PathElement, Arc<Set>)>> {
    merge_join(a, b, |a, b| a.0.cmp(&b.0))
}

fn difference_members(a: &[PathElement], b: &[PathElement]) -> Vec<PathElement> {
    if b.is_empty() {
        return a.to_vec();
    }
    join_members(a, b)
        .filter_map(|side| match side {
            Side::Left(pe) => Some(pe.clone()),
            _ => None,
        })
        .collect()
}

impl Set {
    /// The paths in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let members = join_members(&self.members, &other.members)
            .map(|side| match side {
                Side::Left(pe) | Side::Right(pe) | Side::Both(pe, _) => pe.clone(),
            })
            .collect();
        let children = join_children(&self.children, &other.children)
            .map(|side| match side {
                Side::Left(node) | Side::Right(node) => node.clone(),
                Side::Both((_, a), node) if Arc::ptr_eq(a, &node.1) => node.clone(),
                Side::Both((pe, a), (_, b)) => (pe.clone(), Arc::new(a.union(b))),
            })
            .collect();
        Self { members, children }
    }

    /// The paths in both sets, with the path elements of `self`.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let members = join_members(&self.members, &other.members)
            .filter_map(|side| match side {
                Side::Both(pe, _) => Some(pe.clone()),
                _ => None,
            })
            .collect();
        let children = join_children(&self.children, &other.children)
            .filter_map(|side| match side {
                Side::Both(node, (_, b)) if Arc::ptr_eq(&node.1, b) => Some(node.clone()),
                Side::Both((pe, a), (_, b)) => non_empty(pe, a.intersection(b)),
                _ => None,
            })
            .collect();
        Self { members, children }
    }

    /// The paths in `self` and not in `other`. A path in `other` does not take its children with it.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let children = join_children(&self.children, &other.children)
            .filter_map(|side| match side {
                Side::Left(node) => Some(node.clone()),
                Side::Right(_) => None,
                Side::Both((_, a), (_, b)) if Arc::ptr_eq(a, b) => None,
                Side::Both((pe, a), (_, b)) => non_empty(pe, a.difference(b)),
            })
            .collect();
        Self { members: difference_members(&self.members, &other.members), children }
    }

    /// The paths in `self` that are neither in `other` nor below a path in `other`.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        let children = join_children(&self.children, &other.children)
            .filter_map(|side| match side {
                Side::Right(_) => None,
                Side::Left((pe, _)) | Side::Both((pe, _), _) if other.has_member(pe) => None,
                Side::Left(node) => Some(node.clone()),
                Side::Both((pe, a), (_, b)) => non_empty(pe, a.recursive_difference(b)),
            })
            .collect();
        Self { members: difference_members(&self.members, &other.members), children }
    }

    /// The members that have no member below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        let members = merge_join(&self.members, &self.children, |pe, node| pe.cmp(&node.0))
            .filter_map(|side| match side {
                Side::Left(pe) => Some(pe.clone()),
                _ => None,
            })
            .collect();
        let children = self.children.iter().map(|(pe, set)| (pe.clone(), Arc::new(set.leaves()))).collect();
        Self { members, children }
    }

    /// The set with each struct field on the way to a member made a member too.
    ///
    /// A set of `.a.b.c` gains `.a` when `a` is a declared field, but not `.a.b` when `b` is a key of a map.
    #[must_use]
    pub fn ensure_named_fields_are_members(&self, schema: &Schema, type_ref: &TypeRef) -> Self {
        self.ensure_named_fields(schema, Some(type_ref))
    }

    fn ensure_named_fields(&self, schema: &Schema, type_ref: Option<&TypeRef>) -> Self {
        let atom = type_ref.and_then(|tr| schema.resolve(tr));
        let map = atom.and_then(|a| a.map.as_deref());
        let list = atom.and_then(|a| a.list.as_deref());
        let mut named = Vec::new();
        let mut children = Vec::with_capacity(self.children.len());
        for (element, set) in &self.children {
            let child_type = match element {
                PathElement::Field(name) => map.and_then(|map| match map.field(name) {
                    Some(field) => {
                        named.push(element.clone());
                        Some(&field.type_ref)
                    }
                    None => map.element_type(),
                }),
                PathElement::Key(_) => list.map(|list| &list.element_type),
                _ => None,
            };
            children.push((element.clone(), Arc::new(set.ensure_named_fields(schema, child_type))));
        }
        let members = join_members(&self.members, &named)
            .map(|side| match side {
                Side::Left(pe) | Side::Right(pe) | Side::Both(pe, _) => pe.clone(),
            })
            .collect();
        Self { members, children }
    }
}

fn non_empty(element: &PathElement, set: Set) -> Option<(PathElement, Arc<Set>)> {
    (!set.is_empty()).then(|| (element.clone(), Arc::new(set)))
}
