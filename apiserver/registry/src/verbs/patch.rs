//! patch: JSON, merge and strategic merge patches, and server-side apply.

use std::sync::Arc;

use apimachinery::field::{self, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::patch;
use apimachinery::{GroupVersionKind, ObjectExt, StatusError};
use serde_json::Value;

use super::create::{field_validation, manager};
use crate::context::Warnings;
use crate::decode::Expected;
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
    /// The merge patches' parsed form.
    parsed: Option<Value>,
    row: &'a Arc<Row>,
    view: View,
    kind: GroupVersionKind,
    validation: FieldValidation,
    warnings: &'a Warnings,
}

impl Patched<'_> {
    fn apply(&self, current: &Value) -> Result<Value, StatusError> {
        match (self.patch, &self.parsed) {
            (Patch::Json(bytes), _) => patch::json::apply(current, bytes).map_err(Into::into),
            (Patch::Merge(_), Some(parsed)) => {
                let mut object = current.clone();
                patch::merge::apply(&mut object, parsed);
                Ok(object)
            }
            (Patch::Strategic(_), Some(parsed)) => {
                let schema = if self.view.is_whole() { self.row.schema() } else { schema::builtin().kind(&self.kind) };
                let Some(schema) = schema else {
                    return Err(StatusError::internal(format!("there is no schema of {}", self.kind.kind)));
                };
                patch::strategic::apply(current.clone(), parsed, &schema.strategic()).map_err(Into::into)
            }
            _ => Err(StatusError::internal("a patch that was not parsed")),
        }
    }
}

impl Change for Patched<'_> {
    fn draft(&self, current: Option<&Value>) -> Result<Value, StatusError> {
        let Some(current) = current else { return Err(StatusError::internal("nothing to patch")) };
        let patched = self.apply(current)?;
        let mut object = patched.clone();
        let expected =
            if self.view.is_whole() { Expected::of_row(self.row, &self.kind) } else { Expected::of_kind(&self.kind) };
        let refused = |error: String| {
            let value: Value = match self.patch {
                Patch::Strategic(_) => go_map(self.parsed.as_ref().unwrap_or(&Value::Null)).into(),
                _ => patched.to_string().into(),
            };
            let error = field::Error::invalid(&Path::new("patch"), value, error);
            StatusError::invalid(&GroupKind::new("", ""), "", vec![error])
        };
        if object.kind().is_empty() {
            return Err(refused(format!("Object 'Kind' is missing in '{patched}'")));
        }
        if !self.row.is_custom() && object.gvk().ok().as_ref() != Some(&self.kind) {
            let (version, kind) = (object.api_version(), object.kind());
            return Err(refused(format!(
                "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/api/legacyscheme/scheme.go:30\""
            )));
        }
        let unknown = expected.shape(&mut object).map_err(&refused)?;
        match self.validation {
            FieldValidation::Strict if !unknown.is_empty() => {
                return Err(refused(schema::strict_decoding_error(&unknown)));
            }
            FieldValidation::Warn => unknown.into_iter().for_each(|text| self.warnings.warn(text)),
            _ => {}
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
                "failed to convert new object ({}/{}; {gvk}) to proper version: unable to convert unstructured object to {gvk}: \
                 error decoding from json: {error}",
                object.namespace(),
                object.name()
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
                let parsed = match &patch {
                    Patch::Merge(bytes) => Some(parse(bytes, "error decoding patch: ")?),
                    Patch::Strategic(bytes) => Some(parse(bytes, "")?),
                    _ => None,
                };
                let change = Patched {
                    patch: &patch,
                    parsed,
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

/// The patch as an object. Upstream's decoder reads it into a map.
fn parse(bytes: &[u8], words: &str) -> Result<Value, StatusError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| StatusError::bad_request(format!("{words}{}", syntax_error(bytes, &error))))?;
    if value.is_object() || value.is_null() {
        return Ok(value);
    }
    let of = json_type(&value);
    Err(StatusError::bad_request(format!(
        "{words}json: cannot unmarshal {of} into Go value of type map[string]interface {{}}"
    )))
}

/// Where JSON breaks off or goes wrong, in the words of Go's decoder.
fn syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".into();
    }
    let before: usize =
        bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = before + error.column().saturating_sub(1);
    let found = bytes.get(at).map_or(' ', |&byte| char::from(byte));
    let place = if error.to_string().starts_with("trailing") {
        "after top-level value"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{found}' {place}")
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `apps/v1`, `/v1` for the core group: how Go prints a group version kind.
fn display_version(kind: &GroupVersionKind) -> String {
    format!("{}/{}", kind.group, kind.version)
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
