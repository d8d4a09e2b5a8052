//! get: one object, from the cache.

use std::sync::Arc;

use apimachinery::StatusError;
use storage::cacher::Freshness;

use crate::conversion::Stored;
use crate::registry::Registry;
use crate::served::Served;
use crate::subresource::View;
use crate::{GetOptions, RequestContext, Target, pipeline, storage_error};

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
            text => match cached_revision_of(text)? {
                0 => Freshness::Any,
                revision => Freshness::NotOlderThan(revision),
            },
        };
        let got = store.cacher(self.backing()).get(&target.namespace, &target.name, freshness).await;
        let got = got.map_err(|error| storage_error::write(&error, target, "get"))?;
        let Some(entry) = got.entry else {
            return Err(StatusError::not_found(&target.row.group_resource(), &target.name));
        };
        let whole = self.serve(Stored::of(&entry), &target.row).await?;
        match View::of(&target.row, &target.subresource) {
            View::Whole => Ok(whole),
            view => Ok(Served::from_value(Arc::new(view.show(&*whole.value()?, &target.row)?))),
        }
    }
}

/// A list's resourceVersion parameter as a revision.
pub(crate) fn revision_of(text: &str) -> Result<u64, StatusError> {
    invalid_revision(text).map_err(|error| StatusError::bad_request(format!("invalid resource version: {error}")))
}

/// That of a get or a watch: upstream's cache lets its own error through.
pub(super) fn cached_revision_of(text: &str) -> Result<u64, StatusError> {
    invalid_revision(text).map_err(StatusError::unstructured)
}

fn invalid_revision(text: &str) -> Result<u64, String> {
    let quoted = || apimachinery::quote::quoted(text);
    pipeline::parse_revision(text).map_err(|error| format!("resourceVersion: Invalid value: {}: {error}", quoted()))
}
