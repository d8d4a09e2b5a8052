//! The schema of one kind, and what can be done with it.

use std::sync::Arc;

use apimachinery::field::{ErrorList, Path};
use serde_json::Value;

use crate::builtin::{DefinitionId, builtin};
use crate::decode::{self, DecodeError};
use crate::lookup::StrategicLookup;
use crate::merge::{self, MergeType};
use crate::node::Node;
use crate::{crd, defaults, empties, prune, rules, validate};

/// The schema of a kind (or of a part of one), built in or defined by a CRD. A clone is a pointer.
#[derive(Clone, Debug)]
pub struct Schema(Root);

#[derive(Clone, Debug)]
enum Root {
    BuiltIn(&'static Node, DefinitionId),
    Custom(Arc<crd::Custom>),
}

impl Schema {
    pub(crate) fn of_definition(id: DefinitionId) -> Self {
        Self(Root::BuiltIn(builtin().node(id), id))
    }

    /// The schema of a CRD's version from its `openAPIV3Schema` (an object), for custom resources: `apiVersion`, `kind`
    /// and `metadata` are added at the root.
    ///
    /// `path` is where the schema stands in the CRD (`spec.versions[0].schema.openAPIV3Schema`); the errors are upstream's
    /// for schemas that are not structural.
    pub fn from_crd(open_api_v3_schema: &Value, path: &Path) -> Result<Self, ErrorList> {
        let errors = crd::validate(open_api_v3_schema, path, &crd::Checks::ALL);
        if errors.is_empty() { Ok(Self::of_crd(open_api_v3_schema)) } else { Err(errors) }
    }

    /// The schema of a CRD's version that has been accepted: nothing is checked.
    pub fn of_crd(open_api_v3_schema: &Value) -> Self {
        Self(Root::Custom(Arc::new(crd::Custom::of(open_api_v3_schema))))
    }

    /// The schema of a CRD's version that has `preserveUnknownFields` or no schema at all: only `metadata` is known.
    pub fn preserving() -> Self {
        Self(Root::Custom(Arc::new(crd::preserving())))
    }

    /// Whether this is a built-in kind's schema.
    pub fn is_builtin(&self) -> bool {
        matches!(self.0, Root::BuiltIn(..))
    }

    pub(crate) fn root(&self) -> &Node {
        match &self.0 {
            Root::BuiltIn(node, _) => node,
            Root::Custom(custom) => &custom.root,
        }
    }

    /// Checks the types as upstream's decoder does, in its words, and brings the values into the form that Go writes:
    /// quantities canonical, times in UTC, base64 padded, whole floats as integers; nulls become absent fields or the
    /// zero values of map entries and list items.
    ///
    /// Of a custom resource the metadata alone is typed when it is decoded: the rest is [`Schema::validate`]'s, its numbers
    /// stay as they are written until [`Schema::settle_numbers`].
    /// A value with several type errors reports the first in key order (upstream: in document order).
    pub fn check_types(&self, value: &mut Value) -> Result<(), DecodeError> {
        match &self.0 {
            Root::BuiltIn(node, id) => decode::builtin(node, *id, value, decode::Unknown::Keep).map(drop),
            Root::Custom(custom) => decode::custom(&custom.root, value, decode::Unknown::Keep).map(drop),
        }
    }

    /// [`Schema::check_types`] and [`Schema::prune`] in one walk: the unknown fields it dropped, as strict decoding
    /// words them.
    pub fn decode(&self, value: &mut Value) -> Result<Vec<String>, DecodeError> {
        match &self.0 {
            Root::BuiltIn(node, id) => decode::builtin(node, *id, value, decode::Unknown::Drop),
            Root::Custom(custom) => {
                let mut unknown = decode::custom(&custom.root, value, decode::Unknown::Drop)?;
                unknown.extend(prune::prune(&custom.root, value, true));
                Ok(unknown)
            }
        }
    }

    /// Brings a stored custom resource into the form in which it is read: of its metadata, and of that of the objects within it,
    /// what cannot be read is dropped, and what is not given is filled in ([`Schema::apply_defaults`]). Says whether anything may
    /// have been changed: nearly always nothing is.
    pub fn settle(&self, value: &mut Value) -> bool {
        match &self.0 {
            Root::BuiltIn(..) => false,
            Root::Custom(custom) => decode::repair(&custom.root, value) | defaults::custom(&custom.root, value),
        }
    }

    /// [`Schema::decode`] by the rules of upstream's converter of untyped objects, which the results of strategic merge
    /// patches and of applies pass instead of a decoder: what Go can convert is converted, the first value that it cannot
    /// is named without its place, unknown fields are sorted. Custom resources stay untyped: they are decoded.
    pub fn convert(&self, value: &mut Value) -> Result<Vec<String>, DecodeError> {
        match &self.0 {
            Root::BuiltIn(node, id) => decode::untyped(node, *id, value),
            Root::Custom(_) => {
                decode::integral(value);
                self.decode(value)
            }
        }
    }

    /// Brings the numbers of a custom resource into the form in which they are stored and answered. Until then a float that
    /// is whole is no integer: sets may have both, and rules tell them apart.
    pub fn settle_numbers(&self, value: &mut Value) {
        if let Root::Custom(_) = &self.0 {
            decode::integral(value);
        }
    }

    /// Drops the fields the schema does not have; they are returned as strict decoding words them:
    /// `unknown field "spec.foo"`. At most 100 are named.
    pub fn prune(&self, value: &mut Value) -> Vec<String> {
        prune::prune(self.root(), value, !self.is_builtin())
    }

    /// Fills in what is not given.
    ///
    /// Custom resources: upstream's defaulting; nulls of fields that may not be null count as not given.
    /// Built-in kinds: the defaults their schemas publish, and the zero values that Go always writes (`status: {}`,
    /// `resources: {}`, `creationTimestamp: null` in conditions). Call [`Schema::drop_empties`] before.
    pub fn apply_defaults(&self, value: &mut Value) {
        match &self.0 {
            Root::BuiltIn(node, _) => defaults::builtin(node, value),
            Root::Custom(custom) => drop(defaults::custom(&custom.root, value)),
        }
    }

    /// [`Schema::apply_defaults`], but nulls that a custom resource may not have stay, for validation to refuse: upstream drops
    /// them when it decodes a body, not from the result of an apply.
    pub fn apply_defaults_beside_nulls(&self, value: &mut Value) {
        match &self.0 {
            Root::BuiltIn(node, _) => defaults::builtin(node, value),
            Root::Custom(custom) => drop(defaults::fill(&custom.root, value)),
        }
    }

    /// Drops what Go's `omitempty` leaves out of a built-in object: empty strings, zeros, `false` and empty lists and
    /// maps of fields that are held by value. Nothing is dropped from a custom resource but from its metadata.
    pub fn drop_empties(&self, value: &mut Value) {
        match &self.0 {
            Root::BuiltIn(node, _) => empties::drop_empties(node, value),
            Root::Custom(_) => empties::drop_metadata_empties(value),
        }
    }

    /// [`Schema::drop_empties`] of an object to be stored: empty lists and maps that Go always writes become null, as
    /// upstream's store has none. Until then they are there: who sends one owns it.
    pub fn drop_stored_empties(&self, value: &mut Value) {
        match &self.0 {
            Root::BuiltIn(node, _) => empties::drop_stored_empties(node, value),
            Root::Custom(_) => empties::drop_metadata_empties(value),
        }
    }

    /// Checks every OpenAPI keyword, list types and embedded metadata of a custom resource, in upstream's words. With
    /// `old`, what was already wrong in an unchanged part of the object is let pass (ratcheting).
    ///
    /// Built-in kinds are not validated by their schemas: the list is empty.
    pub fn validate(&self, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
        let mut errors = self.validate_keywords(value, old, path);
        errors.extend(self.validate_embedded(value, path));
        errors.extend(self.validate_lists(value, old, path));
        errors
    }

    /// The OpenAPI keywords alone, the first stage of [`Schema::validate`].
    pub fn validate_keywords(&self, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
        match &self.0 {
            Root::BuiltIn(..) => ErrorList::new(),
            Root::Custom(custom) => validate::keywords(&custom.root, value, old, path),
        }
    }

    /// The OpenAPI keywords of one top-level field and its value; nothing for a field that the schema does not name.
    pub fn validate_field(&self, name: &str, value: &Value, old: Option<&Value>) -> ErrorList {
        match (&self.0, self.root().property(name)) {
            (Root::Custom(_), Some(property)) => validate::keywords(&property.node, value, old, &Path::new(name)),
            _ => ErrorList::new(),
        }
    }

    /// The metadata of embedded objects, the second stage of [`Schema::validate`].
    pub fn validate_embedded(&self, value: &Value, path: &Path) -> ErrorList {
        match &self.0 {
            Root::BuiltIn(..) => ErrorList::new(),
            Root::Custom(custom) => validate::embedded(&custom.root, value, path),
        }
    }

    /// Lists that are sets or maps, the third stage of [`Schema::validate`]. Where the old object has such errors, the new one
    /// may have them.
    pub fn validate_lists(&self, value: &Value, old: Option<&Value>, path: &Path) -> ErrorList {
        match &self.0 {
            Root::BuiltIn(..) => ErrorList::new(),
            Root::Custom(custom) => validate::lists(&custom.root, value, old, path),
        }
    }

    /// The last stage, of rules in CEL, after `errors` were found by the stages before (those of the metadata included):
    /// with certain errors upstream does not evaluate rules, and says so.
    pub fn validate_rules(&self, value: &Value, old: Option<&Value>, errors: &ErrorList) -> rules::Outcome {
        let Root::Custom(custom) = &self.0 else { return rules::Outcome::default() };
        let Some(rules) = &custom.rules else { return rules::Outcome::default() };
        match validate::rules_not_checked(errors) {
            Some(error) => rules::Outcome { errors: vec![error], ..rules::Outcome::default() },
            None => rules.evaluate(&custom.root, value, old),
        }
    }

    /// The structured-merge-diff view, made once a schema.
    pub fn merge_type(&self) -> MergeType {
        match &self.0 {
            Root::BuiltIn(_, id) => merge::builtin(*id),
            Root::Custom(custom) => custom.merge.get_or_init(|| merge::custom(&custom.root)).clone(),
        }
    }

    /// The view that strategic merge patches ask for merge keys and strategies.
    pub fn strategic(&self) -> StrategicLookup<'_> {
        match &self.0 {
            Root::BuiltIn(node, id) => StrategicLookup::new(node, Some(*id)),
            Root::Custom(custom) => StrategicLookup::new(&custom.root, None),
        }
    }
}

/// Joins strict decoding errors into upstream's message.
pub fn strict_decoding_error(errors: &[String]) -> String {
    format!("strict decoding error: {}", errors.join(", "))
}
