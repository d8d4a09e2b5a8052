//! Sets of paths.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::{Path, PathElement};

/// A set of paths, kept as a tree that shares what its clones and the sets made from it have in common.
///
/// A path may be a member without its children, with them, or its children without it: owning `.spec.replicas`
/// says nothing of owning `.spec`. The path to the whole object is never a member.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// Sorted; the last steps of the paths that end here.
    pub(super) members: Vec<PathElement>,
    /// Sorted; the paths that go further. No child set is empty.
    pub(super) children: Vec<(PathElement, Arc<Set>)>,
}

impl Set {
    /// The empty set.
    pub(crate) const EMPTY: Self = Self { members: Vec::new(), children: Vec::new() };

    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path, and not its parents. Adding the path to the whole object does nothing.
    pub fn insert(&mut self, path: &[PathElement]) {
        match path {
            [] => {}
            [last] => self.insert_member(last.clone()),
            [first, rest @ ..] => {
                let i = match self.children.binary_search_by(|(pe, _)| pe.cmp(first)) {
                    Ok(i) => i,
                    Err(i) => {
                        self.children.insert(i, (first.clone(), Arc::default()));
                        i
                    }
                };
                Arc::make_mut(&mut self.children[i].1).insert(rest);
            }
        }
    }

    /// Adds the path of one step. Steps that come in order are appended without a search.
    pub(crate) fn insert_member(&mut self, element: PathElement) {
        if self.members.last().is_none_or(|last| *last < element) {
            self.members.push(element);
        } else if let Err(i) = self.members.binary_search(&element) {
            self.members.insert(i, element);
        }
    }

    /// Adds the paths of `set` below `element`.
    pub(crate) fn insert_children(&mut self, element: PathElement, set: Set) {
        if set.is_empty() {
            return;
        }
        if self.children.last().is_none_or(|(last, _)| *last < element) {
            self.children.push((element, Arc::new(set)));
            return;
        }
        match self.children.binary_search_by(|(pe, _)| pe.cmp(&element)) {
            Ok(i) => self.children[i].1 = Arc::new(self.children[i].1.union(&set)),
            Err(i) => self.children.insert(i, (element, Arc::new(set))),
        }
    }

    /// Whether the path is a member.
    pub fn has(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.has_member(last),
            [first, rest @ ..] => self.children_of(first).is_some_and(|set| set.has(rest)),
        }
    }

    /// Whether the path of one step is a member.
    pub fn has_member(&self, element: &PathElement) -> bool {
        self.members.binary_search(element).is_ok()
    }

    /// The members below `element`, without that first step; none when there are none.
    pub fn children_of(&self, element: &PathElement) -> Option<&Set> {
        self.children.binary_search_by(|(pe, _)| pe.cmp(element)).ok().map(|i| &*self.children[i].1)
    }

    /// Whether the path of one field name is a member.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.members.binary_search_by(|pe| cmp_to_field(pe, name)).is_ok()
    }

    /// [`Set::children_of`] a field name.
    pub(crate) fn children_of_field(&self, name: &str) -> Option<&Set> {
        self.children.binary_search_by(|(pe, _)| cmp_to_field(pe, name)).ok().map(|i| &*self.children[i].1)
    }

    /// The members that begin with `element`, without that step.
    pub fn with_prefix(&self, element: &PathElement) -> Set {
        self.children_of(element).cloned().unwrap_or_default()
    }

    /// The paths of one step, in order.
    pub fn members(&self) -> &[PathElement] {
        &self.members
    }

    /// The first steps of longer paths with what follows them, in order.
    pub fn children(&self) -> impl Iterator<Item = (&PathElement, &Set)> {
        self.children.iter().map(|(pe, set)| (pe, &**set))
    }

    /// [`Set::children`], as they are kept.
    pub(crate) fn children_slice(&self) -> &[(PathElement, Arc<Set>)] {
        &self.children
    }

    /// Whether there is no member, told without a walk: no child set is empty.
    pub(crate) fn is_bare(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.iter().all(|(_, set)| set.is_empty())
    }

    /// Whether all paths are of fields of maps: none goes into a list.
    pub fn is_of_names(&self) -> bool {
        let is_name = |element: &PathElement| matches!(element, PathElement::Field(_));
        self.members.iter().all(is_name)
            && self.children.iter().all(|(element, set)| is_name(element) && set.is_of_names())
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members.len() + self.children.iter().map(|(_, set)| set.len()).sum::<usize>()
    }

    /// Calls `visit` with each member, parents before children: at each level the paths that end there come first.
    pub fn for_each(&self, mut visit: impl FnMut(&Path)) {
        self.visit(&mut Path::new(), &mut visit);
    }

    fn visit(&self, prefix: &mut Path, visit: &mut impl FnMut(&Path)) {
        for element in &self.members {
            prefix.push(element.clone());
            visit(prefix);
            prefix.pop();
        }
        for (element, set) in &self.children {
            prefix.push(element.clone());
            set.visit(prefix, visit);
            prefix.pop();
        }
    }

    /// The members, in the order of [`Set::for_each`].
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::with_capacity(self.len());
        self.for_each(|path| paths.push(path.clone()));
        paths
    }
}

/// The order of an element to a field name: field names come first.
fn cmp_to_field(element: &PathElement, name: &str) -> Ordering {
    match element {
        PathElement::Field(field) => (**field).cmp(name),
        _ => Ordering::Greater,
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
            && self.children.len() == other.children.len()
            && self
                .children
                .iter()
                .zip(&other.children)
                .all(|((pa, a), (pb, b))| pa == pb && (Arc::ptr_eq(a, b) || a == b))
    }
}

impl Eq for Set {}

impl<P: AsRef<[PathElement]>> FromIterator<P> for Set {
    fn from_iter<I: IntoIterator<Item = P>>(paths: I) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(path.as_ref());
        }
        set
    }
}

impl AsRef<[PathElement]> for Path {
    fn as_ref(&self) -> &[PathElement] {
        self
    }
}

/// One path a line.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, path) in self.paths().iter().enumerate() {
            write!(f, "{}{path}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}
