//! Follows the definitions and acts on each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::field::ErrorList;
use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use apimachinery::time;
use futures::StreamExt as _;
use registry::crd::Definition;
use registry::crd::conditions::is_true;
use registry::{EventKind, ListOptions, Registry, RequestContext, Row, Served, Target, UpdateOptions};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{cleanup, conformance, names};
use crate::identity;

/// The finalizer that keeps a definition until its instances are gone.
pub(super) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// How long to wait before trying again what failed.
const RETRY: Duration = Duration::from_millis(200);

/// How often compiled schemas are looked at: those that nobody used since the last time are let go.
const REST: Duration = Duration::from_secs(300);

/// The controller's view of all definitions, by name.
pub struct Controller {
    registry: Arc<Registry>,
    row: Arc<Row>,
    ctx: RequestContext,
    definitions: BTreeMap<String, Definition>,
    resource_version: String,
    /// Those to look at when there is nothing else to do.
    due: BTreeSet<String>,
    cleaning: HashSet<String>,
    cleanups: JoinSet<String>,
    /// Of which generation each was found to be structural or not.
    checked: HashMap<String, i64>,
    /// Whose status could not be written, and when that is tried again.
    unwritten: HashSet<String>,
    retry_at: Instant,
    rest_at: Instant,
}

impl Controller {
    /// Reads all definitions and publishes those that are established; to be called before requests are served.
    pub async fn start(registry: Arc<Registry>) -> Result<Self, StatusError> {
        let row = registry
            .table()
            .row("apiextensions.k8s.io", "v1", "customresourcedefinitions")
            .cloned()
            .ok_or_else(|| StatusError::internal("customresourcedefinitions are not in the table"))?;
        let mut controller = Self {
            registry,
            row,
            ctx: RequestContext::new(identity::loopback(), "kube-apiserver"),
            definitions: BTreeMap::new(),
            resource_version: String::new(),
            due: BTreeSet::new(),
            cleaning: HashSet::new(),
            cleanups: JoinSet::new(),
            checked: HashMap::new(),
            unwritten: HashSet::new(),
            retry_at: Instant::now(),
            rest_at: Instant::now() + REST,
        };
        controller.relist().await?;
        Ok(controller)
    }

    /// Runs until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let follow = async {
            loop {
                // Whatever is unfinished is taken up again after each (re)start of the watch.
                self.due = self.definitions.keys().cloned().collect();
                if let Err(error) = self.follow().await {
                    debug!(%error, "the watch on definitions ended");
                }
                while let Err(error) = self.relist().await {
                    warn!(%error, "definitions cannot be listed");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow => {}
        }
    }

    async fn relist(&mut self) -> Result<(), StatusError> {
        let collection = Target::new(self.row.clone(), "", "");
        let listed = self.registry.list(&self.ctx, &collection, &ListOptions::default()).await?;
        let mut definitions = BTreeMap::new();
        for item in &listed.items {
            if let Some(definition) = read(item) {
                definitions.insert(definition.outline().name().to_owned(), definition);
            }
        }
        // One table for all: each takes time in proportion to all that is in it.
        let mut changes: BTreeMap<String, Vec<Arc<Row>>> = BTreeMap::new();
        for name in self.definitions.keys().filter(|name| !definitions.contains_key(*name)) {
            changes.insert(name.clone(), Vec::new());
        }
        let table = self.registry.table();
        for (name, definition) in &definitions {
            if is_accepted(definition) && !table.serves(definition) {
                changes.extend(rows_of(definition).map(|rows| (name.clone(), rows)));
            }
        }
        if !changes.is_empty() {
            self.registry.update_table(|table| table.with_crds(&changes));
        }
        self.definitions = definitions;
        self.resource_version = listed.resource_version;
        Ok(())
    }

    /// Handles events until the watch ends.
    async fn follow(&mut self) -> Result<(), StatusError> {
        let collection = Target::new(self.row.clone(), "", "");
        let options = ListOptions {
            resource_version: self.resource_version.clone(),
            allow_watch_bookmarks: true,
            ..ListOptions::default()
        };
        let mut events = self.registry.watch(&self.ctx, &collection, &options).await?;
        loop {
            let event = tokio::select! {
                biased;
                event = events.next() => match event {
                    Some(event) => event,
                    None => return Ok(()),
                },
                Some(done) = self.cleanups.join_next() => {
                    if let Ok(name) = done {
                        self.cleaning.remove(&name);
                        self.reconcile(&name).await;
                    }
                    continue;
                }
                () = sleep_until(self.retry_at), if !self.unwritten.is_empty() => {
                    for name in std::mem::take(&mut self.unwritten) {
                        self.reconcile(&name).await;
                    }
                    continue;
                }
                () = sleep_until(self.rest_at) => {
                    self.rest_at = Instant::now() + REST;
                    self.registry.table().rest_schemas();
                    continue;
                }
                () = tokio::task::yield_now(), if !self.due.is_empty() => {
                    if let Some(name) = self.due.pop_first() {
                        self.reconcile(&name).await;
                    }
                    continue;
                }
            };
            if event.kind == EventKind::Error {
                return Ok(());
            }
            let definition = Definition::read(event.object().bytes())?;
            self.resource_version = definition.outline().resource_version().to_owned();
            let name = definition.outline().name().to_owned();
            match event.kind {
                EventKind::Added | EventKind::Modified => {
                    self.definitions.insert(name.clone(), definition);
                    self.reconcile(&name).await;
                }
                EventKind::Deleted => {
                    let waiting = self.waiting(&name);
                    self.definitions.remove(&name);
                    self.checked.remove(&name);
                    self.withdraw(&name);
                    // A name that is free now may be what another one waits for.
                    for name in waiting {
                        self.reconcile(&name).await;
                    }
                }
                EventKind::Bookmark | EventKind::Error => {}
            }
        }
    }

    /// Brings one definition's status and rows to what they should be, as far as its present state is known, and then those of
    /// definitions that waited for a name it gave up.
    async fn reconcile(&mut self, name: &str) {
        let mut due = VecDeque::from([name.to_owned()]);
        while let Some(name) = due.pop_front() {
            if self.settle(&name).await {
                due.extend(self.waiting(&name));
            }
        }
    }

    /// The definitions of the same group that lack names they want.
    fn waiting(&self, name: &str) -> Vec<String> {
        let Some(definition) = self.definitions.get(name) else { return Vec::new() };
        let group = &definition.outline()["spec"]["group"];
        let waits = |crd: &Value| crd["spec"]["group"] == *group && !is_true(crd, "NamesAccepted");
        let others = self.definitions.iter().filter(|(other, _)| *other != name);
        let waiting = others.filter(|(_, other)| waits(other.outline()));
        waiting.map(|(name, _)| name.clone()).collect()
    }

    /// One definition. Says whether its accepted names changed.
    async fn settle(&mut self, name: &str) -> bool {
        let mut renamed = false;
        loop {
            let Some(definition) = self.definitions.get(name).cloned() else { return renamed };
            if is_accepted(&definition) {
                self.publish(&definition);
            } else {
                self.withdraw(name);
            }
            let crd = definition.outline();
            if crd.deletion_timestamp().is_some() {
                if crd.has_finalizer(FINALIZER) && self.cleaning.insert(name.to_owned()) {
                    let (registry, ctx, row) = (self.registry.clone(), self.ctx.clone(), self.row.clone());
                    self.cleanups.spawn(cleanup::run(registry, ctx, row, definition));
                }
                return renamed;
            }
            let mut wanted = Value::clone(crd);
            let (now, generation) = (now(), crd.generation());
            let naming = names::decide(crd, self.definitions.values().map(|other| &**other.outline()));
            let named = naming.is_some_and(|naming| naming.set(&mut wanted, &now));
            let mut changed = named;
            changed |= conformance::set_approval(&mut wanted, &now);
            let mut whole = None;
            // Whoever else writes this condition is not fought over it.
            if self.checked.insert(name.to_owned(), generation) != Some(generation) {
                whole = parsed(&definition);
                changed |=
                    whole.as_ref().is_some_and(|whole| conformance::set_non_structural(&mut wanted, whole, &now));
            }
            if !changed {
                changed = names::establish(crd).is_some_and(|established| established.set(&mut wanted, &now));
            }
            if !changed {
                return renamed;
            }
            let Some(mut whole) = whole.or_else(|| parsed(&definition)) else { return renamed };
            whole["status"] = wanted["status"].take();
            if !self.write_status(name, whole).await {
                return renamed;
            }
            renamed |= named;
        }
    }

    /// Writes the status; a conflict is left to the event that will bring the newer state. Says whether it is written.
    async fn write_status(&mut self, name: &str, crd: Value) -> bool {
        let target = Target::new(self.row.clone(), "", name).subresource("status");
        match self.registry.update(&self.ctx, &target, crd.into(), &UpdateOptions::default()).await {
            Ok(written) => match read(&written.object) {
                Some(definition) => {
                    self.definitions.insert(name.to_owned(), definition);
                    true
                }
                None => false,
            },
            Err(error) if matches!(*error.reason(), Reason::Conflict | Reason::NotFound) => false,
            Err(error) => {
                warn!(definition = name, %error, "the status cannot be written yet");
                self.unwritten.insert(name.to_owned());
                self.retry_at = Instant::now() + RETRY;
                false
            }
        }
    }

    /// Puts the rows of a definition into the table, in place of those it had, unless they are the same.
    fn publish(&self, definition: &Definition) {
        let (name, table) = (definition.outline().name(), self.registry.table());
        if table.serves(definition) {
            return;
        }
        let Some(rows) = rows_of(definition) else { return };
        if !rows.is_empty() || table.has_crd(name) {
            self.registry.update_table(|table| table.with_crd(name, rows.clone()));
        }
    }

    fn withdraw(&self, name: &str) {
        if self.registry.table().has_crd(name) {
            self.registry.update_table(|table| table.without_crd(name));
        }
    }
}

/// Whether a definition is served.
fn is_accepted(definition: &Definition) -> bool {
    let crd = definition.outline();
    is_true(crd, "NamesAccepted") || is_true(crd, "Established")
}

/// A definition as it is served, if it can be read.
fn read(served: &Served) -> Option<Definition> {
    Definition::read(served.bytes()).inspect_err(|error| warn!(%error, "a definition cannot be read")).ok()
}

/// All of a definition.
fn parsed(definition: &Definition) -> Option<Value> {
    let name = definition.outline().name();
    definition.whole().inspect_err(|error| warn!(definition = name, %error, "cannot be read")).ok()
}

/// The rows of a definition.
fn rows_of(definition: &Definition) -> Option<Vec<Arc<Row>>> {
    let refuse = |errors: &ErrorList| {
        let problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
        warn!(definition = definition.outline().name(), problems = problems.join("; "), "cannot be served");
    };
    definition.rows().inspect_err(refuse).ok()
}

/// The present time as conditions hold it.
pub(super) fn now() -> String {
    time::format_time(jiff::Timestamp::now())
}
