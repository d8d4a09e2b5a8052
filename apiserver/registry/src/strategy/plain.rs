//! A strategy put together from facts and functions: what most built-in kinds are.

use apimachinery::field::ErrorList;
use apimachinery::validation::{self, NameFn};
use serde_json::Value;

use super::{Facts, Fields, GarbageCollection, Recheck, Scope, Strategy};
use crate::table::Row;

/// Fills in what upstream's decoder does.
pub(super) type Defaults = fn(&mut Value);
/// Brings a new object into its first state.
pub(super) type PrepareCreate = fn(&mut Value, &Scope<'_>);
/// Restores what an update may not change.
pub(super) type PrepareUpdate = fn(&mut Value, &Value, &Scope<'_>);
/// What is wrong with a new object, metadata aside.
pub(super) type Validate = fn(&Value, &Scope<'_>) -> ErrorList;
/// What is wrong with a change, metadata aside.
pub(super) type ValidateUpdate = fn(&Value, &Value, &Scope<'_>) -> ErrorList;
/// The fields that a write to a subresource puts back.
pub(super) type Resets = fn(&str) -> Option<Fields>;
/// Warnings about a new or changed object.
pub(super) type Warn = fn(&Value, Option<&Value>, &Scope<'_>) -> Vec<String>;

/// A strategy put together from facts and functions.
#[derive(Debug)]
pub(super) struct Plain {
    facts: Facts,
    names: NameFn,
    garbage_collection: GarbageCollection,
    unsaid_propagation: Option<&'static str>,
    returns_deleted: bool,
    rechecks: Recheck,
    defaults: Defaults,
    prepare_create: PrepareCreate,
    prepare_update: PrepareUpdate,
    resets: Resets,
    validate: Validate,
    validate_update: ValidateUpdate,
    warn: Warn,
}

/// A kind of these facts and no rules of its own.
pub(super) const fn plain(facts: Facts) -> Plain {
    Plain {
        facts,
        names: validation::name_is_dns_subdomain,
        garbage_collection: GarbageCollection::DeleteDependents,
        unsaid_propagation: None,
        returns_deleted: false,
        rechecks: Recheck::No,
        defaults: |_| {},
        prepare_create: |_, _| {},
        prepare_update: |_, _, _| {},
        resets: |_| None,
        validate: |_, _| ErrorList::new(),
        validate_update: |_, _, _| ErrorList::new(),
        warn: |_, _, _| Vec::new(),
    }
}

impl Plain {
    /// With values that upstream's decoder fills in.
    pub const fn with(self, defaults: Defaults) -> Plain {
        Plain { defaults, ..self }
    }

    /// With what happens before a write is checked.
    pub const fn prepared(self, prepare_create: PrepareCreate, prepare_update: PrepareUpdate) -> Plain {
        Plain { prepare_create, prepare_update, ..self }
    }

    /// With fields that writes put back, where they are others than the shared rules say.
    pub const fn resetting(self, resets: Resets) -> Plain {
        Plain { resets, ..self }
    }

    /// With rules for new objects and for changes.
    pub const fn checked(self, validate: Validate, validate_update: ValidateUpdate) -> Plain {
        Plain { validate, validate_update, ..self }
    }

    /// With warnings.
    pub const fn warned(self, warn: Warn) -> Plain {
        Plain { warn, ..self }
    }

    /// A deletion answers with the object.
    pub const fn returned(self) -> Plain {
        Plain { returns_deleted: true, ..self }
    }

    /// Dependents stay when nobody says.
    pub const fn orphaning(self) -> Plain {
        Plain { garbage_collection: GarbageCollection::OrphanDependents, ..self }
    }

    /// With a warning where a deletion does not say what happens to dependents.
    pub const fn warning_of_unsaid_propagation(self, warning: &'static str) -> Plain {
        Plain { unsaid_propagation: Some(warning), ..self }
    }

    /// A name is whatever a path can hold.
    pub const fn any_name(self) -> Plain {
        self.named(validation::name_is_path_segment)
    }

    /// With a rule for names.
    pub const fn named(self, names: NameFn) -> Plain {
        Plain { names, ..self }
    }

    /// A change is checked as a new object is, too.
    pub const fn rechecked(self, rechecks: Recheck) -> Plain {
        Plain { rechecks, ..self }
    }
}

impl Strategy for Plain {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn name_rule(&self, _row: &Row) -> NameFn {
        self.names
    }

    fn apply_defaults(&self, object: &mut Value) {
        (self.defaults)(object);
    }

    fn prepare_create(&self, object: &mut Value, scope: &Scope<'_>) {
        (self.prepare_create)(object, scope);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) {
        (self.prepare_update)(object, old, scope);
    }

    fn resets(&self, subresource: &str) -> Option<Fields> {
        (self.resets)(subresource)
    }

    fn validate(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        (self.validate)(object, scope)
    }

    fn validate_update(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        (self.validate_update)(object, old, scope)
    }

    fn rechecks(&self) -> Recheck {
        self.rechecks
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, scope: &Scope<'_>) -> Vec<String> {
        (self.warn)(object, old, scope)
    }

    fn garbage_collection(&self) -> GarbageCollection {
        self.garbage_collection
    }

    fn unsaid_propagation_warning(&self) -> Option<&'static str> {
        self.unsaid_propagation
    }

    fn returns_deleted(&self) -> bool {
        self.returns_deleted
    }
}
