//! delete: finalizers, grace, propagation, preconditions.

use std::sync::Arc;

use admission::{Attributes, Operation};
use apimachinery::field::{self, Path};
use apimachinery::gvk::{GroupKind, GroupResource};
use apimachinery::status::{Status, StatusDetails};
use apimachinery::{ObjectExt, StatusError, time};
use serde_json::{Value, json};
use storage::Outcome;

use crate::options::{DeleteOptions, Preconditions, PropagationPolicy};
use crate::pipeline::{Current, OptionsObject, Write};
use crate::registry::Registry;
use crate::served::{Deleted, Served};
use crate::strategy::GarbageCollection;
use crate::subresource::View;
use crate::table::Row;
use crate::{RequestContext, Target, storage_error};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What a delete does with the object as it is.
enum Step {
    /// Remove it.
    Remove,
    /// Mark it; the second is what follows in the same request once that is stored.
    Mark(Value, AfterMark),
    /// Nothing: it is being deleted already.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterMark {
    Stay,
    Remove,
}

impl Registry {
    /// Warns where a kind has something to say about deletions that leave open what happens to dependents.
    pub(super) fn warn_of_unsaid_propagation(&self, ctx: &RequestContext, row: &Row, options: &DeleteOptions) {
        let said = options.propagation_policy.is_some() || options.orphan_dependents.is_some();
        if let (false, Some(warning)) = (said, row.strategy.unsaid_propagation_warning()) {
            ctx.warnings.warn(warning.to_owned());
        }
    }

    /// Deletes one object: at once, or by marking it where finalizers or a grace period make it stay.
    ///
    /// # Errors
    /// 404 if there is none, 409 if a precondition does not hold, 422 for options that contradict each other; and what
    /// admission says.
    pub async fn delete(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Deleted, StatusError> {
        self.warn_of_unsaid_propagation(ctx, &target.row, options);
        let (object, done) = self.delete_object(ctx, target, options).await?;
        let accepted = !done && options.orphan_dependents == Some(false);
        if done && !target.row.strategy.returns_deleted() {
            let details = StatusDetails {
                name: target.name.clone(),
                group: target.row.gvr.group.clone(),
                kind: target.row.gvr.resource.clone(),
                uid: object.uid().to_owned(),
                ..StatusDetails::default()
            };
            return Ok(Deleted::Done(Box::new(Status::success(Some(details)))));
        }
        Ok(Deleted::Object { object: Served::from_value(Arc::new(object)), accepted })
    }

    /// The object as it is after the request, and whether it is gone.
    pub(crate) async fn delete_object(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<(Value, bool), StatusError> {
        let errors = validate(options);
        if !errors.is_empty() {
            return Err(StatusError::invalid(&GroupKind::new("meta.k8s.io", "DeleteOptions"), "", errors));
        }
        let write = Write {
            registry: self,
            ctx,
            target,
            store: self.store_of(target)?,
            view: View::Whole,
            dry_run: options.dry_run,
            manager: String::new(),
            admits: true,
            pending: Default::default(),
            options: OptionsObject::default(),
        };
        let not_found = || StatusError::not_found(&target.row.group_resource(), &target.name);
        let mut current = write.read_fresh().await?.ok_or_else(not_found)?;
        let mut marked = false;
        let mut preconditions = options.preconditions.clone();
        loop {
            check(&preconditions, &current.object, &target.row)?;
            let step = if marked { Step::Remove } else { plan(&target.row, &current, options, self)? };
            if matches!(step, Step::Nothing) {
                return Ok((Arc::unwrap_or_clone(current.object), false));
            }
            if !marked {
                self.admit_delete(ctx, target, current.object.clone(), options).await?;
            }
            let key = write.key(&target.name);
            let storage = &self.backing().storage;
            let outcome = match &step {
                Step::Mark(object, after) => {
                    if options.dry_run {
                        return Ok((object.clone(), *after == AfterMark::Remove));
                    }
                    let mut as_stored = self.to_stored(object.clone(), &target.row, &write.store).await?;
                    let stored = write.store.encode(&mut as_stored);
                    if current.stored() == Some(&stored) {
                        Ok(Outcome::Done(current.revision))
                    } else {
                        storage
                            .compare_and_put(key.as_bytes(), current.revision, stored, write.store.ttl(self.backing()))
                            .await
                    }
                }
                _ if options.dry_run => return Ok((Arc::unwrap_or_clone(current.object), true)),
                _ => storage.compare_and_delete(key.as_bytes(), current.revision).await,
            };
            match (outcome.map_err(|error| storage_error::write(&error, target, "delete"))?, step) {
                (Outcome::Done(revision), Step::Mark(mut object, after)) => {
                    object.set_resource_version(&crate::store::itoa(revision));
                    if after == AfterMark::Stay {
                        return Ok((object, false));
                    }
                    preconditions.resource_version = None;
                    marked = true;
                    current = Current { object: Arc::new(object), revision, text: current.text };
                }
                (Outcome::Done(revision), _) => {
                    self.settle_authorization(&target.row, revision).await;
                    let mut object = Arc::unwrap_or_clone(current.object);
                    object.set_resource_version(&crate::store::itoa(revision));
                    self.ended(&target.row, &object).await;
                    return Ok((object, true));
                }
                (Outcome::Mismatch(got), _) => match write.current_of(got.kv).await? {
                    Some(now) => {
                        marked = false;
                        current = now;
                    }
                    // Somebody else removed what this request had marked: that is what was wanted.
                    None if marked => return Ok((Arc::unwrap_or_clone(current.object), true)),
                    None => return Err(not_found()),
                },
            }
            write.check_deadline()?;
        }
    }

    async fn admit_delete(
        &self,
        ctx: &RequestContext,
        target: &Target,
        object: Arc<Value>,
        options: &DeleteOptions,
    ) -> Result<(), StatusError> {
        let chain = self.admission();
        if !chain.handles(Operation::Delete) {
            return Ok(());
        }
        let row = &target.row;
        let is_namespace = row.gvr.group.is_empty() && row.gvr.resource == "namespaces";
        let mut attributes = Attributes {
            operation: Operation::Delete,
            kind: row.gvk(),
            resource: row.gvr.clone(),
            subresource: target.subresource.clone(),
            namespace: if is_namespace { target.name.clone() } else { target.namespace.clone() },
            name: target.name.clone(),
            object: None,
            old_object: Some(object),
            options: options_object(options),
            dry_run: options.dry_run,
            user: ctx.user.clone(),
        };
        chain.admit(&mut attributes, &ctx.warnings).await?;
        chain.validate(&attributes, &ctx.warnings).await
    }
}

fn plan(row: &Arc<Row>, current: &Current, options: &DeleteOptions, registry: &Registry) -> Result<Step, StatusError> {
    let mut object = Value::clone(&current.object);
    let now = registry.timestamp();
    let requested = options.grace_period_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    let mut graceful: Option<i64> = None;
    if object.deletion_timestamp().is_some() {
        let left = object.deletion_grace_period_seconds().unwrap_or(0);
        if row.strategy.grace_period(&object, options).is_some() && left != 0 {
            // A grace period under way can only be shortened.
            match requested {
                Some(seconds) if seconds < left => {
                    let due = object.deletion_timestamp().and_then(|at| time::parse_time(at).ok()).unwrap_or(now);
                    let mut at = due - jiff::SignedDuration::from_secs(left - seconds);
                    let mut period = seconds;
                    if at < now {
                        at = now;
                        period = if seconds == 0 { 0 } else { 1 };
                    }
                    object.set_deletion_timestamp(Some(&time::format_time(at)));
                    object.set_deletion_grace_period_seconds(Some(period));
                    graceful = Some(period);
                }
                _ => return Ok(Step::Nothing),
            }
        }
    } else if let Some(default) = row.strategy.grace_period(&object, options) {
        let seconds = default.max(0);
        let at = now + jiff::SignedDuration::from_secs(seconds);
        object.set_deletion_timestamp(Some(&time::format_time(at)));
        object.set_deletion_grace_period_seconds(Some(seconds));
        bump(&mut object);
        graceful = Some(seconds);
    }
    if row.strategy.begin_delete(&mut object, &time::format_time(now)) {
        return Ok(Step::Mark(object, AfterMark::Stay));
    }
    settle_finalizers(&mut object, row, options);
    let pending = object.finalizers().next().is_some();
    match graceful {
        Some(seconds) => {
            let after = if pending || seconds > 0 { AfterMark::Stay } else { AfterMark::Remove };
            Ok(Step::Mark(object, after))
        }
        None if pending => {
            let due = object.deletion_timestamp().and_then(|at| time::parse_time(at).ok());
            if due.is_none() {
                bump(&mut object);
            }
            if due.is_none_or(|due| due > now) {
                object.set_deletion_timestamp(Some(&time::format_time(now)));
            }
            object.set_deletion_grace_period_seconds(Some(0));
            Ok(Step::Mark(object, AfterMark::Stay))
        }
        None => Ok(Step::Remove),
    }
}

fn bump(object: &mut Value) {
    let generation = object.generation();
    if generation > 0 {
        object.set_generation(generation + 1);
    }
}

/// Sets the garbage collector's finalizers as the options, the object and the kind say, in this order.
fn settle_finalizers(object: &mut Value, row: &Row, options: &DeleteOptions) {
    let default = row.strategy.garbage_collection();
    let has = |finalizer: &str| object.has_finalizer(finalizer);
    let (orphan, foreground) = match (default, options.orphan_dependents, options.propagation_policy) {
        (GarbageCollection::Unsupported, _, _) => (false, false),
        (_, Some(orphan), _) => (orphan, false),
        (_, _, Some(PropagationPolicy::Orphan)) => (true, false),
        (_, _, Some(PropagationPolicy::Foreground)) => (false, true),
        (_, _, Some(PropagationPolicy::Background)) => (false, false),
        _ if has(ORPHAN) => (true, false),
        _ if has(FOREGROUND) => (false, true),
        (default, None, None) => (default == GarbageCollection::OrphanDependents, false),
    };
    if (orphan, foreground) == (has(ORPHAN), has(FOREGROUND)) {
        return;
    }
    let mut finalizers: Vec<String> =
        object.finalizers().filter(|finalizer| !matches!(*finalizer, ORPHAN | FOREGROUND)).map(str::to_owned).collect();
    finalizers.extend(orphan.then(|| ORPHAN.to_owned()));
    finalizers.extend(foreground.then(|| FOREGROUND.to_owned()));
    object.set_finalizers(finalizers);
}

fn check(preconditions: &Preconditions, object: &Value, row: &Row) -> Result<(), StatusError> {
    let (uid, version) = (object.uid(), object.resource_version());
    let wrong_uid = preconditions.uid.as_deref().filter(|wanted| *wanted != uid);
    let wrong_version = preconditions.resource_version.as_deref().filter(|wanted| *wanted != version);
    if row.strategy.ends_by_itself() {
        let words = match (wrong_uid, wrong_version) {
            (Some(wanted), _) => format!("UID in precondition: {wanted}, UID in object meta: {uid}"),
            (None, Some(wanted)) => {
                format!("ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {version}")
            }
            (None, None) => return Ok(()),
        };
        let words = format!("Precondition failed: {words}");
        return Err(StatusError::conflict(&row.group_resource(), object.name(), words));
    }
    let words = match (wrong_uid, wrong_version) {
        (Some(wanted), _) => format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and \
             then recreated"
        ),
        (None, Some(wanted)) => format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object \
             might have been modified"
        ),
        (None, None) => return Ok(()),
    };
    // Upstream names the kind where a resource is meant.
    let kind = GroupResource::new(&row.gvr.group, &row.kind);
    Err(StatusError::conflict(&kind, object.name(), words))
}

fn validate(options: &DeleteOptions) -> field::ErrorList {
    if options.orphan_dependents.is_some() && options.propagation_policy.is_some() {
        let words = "orphanDependents and deletionPropagation cannot be both set";
        return vec![field::Error::invalid(
            &Path::new("propagationPolicy"),
            policy(options).unwrap_or_default(),
            words,
        )];
    }
    Vec::new()
}

fn policy(options: &DeleteOptions) -> Option<&'static str> {
    options.propagation_policy.map(|policy| match policy {
        PropagationPolicy::Background => "Background",
        PropagationPolicy::Foreground => "Foreground",
        PropagationPolicy::Orphan => "Orphan",
    })
}

/// The options as admission sees them.
fn options_object(options: &DeleteOptions) -> Value {
    let mut object = json!({"apiVersion": "meta.k8s.io/v1", "kind": "DeleteOptions"});
    if options.dry_run {
        object["dryRun"] = json!(["All"]);
    }
    if let Some(seconds) = options.grace_period_seconds {
        object["gracePeriodSeconds"] = seconds.into();
    }
    if let Some(policy) = policy(options) {
        object["propagationPolicy"] = policy.into();
    }
    if let Some(orphan) = options.orphan_dependents {
        object["orphanDependents"] = orphan.into();
    }
    let Preconditions { uid, resource_version } = &options.preconditions;
    if let Some(uid) = uid {
        object["preconditions"]["uid"] = uid.as_str().into();
    }
    if let Some(version) = resource_version {
        object["preconditions"]["resourceVersion"] = version.as_str().into();
    }
    object
}
