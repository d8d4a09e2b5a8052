//! Fields that others own.

use std::collections::BTreeMap;
use std::fmt;

use crate::fieldpath::{ManagedFields, Path, Set};
use crate::value::Quoted;

/// A field another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The identifier of the manager that owns the field.
    pub manager: String,
    /// The field.
    pub path: Path,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conflict with {}: {}", Quoted(&self.manager), self.path)
    }
}

impl std::error::Error for Conflict {}

/// All the conflicts of an apply, by manager and then in the order of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    /// Every path of every set.
    pub fn from_managers(sets: &ManagedFields) -> Self {
        let mut conflicts = Vec::new();
        for (manager, versioned) in sets {
            versioned.set.for_each(|path| conflicts.push(Conflict { manager: manager.clone(), path: path.clone() }));
        }
        Self(conflicts)
    }

    /// The fields in conflict, whoever owns them.
    pub fn to_set(&self) -> Set {
        self.0.iter().map(|conflict| &conflict.path).collect()
    }
}

impl std::ops::Deref for Conflicts {
    type Target = [Conflict];

    fn deref(&self) -> &[Conflict] {
        &self.0
    }
}

/// One conflict on its line, or the fields of each manager under its name, managers sorted.
impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &*self.0 {
            return write!(f, "{only}");
        }
        let mut by_manager: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for conflict in &self.0 {
            by_manager.entry(&conflict.manager).or_default().push(&conflict.path);
        }
        for (i, (manager, paths)) in by_manager.iter().enumerate() {
            write!(f, "{}conflicts with {}:", if i > 0 { "\n" } else { "" }, Quoted(manager))?;
            paths.iter().try_for_each(|path| write!(f, "\n- {path}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Conflicts {}
