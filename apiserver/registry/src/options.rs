//! Parsed request options. Endpoints parse and check their form; their meaning is decided here.

use bytes::Bytes;
use serde_json::Value;

use apimachinery::selector::{fields, labels};

/// `fieldValidation`: what happens to unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Dropped in silence.
    Ignore,
    /// Dropped, with a warning each (upstream's default).
    #[default]
    Warn,
    /// Refused with 400.
    Strict,
}

/// A decoded request body.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The object as sent, at top level an object.
    pub value: Value,
    /// What the decoder noticed that only the raw text shows, in upstream's words (`duplicate field "spec.a"`); treated
    /// by [`FieldValidation`] like unknown fields.
    pub strict_errors: Vec<String>,
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self { value, strict_errors: Vec::new() }
    }
}

/// Options of a get.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Empty: the newest. "0": whatever is at hand. Else: no older than this.
    pub resource_version: String,
}

/// `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceVersionMatch {
    /// The list as it was at exactly this revision.
    Exact,
    /// A list no older than this revision.
    NotOlderThan,
}

/// Options of list, watch and deletecollection.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Only objects with matching labels.
    pub label_selector: Option<labels::Selector>,
    /// Only objects with matching fields; which fields there are depends on the kind.
    pub field_selector: Option<fields::Selector>,
    /// As sent; empty if it was not.
    pub resource_version: String,
    /// How `resource_version` is to be read.
    pub resource_version_match: Option<ResourceVersionMatch>,
    /// At most this many; 0 is no limit.
    pub limit: u64,
    /// The `continue` of the page before; empty on the first.
    pub continue_token: String,
    /// A watch ends after this long.
    pub timeout: Option<std::time::Duration>,
    /// A watch begins with the present state as ADDED events and a bookmark.
    pub send_initial_events: Option<bool>,
    /// A watch may carry bookmarks.
    pub allow_watch_bookmarks: bool,
}

/// Options of a create.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    /// Everything but the store's write.
    pub dry_run: bool,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// Who owns the fields; empty for the context's.
    pub field_manager: String,
}

/// Options of an update.
#[derive(Clone, Debug, Default)]
pub struct UpdateOptions {
    /// Everything but the store's write.
    pub dry_run: bool,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// Who owns the changed fields; empty for the context's.
    pub field_manager: String,
}

/// A patch as sent.
#[derive(Clone, Debug)]
pub enum Patch {
    /// `application/json-patch+json`, RFC 6902.
    Json(Bytes),
    /// `application/merge-patch+json`, RFC 7386.
    Merge(Bytes),
    /// `application/strategic-merge-patch+json`; built-in kinds only.
    Strategic(Bytes),
    /// `application/apply-patch+yaml` (or json), decoded: server-side apply.
    Apply(Body),
}

/// Options of a patch.
#[derive(Clone, Debug, Default)]
pub struct PatchOptions {
    /// Everything but the store's write.
    pub dry_run: bool,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// Who owns the changed fields; empty for the context's. Required by an apply.
    pub field_manager: String,
    /// An apply takes fields over from other managers; `None` where it was not sent.
    pub force: Option<bool>,
}

/// What must be true of the object that is deleted or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub resource_version: Option<String>,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropagationPolicy {
    /// They are deleted later.
    Background,
    /// The object stays until they are deleted.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// Options of a delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds to wait; `None` is the kind's default.
    pub grace_period_seconds: Option<i64>,
    /// What must be true.
    pub preconditions: Preconditions,
    /// What happens to dependents; `None` is the kind's default.
    pub propagation_policy: Option<PropagationPolicy>,
    /// The older form of `propagation_policy`.
    pub orphan_dependents: Option<bool>,
    /// Everything but the store's write.
    pub dry_run: bool,
}
