//! Who owns which fields, in which version.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::sync::Arc;

use super::Set;

/// The version of an object or a field set, as in `apiVersion`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(Arc<str>);

impl ApiVersion {
    /// The version's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for ApiVersion {
    fn from(version: T) -> Self {
        Self(version.into())
    }
}

impl Borrow<str> for ApiVersion {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fields a manager owns, in the version it last wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedSet {
    /// The fields.
    pub set: Set,
    /// The version whose field names the set uses.
    pub api_version: ApiVersion,
    /// Whether the manager applies, rather than updates.
    pub applied: bool,
}

impl VersionedSet {
    /// The fields a manager owns.
    pub fn new(set: Set, api_version: impl Into<ApiVersion>, applied: bool) -> Self {
        Self { set, api_version: api_version.into(), applied }
    }
}

/// What each manager owns, by the manager's identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields(BTreeMap<String, VersionedSet>);

impl ManagedFields {
    /// No managers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the two differ. Where a manager is in both at the same version, the fields that are in one only; at
    /// different versions, `other`'s entry.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut diff = Self::new();
        for (manager, left) in &self.0 {
            match other.get(manager) {
                None if left.set.is_empty() => {}
                None => {
                    diff.insert(manager.clone(), left.clone());
                }
                Some(right) if left.api_version != right.api_version => {
                    diff.insert(manager.clone(), right.clone());
                }
                Some(right) => {
                    let set = left.set.difference(&right.set).union(&right.set.difference(&left.set));
                    if !set.is_empty() {
                        diff.insert(manager.clone(), VersionedSet::new(set, right.api_version.clone(), false));
                    }
                }
            }
        }
        for (manager, right) in &other.0 {
            if !self.0.contains_key(manager) && !right.set.is_empty() {
                diff.insert(manager.clone(), right.clone());
            }
        }
        diff
    }
}

impl std::ops::Deref for ManagedFields {
    type Target = BTreeMap<String, VersionedSet>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::ops::DerefMut for ManagedFields {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<N: Into<String>> FromIterator<(N, VersionedSet)> for ManagedFields {
    fn from_iter<I: IntoIterator<Item = (N, VersionedSet)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, set)| (name.into(), set)).collect())
    }
}

impl IntoIterator for ManagedFields {
    type Item = (String, VersionedSet);
    type IntoIter = btree_map::IntoIter<String, VersionedSet>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ManagedFields {
    type Item = (&'a String, &'a VersionedSet);
    type IntoIter = btree_map::Iter<'a, String, VersionedSet>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for ManagedFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (manager, versioned) in &self.0 {
            writeln!(f, "{manager}:")?;
            writeln!(f, "- Applied: {}", versioned.applied)?;
            writeln!(f, "- APIVersion: {}", versioned.api_version)?;
            writeln!(f, "- Set: {}", versioned.set)?;
        }
        Ok(())
    }
}
