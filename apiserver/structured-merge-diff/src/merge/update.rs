//! Update and apply.

use std::collections::BTreeMap;

use super::prune::prune;
use super::{Conflicts, ConvertError, Converter, Error, Updater};
use crate::fieldpath::{ApiVersion, ManagedFields, Set, VersionedSet};
use crate::typed::{Comparison, TypedValue};
use crate::value;

pub(super) fn update<C: Converter>(
    updater: &Updater<C>,
    live: &TypedValue,
    new: &TypedValue,
    version: &ApiVersion,
    managers: ManagedFields,
    manager: &str,
) -> Result<ManagedFields, Error> {
    let managers = reconcile(updater, live, managers)?;
    let (mut managers, compare, _) = settle(updater, live, new, version, managers, manager, true)?;
    let owned = managers.remove(manager).map_or_else(Set::new, |versioned| versioned.set);
    let owned = owned.difference(&compare.removed).union(&compare.modified).union(&compare.added);
    let owned = tracked(updater, version, owned).difference(&updater.unowned);
    if !owned.is_empty() {
        managers.insert(manager.to_owned(), VersionedSet::new(owned, version.clone(), false));
    }
    Ok(managers)
}

pub(super) fn apply<C: Converter>(
    updater: &Updater<C>,
    live: &TypedValue,
    config: &TypedValue,
    version: &ApiVersion,
    managers: ManagedFields,
    manager: &str,
    force: bool,
) -> Result<(Option<TypedValue>, ManagedFields), Error> {
    let mut managers = reconcile(updater, live, managers)?;
    // Who applies what it applied before owns what it owned.
    let again = |last: &&VersionedSet| {
        last.applied
            && last.api_version == *version
            && config.has_fields(&last.set, &updater.unowned)
            // What was not ignored then may be now.
            && updater.ignore.get(version).is_none_or(|filter| filter.apply(&last.set) == last.set)
    };
    let again = managers.get(manager).filter(again).map(|last| last.set.clone());
    if again.is_some() && !updater.return_input_on_noop && live.says(config) {
        managers.retain(|_, versioned| !versioned.set.is_empty());
        return Ok((None, managers));
    }
    let merged = live.merge(config).map_err(Error::Merge)?;
    let applied = match again {
        Some(set) => set,
        None => tracked(updater, version, config.to_field_set().map_err(Error::FieldSet)?),
    };
    let drops_nothing = |last: &VersionedSet| {
        last.set.is_empty() || (last.api_version == *version && last.set.difference(&applied).is_empty())
    };
    let drops = managers.get(manager).is_some_and(|last| !drops_nothing(last));
    let last = managers.insert(manager.to_owned(), VersionedSet::new(applied, version.clone(), true));
    let new = match last {
        Some(last) if drops => prune(&updater.converter, merged, &managers, version, &last).map_err(Error::Prune)?,
        _ => merged,
    };
    let (mut managers, _, same) = settle(updater, live, &new, version, managers, manager, force)?;
    if let Some(own) = managers.get_mut(manager) {
        own.set = own.set.difference(&updater.unowned);
        if own.set.is_empty() {
            managers.remove(manager);
        }
    }
    let is_noop = !updater.return_input_on_noop && same;
    Ok(((!is_noop).then_some(new), managers))
}

/// What is left of a written set without the fields that are not tracked.
fn tracked<C>(updater: &Updater<C>, version: &ApiVersion, set: Set) -> Set {
    match updater.ignore.get(version) {
        Some(filter) => filter.apply(&set),
        None => set,
    }
}

/// Takes from the other managers what changes between the objects; without `force`, refuses what they own.
///
/// Managers whose version is gone, or who own nothing any more, are dropped. The comparison is in `version`, of what is tracked;
/// the last answer is whether the objects are the same in all.
fn settle<C: Converter>(
    updater: &Updater<C>,
    old: &TypedValue,
    new: &TypedValue,
    version: &ApiVersion,
    managers: ManagedFields,
    manager: &str,
    force: bool,
) -> Result<(ManagedFields, Comparison, bool), Error> {
    let (comparison, same) = compare(updater, old, new, version)?;
    let mut by_version = BTreeMap::from([(version.clone(), Some(comparison))]);
    let mut conflicts = ManagedFields::new();
    let mut settled = ManagedFields::new();
    for (name, versioned) in managers {
        if name == manager {
            settled.insert(name, versioned);
            continue;
        }
        if !by_version.contains_key(&versioned.api_version) {
            let comparison = compare_in_version(updater, old, new, &versioned.api_version)?;
            by_version.insert(versioned.api_version.clone(), comparison);
        }
        let Some(Some(comparison)) = by_version.get(&versioned.api_version) else { continue };
        let VersionedSet { mut set, api_version, applied } = versioned;
        if comparison.is_same() {
            settled.insert(name, VersionedSet { set, api_version, applied });
            continue;
        }
        let conflict = set.intersection(&comparison.modified.union(&comparison.added));
        if !conflict.is_empty() {
            set = set.difference(&conflict);
            conflicts.insert(name.clone(), VersionedSet::new(conflict, api_version.clone(), false));
        }
        if !comparison.removed.is_empty() {
            set = set.difference(&comparison.removed);
        }
        settled.insert(name, VersionedSet { set, api_version, applied });
    }
    if !force && !conflicts.is_empty() {
        return Err(Error::Conflicts(Conflicts::from_managers(&conflicts)));
    }
    settled.retain(|_, versioned| !versioned.set.is_empty());
    let comparison = by_version.remove(version).flatten().unwrap_or_default();
    Ok((settled, comparison, same))
}

/// What changes between the objects in another version; nothing when the version is gone.
fn compare_in_version<C: Converter>(
    updater: &Updater<C>,
    old: &TypedValue,
    new: &TypedValue,
    version: &ApiVersion,
) -> Result<Option<Comparison>, Error> {
    let convert = |typed: &TypedValue, object| match updater.converter.convert(typed, version) {
        Ok(converted) => Ok(Some(converted)),
        Err(ConvertError::MissingVersion(_)) => Ok(None),
        Err(error) => Err(Error::Convert { object, error }),
    };
    let Some(old) = convert(old, "old")? else { return Ok(None) };
    let Some(new) = convert(new, "new")? else { return Ok(None) };
    compare(updater, &old, &new, version).map(|(comparison, _)| Some(comparison))
}

/// What changes of what is tracked, and whether the objects are the same in all. Then nothing is wrong with them, either.
fn compare<C>(
    updater: &Updater<C>,
    old: &TypedValue,
    new: &TypedValue,
    version: &ApiVersion,
) -> Result<(Comparison, bool), Error> {
    // Most objects differ, which comparing tells.
    let comparison = old.compare(new);
    if comparison.as_ref().is_ok_and(|comparison| !comparison.is_same()) {
        return Ok((comparison.map_err(Error::Compare)?.filter(updater.ignore.get(version)), false));
    }
    let same = std::ptr::eq(old.value(), new.value()) || value::equals(old.value(), new.value());
    if same { Ok((Comparison::default(), true)) } else { comparison.map(|same| (same, false)).map_err(Error::Compare) }
}

/// Brings every manager's set in line with the schema of the live object in its version.
///
/// Managers whose version is gone are dropped.
fn reconcile<C: Converter>(
    updater: &Updater<C>,
    live: &TypedValue,
    managers: ManagedFields,
) -> Result<ManagedFields, Error> {
    let mut reconciled = ManagedFields::new();
    for (name, mut versioned) in managers {
        let live = match updater.converter.convert(live, &versioned.api_version) {
            Ok(live) => live,
            Err(ConvertError::MissingVersion(_)) => continue,
            Err(error) => return Err(Error::ConvertLive(error)),
        };
        if let Some(set) = live.reconcile_field_set(&versioned.set).map_err(Error::Reconcile)? {
            versioned.set = set;
        }
        reconciled.insert(name, versioned);
    }
    Ok(reconciled)
}
