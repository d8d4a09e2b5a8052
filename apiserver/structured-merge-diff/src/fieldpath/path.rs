//! Paths.

use std::fmt;
use std::ops::Deref;

use super::PathElement;

/// The way from an object to a field, a list element or a map entry in it.
///
/// `Display` is the form conflicts are reported in: `.spec.containers[name="a"].image`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<PathElement>);

impl Path {
    /// The path to the object itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes one step further.
    pub fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    /// Takes the last step back.
    pub fn pop(&mut self) -> Option<PathElement> {
        self.0.pop()
    }

    /// The path one step further.
    #[must_use]
    pub fn child(mut self, element: impl Into<PathElement>) -> Self {
        self.0.push(element.into());
        self
    }
}

impl Deref for Path {
    type Target = [PathElement];

    fn deref(&self) -> &[PathElement] {
        &self.0
    }
}

impl<E: Into<PathElement>> FromIterator<E> for Path {
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        Self(elements.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<PathElement>> for Path {
    fn from(elements: Vec<PathElement>) -> Self {
        Self(elements)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| write!(f, "{element}"))
    }
}
