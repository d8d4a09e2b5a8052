//! From what a client sent to an object of the row's version: kind and version checked, types checked, unknown fields
//! dropped, defaults filled in.

use apimachinery::gvk::GroupVersionKind;
use apimachinery::{ObjectExt, StatusError, field_sets};
use schema::{DecodeError, Schema};
use serde_json::Value;

use crate::context::Warnings;
use crate::fieldmanager;
use crate::options::{Body, FieldValidation};
use crate::subresource::View;
use crate::table::Row;

/// What a body must be.
pub(crate) struct Expected<'a> {
    pub kind: &'a GroupVersionKind,
    pub schema: Option<Schema>,
    /// Custom resources must say what they are; built-in kinds are taken at the URL's word.
    pub stated: bool,
    /// The row whose own defaults apply, unless the body is of a subresource's kind.
    pub row: Option<&'a Row>,
}

impl<'a> Expected<'a> {
    /// The row's own kind.
    pub fn of_row(row: &'a Row, kind: &'a GroupVersionKind) -> Self {
        Self { kind, schema: row.schema(), stated: row.is_custom(), row: Some(row) }
    }

    /// A subresource's kind.
    pub fn of_kind(kind: &'a GroupVersionKind) -> Self {
        Self { kind, schema: schema::builtin().kind(kind), stated: false, row: None }
    }

    /// What a view of the row shows, which is of this kind.
    pub fn of_view(view: &View, row: &'a Row, kind: &'a GroupVersionKind) -> Self {
        if view.is_whole() { Self::of_row(row, kind) } else { Self::of_kind(kind) }
    }

    /// Decodes the body of a create or update.
    pub fn decode(&self, body: Body, validation: FieldValidation, warnings: &Warnings) -> Result<Value, StatusError> {
        let mut object = body.value;
        field_sets::refuse_texts(&mut object);
        // What a custom resource says it is decides how it is read, and is looked at after.
        if !self.stated {
            self.check_type(&mut object)?;
        }
        let unknown = self.shape(&mut object).map_err(|error| self.not_handled(&object, &error.to_string()))?;
        let mut strict = unknown;
        strict.extend(body.strict_errors);
        match validation {
            FieldValidation::Strict if !strict.is_empty() => {
                return Err(self.not_handled(&object, &schema::strict_decoding_error(&strict)));
            }
            FieldValidation::Warn => strict.into_iter().for_each(|text| warnings.warn(text)),
            _ => {}
        }
        if self.stated {
            self.check_type(&mut object)?;
        }
        Ok(object)
    }

    /// Types, unknown fields (returned), zero values and defaults of an object whose kind is known. The error is that of
    /// upstream's decoder.
    pub fn shape(&self, object: &mut Value) -> Result<Vec<String>, DecodeError> {
        self.shaped(object, Schema::decode, Schema::apply_defaults)
    }

    /// [`Self::shape`] of what is not decoded but converted: the result of a strategic merge patch or of an apply.
    pub fn shape_untyped(&self, object: &mut Value) -> Result<Vec<String>, DecodeError> {
        self.shaped(object, Schema::convert, Schema::apply_defaults_beside_nulls)
    }

    fn shaped(
        &self,
        object: &mut Value,
        types: fn(&Schema, &mut Value) -> Result<Vec<String>, DecodeError>,
        defaults: fn(&Schema, &mut Value),
    ) -> Result<Vec<String>, DecodeError> {
        let Some(schema) = &self.schema_of(object) else { return Ok(Vec::new()) };
        let reset = fieldmanager::is_reset(object);
        let unknown = types(schema, object)?;
        schema.drop_empties(object);
        defaults(schema, object);
        if let Some(row) = self.row {
            row.strategy.apply_defaults(object);
        }
        if reset {
            fieldmanager::mark_reset(object);
        }
        Ok(unknown)
    }

    /// The schema that the object is read by: that of the kind, of a custom resource that of what it says it is.
    fn schema_of(&self, object: &Value) -> Option<Schema> {
        match self.row.and_then(|row| row.versions.as_ref()) {
            Some(versions) if object.api_version() != self.kind.api_version() || object.kind() != self.kind.kind => {
                Some(versions.schema_of(object))
            }
            _ => self.schema.clone(),
        }
    }

    fn check_type(&self, object: &mut Value) -> Result<(), StatusError> {
        if self.stated {
            // The kind is checked with the rest of the object, as upstream does.
            if object.api_version() != self.kind.api_version() {
                return Err(StatusError::bad_request(format!(
                    "the API version in the data ({}) does not match the expected API version ({})",
                    object.api_version(),
                    self.kind.api_version()
                )));
            }
            return Ok(());
        }
        let version = match object.api_version() {
            "" => self.kind.api_version(),
            version => version.to_owned(),
        };
        let kind = match object.kind() {
            "" => self.kind.kind.clone(),
            kind => kind.to_owned(),
        };
        if version == self.kind.api_version() && kind == self.kind.kind {
            object.set_type_meta(&version, &kind);
            return Ok(());
        }
        let sent = GroupVersionKind::from_api_version_and_kind(&version, &kind)
            .map_err(|error| StatusError::bad_request(error.to_string()))?;
        let known = schema::builtin().kind(&sent).is_some();
        if kind == self.kind.kind && (!known || sent.group == self.kind.group) {
            return Err(StatusError::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({})",
                self.kind.api_version()
            )));
        }
        if !known {
            return Err(StatusError::bad_request(format!(
                "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
            )));
        }
        Err(StatusError::bad_request(format!(
            "{kind} in version \"{}\" cannot be handled as a {}: {}",
            sent.version,
            self.kind.kind,
            not_converted(&sent, self.kind)
        )))
    }

    fn not_handled(&self, object: &Value, error: &str) -> StatusError {
        let wanted = &self.kind.kind;
        let sent = object.gvk().ok().filter(|sent| self.stated && !sent.kind.is_empty());
        let GroupVersionKind { version, kind, .. } = sent.as_ref().unwrap_or(self.kind);
        StatusError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {wanted}: {error}"))
    }
}

/// Why an object of one built-in kind is none of another, in the words of upstream's scheme.
pub(crate) fn not_converted(sent: &GroupVersionKind, to: &GroupVersionKind) -> String {
    if schema::builtin().kind(sent).is_none() {
        return format!(
            "no kind \"{}\" is registered for version \"{}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
            sent.kind,
            sent.api_version()
        );
    }
    let package = go_package(&to.group);
    format!("converting ({}.{}) to ({package}.{}): unknown conversion", sent.version, sent.kind, to.kind)
}

/// Why an object without a version, but of another kind, is none of this group's, in the words of upstream's scheme.
pub(crate) fn no_internal_kind(kind: &str, of: &GroupVersionKind) -> String {
    let sent = GroupVersionKind::new(of.group.as_str(), of.version.as_str(), kind);
    if schema::builtin().kind(&sent).is_none() {
        return format!(
            "no kind \"{kind}\" is registered for the internal version of group \"{}\" in scheme \
             \"pkg/api/legacyscheme/scheme.go:30\"",
            of.group
        );
    }
    format!("unable to decode {}/__internal, Kind={kind} into *{}.{}", of.group, go_package(&of.group), of.kind)
}

/// The Go package of a group's internal types, which upstream's conversion errors name.
fn go_package(group: &str) -> &str {
    match group.split('.').next().unwrap_or_default() {
        "" => "core",
        "rbac" => "rbac",
        first => first,
    }
}
