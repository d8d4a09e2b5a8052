//! Choosing part of a set: by excluding paths, or by patterns with wildcards.

use std::sync::Arc;

use super::{PathElement, Set};

/// What to take out of a set before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Takes out these paths and all below them.
    Exclude(Set),
    /// Takes out all that does not match.
    Include(SetMatcher),
}

impl Filter {
    /// The filter that keeps what any of the matchers matches; everything, when there are none.
    pub fn include(matchers: impl IntoIterator<Item = SetMatcher>) -> Self {
        Self::Include(matchers.into_iter().reduce(|a, b| a.merge(&b)).unwrap_or_else(SetMatcher::any))
    }

    /// What is left of `set`.
    #[must_use]
    pub fn apply(&self, set: &Set) -> Set {
        match self {
            Self::Exclude(exclude) => set.recursive_difference(exclude),
            Self::Include(matcher) => set.filter_include_matches(matcher),
        }
    }
}

/// A path element, or any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Matches every path element. Comes before, and goes before, the others.
    Any,
    /// Matches this path element.
    Element(PathElement),
}

impl Pattern {
    fn matches(&self, element: &PathElement) -> bool {
        match self {
            Self::Any => true,
            Self::Element(expected) => expected == element,
        }
    }
}

impl<E: Into<PathElement>> From<E> for Pattern {
    fn from(element: E) -> Self {
        Self::Element(element.into())
    }
}

/// A set of path patterns, kept as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetMatcher {
    /// Matches every path.
    Any,
    /// Matches a path whose first step matches a pattern and whose rest matches what follows it. Sorted; the first
    /// pattern that matches a step decides.
    Members(Vec<(Pattern, Arc<SetMatcher>)>),
}

impl SetMatcher {
    /// Matches every path.
    pub fn any() -> Self {
        Self::Any
    }

    /// Matches the paths that begin with these patterns.
    pub fn prefix<P: Into<Pattern>, I>(patterns: I) -> Self
    where
        I: IntoIterator<Item = P, IntoIter: DoubleEndedIterator>,
    {
        patterns
            .into_iter()
            .rev()
            .fold(Self::Any, |rest, pattern| Self::Members(vec![(pattern.into(), Arc::new(rest))]))
    }

    /// Matches what either matches.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let (Self::Members(a), Self::Members(b)) = (self, other) else {
            return Self::Any;
        };
        let mut merged = a.clone();
        for (pattern, rest) in b {
            match merged.binary_search_by(|(p, _)| p.cmp(pattern)) {
                Ok(i) => merged[i].1 = Arc::new(merged[i].1.merge(rest)),
                Err(i) => merged.insert(i, (pattern.clone(), rest.clone())),
            }
        }
        Self::Members(merged)
    }
}

impl Set {
    /// The members that match, and those on the way to the paths that match.
    #[must_use]
    pub fn filter_include_matches(&self, matcher: &SetMatcher) -> Self {
        let SetMatcher::Members(patterns) = matcher else {
            return self.clone();
        };
        let rest_of = |element: &PathElement| patterns.iter().find(|(p, _)| p.matches(element)).map(|(_, rest)| rest);
        Self {
            members: self.members.iter().filter(|pe| rest_of(pe).is_some()).cloned().collect(),
            children: self
                .children
                .iter()
                .filter_map(|(pe, set)| {
                    let kept = set.filter_include_matches(rest_of(pe)?);
                    (!kept.is_empty()).then(|| (pe.clone(), Arc::new(kept)))
                })
                .collect(),
        }
    }
}
