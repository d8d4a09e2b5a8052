//! Who owns which field: `metadata.managedFields`, after upstream's field manager.
//!
//! An update owns what it changes; an apply owns what it states, conflicts with other owners and removes what it no longer
//! states. The rules of merging are structured-merge-diff's; here is what Kubernetes adds to them.

mod last_applied;
mod managed;
mod reset;
mod scale;
mod sets;
mod times;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::status::StatusCause;
use apimachinery::{ObjectExt, StatusError};
use serde_json::Value;
use structured_merge_diff::merge::Error;
use structured_merge_diff::{ApiVersion, Conflicts, Set, Updater, VersionedSet};

use crate::conversion::Pending;
use crate::subresource::View;
use crate::table::{Row, Table};
use managed::{Identity, Managed, Operation, copied, taken};
use types::Types;

pub(crate) use managed::check;
pub(crate) use reset::{is_reset, mark_reset};
pub(crate) use scale::{into_parent, of_parent};
pub(crate) use times::keep_times;

/// How many managers of updates are kept apart; the oldest are merged.
const MAX_UPDATE_MANAGERS: usize = 10;
/// Who owns what was merged.
const ANCIENT: &str = "ancient-changes";
/// Who owns what was there when an untracked object is first applied to.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// Who owns the changes of the update under way, until its manager's earlier ones are added.
const CURRENT: &str = "current-operation";

/// A write as the field manager sees it.
pub(crate) struct Writer<'a> {
    pub table: &'a Table,
    pub row: &'a Row,
    pub subresource: &'a str,
    pub view: &'a View,
    pub manager: &'a str,
    /// In `metav1.Time`'s form.
    pub now: &'a str,
    /// What a conversion webhook has said, and is to be asked.
    pub pending: &'a Pending,
}

impl Writer<'_> {
    fn identity(&self, operation: Operation) -> Identity {
        Identity {
            manager: if self.manager.is_empty() { "unknown" } else { self.manager }.to_owned(),
            operation,
            api_version: self.view.kind(self.row).api_version(),
            subresource: self.subresource.to_owned(),
        }
    }

    fn api_version(&self) -> ApiVersion {
        self.view.kind(self.row).api_version().into()
    }

    fn updater<'t>(&self, types: &'t Types<'t>) -> Updater<&'t Types<'t>> {
        let filter = reset::filter(self.row, self.subresource);
        let ignore = filter.map(|filter| BTreeMap::from([(self.api_version(), filter)])).unwrap_or_default();
        Updater::new(types).with_ignore(ignore).with_unowned(managed::system_fields().clone())
    }
}

/// Sets the managedFields of `new` for an update by the writer. `live` is what is there. Never fails: what cannot be tracked
/// is left without owners.
pub(crate) fn update(writer: &Writer<'_>, live: Option<&Arc<Value>>, new: &mut Value) {
    let of_live = live.map(|live| live.managed_fields()).unwrap_or_default();
    let reset = is_reset(new);
    let mut sent = take_managed_fields(new);
    let of_sent = || Managed::decode(&sent).ok().filter(|managed| !managed.is_empty());
    let whole = writer.subresource.is_empty();
    let (managed, is_of_sent) = match (whole && !reset).then(of_sent).flatten() {
        Some(managed) => (managed, true),
        None if whole && reset => (Managed::default(), false),
        None => (Managed::decode(of_live).unwrap_or_default(), false),
    };
    // Objects that are not tracked are tracked from their creation or their first apply on.
    if live.is_some() && managed.is_empty() {
        return;
    }
    let id = writer.identity(Operation::Update).encode();
    let shared = Arc::new(std::mem::take(new));
    let outcome = track(writer, live, &shared, managed, &id);
    *new = Arc::unwrap_or_clone(shared);
    match outcome {
        Ok(mut managed) => {
            cap(&mut managed);
            let custom = writer.row.is_custom();
            new.set_managed_fields(match is_of_sent {
                true => managed.encode(custom, taken(&mut sent)),
                false => managed.encode(custom, copied(of_live)),
            });
        }
        Err(error) => {
            // What does not fit its type is refused by validation, a little later.
            tracing::debug!(%error, kind = %writer.row.kind, "the owners of an object's fields cannot be updated");
        }
    }
}

fn take_managed_fields(object: &mut Value) -> Vec<Value> {
    match object.metadata_mut().remove("managedFields") {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    }
}

/// What an update from `live` to `new` gives the manager `id`. The owners in `live` itself are nobody's.
fn track(
    writer: &Writer<'_>,
    live: Option<&Arc<Value>>,
    new: &Arc<Value>,
    managed: Managed,
    id: &str,
) -> Result<Managed, String> {
    let types = Types::of(writer);
    let live = match live {
        Some(live) => types.stored(live.clone()),
        None => types.stored(types.zero()),
    };
    let live = live.map_err(|error| format!("failed to convert live object to smd typed: {error}"))?;
    let new =
        types.stored(new.clone()).map_err(|error| format!("failed to convert new object to smd typed: {error}"))?;
    let mut managed = managed;
    let fields = std::mem::take(&mut managed.fields);
    let mut fields = writer
        .updater(&types)
        .update(&live, &new, &writer.api_version(), fields, CURRENT)
        .map_err(|error| format!("failed to update ManagedFields: {error}"))?;
    if let Some(changed) = fields.remove(CURRENT) {
        let set = match fields.get(id) {
            Some(earlier) => changed.set.union(&earlier.set),
            None => changed.set,
        };
        fields.insert(id.to_owned(), VersionedSet::new(set, changed.api_version, false));
        managed.times.insert(id.to_owned(), writer.now.to_owned());
    }
    managed.fields = fields;
    Ok(managed)
}

/// What comes of an apply.
pub(crate) enum Outcome<'a> {
    /// The live object, owners included.
    Unchanged(&'a Arc<Value>),
    /// Another.
    Changed(Value),
}

/// The object after the writer applies `config` to `live`.
///
/// # Errors
/// 409 with a cause for each field that others own, unless `force`; 400 for a configuration of another kind or version; 500 in
/// upstream's words for one that does not fit the kind's type.
pub(crate) fn apply<'a>(
    writer: &Writer<'_>,
    live: Option<&'a Arc<Value>>,
    config: &Arc<Value>,
    force: bool,
) -> Result<Outcome<'a>, StatusError> {
    let types = Types::of(writer);
    let entries = live.map(|live| live.managed_fields()).unwrap_or_default();
    let mut managed = Managed::decode(entries)
        .map_err(|error| StatusError::unstructured(format!("failed to decode managed fields: {error}")))?;
    let sent = config.gvk().map_err(|error| StatusError::bad_request(error.to_string()))?;
    if sent != writer.view.kind(writer.row) {
        return Err(StatusError::bad_request(format!("invalid object type: {}", go_kind(&sent))));
    }
    if let (Some(live), true) = (live, managed.is_empty()) {
        let id = Identity { manager: BEFORE_FIRST_APPLY.into(), ..writer.identity(Operation::Update) }.encode();
        managed = track(writer, None, &Arc::new(without_managed_fields(live)), managed, &id).map_err(|error| {
            StatusError::unstructured(format!("failed to create manager for existing fields: {error}"))
        })?;
    }
    let owners = config.metadata().and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array);
    if owners.is_some_and(|entries| entries.iter().all(Value::is_object)) {
        return Err(StatusError::bad_request("metadata.managedFields must be nil"));
    }
    let base = live.cloned().unwrap_or_else(|| Arc::new(types.zero()));
    let (object, managed) = match applied(writer, &types, &base, config, managed.clone(), force) {
        Err(Failure::Conflicts(conflicts)) => {
            let allowed = last_applied::allowed_conflicts(writer, &types, live.map(|live| &**live));
            let left: Vec<_> = conflicts.iter().filter(|conflict| !allowed.has(&conflict.path)).cloned().collect();
            if !left.is_empty() {
                return Err(conflict(&Conflicts(left)));
            }
            applied(writer, &types, &base, config, managed, true).map_err(Failure::into_status)?
        }
        outcome => outcome.map_err(Failure::into_status)?,
    };
    if object.is_none()
        && let Some(live) = live
        && !last_applied::is_kept(writer.manager, &base)
        && managed.is_as_read(entries.len())
    {
        return Ok(Outcome::Unchanged(live));
    }
    let mut object = object.unwrap_or_else(|| Value::clone(&base));
    last_applied::refresh(writer.manager, config, &mut object);
    // Nearly always what was merged still has the entries that were read.
    let mut kept = take_managed_fields(&mut object);
    let custom = writer.row.is_custom();
    object.set_managed_fields(match kept == entries {
        true => managed.encode(custom, taken(&mut kept)),
        false => managed.encode(custom, copied(entries)),
    });
    Ok(Outcome::Changed(object))
}

/// Why an apply fails.
enum Failure {
    Conflicts(Conflicts),
    Other(StatusError),
}

impl Failure {
    fn into_status(self) -> StatusError {
        match self {
            Self::Conflicts(conflicts) => conflict(&conflicts),
            Self::Other(error) => error,
        }
    }
}

fn applied(
    writer: &Writer<'_>,
    types: &Types<'_>,
    live: &Arc<Value>,
    config: &Arc<Value>,
    managed: Managed,
    force: bool,
) -> Result<(Option<Value>, Managed), Failure> {
    let words = |what: &str, error: String| {
        Failure::Other(StatusError::unstructured(format!(
            "failed to create typed {what} object ({}/{}; {}): {error}",
            config.namespace(),
            config.name(),
            go_kind(&writer.view.kind(writer.row)),
        )))
    };
    let typed = types.applied(config.clone()).map_err(|error| words("patch", error))?;
    let live = types.stored(live.clone()).map_err(|error| words("live", error))?;
    let id = writer.identity(Operation::Apply).encode();
    let mut managed = managed;
    let fields = std::mem::take(&mut managed.fields);
    let updater = writer.updater(types);
    let (object, fields) = match updater.apply(&live, &typed, &writer.api_version(), fields, &id, force) {
        Err(Error::Conflicts(conflicts)) => return Err(Failure::Conflicts(conflicts)),
        outcome => outcome.map_err(|error| Failure::Other(StatusError::unstructured(error.to_string())))?,
    };
    managed.fields = fields;
    if object.is_some() {
        managed.times.insert(id, writer.now.to_owned());
    }
    Ok((object.map(|object| object.into_value()), managed))
}

/// Merges the oldest managers of updates, version by version, until there are few enough.
fn cap(managed: &mut Managed) {
    let mut updaters: Vec<String> =
        managed.fields.iter().filter(|(_, set)| !set.applied).map(|(id, _)| id.clone()).collect();
    if updaters.len() <= MAX_UPDATE_MANAGERS {
        return;
    }
    updaters.sort_by(|a, b| (managed.times.get(a), a).cmp(&(managed.times.get(b), b)));
    let mut first_of: BTreeMap<String, String> = BTreeMap::new();
    let mut count = updaters.len();
    for id in updaters {
        if count <= MAX_UPDATE_MANAGERS {
            break;
        }
        let Some(set) = managed.fields.get(&id).cloned() else { continue };
        let version = set.api_version.as_str().to_owned();
        let Some(first) = first_of.get(&version) else {
            first_of.insert(version, id);
            continue;
        };
        let bucket = Identity {
            manager: ANCIENT.into(),
            operation: Operation::Update,
            api_version: version,
            subresource: String::new(),
        }
        .encode();
        let earlier = match managed.fields.get(&bucket) {
            Some(earlier) => earlier.set.clone(),
            None => managed.fields.remove(first).map(|set| set.set).unwrap_or_default(),
        };
        managed.fields.remove(&id);
        let time = managed.times.remove(&id);
        managed.fields.insert(bucket.clone(), VersionedSet::new(set.set.union(&earlier), set.api_version, false));
        managed.times.extend(time.map(|time| (bucket, time)));
        count -= 1;
    }
}

fn without_managed_fields(object: &Value) -> Value {
    let mut object = object.clone();
    object.metadata_mut().remove("managedFields");
    object
}

/// The 409 of an apply.
fn conflict(conflicts: &Conflicts) -> StatusError {
    let causes = conflicts.iter().map(|conflict| {
        let words = format!("conflict with {}", managed::display(&conflict.manager));
        StatusCause::new("FieldManagerConflict", words, conflict.path.to_string())
    });
    StatusError::apply_conflict(causes.collect(), conflict_words(conflicts))
}

fn conflict_words(conflicts: &Conflicts) -> String {
    if let [only] = &**conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            managed::display(&only.manager),
            only.path
        );
    }
    let mut by_manager: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for conflict in conflicts.iter() {
        by_manager.entry(&conflict.manager).or_default().push(format!("- {}", conflict.path));
    }
    let lines: Vec<String> = by_manager
        .into_iter()
        .flat_map(|(manager, paths)| {
            std::iter::once(format!("conflicts with {}:", managed::display(manager))).chain(paths)
        })
        .collect();
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

/// As Go prints a kind: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`.
fn go_kind(kind: &apimachinery::GroupVersionKind) -> String {
    format!("{}/{}, Kind={}", kind.group, kind.version, kind.kind)
}

/// A set of these paths of field names.
fn set_of(paths: &[&[&str]]) -> Set {
    let mut set = Set::new();
    for path in paths {
        let mut at = structured_merge_diff::Path::new();
        for field in *path {
            at.push((*field).into());
        }
        set.insert(&at);
    }
    set
}
