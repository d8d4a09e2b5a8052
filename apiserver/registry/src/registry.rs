//! What the verbs share: the table, the store, the admission chain and the clock.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use admission::outbound::service::Routing;
use admission::webhook::Client;
use admission::{Chain, Lister};
use apimachinery::{StatusError, time};
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use authentication::service_account::Issuer;
use authorization::Authorizer;
use authorization::rbac::Policy;
use jiff::Timestamp;
use parking_lot::RwLock as SyncRwLock;
use serde_json::Value;
use storage::Revision;
use storage::Storage;
use tokio::sync::{RwLock, RwLockReadGuard, watch};

use crate::allocation::Ranges;
use crate::context::Target;
use crate::following::{Known, Reached};
use crate::lister::TableLister;
use crate::reviews::{CurrentAuthorizer, Reviewers};
use crate::store::{Backing, Store};
use crate::table::{Origin, Row, Table};

/// How a registry behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything is kept under this key.
    pub prefix: String,
    /// How long events live.
    pub event_ttl: Duration,
    /// Containers may be privileged.
    pub allow_privileged: bool,
    /// What services are given addresses and ports of.
    pub ranges: Ranges,
    /// By which address services are reached that webhooks and other servers stand behind.
    pub routing: Routing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: "/registry".into(),
            event_ttl: Duration::from_secs(3600),
            allow_privileged: false,
            ranges: Ranges::default(),
            routing: Routing::default(),
        }
    }
}

/// The resource table over a store. The verbs are its methods, each in a module of its own.
pub struct Registry {
    table: ArcSwap<Table>,
    admission: ArcSwap<Chain>,
    reviewers: ArcSwapOption<Reviewers>,
    token_issuer: ArcSwapOption<Issuer>,
    followed: OnceLock<(Known, Reached)>,
    backing: Backing,
    allow_privileged: bool,
    ranges: Ranges,
    routing: Routing,
    /// Creations of custom resources hold it for reading from their last look at the table until they are stored.
    creations: RwLock<()>,
    /// Calls conversion webhooks.
    webhooks: ArcSwap<Client>,
}

/// See [`Registry::allow_creation`].
pub(crate) struct CreationPermit<'a>(#[expect(dead_code, reason = "held, not read")] Option<RwLockReadGuard<'a, ()>>);

/// Why nothing is made while the definition of its kind is being deleted.
pub(crate) fn terminating(row: &Row, name: &str) -> StatusError {
    let words = "create not allowed while custom resource definition is terminating";
    StatusError::forbidden(&row.group_resource(), name, words)
}

impl Registry {
    /// A registry of the built-in kinds over `storage`, without admission.
    pub fn new(storage: Arc<dyn Storage>, options: Options) -> Arc<Self> {
        Arc::new_cyclic(|registry| Self {
            webhooks: ArcSwap::from_pointee(Client::new(Arc::new(TableLister::new(registry.clone())))),
            table: ArcSwap::from_pointee(Table::builtin()),
            admission: ArcSwap::from_pointee(Chain::default()),
            reviewers: ArcSwapOption::empty(),
            token_issuer: ArcSwapOption::empty(),
            followed: OnceLock::new(),
            backing: Backing { storage, prefix: options.prefix, event_ttl: options.event_ttl },
            allow_privileged: options.allow_privileged,
            creations: RwLock::new(()),
            ranges: options.ranges,
            routing: options.routing,
        })
    }

    /// The present table.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Replaces the table by what `change` makes of it. One caller at a time (the CRD controller), within a tokio runtime.
    /// Watches of resources that are gone get every event there was, then end.
    pub fn update_table(&self, change: impl Fn(&Table) -> Table) {
        let before = self.table.rcu(|table| change(table));
        let after = self.table.load();
        let kept: HashSet<*const Store> =
            after.rows().iter().filter_map(|row| row.store.as_ref()).map(Arc::as_ptr).collect();
        for store in before.rows().iter().filter_map(|row| row.store.as_ref()) {
            if !kept.contains(&Arc::as_ptr(store)) {
                store.retire();
            }
        }
    }

    /// Lets go of a row that was made for a caller alone, and never in the table. Within a tokio runtime.
    pub fn discard(&self, row: &Row) {
        if let Some(store) = &row.store {
            store.retire();
        }
    }

    /// Waits until every creation of a custom resource that began under an earlier table is stored or refused. After a
    /// table in which a resource is terminating or gone, nothing of it is made any more once this returns.
    pub async fn settle_creations(&self) {
        drop(self.creations.write().await);
    }

    /// Allows a creation of what `row` serves until the answer is dropped: the definition may have ended since the request
    /// took the row.
    ///
    /// # Errors
    /// 403 if the definition is being deleted, 404 if it is gone or another by now.
    pub(crate) async fn allow_creation(&self, row: &Row, name: &str) -> Result<CreationPermit<'_>, StatusError> {
        let Origin::Crd { uid, .. } = &row.origin else { return Ok(CreationPermit(None)) };
        let permit = self.creations.read().await;
        let table = self.table();
        let now = table.row(&row.gvr.group, &row.gvr.version, &row.gvr.resource);
        match now.map(|now| (&now.origin, now.terminating)) {
            Some((Origin::Crd { uid: present, .. }, false)) if present == uid => Ok(CreationPermit(Some(permit))),
            Some((Origin::Crd { uid: present, .. }, true)) if present == uid => Err(terminating(row, name)),
            _ => Err(StatusError::unknown_resource()),
        }
    }

    /// Sets the admission chain.
    pub fn set_admission(&self, chain: Chain) {
        self.admission.store(Arc::new(chain));
    }

    /// Sets who knows the services that conversion webhooks stand behind. Until then they are looked up in the table.
    pub fn set_webhook_services(&self, lister: Arc<dyn Lister>) {
        self.webhooks.store(Arc::new(Client::new(lister)));
    }

    /// Sets whom reviews ask. Until then they fail.
    pub fn set_reviewers(&self, reviewers: Reviewers) {
        self.reviewers.store(Some(Arc::new(reviewers)));
    }

    /// Sets who makes tokens of service accounts. Until then there are none.
    pub fn set_token_issuer(&self, issuer: Arc<Issuer>) {
        self.token_issuer.store(Some(issuer));
    }

    /// Reads from the caches, for admission plugins and controllers in this process.
    pub fn lister(self: &Arc<Self>) -> Arc<dyn Lister> {
        Arc::new(TableLister::new(Arc::downgrade(self)))
    }

    /// Who says what somebody may do, for admission plugins that ask.
    pub fn authorizer(self: &Arc<Self>) -> Arc<dyn Authorizer> {
        Arc::new(CurrentAuthorizer(Arc::downgrade(self)))
    }

    /// The store below.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.backing.storage
    }

    /// What services are given addresses and ports of.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// By which address services are reached that webhooks and other servers stand behind.
    pub fn routing(&self) -> Routing {
        self.routing
    }

    /// What follows the end of an object: it gives back what it was allocated.
    pub(crate) async fn ended(&self, row: &Row, object: &Value) {
        if let Some(allocation) = row.strategy.allocation() {
            allocation.end(self, object).await;
        }
    }

    /// Calls conversion webhooks.
    pub(crate) fn webhooks(&self) -> Arc<Client> {
        self.webhooks.load_full()
    }

    /// See [`storage::Storage::expect_write`].
    pub fn expect_write(&self) -> storage::Expected {
        self.backing.storage.expect_write()
    }

    pub(crate) fn backing(&self) -> &Backing {
        &self.backing
    }

    pub(crate) fn allow_privileged(&self) -> bool {
        self.allow_privileged
    }

    pub(crate) fn admission(&self) -> Guard<Arc<Chain>> {
        self.admission.load()
    }

    pub(crate) fn token_issuer(&self) -> Option<Arc<Issuer>> {
        self.token_issuer.load_full()
    }

    pub(crate) fn reviewers(&self) -> Option<Arc<Reviewers>> {
        self.reviewers.load_full()
    }

    /// Sets what authorization knows, the first time it is called.
    pub(crate) fn set_followed(&self, known: Known, reached: Reached) {
        self.followed.set((known, reached)).unwrap_or_default();
    }

    /// Roles and bindings, if they are followed.
    pub(crate) fn policy(&self) -> Option<&SyncRwLock<Policy>> {
        self.followed.get().map(|(known, _)| &*known.policy)
    }

    /// How far a resource of RBAC was followed.
    pub(crate) fn reached(&self, resource: &str) -> Option<watch::Receiver<Option<Revision>>> {
        self.followed.get()?.1.get(resource).cloned()
    }

    /// Where the target's objects are.
    ///
    /// # Errors
    /// 404 for kinds that are not kept.
    pub(crate) fn store_of(&self, target: &Target) -> Result<Arc<Store>, StatusError> {
        target.row.store.clone().ok_or_else(StatusError::unknown_resource)
    }

    /// Now.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Now, in `metav1.Time`'s form.
    pub(crate) fn now(&self) -> String {
        time::format_time(self.timestamp())
    }
}
