//! All versions of a custom resource, served or not: what its rows and its stored objects have in common.

use std::sync::{Arc, OnceLock};

use apimachinery::ObjectExt;
use apimachinery::gvk::GroupVersion;
use schema::Schema;
use serde_json::{Value, json};

use super::CustomSchema;
use crate::conversion::Webhook;
use crate::crd::Definition;

/// How objects get from one version to another.
#[derive(Debug)]
pub enum Conversion {
    /// Nothing but `apiVersion` changes.
    None,
    /// A webhook is asked.
    Webhook(Webhook),
}

/// The versions of a custom resource.
#[derive(Debug)]
pub struct Versions {
    /// The group of all.
    pub group: String,
    /// The kind of all.
    pub kind: String,
    /// Each version's name and schema; without one everything is kept.
    pub versions: Vec<(String, Option<Arc<CustomSchema>>)>,
    /// How objects get from one to another.
    pub conversion: Conversion,
}

impl Versions {
    /// Whether the definition has the version `api_version` (`example.com/v1`).
    pub fn has(&self, api_version: &str) -> bool {
        self.find(api_version).is_some()
    }

    fn find(&self, api_version: &str) -> Option<&(String, Option<Arc<CustomSchema>>)> {
        let (group, version) = api_version.rsplit_once('/')?;
        self.versions.iter().find(|(name, _)| group == self.group && name == version)
    }

    /// Group and version of a version's name.
    pub fn group_version(&self, version: &str) -> GroupVersion {
        GroupVersion::new(&self.group, version)
    }

    /// The schema by which an object is decoded, after what it says it is. One of another kind is not looked into; in one of a
    /// version that there is not, nothing is known.
    pub fn schema_of(&self, object: &Value) -> Schema {
        let api_version = object.api_version();
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        if group != self.group || object.kind() != self.kind {
            return Schema::preserving();
        }
        match self.find(api_version) {
            Some((_, Some(schema))) => schema.compiled(),
            Some((_, None)) => Schema::preserving(),
            None => nothing_known(),
        }
    }

    /// Keeps the schemas where they stand in the newest bytes of their definition, whose spec is the same.
    pub(super) fn move_to(&self, definition: &Definition) {
        for ((_, schema), text) in self.versions.iter().zip(definition.schemas()) {
            if let (Some(schema), Some(text)) = (schema, text) {
                schema.move_to(text);
            }
        }
    }

    /// Lets go of what is compiled and was not used since the last call.
    pub(super) fn rest(&self) {
        self.versions.iter().filter_map(|(_, schema)| schema.as_ref()).for_each(|schema| schema.rest());
    }

    /// Brings what was stored into the form in which it is read: what its version does not know and what cannot be metadata is
    /// dropped, what is not given is filled in. It stays in its version.
    pub(crate) fn settle(&self, object: &mut Value) {
        self.prune(object);
        self.settle_pruned(object);
    }

    /// [`Self::settle`] of an object from which nothing is to be dropped any more but from its metadata. Says whether anything
    /// may have been changed.
    pub(crate) fn settle_pruned(&self, object: &mut Value) -> bool {
        self.has(object.api_version()) && self.schema_of(object).settle(object)
    }

    /// Drops what the object's version does not know.
    pub(crate) fn prune(&self, object: &mut Value) {
        if self.has(object.api_version()) {
            self.schema_of(object).prune(object);
        }
    }
}

/// The schema of objects in which no field is known.
fn nothing_known() -> Schema {
    static EMPTY: OnceLock<Schema> = OnceLock::new();
    EMPTY.get_or_init(|| Schema::of_crd(&json!({"type": "object"}))).clone()
}
