//! Tracking who owns which fields through updates and applies.

mod conflict;
mod error;
mod prune;
mod update;

use std::collections::BTreeMap;

pub use conflict::{Conflict, Conflicts};
pub use error::{ConvertError, Error, PruneError, Target};

use crate::fieldpath::{ApiVersion, Filter, ManagedFields, Set};
use crate::typed::TypedValue;

/// Converts objects between versions.
pub trait Converter {
    /// The object in `version`; the object itself (a clone) when it is in that version already.
    ///
    /// # Errors
    /// [`ConvertError::MissingVersion`] when the version is no longer served: what managers own in it is dropped.
    fn convert(&self, object: &TypedValue, version: &ApiVersion) -> Result<TypedValue, ConvertError>;
}

impl<C: Converter + ?Sized> Converter for &C {
    fn convert(&self, object: &TypedValue, version: &ApiVersion) -> Result<TypedValue, ConvertError> {
        (**self).convert(object, version)
    }
}

/// Computes what managers own after a write and, on apply, the object to write.
#[derive(Clone, Debug)]
pub struct Updater<C> {
    converter: C,
    ignore: BTreeMap<ApiVersion, Filter>,
    unowned: Set,
    return_input_on_noop: bool,
}

impl<C: Converter> Updater<C> {
    /// An updater that tracks every field.
    pub fn new(converter: C) -> Self {
        Self { converter, ignore: BTreeMap::new(), unowned: Set::new(), return_input_on_noop: false }
    }

    /// The same updater, not tracking what the filter of the written version takes out.
    #[must_use]
    pub fn with_ignore(mut self, ignore: BTreeMap<ApiVersion, Filter>) -> Self {
        self.ignore = ignore;
        self
    }

    /// The same updater, for which the manager of a write does not own these fields though it writes them.
    #[must_use]
    pub fn with_unowned(mut self, unowned: Set) -> Self {
        self.unowned = unowned;
        self
    }

    /// The same updater, returning the object from an apply even when the apply changed nothing.
    #[must_use]
    pub fn with_return_input_on_noop(mut self, return_input: bool) -> Self {
        self.return_input_on_noop = return_input;
        self
    }

    /// What managers own after `manager` replaces `live` by `new`, which is already merged and in `version`.
    ///
    /// `live` is null when the object is created. Fields that changed become the manager's; the others lose them.
    ///
    /// # Errors
    /// When the objects cannot be compared or converted. Never conflicts.
    pub fn update(
        &self,
        live: &TypedValue,
        new: &TypedValue,
        version: &ApiVersion,
        managers: ManagedFields,
        manager: &str,
    ) -> Result<ManagedFields, Error> {
        update::update(self, live, new, version, managers, manager)
    }

    /// The object after `manager` applies `config`, none when nothing changed, and what managers own then.
    ///
    /// Fields the manager applied before and does not now are removed, unless someone else owns them.
    ///
    /// # Errors
    /// [`Error::Conflicts`] when others own fields that change and `force` is not set; else when the objects cannot
    /// be merged or converted.
    pub fn apply(
        &self,
        live: &TypedValue,
        config: &TypedValue,
        version: &ApiVersion,
        managers: ManagedFields,
        manager: &str,
        force: bool,
    ) -> Result<(Option<TypedValue>, ManagedFields), Error> {
        update::apply(self, live, config, version, managers, manager, force)
    }
}
