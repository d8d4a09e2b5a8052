//! update: PUT of an object, its status, scale or another part.

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;
use storage::Revision;

use super::create::{field_validation, manager};
use crate::decode::Expected;
use crate::meta;
use crate::options::{Body, Preconditions, UpdateOptions};
use crate::pipeline::{Change, Draft, OptionsObject, Write, parse_revision};
use crate::registry::Registry;
use crate::served::Written;
use crate::subresource::View;
use crate::{RequestContext, Target, scale};

/// The object as sent.
struct Replacement {
    object: Value,
    may_create: bool,
}

impl Change for Replacement {
    fn draft(&self, _current: Option<&Arc<Value>>, _stands: bool) -> Result<Draft, StatusError> {
        Ok(self.object.clone().into())
    }

    fn may_create(&self) -> bool {
        self.may_create
    }

    fn is_whole_body(&self) -> bool {
        true
    }

    fn seen(&self) -> Revision {
        // What is no number is refused later.
        parse_revision(self.object.resource_version()).unwrap_or(0)
    }

    fn preconditions(&self) -> Preconditions {
        let uid = self.object.uid();
        Preconditions { uid: (!uid.is_empty()).then(|| uid.to_owned()), resource_version: None }
    }
}

impl Registry {
    /// Replaces an object (or its status, scale …). A resourceVersion in the body must be the current one.
    ///
    /// # Errors
    /// As for a create; 404 if there is no object, 409 if it is another than the client knew.
    pub async fn update(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: Body,
        options: &UpdateOptions,
    ) -> Result<Written, StatusError> {
        let view = View::of(&target.row, &target.subresource);
        let kind = view.kind(&target.row);
        let expected = Expected::of_view(&view, &target.row, &kind);
        let mut object = expected
            .decode(body, options.field_validation, &ctx.warnings)
            .map_err(|error| if target.row.is_custom() && !view.is_whole() { scale::unreadable() } else { error })?;
        meta::settle_namespace(&mut object, &target.row, &target.namespace)?;
        meta::check_name(&object, &target.name)?;
        // Upstream's status goes by the rules of the kind here, too.
        let may_create = matches!(&*target.subresource, "" | "status") && target.row.strategy.facts().create_on_update;
        let write = Write {
            registry: self,
            ctx,
            target,
            store: self.store_of(target)?,
            view,
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
        write.run(&Replacement { object, may_create }).await
    }
}
