//! Objects as they are stored and as a row serves them.

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};
use bytes::Bytes;
use schema::types;
use serde_json::Value;
use storage::Revision;
use storage::cacher::Entry;

use super::convert;
use crate::registry::Registry;
use crate::served::Served;
use crate::store::Store;
use crate::table::Row;

/// An object as the cache has it: JSON in the version in which it was stored (built-in kinds: in today's).
pub(crate) struct Stored {
    /// Its key, and the resourceVersion in it.
    pub key: (Arc<str>, Revision),
    /// The JSON.
    pub bytes: Bytes,
}

impl Stored {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self { key: (entry.key().clone(), entry.revision()), bytes: entry.object().clone() }
    }
}

fn unreadable(error: impl std::fmt::Display) -> StatusError {
    StatusError::internal(format!("unable to decode a stored object: {error}"))
}

impl Registry {
    /// An object in the version named `version` of its own group; for built-in kinds in the row's.
    pub(crate) async fn convert(&self, object: Value, row: &Row, version: &str) -> Result<Value, StatusError> {
        let Some(versions) = &row.versions else {
            let mut object = object;
            convert(&mut object, &row.gvk());
            return Ok(object);
        };
        if !versions.asks_a_webhook() {
            let mut object = object;
            versions.convert_without_call(&mut object, version)?;
            return Ok(object);
        }
        // A call is rare, and its state large: whoever waits for this should not be as large.
        let mut object = Box::pin(versions.convert(&self.webhooks(), vec![object], version)).await?;
        object.pop().ok_or_else(|| StatusError::internal("a conversion without an object"))
    }

    /// An object in the row's version. What a custom resource's version does not know is not shown in it.
    pub(crate) async fn to_row(&self, object: Value, row: &Row) -> Result<Value, StatusError> {
        self.convert(object, row, &row.gvr.version).await
    }

    /// An object of a row in the version in which `store` keeps it.
    pub(crate) async fn to_stored(&self, mut object: Value, row: &Row, store: &Store) -> Result<Value, StatusError> {
        if row.is_custom() {
            return self.convert(object, row, &store.gvk().version).await;
        }
        convert(&mut object, store.gvk());
        Ok(object)
    }

    /// What the cache has, in the row's version: the shared bytes where they are of that.
    pub(crate) async fn serve(&self, stored: Stored, row: &Row) -> Result<Served, StatusError> {
        if row.shows(&stored.bytes) {
            return Ok(Served::from_bytes(stored.bytes));
        }
        if !row.asks_a_webhook() {
            return serve_without_call(&stored.bytes, row);
        }
        let size = stored.bytes.len();
        let converted = Box::pin(row.converted.get(stored.key, size, async {
            let object = apimachinery::json::parse(&stored.bytes).map_err(unreadable)?;
            Ok(types::to_vec(&self.to_row(object, row).await?).into())
        }));
        converted.await.map(Served::from_bytes)
    }

    /// [`Self::serve`] of many: a webhook is asked for all that it has not converted yet at once.
    pub(crate) async fn serve_all(&self, all: Vec<Arc<Entry>>, row: &Row) -> Result<Vec<Served>, StatusError> {
        if !row.is_custom() && row.serves_as_stored() {
            return Ok(all.into_iter().map(Served::from_entry).collect());
        }
        let Some(versions) = row.versions.as_ref().filter(|versions| versions.asks_a_webhook()) else {
            let serve = |entry: Arc<Entry>| match row.shows(entry.object()) {
                true => Ok(Served::from_entry(entry)),
                false => serve_without_call(entry.object(), row),
            };
            return all.into_iter().map(serve).collect();
        };
        let all: Vec<_> = all.iter().map(|entry| Stored::of(entry)).collect();
        let mut served: Vec<Option<Bytes>> = Vec::with_capacity(all.len());
        let (mut places, mut objects) = (Vec::new(), Vec::new());
        for (at, stored) in all.iter().enumerate() {
            let known = row.shows(&stored.bytes).then(|| stored.bytes.clone());
            let known = known.or_else(|| row.converted.known(&stored.key));
            if known.is_none() {
                places.push(at);
                objects.push(apimachinery::json::parse(&stored.bytes).map_err(unreadable)?);
            }
            served.push(known);
        }
        let converted = Box::pin(versions.convert(&self.webhooks(), objects, &row.gvr.version)).await?;
        for (at, object) in places.into_iter().zip(converted) {
            let bytes = Bytes::from(types::to_vec(&object));
            if let (Some(place), Some(stored)) = (served.get_mut(at), all.get(at)) {
                row.converted.keep(stored.key.clone(), bytes.clone());
                *place = Some(bytes);
            }
        }
        Ok(served.into_iter().flatten().map(Served::from_bytes).collect())
    }
}

/// What the cache has, in the row's version, where no webhook is to be asked.
pub(crate) fn serve_without_call(bytes: &[u8], row: &Row) -> Result<Served, StatusError> {
    let mut object = apimachinery::json::parse(bytes).map_err(unreadable)?;
    match &row.versions {
        Some(versions) => versions.convert_without_call(&mut object, &row.gvr.version)?,
        None => convert(&mut object, &row.gvk()),
    }
    debug_assert_eq!(object.api_version(), row.api_version());
    Ok(Served::from_value(Arc::new(object)))
}
