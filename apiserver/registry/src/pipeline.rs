//! The write pipeline and its one retry loop.
//!
//! Every write of an object goes this way: read the current one → draft the new one → field management → mutating admission →
//! strategy → validation → validating admission → compare-and-put. Verbs differ only in their [`Change`], which makes
//! the draft. A lost compare hands back what is there now and everything runs again from the top. An attempt made from
//! cached state may neither refuse nor be a no-op: a fresh read has to confirm it.

mod attempt;
mod checks;
mod current;
mod escalation;
mod options;
mod prepare;
mod standing;

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};
use bytes::Bytes;
use serde_json::Value;
use storage::cacher::ResourceVersionPlace;
use storage::{Outcome, Revision};

use crate::allocation::Claims;
use crate::context::{RequestContext, Target};
use crate::conversion::Pending;
use crate::options::Preconditions;
use crate::registry::Registry;
use crate::served::{Served, Written};
use crate::storage_error;
use crate::store::Store;
use crate::subresource::View;
pub(crate) use attempt::Draft;
use attempt::{Attempt, Deed, Rest};
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
