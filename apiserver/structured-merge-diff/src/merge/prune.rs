//! Removing what a manager no longer applies.

use std::collections::BTreeMap;

use super::{ConvertError, Converter, PruneError, Target};
use crate::fieldpath::{ApiVersion, ManagedFields, Set, VersionedSet};
use crate::typed::TypedValue;

/// The merged object, in `version`, without the fields, list items and map entries that the manager applied last
/// time, that it did not apply this time, and that no manager owns.
///
/// `managers` holds what the manager applied this time.
pub(super) fn prune<C: Converter>(
    converter: &C,
    merged: TypedValue,
    managers: &ManagedFields,
    version: &ApiVersion,
    last: &VersionedSet,
) -> Result<TypedValue, PruneError> {
    let converted = match converter.convert(&merged, &last.api_version) {
        Ok(converted) => converted,
        Err(ConvertError::MissingVersion(_)) => return Ok(merged),
        Err(error) => return Err(PruneError::Convert { object: "merged", target: Target::ToLastApplied, error }),
    };
    let pruned = converted.remove_items(&with_named_fields(&last.set, &converted));
    let pruned = add_back_owned(converter, &converted, pruned, &last.api_version, managers)
        .map_err(|err| PruneError::Owned(Box::new(err)))?;
    let pruned =
        add_back_dangling(converter, &converted, pruned, last).map_err(|err| PruneError::Dangling(Box::new(err)))?;
    converter.convert(&pruned, version).map_err(PruneError::ConvertBack)
}

/// Puts back what was removed and some manager owns, the applying one's new set included.
fn add_back_owned<C: Converter>(
    converter: &C,
    merged: &TypedValue,
    pruned: TypedValue,
    pruned_version: &ApiVersion,
    managers: &ManagedFields,
) -> Result<TypedValue, PruneError> {
    let mut owned: BTreeMap<&ApiVersion, Set> = BTreeMap::new();
    for versioned in managers.values() {
        let set = owned.entry(&versioned.api_version).or_default();
        *set = set.union(&versioned.set);
    }
    let mut merged = merged.clone();
    let mut pruned = pruned;
    // The pruned version goes first: a field that is missing may be one a conversion needs.
    let first = owned.remove_entry(pruned_version);
    for (version, set) in first.into_iter().chain(owned) {
        (merged, pruned) = add_back_owned_in_version(converter, merged, pruned, version, &set)?;
    }
    Ok(pruned)
}

/// Both objects in `version`, the pruned one with what is in `owned` put back. As they were when the version is gone.
fn add_back_owned_in_version<C: Converter>(
    converter: &C,
    merged: TypedValue,
    pruned: TypedValue,
    version: &ApiVersion,
    owned: &Set,
) -> Result<(TypedValue, TypedValue), PruneError> {
    let target = || Target::Version(version.clone());
    let merged = match converter.convert(&merged, version) {
        Ok(converted) => converted,
        Err(ConvertError::MissingVersion(_)) => return Ok((merged, pruned)),
        Err(error) => return Err(PruneError::Convert { object: "merged", target: target(), error }),
    };
    let pruned = match converter.convert(&pruned, version) {
        Ok(converted) => converted,
        Err(ConvertError::MissingVersion(_)) => return Ok((merged, pruned)),
        Err(error) => return Err(PruneError::Convert { object: "pruned", target: target(), error }),
    };
    let merged_set = field_set(&merged, "merged", target)?;
    let pruned_set = field_set(&pruned, "pruned", target)?;
    let kept = with_named_fields(&pruned_set, &merged).union(&with_named_fields(owned, &merged));
    let pruned = merged.remove_items(&with_named_fields(&merged_set, &merged).difference(&kept));
    Ok((merged, pruned))
}

/// Puts back what was removed and was not the manager's before: it is nobody's, or an updater's.
fn add_back_dangling<C: Converter>(
    converter: &C,
    merged: &TypedValue,
    pruned: TypedValue,
    last: &VersionedSet,
) -> Result<TypedValue, PruneError> {
    let pruned = match converter.convert(&pruned, &last.api_version) {
        Ok(converted) => converted,
        Err(ConvertError::MissingVersion(_)) => return Ok(merged.clone()),
        Err(error) => return Err(PruneError::Convert { object: "pruned", target: Target::ToLastApplied, error }),
    };
    let pruned_set = field_set(&pruned, "pruned", || Target::InLastApplied)?;
    let merged_set = field_set(merged, "merged", || Target::InLastApplied)?;
    let removed = with_named_fields(&merged_set, merged).difference(&with_named_fields(&pruned_set, merged));
    Ok(merged.remove_items(&removed.intersection(&with_named_fields(&last.set, merged))))
}

fn with_named_fields(set: &Set, typed: &TypedValue) -> Set {
    set.ensure_named_fields_are_members(typed.schema(), typed.type_ref())
}

fn field_set(typed: &TypedValue, object: &'static str, target: impl Fn() -> Target) -> Result<Set, PruneError> {
    typed.to_field_set().map_err(|error| PruneError::FieldSet { object, target: target(), error })
}
