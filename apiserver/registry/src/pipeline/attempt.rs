//! One attempt at a write: everything between read and compare.

use std::sync::Arc;

use admission::{Attributes, Operation};
use apimachinery::{ObjectExt, StatusError};
use bytes::Bytes;
use serde_json::Value;
use storage::cacher::ResourceVersionPlace;

use super::{Change, Current, Write};
use crate::allocation::Claims;
use crate::decode::Expected;
use crate::fieldmanager::{self, Writer};
use crate::meta;
use crate::strategy::Scope;

/// What a client wants to be there.
pub(crate) struct Draft {
    /// Lent where it is the current object.
    pub object: Arc<Value>,
    /// The field manager found that nothing changes.
    pub unchanged: bool,
}

impl From<Value> for Draft {
    fn from(object: Value) -> Self {
        Self { object: Arc::new(object), unchanged: false }
    }
}

/// What an attempt comes to.
pub(super) enum Attempt {
    /// Something is to be done.
    Do(Deed),
    /// Nothing is.
    Rest(Rest),
}

/// What is to be done in the store.
pub(super) enum Deed {
    /// Store this. `place`: where the resourceVersion goes, if the object of the request's version is otherwise what is stored.
    Put { object: Value, stored: Bytes, place: Option<ResourceVersionPlace> },
    /// The last finalizer is gone: remove the object; the answer is this.
    Remove(Value),
}

/// Why nothing is to be done.
pub(super) enum Rest {
    /// Nothing changes. `stored` is what would be stored, where that is not known to be what is; `place` as for [`Deed::Put`].
    /// `stands`: nothing would change the next time, either, and what is stored is what is served.
    NoOp { stored: Option<Bytes>, place: Option<ResourceVersionPlace>, stands: bool },
    /// Dry run: this would have been the answer.
    DryRun(Value),
    /// It may not be.
    Refused(StatusError),
}

impl Write<'_> {
    /// Everything between read and compare. `keeps_owners`: the object has managedFields.
    pub(super) async fn attempt(
        &self,
        change: &dyn Change,
        current: Option<&Current>,
        keeps_owners: bool,
        claims: &mut Claims,
    ) -> Result<Attempt, StatusError> {
        let row = &self.target.row;
        let resource = row.group_resource();
        let old = current.map(|current| &*current.object);
        if old.is_none() && !change.must_create() && !change.may_create() {
            return Err(StatusError::not_found(&resource, &self.target.name));
        }
        if !change.must_create() {
            self.check_preconditions(&change.preconditions(), old)?;
        }
        if old.is_none() && row.terminating {
            let name = if self.target.name.is_empty() {
                change.draft(None, false)?.object.name().to_owned()
            } else {
                self.target.name.clone()
            };
            return Err(crate::registry::terminating(row, &name));
        }
        let now = self.registry.now();
        let table = self.registry.table();
        let shown = current.map(|current| self.view.show_to_write(&current.object, &table, row)).transpose()?;
        let stands = change.owners_are_settled() && current.is_some_and(|current| self.stands(current));
        let Draft { object: mut draft, unchanged } = loop {
            let draft = change.draft(shown.as_ref(), stands);
            if !self.pending.settle(self.registry, row).await {
                break draft?;
            }
        };
        // What stands, and is lent as it is, was looked at when it came to stand.
        let stands = stands && unchanged;
        if !stands {
            self.check_identity(change, Arc::make_mut(&mut draft), old.is_some())?;
        }
        self.check_scale_uid(&draft, old)?;
        if !change.must_create() && old.is_none() && !draft.uid().is_empty() && change.owners_are_settled() {
            return Err(StatusError::conflict(
                &resource,
                &self.target.name,
                format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    draft.uid()
                ),
            ));
        }
        if change.is_whole_body() {
            meta::drop_repeated_owners(Arc::make_mut(&mut draft), &self.ctx.warnings, false);
        }
        if !change.owners_are_settled() {
            let writer = Writer {
                table: &table,
                row,
                subresource: &self.target.subresource,
                view: &self.view,
                manager: &self.manager,
                now: &now,
                pending: &self.pending,
            };
            loop {
                let again = row.asks_a_webhook().then(|| draft.clone());
                fieldmanager::update(&writer, shown.as_ref(), Arc::make_mut(&mut draft));
                match again {
                    Some(before) if self.pending.settle(self.registry, row).await => draft = before,
                    _ => break,
                }
            }
        }

        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let chain = self.registry.admission();
        if self.admits && chain.handles(operation) {
            draft = self.admit(&chain, operation, draft, shown.clone()).await?;
        }
        self.check_escalation(&draft, shown.as_deref()).await?;
        if stands && shown.as_ref() == Some(&draft) {
            self.validate(&chain, operation, draft, shown).await.1?;
            return Ok(Attempt::Rest(Rest::NoOp { stored: None, place: None, stands }));
        }
        let mut draft = Arc::unwrap_or_clone(draft);
        meta::drop_repeated_owners(&mut draft, &self.ctx.warnings, true);
        if !keeps_owners {
            draft.metadata_mut().remove("managedFields");
        }
        let unchanged = unchanged && shown.as_ref().is_some_and(|shown| **shown == draft);

        let scope = Scope {
            old,
            row,
            subresource: &self.target.subresource,
            now: &now,
            user: &self.ctx.user,
            allow_privileged: self.registry.allow_privileged(),
            warnings: &self.ctx.warnings,
        };
        let mut object;
        match (old, current) {
            (Some(old), Some(current)) => {
                object = self.view.put_back(draft, old, &table, row)?;
                self.check_resource_version(change, &mut object, current)?;
                *claims = self.allocate(&mut object, Some(old)).await?;
                self.prepare_update(&mut object, old, &scope)?;
                fieldmanager::keep_times(&mut object, old);
            }
            _ => {
                object = draft;
                meta::generate_missing_name(&mut object);
                *claims = self.allocate(&mut object, None).await?;
                self.prepare_create(&mut object, change, &scope)?;
                if !change.must_create() {
                    self.check_may_create().await?;
                }
            }
        }
        let (lent, verdict) = self.validate(&chain, operation, Arc::new(object), shown).await;
        verdict?;
        object = Arc::unwrap_or_clone(lent);

        if let Some(schema) = row.schema() {
            schema.settle_numbers(&mut object);
        }

        let removes = old.is_some_and(|old| {
            object.finalizers().next().is_none()
                && old.deletion_timestamp().is_some()
                && old.deletion_grace_period_seconds().unwrap_or(0) == 0
                && row.strategy.may_be_removed(&object)
        });
        if removes && !self.dry_run {
            return Ok(Attempt::Do(Deed::Remove(object)));
        }
        let version = object.resource_version().to_owned();
        let (stored, known);
        if row.is_custom() {
            let mut kept = self.registry.to_stored(object, row, &self.store).await?;
            stored = self.store.encode(&mut kept);
            // The answer is what will be read: what is not stored is not answered either.
            known = self.store.settle(&mut kept, &stored);
            object = self.registry.to_row(kept, row).await?;
        } else if row.serves_as_stored() {
            stored = self.store.encode(&mut object);
            known = self.store.settle(&mut object, &stored);
        } else {
            let mut kept = self.registry.to_stored(object.clone(), row, &self.store).await?;
            stored = self.store.encode(&mut kept);
            known = self.store.settle(&mut kept, &stored);
        }
        let place = known.as_ref().filter(|_| row.serves_as_stored()).map(|known| known.place.clone());
        object.set_resource_version(&version);
        if let Some(current) = current
            && (current.stored() == Some(&stored) || (!current.is_fresh() && *current.object == object))
        {
            let stands = unchanged && place.is_some() && !removes;
            return Ok(Attempt::Rest(Rest::NoOp { stored: Some(stored), place, stands }));
        }
        if self.dry_run {
            return Ok(Attempt::Rest(Rest::DryRun(object)));
        }
        if let Some(known) = known {
            self.store.expect(&self.key(object.name()), &stored, known);
        }
        Ok(Attempt::Do(Deed::Put { object, stored, place }))
    }

    /// Gives the object what there is a limited number of. Parts of an object have no say in it.
    async fn allocate(&self, object: &mut Value, old: Option<&Value>) -> Result<Claims, StatusError> {
        match self.target.row.strategy.allocation().filter(|_| self.target.subresource.is_empty()) {
            Some(allocation) => allocation.begin(self.registry, object, old, self.dry_run).await,
            None => Ok(Claims::default()),
        }
    }

    async fn admit(
        &self,
        chain: &admission::Chain,
        operation: Operation,
        draft: Arc<Value>,
        shown: Option<Arc<Value>>,
    ) -> Result<Arc<Value>, StatusError> {
        let mut attributes = self.attributes(operation, Some(draft), shown);
        chain.admit(&mut attributes, &self.ctx.warnings).await?;
        let mut object = attributes.object.unwrap_or_default();
        if let Some(owners) = self.ctx.warnings.take_mutated() {
            let object = Arc::make_mut(&mut object);
            if let Err(error) = fieldmanager::check(object.managed_fields()) {
                object.set_managed_fields(owners);
                self.ctx.warnings.warn(format!(
                    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated \
                     mutating admission controller; please fix your requests: {error}"
                ));
            }
            let row = &self.target.row;
            let kind = self.view.kind(row);
            let expected = Expected::of_view(&self.view, row, &kind);
            expected.shape(object).map_err(|error| StatusError::internal(error.to_string()))?;
        }
        Ok(object)
    }

    /// Asks validating admission; the object comes back.
    async fn validate(
        &self,
        chain: &admission::Chain,
        operation: Operation,
        object: Arc<Value>,
        shown: Option<Arc<Value>>,
    ) -> (Arc<Value>, Result<(), StatusError>) {
        if !self.admits || !chain.handles(operation) {
            return (object, Ok(()));
        }
        // Lent as it is where the client sees all of it.
        let (seen, kept) = if self.view.is_whole() {
            (object, None)
        } else {
            match self.view.show(&object, &self.target.row) {
                Ok(seen) => (Arc::new(seen), Some(object)),
                Err(error) => return (object, Err(error)),
            }
        };
        let attributes = self.attributes(operation, Some(seen), shown);
        let verdict = chain.validate(&attributes, &self.ctx.warnings).await;
        (kept.or(attributes.object).unwrap_or_default(), verdict)
    }

    fn attributes(
        &self,
        operation: Operation,
        object: Option<Arc<Value>>,
        old_object: Option<Arc<Value>>,
    ) -> Attributes {
        let row = &self.target.row;
        let named = object.as_ref().filter(|_| self.target.name.is_empty()).map(|object| object.name().to_owned());
        let name = named.unwrap_or_else(|| self.target.name.clone());
        let is_namespace = row.gvr.group.is_empty() && row.gvr.resource == "namespaces";
        Attributes {
            operation,
            kind: self.view.kind(row),
            resource: row.gvr.clone(),
            subresource: self.target.subresource.clone(),
            namespace: if is_namespace { name.clone() } else { self.target.namespace.clone() },
            name,
            object,
            old_object,
            options: self.options.of(operation, self.options.force.is_some()),
            dry_run: self.dry_run,
            user: self.ctx.user.clone(),
        }
    }
}
