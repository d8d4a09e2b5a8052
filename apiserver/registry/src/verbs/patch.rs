//! patch: JSON, merge and strategic merge patches, and server-side apply.

use std::sync::{Arc, OnceLock};

use apimachinery::field::{self, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::patch;
use apimachinery::{GroupVersionKind, ObjectExt, StatusError};
use schema::DecodeError;
use serde_json::Value;

use super::create::{field_validation, manager};
use super::patch_document::{self, Document, json_type};
use crate::context::Warnings;
use crate::decode::{Expected, not_converted};
use crate::fieldmanager::{self, Writer};
use crate::options::{Body, FieldValidation, Patch, PatchOptions, Preconditions};
use crate::pipeline::{Change, OptionsObject, Write};
use crate::registry::Registry;
use crate::served::Written;
use crate::subresource::View;
use crate::table::{Row, Table};
use crate::{RequestContext, Target};

/// A patch that changes what is there.
struct Patched<'a> {
    patch: &'a Patch,
    /// The patch as read, when it is first applied: without an object nothing is said of it.
    document: OnceLock<Result<Document, StatusError>>,
    row: &'a Arc<Row>,
    view: View,
    kind: GroupVersionKind,
    validation: FieldValidation,
    warnings: &'a Warnings,
}

impl Patched<'_> {
    fn document(&self) -> Result<&Document, StatusError> {
        self.document.get_or_init(|| patch_document::read(self.patch, self.validation)).as_ref().map_err(Clone::clone)
    }

    fn apply(&self, current: &Value, document: &Value) -> Result<Value, StatusError> {
        let mut object = current.clone();
        match self.patch {
            Patch::Json(_) => patch::json::apply_value(&mut object, document)?,
            Patch::Merge(_) => patch::merge::apply(&mut object, document),
            Patch::Strategic(_) => {
                let schema = if self.view.is_whole() { self.row.schema() } else { schema::builtin().kind(&self.kind) };
                let Some(schema) = schema else {
                    return Err(StatusError::internal(format!("there is no schema of {}", self.kind.kind)));
                };
                object = patch::strategic::apply(object, document, &schema.strategic())?;
                // Upstream patches the typed object, which is of its kind whatever the patch says.
                object.set_type_meta(&self.kind.api_version(), &self.kind.kind);
            }
            Patch::Apply(_) => return Err(StatusError::internal("an apply is no patch of what is there")),
        }
        Ok(object)
    }
}

impl Change for Patched<'_> {
    fn draft(&self, current: Option<&Value>) -> Result<Value, StatusError> {
        let Some(current) = current else { return Err(StatusError::internal("nothing to patch")) };
        let document = self.document()?;
        let mut object = self.apply(current, &document.value)?;
        let expected =
            if self.view.is_whole() { Expected::of_row(self.row, &self.kind) } else { Expected::of_kind(&self.kind) };
        // What is refused is patched once more for its text, so that what is not refused needs no copy.
        let patched = || self.apply(current, &document.value).map(|object| object.to_string()).unwrap_or_default();
        let refused = |error: String| {
            let value: Value = match self.patch {
                Patch::Strategic(_) => go_map(&document.value).into(),
                _ => patched().into(),
            };
            let error = field::Error::invalid(&Path::new("patch"), value, error);
            StatusError::invalid(&GroupKind::new("", ""), "", vec![error])
        };
        if !object.is_object() {
            const TYPE_META: &str = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
            let error = format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type {TYPE_META}",
                json_type(&object)
            );
            return Err(refused(error));
        }
        if object.kind().is_empty() {
            return Err(refused(format!("Object 'Kind' is missing in '{object}'")));
        }
        if !self.row.is_custom() && (object.kind() != self.kind.kind || object.api_version() != self.kind.api_version())
        {
            let sent = object.gvk().map_err(|error| refused(error.to_string()))?;
            return Err(refused(not_converted(&sent, &self.kind)));
        }
        let unknown = expected.shape(&mut object).map_err(|error| refused(error.to_string()))?;
        if unknown.is_empty() && document.strict_errors.is_empty() {
            return Ok(object);
        }
        let strict = document.strict_errors.iter().cloned().chain(unknown);
        match self.validation {
            FieldValidation::Strict => {
                let errors: Vec<String> = strict.collect();
                return Err(refused(schema::strict_decoding_error(&errors)));
            }
            FieldValidation::Warn => strict.for_each(|text| self.warnings.warn(text)),
            FieldValidation::Ignore => {}
        }
        Ok(object)
    }
}

/// A configuration that is applied.
struct Applied<'a> {
    config: Value,
    table: Arc<Table>,
    row: &'a Arc<Row>,
    subresource: &'a str,
    view: View,
    kind: GroupVersionKind,
    manager: &'a str,
    force: bool,
    now: String,
}

impl Change for Applied<'_> {
    fn draft(&self, current: Option<&Value>) -> Result<Value, StatusError> {
        let writer = Writer {
            table: &self.table,
            row: self.row,
            subresource: self.subresource,
            view: &self.view,
            manager: self.manager,
            now: &self.now,
        };
        let mut object = fieldmanager::apply(&writer, current, self.config.clone(), self.force)?;
        let expected =
            if self.view.is_whole() { Expected::of_row(self.row, &self.kind) } else { Expected::of_kind(&self.kind) };
        expected.shape(&mut object).map_err(|error| {
            let gvk = format!("{}, Kind={}", display_version(&self.kind), self.kind.kind);
            StatusError::unstructured(format!(
                "failed to convert new object ({}/{}; {gvk}) to proper version: unable to convert unstructured object to {gvk}: {}",
                self.config.namespace(),
                self.config.name(),
                conversion_error(error)
            ))
        })?;
        Ok(object)
    }

    fn may_create(&self) -> bool {
        self.view.is_whole() && self.subresource.is_empty()
    }

    fn owners_are_settled(&self) -> bool {
        true
    }

    fn preconditions(&self) -> Preconditions {
        Preconditions::default()
    }
}

impl Registry {
    /// Patches or applies.
    ///
    /// # Errors
    /// 400 for a patch that cannot be read, 404 if there is no object (except for an apply, which makes one), 409 for conflicts,
    /// 422 for a patch that cannot be applied or whose result does not validate.
    pub async fn patch(
        &self,
        ctx: &RequestContext,
        target: &Target,
        patch: Patch,
        options: &PatchOptions,
    ) -> Result<Written, StatusError> {
        let view = View::of(&target.row, &target.subresource);
        let kind = view.kind(&target.row);
        let manager = manager(ctx, &options.field_manager);
        let write = Write {
            registry: self,
            ctx,
            target,
            store: self.store_of(target)?,
            view: view.clone(),
            dry_run: options.dry_run,
            manager: manager.clone(),
            admits: true,
            options: OptionsObject {
                dry_run: options.dry_run,
                field_manager: options.field_manager.clone(),
                field_validation: field_validation(options.field_validation),
                force: options.force,
            },
        };
        match patch {
            Patch::Apply(body) => {
                let config = applied_body(body, options.field_validation, ctx)?;
                let change = Applied {
                    config,
                    table: self.table(),
                    row: &target.row,
                    subresource: &target.subresource,
                    view,
                    kind,
                    manager: &manager,
                    force: options.force.unwrap_or(false),
                    now: self.now(),
                };
                write.run(&change).await
            }
            patch => {
                let change = Patched {
                    patch: &patch,
                    document: OnceLock::new(),
                    row: &target.row,
                    view,
                    kind,
                    validation: options.field_validation,
                    warnings: &ctx.warnings,
                };
                write.run(&change).await
            }
        }
    }
}

fn applied_body(body: Body, validation: FieldValidation, ctx: &RequestContext) -> Result<Value, StatusError> {
    if !body.value.is_object() {
        return Err(StatusError::bad_request(format!(
            "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            json_type(&body.value)
        )));
    }
    if !body.strict_errors.is_empty() {
        let text = body.strict_errors.join("\n  ");
        match validation {
            FieldValidation::Strict => {
                return Err(StatusError::bad_request(format!("error strict decoding patch: {text}")));
            }
            FieldValidation::Warn => ctx.warnings.warn(text),
            FieldValidation::Ignore => {}
        }
    }
    Ok(body.value)
}

/// `apps/v1`, `/v1` for the core group: how Go prints a group version kind.
fn display_version(kind: &GroupVersionKind) -> String {
    format!("{}/{}", kind.group, kind.version)
}

/// Why an untyped object does not convert, in the words of upstream's converter: it assigns what it can itself, and asks
/// a type's own decoder for the rest.
fn conversion_error(error: DecodeError) -> String {
    match error {
        DecodeError::Type { value, go_type, .. } if value.starts_with("number") => {
            format!("cannot convert float64 to {go_type}")
        }
        // Bytes go through JSON.
        DecodeError::Parse(error) if error.starts_with("illegal base64") => {
            format!("error decoding from json: {error}")
        }
        error => error.without_place().to_string(),
    }
}

/// A map as Go's `%v` prints it: `map[a:1 b:map[c:x]]`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let parts: Vec<String> = fields.iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", parts.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}
