//! create: POST to a collection, or to a subresource that acts.

use std::sync::Arc;

use apimachinery::gvk::GroupVersionKind;
use apimachinery::{ObjectExt, StatusError};
use parking_lot::Mutex;
use serde_json::Value;

use crate::decode::Expected;
use crate::options::{Body, CreateOptions, FieldValidation};
use crate::pipeline::{Change, Draft, OptionsObject, Write};
use crate::registry::Registry;
use crate::served::Written;
use crate::subresource::View;
use crate::{RequestContext, Target, acting};

/// The object as sent, or as an attempt gave it back.
struct New {
    object: Mutex<Value>,
    /// Whether it has no name: then more than one may have to be tried, and the object stays. Otherwise the only attempt takes it.
    nameless: bool,
}

impl New {
    fn of(object: Value) -> Self {
        Self { nameless: object.name().is_empty(), object: Mutex::new(object) }
    }
}

impl Change for New {
    fn draft(&self, _current: Option<&Arc<Value>>, _stands: bool) -> Result<Draft, StatusError> {
        let mut object = self.object.lock();
        let draft = if self.nameless { object.clone() } else { std::mem::take(&mut *object) };
        Ok(draft.into())
    }

    fn give_back(&self, draft: Value) {
        if !self.nameless {
            *self.object.lock() = draft;
        }
    }

    fn is_nameless(&self) -> bool {
        self.nameless
    }

    fn must_create(&self) -> bool {
        true
    }

    fn is_whole_body(&self) -> bool {
        true
    }
}

impl Registry {
    /// Creates an object, or acts through a creating subresource (`binding`, `eviction`, …); `target.name` is empty unless
    /// it is a subresource.
    ///
    /// # Errors
    /// 400 for what cannot be decoded, 409 if the name is taken, 422 for what does not validate; and what admission says.
    pub async fn create(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: Body,
        options: &CreateOptions,
    ) -> Result<Written, StatusError> {
        if let Some(sub) = target.row.subresource(&target.subresource) {
            let object = Expected::of_kind(&sub.kind).decode(body, options.field_validation, &ctx.warnings)?;
            return Box::pin(acting::create(self, ctx, target, object, options)).await;
        }
        let kind: GroupVersionKind = target.row.gvk();
        let object = Expected::of_row(&target.row, &kind).decode(body, options.field_validation, &ctx.warnings)?;
        if !target.row.stored() {
            return Box::pin(acting::create(self, ctx, target, object, options)).await;
        }
        let write = Write {
            registry: self,
            ctx,
            target,
            store: self.store_of(target)?,
            view: View::Whole,
            dry_run: options.dry_run,
            manager: manager(ctx, &options.field_manager),
            admits: true,
            pending: Default::default(),
            options: OptionsObject {
                dry_run: options.dry_run,
                field_manager: options.field_manager.clone(),
                field_validation: field_validation(options.field_validation),
                force: None,
            },
        };
        write.run(&New::of(object)).await
    }
}

/// The manager named by the options, else that of the request.
pub(crate) fn manager(ctx: &RequestContext, named: &str) -> String {
    if named.is_empty() { ctx.field_manager.clone() } else { named.to_owned() }
}

/// `fieldValidation` as admission sees it.
pub(crate) fn field_validation(validation: FieldValidation) -> &'static str {
    match validation {
        FieldValidation::Ignore => "Ignore",
        FieldValidation::Warn => "Warn",
        FieldValidation::Strict => "Strict",
    }
}
