//! The objects that tokens name, as the server's caches have them.

use std::sync::Arc;

use admission::Lister;
use apimachinery::gvk::GroupVersionResource;
use apimachinery::time::parse_time;
use apimachinery::{ObjectExt as _, StatusError};
use jiff::Timestamp;
use serde_json::Value;

/// Reads objects of the core group.
#[derive(Clone)]
pub(super) struct Objects(pub Arc<dyn Lister>);

impl Objects {
    /// An object that is as the token says. A cache may be behind: what it shows otherwise is read afresh.
    pub async fn get(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        is_it: impl Fn(&Value) -> bool + Send,
    ) -> Result<Arc<Value>, StatusError> {
        let of = GroupVersionResource::new("", "v1", resource);
        if name.is_empty() {
            return Err(StatusError::not_found(&of.group_resource(), name));
        }
        if let Some(object) = self.0.get(&of, namespace, name).await?.filter(|object| is_it(object)) {
            return Ok(object);
        }
        let fresh = self.0.get_fresh(&of, namespace, name).await?;
        fresh.ok_or_else(|| StatusError::not_found(&of.group_resource(), name))
    }
}

/// Whether an object's deletion began before a time.
pub(super) fn is_deleted_before(object: &Value, time: Timestamp) -> bool {
    object.deletion_timestamp().is_some_and(|deleted| parse_time(deleted).is_ok_and(|deleted| deleted < time))
}
