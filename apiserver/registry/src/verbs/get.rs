//! get: one object, from the cache.

use std::sync::Arc;

use apimachinery::StatusError;
use storage::cacher::{Entry, Freshness};

use crate::registry::Registry;
use crate::served::Served;
use crate::subresource::View;
use crate::table::Row;
use crate::{GetOptions, RequestContext, Target, conversion, pipeline, storage_error};

impl Registry {
    /// One object (or its `status` or `scale`).
    ///
    /// # Errors
    /// 404 if there is none; 504 if the cache does not reach the resourceVersion asked for.
    pub async fn get(
        &self,
        _ctx: &RequestContext,
        target: &Target,
        options: &GetOptions,
    ) -> Result<Served, StatusError> {
        let store = self.store_of(target)?;
        let freshness = match options.resource_version.as_str() {
            "" => Freshness::Consistent,
            text => match revision_of(text)? {
                0 => Freshness::Any,
                revision => Freshness::NotOlderThan(revision),
            },
        };
        let got = store.cacher(self.backing()).get(&target.namespace, &target.name, freshness).await;
        let got = got.map_err(|error| storage_error::write(&error, target, "get"))?;
        let Some(entry) = got.entry else {
            return Err(StatusError::not_found(&target.row.group_resource(), &target.name));
        };
        let whole = serve(&entry, &target.row)?;
        match View::of(&target.row, &target.subresource) {
            View::Whole => Ok(whole),
            view => Ok(Served::from_value(Arc::new(view.show(&*whole.value()?, &target.row)?))),
        }
    }
}

/// A cached object in the row's version: the shared bytes where that is the stored one.
pub(crate) fn serve(entry: &Entry, row: &Row) -> Result<Served, StatusError> {
    serve_bytes(entry.object().clone(), row)
}

/// As [`serve`], of an object's served JSON in the stored version.
pub(crate) fn serve_bytes(bytes: bytes::Bytes, row: &Row) -> Result<Served, StatusError> {
    if row.serves_as_stored() {
        return Ok(Served::from_bytes(bytes));
    }
    let mut object = apimachinery::json::parse(&bytes)
        .map_err(|error| StatusError::internal(format!("unable to decode a stored object: {error}")))?;
    conversion::to_row(&mut object, row);
    Ok(Served::from_value(Arc::new(object)))
}

/// A resourceVersion parameter as a revision.
pub(crate) fn revision_of(text: &str) -> Result<u64, StatusError> {
    pipeline::parse_revision(text).map_err(|error| {
        StatusError::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {}: {error}",
            apimachinery::quote::quoted(text)
        ))
    })
}
