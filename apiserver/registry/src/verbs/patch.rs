//! patch: JSON, merge and strategic merge patches, and server-side apply.

use std::sync::{Arc, OnceLock};

use apimachinery::field::{self, Path};
use apimachinery::gvk::GroupKind;
use apimachinery::quote::{go_json, go_value};
use apimachinery::{GroupVersionKind, ObjectExt, StatusError, field_sets};
use apimachinery::{json, patch};
use serde_json::Value;

use super::create::{field_validation, manager};
use super::patch_document::{self, Document};
use super::patch_origin;
use crate::context::Warnings;
use crate::conversion::Pending;
use crate::decode::{Expected, no_internal_kind, not_converted};
use crate::fieldmanager::{self, Outcome, Writer};
use crate::options::{FieldValidation, Patch, PatchOptions, Preconditions};
use crate::pipeline::{Change, Draft, OptionsObject, Write};
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
        let read = || {
            let mut document = patch_document::read(self.patch, self.validation)?;
            field_sets::refuse_texts(&mut document.value);
            Ok(document)
        };
        self.document.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    fn apply(&self, current: &Value, document: &Value) -> Result<Value, StatusError> {
        let mut object = current.clone();
        match self.patch {
            Patch::Json(_) => {
                field_sets::expand(&mut object);
                patch::json::apply_value(&mut object, document)?;
                field_sets::refuse_texts(&mut object);
            }
            Patch::Merge(_) => patch::merge::apply(&mut object, document),
            Patch::Strategic(_) => {
                let schema = if self.view.is_whole() { self.row.schema() } else { schema::builtin().kind(&self.kind) };
                let Some(schema) = schema else {
                    return Err(StatusError::internal(format!("there is no schema of {}", self.kind.kind)));
                };
                object = patch::strategic::apply(object, document, &schema.strategic())?;
            }
            Patch::Apply(_) => return Err(StatusError::internal("an apply is no patch of what is there")),
        }
        Ok(object)
    }

    /// Looks at what a patched document says it is, as upstream's decoder does: a built-in kind may be left out. `false` if the
    /// version is: then the document is read as the kind's internal form, which has none of the fields' names.
    fn states_type(&self, object: &mut Value) -> Result<bool, String> {
        const NOT_READ: &str = "couldn't get version/kind; json parse error: json: cannot unmarshal";
        const TYPE_META: &str =
            r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
        if !object.is_object() {
            return Err(format!("{NOT_READ} {} into Go value of type {TYPE_META}", json::type_word(object)));
        }
        for field in ["apiVersion", "kind"] {
            if let Some(value) = object.get(field).filter(|value| !value.is_string() && !value.is_null()) {
                return Err(format!(
                    "{NOT_READ} {} into Go struct field .{field} of type string",
                    json::type_word(value)
                ));
            }
        }
        if self.row.is_custom() && self.view.is_whole() {
            return match object.kind() {
                "" => {
                    field_sets::expand(object);
                    Err(format!("Object 'Kind' is missing in '{}'", go_json(object)))
                }
                _ => Ok(true),
            };
        }
        let kind = if object.kind().is_empty() { self.kind.kind.clone() } else { object.kind().to_owned() };
        if object.api_version().is_empty() {
            return if kind == self.kind.kind { Ok(false) } else { Err(no_internal_kind(&kind, &self.kind)) };
        }
        let version = object.api_version().to_owned();
        object.set_type_meta(&version, &kind);
        if kind == self.kind.kind && version == self.kind.api_version() {
            return Ok(true);
        }
        let sent = object.gvk().map_err(|error| error.to_string())?;
        Err(not_converted(&sent, &self.kind))
    }
}

/// Empties an object that is read as one without these fields; answers what strict decoding says of them.
fn take_fields(object: &mut Value) -> Vec<String> {
    let fields = object.as_object_mut().map(std::mem::take).unwrap_or_default();
    let unknown = fields.keys().filter(|field| !matches!(field.as_str(), "apiVersion" | "kind"));
    unknown.map(|field| format!("unknown field \"{field}\"")).collect()
}

impl Change for Patched<'_> {
    fn draft(&self, current: Option<&Arc<Value>>, _stands: bool) -> Result<Draft, StatusError> {
        let Some(current) = current else { return Err(StatusError::internal("nothing to patch")) };
        let document = self.document()?;
        let mut object = self.apply(current, &document.value)?;
        let expected = Expected::of_view(&self.view, self.row, &self.kind);
        // What is refused is patched once more for its text, so that what is not refused needs no copy.
        let text = || {
            let patched = self.apply(current, &document.value).unwrap_or_default();
            let origin = match self.patch {
                Patch::Json(_) => patch_origin::of_operations(&document.value),
                _ => patch_origin::of_merge(&document.value, current),
            };
            schema::types::patched(&self.kind, &patched, &origin)
        };
        let refused = |error: String| {
            let value: Value = match self.patch {
                Patch::Strategic(_) => {
                    let current = field_sets::expanded(current);
                    go_value(&patch::strategic::leftover(&current, &document.value)).into()
                }
                _ => text().into(),
            };
            let error = field::Error::invalid(&Path::new("patch"), value, error);
            StatusError::invalid(&GroupKind::new("", ""), "", vec![error])
        };
        let unknown = if matches!(self.patch, Patch::Strategic(_)) {
            let unknown = expected.shape_untyped(&mut object).map_err(|error| refused(error.to_string()))?;
            // Upstream patches the typed object, which is of its kind whatever the patch says.
            object.set_type_meta(&self.kind.api_version(), &self.kind.kind);
            unknown
        } else if self.states_type(&mut object).map_err(refused)? {
            expected.shape(&mut object).map_err(|error| refused(error.to_string()))?
        } else {
            take_fields(&mut object)
        };
        if unknown.is_empty() && document.strict_errors.is_empty() {
            return Ok(object.into());
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
        Ok(object.into())
    }
}

/// A configuration that is applied.
struct Applied<'a> {
    config: Arc<Value>,
    /// Strict decoding errors of the configuration: upstream looks for them once it is applied.
    strict_errors: Vec<String>,
    validation: FieldValidation,
    warnings: &'a Warnings,
    table: Arc<Table>,
    row: &'a Arc<Row>,
    subresource: &'a str,
    view: View,
    kind: GroupVersionKind,
    manager: &'a str,
    force: bool,
    now: String,
    pending: Arc<Pending>,
}

impl Applied<'_> {
    /// Reads what comes of an apply as an object of the kind.
    fn shape(&self, object: &mut Value) -> Result<(), StatusError> {
        let expected = Expected::of_view(&self.view, self.row, &self.kind);
        let unknown = expected.shape_untyped(object).map_err(|error| {
            let gvk = format!("{}, Kind={}", display_version(&self.kind), self.kind.kind);
            StatusError::unstructured(format!(
                "failed to convert new object ({}/{}; {gvk}) to proper version: unable to convert unstructured object to {gvk}: {}",
                self.config.namespace(),
                self.config.name(),
                error.without_place()
            ))
        });
        unknown.map(drop)
    }
}

impl Change for Applied<'_> {
    fn draft(&self, current: Option<&Arc<Value>>, stands: bool) -> Result<Draft, StatusError> {
        let writer = Writer {
            table: &self.table,
            row: self.row,
            subresource: self.subresource,
            view: &self.view,
            manager: self.manager,
            now: &self.now,
            pending: &self.pending,
        };
        let mut draft = match fieldmanager::apply(&writer, current, &self.config, self.force)? {
            Outcome::Changed(object) => object.into(),
            Outcome::Unchanged(live) => Draft { object: live.clone(), unchanged: true },
        };
        if !(draft.unchanged && stands) {
            self.shape(Arc::make_mut(&mut draft.object))?;
        }
        if self.strict_errors.is_empty() {
            return Ok(draft);
        }
        let text = self.strict_errors.join("\n  ");
        match self.validation {
            FieldValidation::Strict => {
                let words = "error strict decoding YAML: error converting YAML to JSON: ";
                return Err(StatusError::bad_request(format!("{words}{text}")));
            }
            FieldValidation::Warn => self.warnings.warn(text),
            FieldValidation::Ignore => {}
        }
        Ok(draft)
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
            pending: Default::default(),
            options: OptionsObject {
                dry_run: options.dry_run,
                field_manager: options.field_manager.clone(),
                field_validation: field_validation(options.field_validation),
                force: options.force,
            },
        };
        match patch {
            Patch::Apply(body) => {
                let change = Applied {
                    config: Arc::new(applied_body(body.value)?),
                    strict_errors: body.strict_errors,
                    validation: options.field_validation,
                    warnings: &ctx.warnings,
                    table: self.table(),
                    row: &target.row,
                    subresource: &target.subresource,
                    view,
                    kind,
                    manager: &manager,
                    force: options.force.unwrap_or(false),
                    now: self.now(),
                    pending: write.pending.clone(),
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

fn applied_body(value: Value) -> Result<Value, StatusError> {
    if value.is_object() {
        return Ok(value);
    }
    Err(StatusError::bad_request(format!(
        "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type \
         map[string]interface {{}}",
        json::type_word(&value)
    )))
}

/// `apps/v1`, `/v1` for the core group: how Go prints a group version kind.
fn display_version(kind: &GroupVersionKind) -> String {
    format!("{}/{}", kind.group, kind.version)
}
