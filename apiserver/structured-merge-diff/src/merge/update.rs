//! Update and apply.
use super::{Converter, Error, Updater};
use crate::fieldpath::{ApiVersion, ManagedFields};
use crate::typed::TypedValue;
pub(super) fn update<C: Converter>(
    _: &Updater<C>,
    _: &TypedValue,
    _: &TypedValue,
    _: &ApiVersion,
    _: ManagedFields,
    _: &str,
) -> Result<ManagedFields, Error> {
    todo!()
}
pub(super) fn apply<C: Converter>(
    _: &Updater<C>,
    _: &TypedValue,
    _: &TypedValue,
    _: &ApiVersion,
    _: ManagedFields,
    _: &str,
    _: bool,
) -> Result<(Option<TypedValue>, ManagedFields), Error> {
    todo!()
}
