//! The write pipeline and its one retry loop.
//!
//! Every write of an object goes this way: read the current one → draft the new one → field management → mutating admission →
//! strategy → validation → validating admission → compare-and-put. Verbs differ only in their [`Change`], which makes
//! the draft. A lost compare hands back what is there now and everything runs again from the top. An attempt made from
//! cached state may neither refuse nor be a no-op: a fresh read has to confirm it.

use std::sync::Arc;

use admission::{Attributes, Operation};
use apimachinery::field::{self, Path};
use apimachinery::gvk::{GroupKind, GroupResource};
use apimachinery::{ObjectExt, StatusError};
use bytes::Bytes;
use serde_json::Value;
use storage::{Outcome, Revision};

use crate::context::{RequestContext, Target};
use crate::decode::Expected;
use crate::fieldmanager::{self, Writer};
use crate::options::Preconditions;
use crate::registry::Registry;
use crate::served::{Served, Written};
use crate::storage_error;
use crate::store::Store;
use crate::strategy::{Generation, Scope, StatusOnCreate};
use crate::subresource::View;
use crate::{conversion, meta};

/// How a verb makes the draft. Objects are as the client sees them: in the request's version, through the request's view.
pub(crate) trait Change: Send + Sync {
    /// The object that the client wants, given the one there is. Called once an attempt.
    fn draft(&self, current: Option<&Value>) -> Result<Value, StatusError>;

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
}

/// The options that admission sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionsObject {
    pub dry_run: bool,
    pub field_manager: String,
    pub field_validation: &'static str,
    pub force: Option<bool>,
}

impl OptionsObject {
    /// As the options of an operation.
    pub fn of(&self, operation: Operation, patch: bool) -> Value {
        let kind = match (operation, patch) {
            (Operation::Create, _) => "CreateOptions",
            (_, true) => "PatchOptions",
            _ => "UpdateOptions",
        };
        let mut options = serde_json::json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
        if self.dry_run {
            options["dryRun"] = serde_json::json!(["All"]);
        }
        if !self.field_manager.is_empty() {
            options["fieldManager"] = self.field_manager.as_str().into();
        }
        if !self.field_validation.is_empty() {
            options["fieldValidation"] = self.field_validation.into();
        }
        options
    }
}

/// The object there is.
pub(crate) struct Current {
    /// In the version of the request.
    pub object: Value,
    pub revision: Revision,
    /// What is stored, byte for byte; `None` if the object comes from the cache.
    pub stored: Option<Bytes>,
}

impl Current {
    pub(crate) fn is_fresh(&self) -> bool {
        self.stored.is_some()
    }
}

/// What an attempt comes to.
enum Attempt {
    /// Store this.
    Put { object: Value, stored: Bytes },
    /// Nothing changes.
    NoOp(Value),
    /// The last finalizer is gone: remove the object; the answer is this.
    Remove(Value),
    /// Dry run: this would have been the answer.
    DryRun(Value),
}

/// How often a generated name is tried.
const NAME_ATTEMPTS: usize = 8;

impl Write<'_> {
    /// Carries the change out.
    pub(crate) async fn run(&self, change: &dyn Change) -> Result<Written, StatusError> {
        if change.must_create() {
            return self.create(change).await;
        }
        let mut current = self.read_cached().await?;
        loop {
            let fresh = current.as_ref().is_some_and(Current::is_fresh);
            let attempt = match self.attempt(change, current.as_ref()).await {
                Ok(Attempt::NoOp(_) | Attempt::DryRun(_)) | Err(_) if !fresh && self.was_cached(current.as_ref()) => {
                    current = self.read_fresh().await?;
                    continue;
                }
                attempt => attempt?,
            };
            let expected = current.as_ref().map_or(0, |current| current.revision);
            let key = self.key(&self.target.name);
            let outcome = match &attempt {
                Attempt::NoOp(object) | Attempt::DryRun(object) => {
                    return self.answer(object.clone(), None, current.is_none());
                }
                Attempt::Put { object, stored } => {
                    let ttl = self.store.ttl(self.registry.backing());
                    self.registry
                        .backing()
                        .storage
                        .compare_and_put(key.as_bytes(), expected, stored.clone(), ttl)
                        .await
                        .map(|outcome| (outcome, Some(object)))
                }
                Attempt::Remove(_) => self
                    .registry
                    .backing()
                    .storage
                    .compare_and_delete(key.as_bytes(), expected)
                    .await
                    .map(|outcome| (outcome, None)),
            };
            match outcome.map_err(|error| storage_error::write(&error, self.target, "update"))? {
                (Outcome::Done(revision), Some(object)) => {
                    return self.answer(object.clone(), Some(revision), current.is_none());
                }
                (Outcome::Done(_), None) => match attempt {
                    Attempt::Remove(object) => return self.answer(object, None, false),
                    _ => return Err(StatusError::internal("a removal without an object")),
                },
                (Outcome::Mismatch(got), _) => {
                    // Somebody else removed it while this request was about to: that is what was wanted.
                    if let (Attempt::Remove(object), None) = (&attempt, &got.kv) {
                        return self.answer(object.clone(), None, false);
                    }
                    current = self.current_of(got.kv)?;
                }
            }
            self.check_deadline()?;
        }
    }

    async fn create(&self, change: &dyn Change) -> Result<Written, StatusError> {
        let mut last = None;
        for _ in 0..NAME_ATTEMPTS {
            let (object, stored) = match self.attempt(change, None).await? {
                Attempt::Put { object, stored } => (object, stored),
                Attempt::DryRun(object) => {
                    if let Some(error) = self.taken(&object).await? {
                        last = Some(error);
                        if self.was_generated(change, &object) { continue } else { break }
                    }
                    return self.answer(object, None, true);
                }
                Attempt::NoOp(object) | Attempt::Remove(object) => return self.answer(object, None, true),
            };
            if !matches!(object.resource_version(), "" | "0") {
                return Err(StatusError::unstructured("resourceVersion should not be set on objects to be created"));
            }
            let key = self.key(object.name());
            let outcome = self
                .registry
                .backing()
                .storage
                .compare_and_put(key.as_bytes(), 0, stored, self.store.ttl(self.registry.backing()))
                .await;
            match outcome.map_err(|error| storage_error::write(&error, self.target, "create"))? {
                Outcome::Done(revision) => return self.answer(object, Some(revision), true),
                Outcome::Mismatch(got) => {
                    let there = self.current_of(got.kv)?;
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

    /// Whether the name was made here, so that another may be tried.
    fn was_generated(&self, change: &dyn Change, object: &Value) -> bool {
        !object.generate_name().is_empty() && change.draft(None).is_ok_and(|draft| draft.name().is_empty())
    }

    async fn taken(&self, object: &Value) -> Result<Option<StatusError>, StatusError> {
        let key = self.key(object.name());
        let got = self.registry.backing().storage.get(key.as_bytes()).await;
        let got = got.map_err(|error| storage_error::write(&error, self.target, "create"))?;
        let there = self.current_of(got.kv)?;
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

    /// Everything between read and compare.
    async fn attempt(&self, change: &dyn Change, current: Option<&Current>) -> Result<Attempt, StatusError> {
        let row = &self.target.row;
        let resource = row.group_resource();
        let old = current.map(|current| &current.object);
        if old.is_none() && !change.must_create() && !change.may_create() {
            return Err(StatusError::not_found(&resource, &self.target.name));
        }
        if !change.must_create() {
            self.check_preconditions(&change.preconditions(), old)?;
        }
        if old.is_none() && row.terminating {
            let words = "create not allowed while custom resource definition is terminating";
            let name = if self.target.name.is_empty() {
                change.draft(None)?.name().to_owned()
            } else {
                self.target.name.clone()
            };
            return Err(StatusError::forbidden(&resource, &name, words));
        }
        let now = self.registry.now();
        let shown = old.map(|old| self.view.show_to_write(old, row)).transpose()?;
        let mut draft = change.draft(shown.as_ref())?;
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
        meta::drop_repeated_owners(&mut draft, &self.ctx.warnings, false);
        if !change.owners_are_settled() {
            let table = self.registry.table();
            let writer = Writer {
                table: &table,
                row,
                subresource: &self.target.subresource,
                view: &self.view,
                manager: &self.manager,
                now: &now,
            };
            fieldmanager::update(&writer, shown.as_ref(), &mut draft);
        }

        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let chain = self.registry.admission();
        if self.admits && chain.handles(operation) {
            draft = self.admit(&chain, operation, draft, shown.as_ref()).await?;
        }
        meta::drop_repeated_owners(&mut draft, &self.ctx.warnings, true);

        let scope = Scope { row, subresource: &self.target.subresource, now: &now };
        let mut object;
        match (old, current) {
            (Some(old), Some(current)) => {
                object = self.view.put_back(draft, old, row)?;
                self.check_resource_version(change, &mut object, current)?;
                self.prepare_update(&mut object, old, &scope)?;
                fieldmanager::keep_times(&mut object, old);
            }
            _ => {
                object = draft;
                self.prepare_create(&mut object, change, &scope)?;
            }
        }
        if self.admits && chain.handles(operation) {
            let final_shown = self.view.show(&object, row)?;
            let attributes = self.attributes(operation, Some(final_shown), shown.map(Arc::new));
            chain.validate(&attributes, &self.ctx.warnings).await?;
        }

        let removes = old.is_some_and(|old| {
            object.finalizers().next().is_none()
                && old.deletion_timestamp().is_some()
                && old.deletion_grace_period_seconds().unwrap_or(0) == 0
                && row.strategy.may_be_removed(&object)
        });
        if removes && !self.dry_run {
            return Ok(Attempt::Remove(object));
        }
        let mut as_stored = object.clone();
        conversion::convert(&mut as_stored, self.store.gvk());
        if row.is_custom() && !row.serves_as_stored() {
            // What is not stored is not answered either.
            self.store.prune(&mut as_stored);
            object = as_stored.clone();
            conversion::to_row(&mut object, row);
        }
        let stored = self.store.encode(&as_stored)?;
        if let Some(current) = current
            && (current.stored.as_ref() == Some(&stored) || (!current.is_fresh() && current.object == object))
        {
            return Ok(Attempt::NoOp(current.object.clone()));
        }
        if self.dry_run { Ok(Attempt::DryRun(object)) } else { Ok(Attempt::Put { object, stored }) }
    }

    /// Name and namespace of the draft against the URL's.
    fn check_identity(&self, change: &dyn Change, draft: &mut Value, exists: bool) -> Result<(), StatusError> {
        meta::settle_namespace(draft, &self.target.row, &self.target.namespace)?;
        draft.metadata_mut().remove("selfLink");
        if change.must_create() {
            meta::wipe_system_fields(draft);
            return Ok(());
        }
        if self.view.is_whole() || exists {
            meta::check_name(draft, &self.target.name)?;
        }
        Ok(())
    }

    /// A scale carries its object's uid.
    fn check_scale_uid(&self, draft: &Value, old: Option<&Value>) -> Result<(), StatusError> {
        match old {
            Some(old) if !self.view.is_whole() && !draft.uid().is_empty() && draft.uid() != old.uid() => {
                let row = &self.target.row;
                let resource = GroupResource::new(&row.gvr.group, format!("{}/scale", row.gvr.resource));
                let words = format!(
                    "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                    draft.uid(),
                    old.uid()
                );
                Err(StatusError::conflict(&resource, &self.target.name, words))
            }
            _ => Ok(()),
        }
    }

    fn check_preconditions(&self, preconditions: &Preconditions, old: Option<&Value>) -> Result<(), StatusError> {
        let there = old.map_or("", |old| old.uid());
        match &preconditions.uid {
            Some(uid) if uid != there => Err(StatusError::conflict(
                &self.target.row.group_resource(),
                &self.target.name,
                format!(
                    "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
                     UID in precondition: {uid}, UID in object meta: {there}",
                    self.key(&self.target.name)
                ),
            )),
            _ => Ok(()),
        }
    }

    async fn admit(
        &self,
        chain: &admission::Chain,
        operation: Operation,
        draft: Value,
        shown: Option<&Value>,
    ) -> Result<Value, StatusError> {
        let mut attributes = self.attributes(operation, Some(draft), shown.cloned().map(Arc::new));
        chain.admit(&mut attributes, &self.ctx.warnings).await?;
        let mut object = attributes.object.unwrap_or_default();
        if self.ctx.warnings.take_mutated() {
            let row = &self.target.row;
            let kind = self.view.kind(row);
            let expected = if self.view.is_whole() { Expected::of_row(row, &kind) } else { Expected::of_kind(&kind) };
            expected.shape(&mut object).map_err(StatusError::internal)?;
        }
        Ok(object)
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

    fn prepare_create(&self, object: &mut Value, change: &dyn Change, scope: &Scope<'_>) -> Result<(), StatusError> {
        let row = &self.target.row;
        let facts = row.strategy.facts();
        if !change.must_create() {
            meta::wipe_system_fields(object);
            object.set_resource_version("");
        }
        meta::fill_system_fields(object, scope.now);
        if object.name().is_empty() && !object.generate_name().is_empty() {
            let name = meta::generate_name(object.generate_name());
            object.set_name(&name);
        }
        meta::settle_namespace(object, row, &self.target.namespace)?;
        let generation = if facts.generation == Generation::None { 0 } else { 1 };
        object.set_generation(generation);
        if row.has_status() || matches!(facts.status_on_create, StatusOnCreate::Phase(_)) {
            reset_status(object, row, facts.first_status());
        }
        row.strategy.prepare_create(object, scope);
        complete(object, row);

        let mut errors = row.strategy.validate(object, scope);
        if row.is_custom() || errors.is_empty() {
            // Upstream checks metadata once the kind's own rules hold, so that those are named first.
            let mut of_meta = meta::validate_create(object, row);
            if row.is_custom() {
                of_meta.append(&mut errors);
            }
            errors = of_meta;
        }
        if let (true, Some(schema)) = (row.is_custom(), row.schema()) {
            errors.extend(schema.validate(object, None, &Path::new("")));
        }
        self.refuse(object, errors)?;
        for warning in row.strategy.warnings(object, None, scope) {
            self.ctx.warnings.warn(warning);
        }
        Ok(())
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, scope: &Scope<'_>) -> Result<(), StatusError> {
        let row = &self.target.row;
        let facts = row.strategy.facts();
        meta::settle_namespace(object, row, &self.target.namespace)?;
        object.set_generation(old.generation());
        match scope.subresource {
            "status" => keep_all_but_status(object, old, facts.status_keeps_labels, row.is_custom()),
            "" | "scale" if row.has_status() => copy_field(object, old, "status"),
            _ => {}
        }
        row.strategy.prepare_update(object, old, scope);
        complete(object, row);
        if !matches!(scope.subresource, "status" | "binding" | "finalize")
            && moves_generation(facts.generation, object, old, row)
        {
            object.set_generation(old.generation() + 1);
        }
        meta::restore_on_update(object, old);

        let mut errors = meta::validate_update(object, old, row);
        errors.extend(row.strategy.validate_update(object, old, scope));
        if let (true, Some(schema)) = (row.is_custom(), row.schema()) {
            errors.extend(schema.validate(object, Some(old), &Path::new("")));
        }
        self.refuse(object, errors)?;
        for warning in row.strategy.warnings(object, Some(old), scope) {
            self.ctx.warnings.warn(warning);
        }
        Ok(())
    }

    fn refuse(&self, object: &Value, errors: field::ErrorList) -> Result<(), StatusError> {
        if errors.is_empty() {
            return Ok(());
        }
        // A custom object that says it is something else is named as what it says.
        let kind = if self.target.row.is_custom() { object.kind() } else { &self.target.row.kind };
        Err(StatusError::invalid(&GroupKind::new(&self.target.row.gvr.group, kind), object.name(), errors))
    }

    fn check_resource_version(
        &self,
        change: &dyn Change,
        object: &mut Value,
        current: &Current,
    ) -> Result<(), StatusError> {
        let row = &self.target.row;
        let sent = if change.carries_resource_version() { object.resource_version() } else { "" };
        let sent = parse_revision(sent).map_err(StatusError::unstructured)?;
        // A scale is written whatever the version of its object.
        let unconditional = row.strategy.facts().unconditional_update || !self.view.is_whole();
        if sent == 0 {
            if unconditional || !change.carries_resource_version() {
                object.set_resource_version(&crate::store::itoa(current.revision));
                return Ok(());
            }
            let errors = vec![field::Error::invalid(
                &Path::new("metadata").child("resourceVersion"),
                0,
                "must be specified for an update",
            )];
            let kind = GroupKind::new(&row.gvr.group, &row.gvr.resource);
            return Err(StatusError::invalid(&kind, &self.target.name, errors));
        }
        if sent != current.revision {
            return Err(StatusError::conflict(
                &row.group_resource(),
                &self.target.name,
                "the object has been modified; please apply your changes to the latest version and try again",
            ));
        }
        Ok(())
    }

    fn answer(&self, mut object: Value, revision: Option<Revision>, created: bool) -> Result<Written, StatusError> {
        if let Some(revision) = revision {
            object.set_resource_version(&crate::store::itoa(revision));
        }
        let shown = if self.view.is_whole() { object } else { self.view.show(&object, &self.target.row)? };
        Ok(Written { object: Served::from_value(Arc::new(shown)), created })
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.store.key(self.registry.backing(), &self.target.namespace, name)
    }

    fn check_deadline(&self) -> Result<(), StatusError> {
        match self.ctx.deadline {
            Some(deadline) if std::time::Instant::now() >= deadline => {
                Err(StatusError::timeout("Timeout: request did not complete within the allotted timeout", 0))
            }
            _ => Ok(()),
        }
    }

    /// What the cache says at once, else what the store says.
    pub(crate) async fn read_cached(&self) -> Result<Option<Current>, StatusError> {
        let cached = self.store.started_cacher().filter(|cacher| cacher.health() == storage::cacher::Health::Ready);
        if let Some(cacher) = cached {
            let any = storage::cacher::Freshness::Any;
            if let Ok(got) = cacher.get(&self.target.namespace, &self.target.name, any).await
                && let Some(entry) = got.entry
            {
                let mut object: Value = serde_json::from_slice(entry.object())
                    .map_err(|error| StatusError::internal(format!("unable to decode a stored object: {error}")))?;
                conversion::to_row(&mut object, &self.target.row);
                return Ok(Some(Current { object, revision: entry.revision(), stored: None }));
            }
        }
        self.read_fresh().await
    }

    /// What the store says.
    pub(crate) async fn read_fresh(&self) -> Result<Option<Current>, StatusError> {
        let key = self.key(&self.target.name);
        let got = self.registry.backing().storage.get(key.as_bytes()).await;
        self.current_of(got.map_err(|error| storage_error::write(&error, self.target, "get"))?.kv)
    }

    fn was_cached(&self, current: Option<&Current>) -> bool {
        current.is_some_and(|current| !current.is_fresh())
    }

    pub(crate) fn current_of(&self, kv: Option<storage::KeyValue>) -> Result<Option<Current>, StatusError> {
        let Some(kv) = kv else { return Ok(None) };
        let mut object = self.store.decode(&kv.value, kv.mod_revision)?;
        conversion::to_row(&mut object, &self.target.row);
        Ok(Some(Current { object, revision: kv.mod_revision, stored: Some(kv.value) }))
    }
}

/// A resourceVersion as a revision; empty is 0. The error is that of Go's parser.
pub(crate) fn parse_revision(text: &str) -> Result<Revision, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("strconv.ParseUint: parsing \"{text}\": value out of range"));
    }
    Err(format!("strconv.ParseUint: parsing {}: invalid syntax", apimachinery::quote::quoted(text)))
}

fn complete(object: &mut Value, row: &crate::table::Row) {
    if row.is_custom() {
        return;
    }
    if let Some(schema) = row.schema() {
        schema.drop_empties(object);
        schema.apply_defaults(object);
    }
}

fn reset_status(object: &mut Value, row: &crate::table::Row, first: Option<Value>) {
    let (Some(fields), Some(first)) = (object.as_object_mut(), first) else { return };
    fields.remove("status");
    if !row.is_custom() {
        fields.insert("status".into(), first);
    }
}

fn copy_field(object: &mut Value, old: &Value, field: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    match old.get(field) {
        Some(value) => fields.insert(field.to_owned(), value.clone()),
        None => fields.remove(field),
    };
}

/// A write to `/status` changes status, and of metadata what the kind allows: custom resources managedFields alone.
fn keep_all_but_status(object: &mut Value, old: &Value, keeps_labels: bool, custom: bool) {
    let (status, mut metadata) = (object.get("status").cloned(), object.metadata().cloned().unwrap_or_default());
    let mut kept = old.clone();
    if let Some(fields) = kept.as_object_mut() {
        fields.remove("status");
        fields.extend(status.map(|status| ("status".to_owned(), status)));
    }
    if custom {
        let managed = metadata.remove("managedFields");
        let into = kept.metadata_mut();
        into.remove("managedFields");
        into.extend(managed.map(|managed| ("managedFields".to_owned(), managed)));
        if let Some(version) = metadata.remove("resourceVersion") {
            kept.metadata_mut().insert("resourceVersion".into(), version);
        }
    } else {
        if keeps_labels {
            metadata.remove("labels");
            metadata.extend(old.labels().map(|labels| ("labels".to_owned(), Value::Object(labels.clone()))));
        }
        *kept.metadata_mut() = metadata;
    }
    *object = kept;
}

fn moves_generation(rule: Generation, object: &Value, old: &Value, row: &crate::table::Row) -> bool {
    let status_counts = row.is_custom() && !row.has_status();
    let counted =
        |field: &str| !matches!(field, "apiVersion" | "kind" | "metadata") && (status_counts || field != "status");
    let differ = || {
        let empty = serde_json::Map::new();
        let (new, old) = (object.as_object().unwrap_or(&empty), old.as_object().unwrap_or(&empty));
        new.iter().any(|(field, value)| counted(field) && old.get(field) != Some(value))
            || old.keys().any(|field| counted(field) && !new.contains_key(field))
    };
    match rule {
        Generation::None | Generation::Fixed => false,
        Generation::Spec => differ(),
        Generation::SpecAndLabels => differ() || object.labels() != old.labels(),
    }
}
