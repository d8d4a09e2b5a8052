//! The calls. Each verb's work is in a module of its own; here is what they share.

use std::sync::Arc;

use admission::{Chain, Lister};
use apimachinery::status::StatusError;
use arc_swap::ArcSwap;
use storage::Storage;

use crate::{
    Body, CreateOptions, DeleteOptions, Deleted, GetOptions, ListOptions, Listed, Patch, PatchOptions, RequestContext,
    Served, Table, Target, UpdateOptions, WatchStream, Written,
};

/// How a registry behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything is kept under this key.
    pub prefix: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { prefix: "/registry".into() }
    }
}

/// The resource table over a store.
pub struct Registry {
    table: ArcSwap<Table>,
    admission: ArcSwap<Chain>,
    _storage: Arc<dyn Storage>,
}

#[allow(clippy::todo, unused_variables)]
impl Registry {
    /// A registry of the built-in kinds over `storage`, without admission.
    pub fn new(storage: Arc<dyn Storage>, options: Options) -> Arc<Self> {
        Arc::new(Self {
            table: ArcSwap::from_pointee(Table::builtin()),
            admission: ArcSwap::from_pointee(Chain::default()),
            _storage: storage,
        })
    }

    /// The present table.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Replaces the table by what `change` makes of it. One caller at a time (the CRD controller).
    pub fn update_table(&self, change: impl Fn(&Table) -> Table) {
        self.table.rcu(|table| change(table));
    }

    /// Sets the admission chain.
    pub fn set_admission(&self, chain: Chain) {
        self.admission.store(Arc::new(chain));
    }

    /// Reads from the caches, for admission plugins and controllers in this process.
    pub fn lister(self: &Arc<Self>) -> Arc<dyn Lister> {
        todo!()
    }

    /// One object (or its `status` or `scale`).
    pub async fn get(&self, ctx: &RequestContext, target: &Target, options: &GetOptions) -> Result<Served, StatusError> {
        todo!()
    }

    /// A page of a collection; `target.name` empty.
    pub async fn list(&self, ctx: &RequestContext, target: &Target, options: &ListOptions) -> Result<Listed, StatusError> {
        todo!()
    }

    /// The changes of a collection, or of one object where `target.name` is set.
    pub async fn watch(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &ListOptions,
    ) -> Result<WatchStream, StatusError> {
        todo!()
    }

    /// Creates an object, or acts through a creating subresource (`binding`, `eviction`, …); `target.name` is empty unless
    /// it is a subresource.
    pub async fn create(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: Body,
        options: &CreateOptions,
    ) -> Result<Written, StatusError> {
        todo!()
    }

    /// Replaces an object (or its status, scale …).
    pub async fn update(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: Body,
        options: &UpdateOptions,
    ) -> Result<Written, StatusError> {
        todo!()
    }

    /// Patches or applies.
    pub async fn patch(
        &self,
        ctx: &RequestContext,
        target: &Target,
        patch: Patch,
        options: &PatchOptions,
    ) -> Result<Written, StatusError> {
        todo!()
    }

    /// Deletes one object.
    pub async fn delete(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Deleted, StatusError> {
        todo!()
    }

    /// Deletes every object of a collection that matches; answers what was there.
    pub async fn delete_collection(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &DeleteOptions,
        list: &ListOptions,
    ) -> Result<Listed, StatusError> {
        todo!()
    }
}
