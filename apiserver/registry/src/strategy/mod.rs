//! What a kind adds to the shared rules of writing. Most kinds add nothing: the split of spec and status, generations,
//! metadata and deletion are decided by [`Facts`] and carried out by the pipeline for all alike.

mod api_service;
mod apps;
mod batch;
mod builtin;
mod certificates;
mod check;
mod core;
mod custom;
mod definition;
mod facts;
mod networking;
mod plain;
pub(crate) mod pod_template;
mod policy;
mod rbac;
mod read;
mod template;
pub(crate) mod webhook_client;
mod workloads;

use std::fmt::Debug;

use apimachinery::field::ErrorList;
use apimachinery::user::UserInfo;
use apimachinery::validation::{self, NameFn};
use serde_json::Value;

use crate::allocation::Allocation;
use crate::context::Warnings;
use crate::meta;
use crate::options::DeleteOptions;
use crate::table::Row;

pub(crate) use core::service;
pub use facts::{Facts, Generation, StatusOnCreate};

/// What is being written.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The resource.
    pub row: &'a Row,
    /// The subresource, empty for the object itself.
    pub subresource: &'a str,
    /// The object as it was; `None` for a new one.
    pub old: Option<&'a Value>,
    /// When, in `metav1.Time`'s form.
    pub now: &'a str,
    /// Who writes.
    pub user: &'a UserInfo,
    /// Containers may be privileged.
    pub allow_privileged: bool,
    /// Where warnings go that cannot wait for the object to be valid.
    pub warnings: &'a Warnings,
}

/// Fields by the parts of their paths.
pub(crate) type Fields = &'static [&'static [&'static str]];

/// What happens to the dependents of a deleted object when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarbageCollection {
    /// They are deleted in the background.
    DeleteDependents,
    /// They stay.
    OrphanDependents,
    /// There can be none (events).
    Unsupported,
}

/// When upstream checks a change as it does a new object, metadata and all. Clients see again then what is wrong with both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// Never.
    No,
    /// Before the rules for changes.
    Before,
    /// After them.
    After,
}

/// A kind's own rules. Objects are in the version of the request.
pub trait Strategy: Send + Sync + Debug {
    /// What the shared rules need to know.
    fn facts(&self) -> &Facts {
        &Facts::DEFAULT
    }

    /// What a name may be.
    fn name_rule(&self, _row: &Row) -> NameFn {
        validation::name_is_dns_subdomain
    }

    /// Values that upstream's decoder fills in and schemas do not state. Called on every decoded object, before anybody
    /// owns a field.
    fn apply_defaults(&self, _object: &mut Value) {}

    /// Who gives objects what there is a limited number of, before they are prepared and checked.
    fn allocation(&self) -> Option<&'static dyn Allocation> {
        None
    }

    /// Brings a new object into its first state; the shared rules have reset its status and set its generation.
    fn prepare_create(&self, _object: &mut Value, _scope: &Scope<'_>) {}

    /// Restores what an update may not change; the shared rules have split spec and status.
    fn prepare_update(&self, _object: &mut Value, _old: &Value, _scope: &Scope<'_>) {}

    /// The fields that a write to a subresource puts back, by the parts of their paths, where they are others than the shared
    /// rules say: nobody owns them by such a write.
    fn resets(&self, _subresource: &str) -> Option<Fields> {
        None
    }

    /// What is wrong with a new object, metadata aside.
    fn validate(&self, _object: &Value, _scope: &Scope<'_>) -> ErrorList {
        ErrorList::new()
    }

    /// What is wrong with a change, metadata aside.
    fn validate_update(&self, object: &Value, _old: &Value, scope: &Scope<'_>) -> ErrorList {
        self.validate(object, scope)
    }

    /// Whether a change is checked as a new object is, too.
    fn rechecks(&self) -> Recheck {
        Recheck::No
    }

    /// What is wrong with a new object: its metadata, then the kind's own rules.
    fn validate_new(&self, object: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = meta::validate_create(object, scope.row, self.name_rule(scope.row));
        errors.extend(self.validate(object, scope));
        errors
    }

    /// What is wrong with a change: that of its metadata, then the kind's own rules. The shared check of metadata has been
    /// made.
    fn validate_change(&self, object: &Value, old: &Value, scope: &Scope<'_>) -> ErrorList {
        let mut errors = ErrorList::new();
        let recheck = if scope.subresource.is_empty() { self.rechecks() } else { Recheck::No };
        if recheck == Recheck::Before {
            errors.extend(self.validate_new(object, scope));
        }
        errors.extend(meta::validate_change(object, old));
        errors.extend(self.validate_update(object, old, scope));
        if recheck == Recheck::After {
            errors.extend(self.validate_new(object, scope));
        }
        errors
    }

    /// Warnings about a new or changed object.
    fn warnings(&self, _object: &Value, _old: Option<&Value>, _scope: &Scope<'_>) -> Vec<String> {
        Vec::new()
    }

    /// The seconds for which a deletion is graceful; `None` deletes at once.
    fn grace_period(&self, _object: &Value, _options: &DeleteOptions) -> Option<i64> {
        None
    }

    /// What happens to dependents when nobody says.
    fn garbage_collection(&self) -> GarbageCollection {
        GarbageCollection::DeleteDependents
    }

    /// What upstream warns of when a deletion does not say what happens to dependents.
    fn unsaid_propagation_warning(&self) -> Option<&'static str> {
        None
    }

    /// Whether the answer to a deletion that is done is the object, not a Status.
    fn returns_deleted(&self) -> bool {
        false
    }

    /// Whether the kind ends in its own way, by [`Strategy::begin_delete`] (namespaces, definitions). Upstream words failed
    /// preconditions otherwise then.
    fn ends_by_itself(&self) -> bool {
        false
    }

    /// Whether a deletion only changes the object, for kinds that end in their own way (namespaces, definitions). False:
    /// it is deleted as everything else.
    fn begin_delete(&self, _object: &mut Value, _now: &str) -> bool {
        false
    }

    /// Whether an object without finalizers that is being deleted may go on an update. Namespaces and definitions wait for
    /// more.
    fn may_be_removed(&self, _object: &Value) -> bool {
        true
    }
}

/// The strategy of a built-in resource.
pub(crate) fn builtin(group: &str, resource: &str) -> &'static dyn Strategy {
    if group == "apiextensions.k8s.io" {
        return &definition::Definition;
    }
    core::strategy(group, resource).unwrap_or_else(|| builtin::strategy(group, resource))
}

/// The strategy of custom resources.
pub(crate) fn custom() -> &'static dyn Strategy {
    &custom::CustomResource
}
