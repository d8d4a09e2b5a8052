//! The write pipeline and its one retry loop.
//!
//! Every write of an object goes this way: read the current one → draft the new one → field management → mutating admission →
//! strategy → validation → validating admission → compare-and-put. Verbs differ only in their [`Change`], which makes
//! the draft. A lost compare hands back what is there now and everything runs again from the top. An attempt made from
//! cached state may neither refuse nor be a no-op: a fresh read has to confirm it.

mod checks;
mod current;
mod escalation;
mod options;
mod prepare;
mod standing;

use std::sync::Arc;

use admission::{Attributes, Operation};
use apimachinery::{ObjectExt, StatusError};
use bytes::Bytes;
use serde_json::Value;
use storage::cacher::ResourceVersionPlace;
use storage::{Outcome, Revision};

use crate::allocation::Claims;
use crate::context::{RequestContext, Target};
use crate::conversion::Pending;
use crate::decode::Expected;
use crate::fieldmanager::{self, Writer};
use crate::meta;
use crate::options::Preconditions;
use crate::registry::Registry;
use crate::served::{Served, Written};
use crate::storage_error;
use crate::store::Store;
use crate::strategy::Scope;
use crate::subresource::View;
pub(crate) use checks::parse_revision;
pub(crate) use current::{Current, Text};
pub(crate) use options::OptionsObject;

/// How a verb makes the draft. Objects are as the client sees them: in the request's version, through the request's view.
pub(crate) trait Change: Send + Sync {
    /// The object that the client wants, given the one there is. Called once an attempt. `stands`: writing the current object as
    /// it is is known to change nothing.
    fn draft(&self, current: Option<&Arc<Value>>, stands: bool) -> Result<Draft, StatusError>;

    /// Takes an object back whose attempt is to be made again, without its owners: upstream, too, goes on with what the first
    /// attempt made of it.
    fn give_back(&self, _draft: Value) {}

    /// Whether the client leaves the name to the server.
    fn is_nameless(&self) -> bool {
        false
    }

    /// Whether the object is made if there is none.
    fn may_create(&self) -> bool {
        false
    }

    /// Whether the object must be new (POST).
    fn must_create(&self) -> bool {
        false
    }

    /// What must be true of the current object.
    fn preconditions(&self) -> Preconditions {
        Preconditions::default()
    }

    /// Whether the draft's field owners are settled already (server-side apply).
    fn owners_are_settled(&self) -> bool {
        false
    }

    /// Whether the draft is what the client sent (POST, PUT): it is told of repeated owners at once, not after admission.
    fn is_whole_body(&self) -> bool {
        false
    }

    /// A revision that the client has seen of the object: what is older is not what it wants to change. 0 if nothing is known.
    fn seen(&self) -> Revision {
        0
    }

    /// Whether the write must carry the current resourceVersion even where the kind does not ask for it.
    fn carries_resource_version(&self) -> bool {
        true
    }
}

/// What a client wants to be there.
pub(crate) struct Draft {
    pub object: Value,
    /// The field manager found that nothing changes.
    pub unchanged: bool,
}

impl From<Value> for Draft {
    fn from(object: Value) -> Self {
        Self { object, unchanged: false }
    }
}

/// One write request.
pub(crate) struct Write<'a> {
    pub registry: &'a Registry,
    pub ctx: &'a RequestContext,
    pub target: &'a Target,
    pub store: Arc<Store>,
    pub view: View,
    pub dry_run: bool,
    /// Who owns what changes.
    pub manager: String,
    /// Whether the chain is asked; it has been for the object that acts (a binding).
    pub admits: bool,
    /// `CreateOptions`, `UpdateOptions` … for admission, made for the operation at hand.
    pub options: OptionsObject,
    /// What field management needs of a conversion webhook.
    pub pending: Arc<Pending>,
}

/// What an attempt comes to.
enum Attempt {
    /// Something is to be done.
    Do(Deed),
    /// Nothing is.
    Rest(Rest),
}

/// What is to be done in the store.
enum Deed {
    /// Store this. `place`: where the resourceVersion goes, if the object of the request's version is otherwise what is stored.
    Put { object: Value, stored: Bytes, place: Option<ResourceVersionPlace> },
    /// The last finalizer is gone: remove the object; the answer is this.
    Remove(Value),
}

/// Why nothing is to be done.
enum Rest {
    /// Nothing changes. `stored` is what would be stored, where that is not known to be what is; `place` as for [`Deed::Put`].
    /// `stands`: nothing would change the next time, either, and what is stored is what is served.
    NoOp { stored: Option<Bytes>, place: Option<ResourceVersionPlace>, stands: bool },
    /// Dry run: this would have been the answer.
    DryRun(Value),
    /// It may not be.
    Refused(StatusError),
}

/// How often a generated name is tried.
const NAME_ATTEMPTS: usize = 8;

impl Write<'_> {
    /// Carries the change out.
    pub(crate) async fn run(&self, change: &dyn Change) -> Result<Written, StatusError> {
        if change.must_create() {
            return self.create(change).await;
        }
        let mut current = self.read_cached(change.seen()).await?;
        let mut keeps_owners = true;
        loop {
            let fresh = current.as_ref().is_some_and(Current::is_fresh);
            let mut claims = Claims::default();
            let attempt = self.attempt(change, current.as_ref(), keeps_owners, &mut claims).await;
            if !matches!(attempt, Ok(Attempt::Do(Deed::Put { .. }))) {
                std::mem::take(&mut claims).settle(self.registry, false).await;
            }
            let deed = match attempt.unwrap_or_else(|refusal| Attempt::Rest(Rest::Refused(refusal))) {
                Attempt::Do(deed) => deed,
                Attempt::Rest(rest) => {
                    if let Some(cached) = current.as_ref().filter(|current| !current.is_fresh())
                        && let Some(newer) = self.overtaken(cached, &rest).await?
                    {
                        current = newer;
                        continue;
                    }
                    return self.answer_rest(rest, current.as_ref());
                }
            };
            let expected = current.as_ref().map_or(0, |current| current.revision);
            let key = self.key(&self.target.name);
            let outcome = match &deed {
                Deed::Put { object, stored, .. } => self.put(&key, expected, stored.clone(), object.name()).await?,
                Deed::Remove(_) => self.registry.backing().storage.compare_and_delete(key.as_bytes(), expected).await,
            };
            // Nobody knows of a write that failed whether it was done: what was taken for it stays.
            if let Ok(outcome) = &outcome {
                let done = matches!(outcome, Outcome::Done(_));
                std::mem::take(&mut claims).settle(self.registry, done).await;
            }
            if keeps_owners && Self::is_too_large(&outcome) && !change.owners_are_settled() {
                claims.settle(self.registry, false).await;
                keeps_owners = false;
                continue;
            }
            match outcome.map_err(|error| storage_error::write(&error, self.target, "update"))? {
                Outcome::Done(revision) => {
                    self.registry.settle_authorization(&self.target.row, revision).await;
                    match deed {
                        Deed::Put { mut object, stored, place } => {
                            object.set_resource_version(&crate::store::itoa(revision));
                            return self.answer_stored(object, &stored, place.as_ref(), revision, current.is_none());
                        }
                        Deed::Remove(object) => {
                            self.registry.ended(&self.target.row, &object).await;
                            return self.answer(object, false);
                        }
                    }
                }
                Outcome::Mismatch(got) => {
                    // Somebody else removed it while this request was about to: that is what was wanted. Where it was
                    // read from the cache it may have been gone before the request came: then it is not found.
                    if let (Deed::Remove(object), None, true) = (&deed, &got.kv, fresh) {
                        return self.answer(object.clone(), false);
                    }
                    current = self.current_of(got.kv).await?;
                }
            }
            self.check_deadline()?;
        }
    }

    async fn create(&self, change: &dyn Change) -> Result<Written, StatusError> {
        let mut last = None;
        let mut keeps_owners = true;
        let mut attempts = 0;
        while attempts < NAME_ATTEMPTS {
            attempts += 1;
            let mut claims = Claims::default();
            let attempt = self.attempt(change, None, keeps_owners, &mut claims).await;
            if !matches!(attempt, Ok(Attempt::Do(Deed::Put { .. }))) {
                std::mem::take(&mut claims).settle(self.registry, false).await;
            }
            let (mut object, stored, place) = match attempt? {
                Attempt::Do(Deed::Put { object, stored, place }) => (object, stored, place),
                Attempt::Rest(Rest::DryRun(object)) => {
                    if let Some(error) = self.taken(&object).await? {
                        last = Some(error);
                        if self.was_generated(change, &object) { continue } else { break }
                    }
                    return self.answer(object, true);
                }
                // Only of what is there.
                Attempt::Rest(Rest::NoOp { .. }) | Attempt::Do(Deed::Remove(_)) => {
                    return Err(StatusError::internal("a new object was not stored"));
                }
                Attempt::Rest(Rest::Refused(refusal)) => return Err(refusal),
            };
            if !matches!(object.resource_version(), "" | "0") {
                claims.settle(self.registry, false).await;
                return Err(StatusError::unstructured("resourceVersion should not be set on objects to be created"));
            }
            let key = self.key(object.name());
            let outcome = self.put(&key, 0, stored.clone(), object.name()).await;
            match &outcome {
                Ok(Ok(outcome)) => {
                    let done = matches!(outcome, Outcome::Done(_));
                    std::mem::take(&mut claims).settle(self.registry, done).await;
                }
                Ok(Err(_)) => {}
                Err(_) => std::mem::take(&mut claims).settle(self.registry, false).await,
            }
            let outcome = outcome?;
            if keeps_owners && Self::is_too_large(&outcome) {
                claims.settle(self.registry, false).await;
                keeps_owners = false;
                attempts -= 1;
                change.give_back(object);
                continue;
            }
            match outcome.map_err(|error| storage_error::write(&error, self.target, "create"))? {
                Outcome::Done(revision) => {
                    self.registry.settle_authorization(&self.target.row, revision).await;
                    object.set_resource_version(&crate::store::itoa(revision));
                    return self.answer_stored(object, &stored, place.as_ref(), revision, true);
                }
                Outcome::Mismatch(got) => {
                    let there = self.current_of(got.kv).await?;
                    last = Some(self.already_exists(&object, there.as_ref()));
                    if !self.was_generated(change, &object) {
                        break;
                    }
                }
            }
            self.check_deadline()?;
        }
        Err(last.unwrap_or_else(|| StatusError::internal("nothing was created")))
    }

    /// Whether the store takes no object of that size. Without its owners, which can be large, it may: upstream tries that once.
    fn is_too_large<T>(outcome: &storage::Result<T>) -> bool {
        matches!(outcome, Err(storage::Error::TooLarge { .. }))
    }

    async fn put(
        &self,
        key: &str,
        expected: Revision,
        stored: Bytes,
        name: &str,
    ) -> Result<storage::Result<Outcome>, StatusError> {
        let backing = self.registry.backing();
        let _allowed = match expected {
            0 => Some(self.registry.allow_creation(&self.target.row, name).await?),
            _ => None,
        };
        Ok(backing.storage.compare_and_put(key.as_bytes(), expected, stored, self.store.ttl(backing)).await)
    }

    /// Whether the name was made here, so that another may be tried.
    fn was_generated(&self, change: &dyn Change, object: &Value) -> bool {
        change.is_nameless() && !object.generate_name().is_empty()
    }

    async fn taken(&self, object: &Value) -> Result<Option<StatusError>, StatusError> {
        let key = self.key(object.name());
        let got = self.registry.backing().storage.get(key.as_bytes()).await;
        let got = got.map_err(|error| storage_error::write(&error, self.target, "create"))?;
        let there = self.current_of(got.kv).await?;
        Ok(there.is_some().then(|| self.already_exists(object, there.as_ref())))
    }

    fn already_exists(&self, object: &Value, there: Option<&Current>) -> StatusError {
        let resource = self.target.row.group_resource();
        let error = if object.generate_name().is_empty() {
            StatusError::already_exists(&resource, object.name())
        } else {
            StatusError::generate_name_conflict(&resource, object.name(), 1)
        };
        if there.is_some_and(|there| there.object.deletion_timestamp().is_some()) {
            let message = format!("object is being deleted: {}", error.message());
            return error.with_message(message);
        }
        error
    }

    /// Everything between read and compare. `keeps_owners`: the object has managedFields.
    async fn attempt(
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
        self.check_identity(change, &mut draft, old.is_some())?;
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
            meta::drop_repeated_owners(&mut draft, &self.ctx.warnings, false);
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
                fieldmanager::update(&writer, shown.as_ref(), &mut draft);
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
        meta::drop_repeated_owners(&mut draft, &self.ctx.warnings, true);
        if !keeps_owners {
            draft.metadata_mut().remove("managedFields");
        }
        let unchanged = unchanged && shown.as_ref().is_some_and(|shown| **shown == draft);
        if unchanged && stands {
            self.validate(&chain, operation, draft, shown).await.1?;
            return Ok(Attempt::Rest(Rest::NoOp { stored: None, place: None, stands }));
        }

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
        let verdict;
        (object, verdict) = self.validate(&chain, operation, object, shown).await;
        verdict?;

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
        draft: Value,
        shown: Option<Arc<Value>>,
    ) -> Result<Value, StatusError> {
        let mut attributes = self.attributes(operation, Some(draft), shown);
        chain.admit(&mut attributes, &self.ctx.warnings).await?;
        let mut object = attributes.object.unwrap_or_default();
        if let Some(owners) = self.ctx.warnings.take_mutated() {
            if let Err(error) = fieldmanager::check(object.managed_fields()) {
                object.set_managed_fields(owners);
                self.ctx.warnings.warn(format!(
                    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated \
                     mutating admission controller; please fix your requests: {error}"
                ));
            }
            let row = &self.target.row;
            let kind = self.view.kind(row);
            let expected = if self.view.is_whole() { Expected::of_row(row, &kind) } else { Expected::of_kind(&kind) };
            expected.shape(&mut object).map_err(|error| StatusError::internal(error.to_string()))?;
        }
        Ok(object)
    }

    /// Asks validating admission; the object comes back.
    async fn validate(
        &self,
        chain: &admission::Chain,
        operation: Operation,
        object: Value,
        shown: Option<Arc<Value>>,
    ) -> (Value, Result<(), StatusError>) {
        if !self.admits || !chain.handles(operation) {
            return (object, Ok(()));
        }
        // Lent as it is where the client sees all of it.
        let (seen, kept) = if self.view.is_whole() {
            (object, None)
        } else {
            match self.view.show(&object, &self.target.row) {
                Ok(seen) => (seen, Some(object)),
                Err(error) => return (object, Err(error)),
            }
        };
        let attributes = self.attributes(operation, Some(seen), shown);
        let verdict = chain.validate(&attributes, &self.ctx.warnings).await;
        (kept.or(attributes.object).unwrap_or_default(), verdict)
    }

    fn attributes(&self, operation: Operation, object: Option<Value>, old_object: Option<Arc<Value>>) -> Attributes {
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

    /// The answer where nothing is to be done.
    fn answer_rest(&self, rest: Rest, current: Option<&Current>) -> Result<Written, StatusError> {
        match (rest, current) {
            (Rest::Refused(refusal), _) => Err(refusal),
            (Rest::DryRun(object), current) => self.answer(object, current.is_none()),
            (Rest::NoOp { place, stands, .. }, Some(current)) => {
                if stands {
                    self.note_standing(current);
                }
                match &current.text {
                    Text::Served(bytes) if self.view.is_whole() => {
                        Ok(Written { object: Served::new(bytes.clone(), current.object.clone()), created: false })
                    }
                    Text::Served(_) => self.answer(current.object.clone(), false),
                    Text::Stored(stored) => {
                        let place = place.or_else(|| self.store.place(stored).filter(|_| stands));
                        self.answer_stored(current.object.clone(), stored, place.as_ref(), current.revision, false)
                    }
                }
            }
            (Rest::NoOp { .. }, None) => Err(StatusError::internal("nothing changes of no object")),
        }
    }

    /// The answer to a write that is done. `place`: where the resourceVersion goes in `stored`, if that is what is served.
    fn answer_stored(
        &self,
        object: impl Into<Arc<Value>>,
        stored: &[u8],
        place: Option<&ResourceVersionPlace>,
        revision: Revision,
        created: bool,
    ) -> Result<Written, StatusError> {
        if let Some(place) = place.filter(|_| self.view.is_whole()) {
            return Ok(Written { object: Served::new(place.fill(stored, revision), object.into()), created });
        }
        self.answer(object, created)
    }

    fn answer(&self, object: impl Into<Arc<Value>>, created: bool) -> Result<Written, StatusError> {
        let shown = self.view.show_shared(&object.into(), &self.target.row)?;
        Ok(Written { object: Served::from_value(shown), created })
    }

    pub(crate) fn check_deadline(&self) -> Result<(), StatusError> {
        match self.ctx.deadline {
            Some(deadline) if std::time::Instant::now() >= deadline => {
                Err(StatusError::timeout("Timeout: request did not complete within the allotted timeout", 0))
            }
            _ => Ok(()),
        }
    }
}
