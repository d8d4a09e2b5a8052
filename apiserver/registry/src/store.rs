//! Where one resource's objects are: their keys, the version they are kept in, and the cache that serves them. All
//! versions (and groups) of a resource share one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use apimachinery::gvk::GroupVersionKind;
use apimachinery::{ObjectExt, StatusError, field_sets};
use bytes::Bytes;
use schema::types;
use serde_json::Value;
use storage::cacher::{Cacher, Config, Decoded, Decoder, KeyOrder, ResourceVersionPlace};
use storage::{KeyValue, Revision, Storage};

use crate::selectable::{Picked, Selectable};
use crate::standing::Standing;
use crate::table::Versions;
use crate::written::{Known, Written};

/// The store below, and the prefix of every key (`/registry`).
pub(crate) struct Backing {
    pub storage: Arc<dyn Storage>,
    pub prefix: String,
    pub event_ttl: Duration,
}

/// The objects of one resource.
pub struct Store {
    /// The key path below the prefix, as upstream's: `deployments`, `services/specs`, `example.com/widgets`.
    path: String,
    /// What the objects are kept as.
    gvk: GroupVersionKind,
    /// How their keys are ordered.
    order: KeyOrder,
    namespaced: bool,
    selectable: Selectable,
    /// Of custom resources: an object stays in the version in which it was stored. What that does not know is dropped when it is
    /// read or written, and its defaults are filled in when it is read.
    versions: Option<Arc<Versions>>,
    /// What was written here and is served as it is stored.
    written: Arc<Written>,
    /// What is known to be as writing it again would leave it.
    standing: Standing,
    cacher: OnceLock<Cacher>,
    /// No row of the table has this store any more.
    retired: AtomicBool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("gvk", &self.gvk).finish_non_exhaustive()
    }
}

impl Store {
    /// The store of a built-in resource.
    pub(crate) fn new(path: String, gvk: GroupVersionKind, namespaced: bool) -> Self {
        let selectable = Selectable::builtin(&gvk.group, &gvk.kind);
        Self {
            path,
            gvk,
            order: KeyOrder::Declared,
            namespaced,
            selectable,
            versions: None,
            written: Arc::default(),
            standing: Standing::default(),
            cacher: OnceLock::new(),
            retired: AtomicBool::new(false),
        }
    }

    /// The store of a custom resource.
    pub(crate) fn custom(
        path: String,
        gvk: GroupVersionKind,
        namespaced: bool,
        selectable: Selectable,
        versions: Arc<Versions>,
    ) -> Self {
        Self {
            path,
            gvk,
            order: KeyOrder::Sorted,
            namespaced,
            selectable,
            versions: Some(versions),
            written: Arc::default(),
            standing: Standing::default(),
            cacher: OnceLock::new(),
            retired: AtomicBool::new(false),
        }
    }

    /// What the objects are kept as.
    pub fn gvk(&self) -> &GroupVersionKind {
        &self.gvk
    }

    /// What field selectors may name.
    pub(crate) fn selectable(&self) -> &Selectable {
        &self.selectable
    }

    /// How long an object lives that says nothing else: events go after an hour, as upstream's.
    pub(crate) fn ttl(&self, backing: &Backing) -> Option<Duration> {
        (self.gvk.group.is_empty() && self.gvk.kind == "Event").then_some(backing.event_ttl)
    }

    /// The key of one object.
    pub(crate) fn key(&self, backing: &Backing, namespace: &str, name: &str) -> String {
        if self.namespaced {
            format!("{}/{}/{namespace}/{name}", backing.prefix, self.path)
        } else {
            format!("{}/{}/{name}", backing.prefix, self.path)
        }
    }

    /// What all keys start with.
    pub(crate) fn key_prefix(&self, backing: &Backing) -> String {
        format!("{}/{}/", backing.prefix, self.path)
    }

    /// The cache; it starts with its first use. A request that still holds a row which was taken out of the table may be the
    /// first: it is answered, or told that the cache has ended, and the cache ends.
    pub(crate) fn cacher(self: &Arc<Self>, backing: &Backing) -> &Cacher {
        let mut started = false;
        let cacher = self.cacher.get_or_init(|| {
            started = true;
            let mut config = Config::new(self.key_prefix(backing));
            config.index_field = self.selectable.index_field().map(Into::into);
            let decoder = StoreDecoder {
                gvk: self.gvk.clone(),
                order: self.order,
                selectable: self.selectable.clone(),
                versions: self.versions.clone(),
                written: self.written.clone(),
            };
            Cacher::new(backing.storage.clone(), Arc::new(decoder), config)
        });
        if started && self.retired.load(Ordering::SeqCst) {
            end(cacher.clone());
        }
        cacher
    }

    /// Ends the cache, now or as soon as somebody starts it: watches get every event there was, then end. Within a tokio
    /// runtime.
    pub(crate) fn retire(&self) {
        // Either this sees the cache, or who starts it sees this.
        self.retired.store(true, Ordering::SeqCst);
        if let Some(cacher) = self.cacher.get() {
            end(cacher.clone());
        }
    }

    /// The cache if anything has used it.
    pub fn started_cacher(&self) -> Option<&Cacher> {
        self.cacher.get()
    }

    /// A stored pair as an object, with its resourceVersion: in the version the kind is kept in, a custom resource in that in
    /// which it was stored. Its [field sets](field_sets) are texts.
    pub(crate) fn decode(&self, value: &[u8], revision: Revision) -> Result<Value, StatusError> {
        let mut object = read(value, &self.gvk, self.versions.as_deref())
            .map_err(|error| StatusError::internal(format!("unable to decode a stored {}: {error}", self.gvk.kind)))?;
        object.set_resource_version(itoa(revision).as_str());
        Ok(object)
    }

    /// Brings an object that was encoded as `stored` into the form in which it will be read. What is known of the bytes if they
    /// are served as they are.
    pub(crate) fn settle(&self, object: &mut Value, stored: &[u8]) -> Option<Known> {
        if self.versions.as_ref().is_some_and(|versions| versions.settle_pruned(object)) {
            return None;
        }
        let place = ResourceVersionPlace::find_in_own(stored, self.order).ok()?;
        Some(Known { place, picked: self.selectable.pick(object) })
    }

    /// Tells the cache, if there is one, what it will find in what is about to be written.
    pub(crate) fn expect(&self, key: &str, stored: &Bytes, known: Known) {
        if self.cacher.get().is_some() {
            self.written.note(key, stored, known);
        }
    }

    /// What is known of objects that writing as they are changes nothing in.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Where the resourceVersion goes in what is stored and served as it is stored.
    pub(crate) fn place(&self, stored: &[u8]) -> Option<ResourceVersionPlace> {
        ResourceVersionPlace::find(stored, self.order).ok()
    }

    /// The bytes to be stored for an object of the stored version, which loses what is not stored: resourceVersion and
    /// selfLink, and of a custom resource what its version does not know.
    ///
    /// They are in the order in which they are served: who reads them back has nothing to sort.
    pub(crate) fn encode(&self, object: &mut Value) -> Bytes {
        let metadata = object.metadata_mut();
        metadata.remove("resourceVersion");
        metadata.remove("selfLink");
        object.set_type_meta(&self.gvk.api_version(), &self.gvk.kind);
        if let Some(versions) = &self.versions {
            versions.prune(object);
        }
        types::to_vec(object).into()
    }
}

fn end(cacher: Cacher) {
    tokio::spawn(async move { cacher.shutdown().await });
}

pub(crate) fn itoa(revision: Revision) -> String {
    revision.to_string()
}

fn read(bytes: &[u8], gvk: &GroupVersionKind, versions: Option<&Versions>) -> serde_json::Result<Value> {
    let mut object = field_sets::parse(bytes).map_err(serde::de::Error::custom)?;
    if !object.is_object() {
        return Err(serde::de::Error::custom("it is not an object"));
    }
    match versions {
        Some(versions) => versions.settle(&mut object),
        None => crate::conversion::convert(&mut object, gvk),
    }
    Ok(object)
}

/// Makes cache entries: one pass over the bytes where they are already what is served, none where the pipeline has just made it.
struct StoreDecoder {
    gvk: GroupVersionKind,
    order: KeyOrder,
    selectable: Selectable,
    versions: Option<Arc<Versions>>,
    written: Arc<Written>,
}

impl Decoder for StoreDecoder {
    fn decode(&self, kv: &KeyValue) -> storage::Result<Decoded> {
        let decoded = |picked: Picked, object| Decoded { labels: picked.labels, fields: picked.fields, object };
        if let Some(Known { place, picked }) = self.written.take(kv) {
            return Ok(decoded(picked, place.fill(&kv.value, kv.mod_revision)));
        }
        let corrupt = |error: serde_json::Error| storage::Error::Corrupt(error.to_string());
        if self.versions.is_none() {
            let picked = self.selectable.pick_json(&kv.value).map_err(corrupt)?;
            if picked.api_version == self.gvk.api_version() {
                let object = storage::cacher::with_resource_version(&kv.value, kv.mod_revision, self.order)?;
                return Ok(decoded(picked, object));
            }
        }
        let mut object = read(&kv.value, &self.gvk, self.versions.as_deref()).map_err(corrupt)?;
        object.set_resource_version(&itoa(kv.mod_revision));
        // Held for as long as the object lives: without the room that it was printed in, which no allocator takes back.
        let bytes = Bytes::copy_from_slice(&types::to_vec(&object));
        Ok(decoded(self.selectable.pick(&object), bytes))
    }
}
