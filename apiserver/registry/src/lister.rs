//! The registry's caches as admission plugins and controllers read them.

use std::sync::{Arc, Weak};

use admission::outbound::service::{self, Address};
use admission::{Equivalent, Lister};
use apimachinery::StatusError;
use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use async_trait::async_trait;
use foldhash::{HashMap, HashMapExt};
use parking_lot::Mutex;
use serde_json::Value;
use storage::cacher::{At, Freshness, ListRequest, Scope};

use crate::conversion::Stored;
use crate::registry::Registry;
use crate::served::Served;
use crate::table::Row;
use crate::{Target, conversion, storage_error};

/// A list that was parsed, and the versions of its objects that it was parsed from.
struct Parsed {
    /// (key, revision) of each object: the same again means that nothing has changed.
    versions: Vec<(Arc<str>, u64)>,
    objects: Arc<[Arc<Value>]>,
}

/// An object in a version.
type Key = (GroupVersionResource, Arc<str>);
/// A single object that was parsed, and the revision that was.
type ParsedObject = (u64, Arc<Value>);

/// How many single objects are kept parsed: namespaces and service accounts in use, mostly.
const PARSED_OBJECTS: usize = 256;

pub(crate) struct TableLister {
    registry: Weak<Registry>,
    parsed: Mutex<HashMap<GroupVersionResource, Parsed>>,
    objects: Mutex<HashMap<Key, ParsedObject>>,
}

impl TableLister {
    pub(crate) fn new(registry: Weak<Registry>) -> Self {
        Self { registry, parsed: Mutex::new(HashMap::new()), objects: Mutex::new(HashMap::new()) }
    }

    fn registry(&self) -> Result<Arc<Registry>, StatusError> {
        self.registry.upgrade().ok_or_else(|| StatusError::service_unavailable("the server is shutting down"))
    }

    async fn read(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
        freshness: Freshness,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        let registry = self.registry()?;
        let row = row_of(&registry, resource)?;
        let target = Target::new(row, namespace, name);
        let store = registry.store_of(&target)?;
        let got = store.cacher(registry.backing()).get(namespace, name, freshness).await;
        let got = got.map_err(|error| storage_error::write(&error, &target, "get"))?;
        let Some(entry) = got.entry else { return Ok(None) };
        let key = (resource.clone(), entry.key().clone());
        if let Some((revision, object)) = self.objects.lock().get(&key)
            && *revision == entry.revision()
        {
            return Ok(Some(object.clone()));
        }
        let object = registry.serve(Stored::of(&entry), &target.row).await?.value()?;
        let mut objects = self.objects.lock();
        if objects.len() >= PARSED_OBJECTS {
            objects.clear();
        }
        objects.insert(key, (entry.revision(), object.clone()));
        Ok(Some(object))
    }
}

fn row_of(registry: &Registry, resource: &GroupVersionResource) -> Result<Arc<Row>, StatusError> {
    let table = registry.table();
    let row = table.row(&resource.group, &resource.version, &resource.resource);
    row.cloned().ok_or_else(StatusError::unknown_resource)
}

#[async_trait]
impl Lister for TableLister {
    async fn get(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        self.read(resource, namespace, name, Freshness::Any).await
    }

    async fn get_fresh(
        &self,
        resource: &GroupVersionResource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        self.read(resource, namespace, name, Freshness::Consistent).await
    }

    async fn list(&self, resource: &GroupVersionResource) -> Result<Arc<[Arc<Value>]>, StatusError> {
        let registry = self.registry()?;
        let row = row_of(&registry, resource)?;
        let target = Target::new(row, "", "");
        let store = registry.store_of(&target)?;
        let request = ListRequest::new(Scope::All, At::Newest(Freshness::Any));
        let listed = store.cacher(registry.backing()).list(request).await;
        let listed = listed.map_err(|error| storage_error::list(&error, &target, false))?;
        let versions: Vec<(Arc<str>, u64)> =
            listed.entries.iter().map(|entry| (entry.key().clone(), entry.revision())).collect();
        if let Some(parsed) = self.parsed.lock().get(resource)
            && parsed.versions == versions
        {
            return Ok(parsed.objects.clone());
        }
        let served = registry.serve_all(listed.entries, &target.row).await?;
        let objects: Arc<[Arc<Value>]> = served.iter().map(Served::value).collect::<Result<_, _>>()?;
        self.parsed.lock().insert(resource.clone(), Parsed { versions, objects: objects.clone() });
        Ok(objects)
    }

    async fn locate(&self, namespace: &str, name: &str, port: u16) -> Result<Address, String> {
        let routing = self.registry().map_err(|error| error.to_string())?.routing();
        service::look_up(self, routing, namespace, name, port).await
    }

    fn equivalents(&self, resource: &GroupVersionResource, subresource: &str) -> Vec<Equivalent> {
        let Ok(registry) = self.registry() else { return Vec::new() };
        let table = registry.table();
        let Some(row) = table.row(&resource.group, &resource.version, &resource.resource) else { return Vec::new() };
        let Some(store) = &row.store else { return Vec::new() };
        let others = table.rows().iter().filter(|other| {
            other.gvr != row.gvr && other.store.as_ref().is_some_and(|known| Arc::ptr_eq(known, store))
        });
        others
            .filter_map(|other| {
                let kind = match subresource {
                    "" => other.gvk(),
                    name => other.subresource(name)?.kind.clone(),
                };
                Some(Equivalent { resource: other.gvr.clone(), kind })
            })
            .collect()
    }

    async fn convert(&self, object: &Value, kind: &GroupVersionKind) -> Result<Value, StatusError> {
        let registry = self.registry()?;
        let table = registry.table();
        match table.row_of_kind(&kind.group, &kind.version, &kind.kind).filter(|row| row.is_custom()) {
            Some(row) => registry.to_row(object.clone(), row).await,
            None => {
                let mut object = object.clone();
                conversion::convert(&mut object, kind);
                Ok(object)
            }
        }
    }
}
