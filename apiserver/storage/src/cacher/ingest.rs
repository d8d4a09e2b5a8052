//! From the store's pairs to entries.

use std::sync::Arc;

use super::counters::Counters;
use super::entry::{Decoder, Entry};
use crate::KeyValue;

/// Makes entries of the pairs under one prefix.
pub(super) struct Ingest {
    decoder: Arc<dyn Decoder>,
    prefix: Box<str>,
    counters: Arc<Counters>,
}

impl Ingest {
    pub fn new(decoder: Arc<dyn Decoder>, prefix: Box<str>, counters: Arc<Counters>) -> Self {
        Self { decoder, prefix, counters }
    }

    /// The entry for `kv`, where `before` is what is known of the key: shared if it is of the same revision. A value
    /// that cannot be decoded becomes an entry that says so. `None` if the key cannot be an object's at all.
    pub fn entry(&self, kv: &KeyValue, before: Option<&Arc<Entry>>) -> Option<Arc<Entry>> {
        if let Some(before) = before.filter(|before| before.revision() == kv.mod_revision) {
            return Some(before.clone());
        }
        let key = match before {
            Some(before) => before.key().clone(),
            None => Arc::from(self.key(&kv.key)?),
        };
        let entry = match self.decoder.decode(kv) {
            Ok(decoded) => Entry::new(key, self.prefix.len(), kv.mod_revision, decoded),
            Err(error) => {
                self.counters.decode_failures.add(1);
                tracing::error!(key = %key, revision = kv.mod_revision, %error, "unable to decode a stored value");
                Entry::new_corrupt(key, self.prefix.len(), kv.mod_revision, error.to_string(), before)
            }
        };
        Some(Arc::new(entry))
    }

    /// A key as text, if it is one that an object can have.
    pub fn key<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        let text = std::str::from_utf8(key).ok().filter(|key| key.starts_with(&*self.prefix));
        if text.is_none() {
            tracing::warn!(key = %String::from_utf8_lossy(key), prefix = %self.prefix, "a key that is no object's is ignored");
        }
        text
    }
}
