//! Objects that went through the pipeline before: they are put into the store as it left them.

use std::sync::Arc;

use apimachinery::StatusError;
use bytes::Bytes;
use storage::Outcome;

use crate::registry::Registry;
use crate::{Target, storage_error};

impl Registry {
    /// Stores `stored`, an object as [`Registry::stored`] read one, where none is under that name; whether it was. Neither
    /// admission nor validation nor field management look at it again.
    ///
    /// # Errors
    /// The store fails, or the resource is not stored.
    pub async fn restore(self: &Arc<Self>, target: &Target, stored: Bytes) -> Result<bool, StatusError> {
        let (backing, store) = (self.backing(), self.store_of(target)?);
        let key = store.key(backing, &target.namespace, &target.name);
        let outcome = backing.storage.compare_and_put(key.as_bytes(), 0, stored, store.ttl(backing)).await;
        match outcome.map_err(|error| storage_error::write(&error, target, "create"))? {
            Outcome::Done(_) => Ok(true),
            Outcome::Mismatch(_) => Ok(false),
        }
    }

    /// An object as the store has it.
    ///
    /// # Errors
    /// The store fails, there is no such object, or the resource is not stored.
    pub async fn stored(self: &Arc<Self>, target: &Target) -> Result<Bytes, StatusError> {
        let (backing, store) = (self.backing(), self.store_of(target)?);
        let got = backing.storage.get(store.key(backing, &target.namespace, &target.name).as_bytes()).await;
        let got = got.map_err(|error| storage_error::write(&error, target, "get"))?;
        let missing = || StatusError::not_found(&target.row.group_resource(), &target.name);
        Ok(got.kv.ok_or_else(missing)?.value)
    }

    /// Whether nothing was ever stored, or nothing is any more.
    ///
    /// # Errors
    /// The store fails.
    pub async fn is_empty(&self) -> Result<bool, StatusError> {
        let backing = self.backing();
        let one = storage::ListOptions { limit: 1, uncounted: true, ..Default::default() };
        let listed = backing.storage.list(format!("{}/", backing.prefix).as_bytes(), one).await;
        Ok(listed.map_err(|error| StatusError::internal(error.to_string()))?.kvs.is_empty())
    }
}
