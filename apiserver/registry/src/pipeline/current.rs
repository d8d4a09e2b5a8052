//! The object there is: from the cache for a first attempt, from the store where it counts.

use std::sync::Arc;

use apimachinery::StatusError;
use bytes::Bytes;
use serde_json::Value;
use storage::{KeyValue, Revision};

use super::{Rest, Write};
use crate::conversion::Stored;
use crate::storage_error;

/// The object there is.
pub(crate) struct Current {
    /// In the version of the request. Its [field sets](apimachinery::field_sets) are texts, unless a webhook converted it.
    pub object: Arc<Value>,
    pub revision: Revision,
    /// Its JSON.
    pub text: Text,
}

/// The JSON of an object, byte for byte.
pub(crate) enum Text {
    /// As the store has it.
    Stored(Bytes),
    /// As it is served: it comes from the cache.
    Served(Bytes),
}

impl Current {
    pub(crate) fn is_fresh(&self) -> bool {
        self.stored().is_some()
    }

    /// What is stored; `None` if the object comes from the cache.
    pub(crate) fn stored(&self) -> Option<&Bytes> {
        match &self.text {
            Text::Stored(bytes) => Some(bytes),
            Text::Served(_) => None,
        }
    }
}

impl Write<'_> {
    pub(crate) fn key(&self, name: &str) -> String {
        self.store.key(self.registry.backing(), &self.target.namespace, name)
    }

    /// What the cache says at once if it is not from before `seen`, else what the store says.
    pub(crate) async fn read_cached(&self, seen: Revision) -> Result<Option<Current>, StatusError> {
        let cached = self.store.started_cacher().filter(|cacher| cacher.health() == storage::cacher::Health::Ready);
        if let Some(cacher) = cached {
            let any = storage::cacher::Freshness::Any;
            if let Ok(got) = cacher.get(&self.target.namespace, &self.target.name, any).await
                && let Some(entry) = got.entry.filter(|entry| entry.revision() >= seen)
            {
                let served = self.registry.serve(Stored::of(&entry), &self.target.row).await?;
                let text = Text::Served(served.bytes().clone());
                return Ok(Some(Current { object: served.value_with_texts()?, revision: entry.revision(), text }));
            }
        }
        self.read_fresh().await
    }

    /// What the store says.
    pub(crate) async fn read_fresh(&self) -> Result<Option<Current>, StatusError> {
        self.current_of(self.read_stored().await?).await
    }

    /// What the store has.
    pub(super) async fn read_stored(&self) -> Result<Option<KeyValue>, StatusError> {
        let key = self.key(&self.target.name);
        let got = self.registry.backing().storage.get(key.as_bytes()).await;
        Ok(got.map_err(|error| storage_error::write(&error, self.target, "get"))?.kv)
    }

    /// What the store has if an attempt that was made from the cache and writes nothing does not stand: the cache was behind,
    /// or what is there is not, byte for byte, what would be stored. `None` if it stands: it would come to the same again.
    pub(super) async fn overtaken(
        &self,
        current: &Current,
        rest: &Rest,
    ) -> Result<Option<Option<Current>>, StatusError> {
        let kv = self.read_stored().await?;
        let same = match (&kv, rest) {
            (Some(kv), _) if kv.mod_revision != current.revision => false,
            (Some(kv), Rest::NoOp { stored: Some(stored), .. }) => kv.value == *stored,
            (Some(_), _) => true,
            (None, _) => false,
        };
        if same { Ok(None) } else { self.current_of(kv).await.map(Some) }
    }

    pub(crate) async fn current_of(&self, kv: Option<KeyValue>) -> Result<Option<Current>, StatusError> {
        let Some(kv) = kv else { return Ok(None) };
        let object = self.store.decode(&kv.value, kv.mod_revision)?;
        let object = Arc::new(self.registry.to_row(object, &self.target.row).await?);
        Ok(Some(Current { object, revision: kv.mod_revision, text: Text::Stored(kv.value) }))
    }
}
