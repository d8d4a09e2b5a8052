//! The end of a definition: its instances are deleted, then its finalizer is removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use registry::crd::Definition;
use registry::crd::conditions::{Condition, is_true};
use registry::{
    DeleteOptions, GetOptions, ListOptions, Preconditions, Registry, RequestContext, Row, Target, UpdateOptions,
};
use serde_json::Value;
use tracing::warn;

use super::controller::{FINALIZER, now};

/// Instances that are left wait for their own finalizers; this is how often they are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// As upstream: how long instances may take to go before the condition says that they do not.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deletes the instances of `crd`, waits until they are gone, and lets go of the definition. Returns its name when
/// that is done, or failed in a way that a later event or restart takes up again.
pub(super) async fn run(registry: Arc<Registry>, ctx: RequestContext, row: Arc<Row>, definition: Definition) -> String {
    let crd = definition.outline();
    let name = crd.name().to_owned();
    let cleanup = Cleanup { registry, ctx, target: Target::new(row, "", name.clone()), uid: crd.uid().to_owned() };
    loop {
        match cleanup.attempt(&definition).await {
            Ok(()) => return name,
            Err(error) if *error.reason() == Reason::NotFound => return name,
            Err(error) => {
                if *error.reason() != Reason::Conflict {
                    warn!(definition = name, %error, "instances cannot be removed yet");
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

struct Cleanup {
    registry: Arc<Registry>,
    ctx: RequestContext,
    target: Target,
    uid: String,
}

impl Cleanup {
    async fn attempt(&self, definition: &Definition) -> Result<(), StatusError> {
        let crd = definition.outline();
        self.write(terminating(true, "InstanceDeletionInProgress", "CustomResource deletion is in progress"), false)
            .await?;
        let last = if overlaps(crd) {
            let message = "instances overlap with built-in resources in storage";
            terminating(false, "OverlappingBuiltInResource", message)
        } else if !is_true(crd, "Established") {
            terminating(false, "NeverEstablished", "resource was never established")
        } else {
            match self.delete_instances(definition).await {
                Ok(()) => terminating(false, "InstanceDeletionCompleted", "removed all instances"),
                Err(Failure { condition, error }) => {
                    self.write(condition, false).await?;
                    return Err(error);
                }
            }
        };
        self.write(last, true).await
    }

    /// Writes the condition, and with `done` lets go of the definition.
    async fn write(&self, condition: Condition, done: bool) -> Result<(), StatusError> {
        let mut latest = self.latest().await?;
        if !condition.set(&mut latest, &now()) && !done {
            return Ok(());
        }
        if done {
            latest.remove_finalizer(FINALIZER);
        }
        let target = self.target.clone().subresource("status");
        self.registry.update(&self.ctx, &target, latest.into(), &UpdateOptions::default()).await.map(drop)
    }

    /// The definition as it is now; 404 if it is gone, though another of its name may have taken its place: that one's
    /// instances are not to be touched.
    async fn latest(&self) -> Result<Value, StatusError> {
        let served = self.registry.get(&self.ctx, &self.target, &GetOptions::default()).await?;
        let latest = served.value()?;
        if latest.uid() != self.uid {
            return Err(StatusError::not_found(&self.target.row.group_resource(), &self.target.name));
        }
        Ok(Value::clone(&*latest))
    }

    async fn delete_instances(&self, definition: &Definition) -> Result<(), Failure> {
        let crd = definition.outline();
        // What began before the definition was known to end is there to be deleted after this.
        self.registry.settle_creations().await;
        let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
        let versions = crd["spec"]["versions"].as_array();
        let stored = versions.into_iter().flatten().find(|version| version["storage"] == true);
        let table = self.registry.table();
        let served =
            stored.and_then(|version| table.row(group.as_str()?, version["name"].as_str()?, plural.as_str()?).cloned());
        // Nobody is to be asked what the instances are in another version.
        if let Some(row) = served {
            return self.delete_all(row).await;
        }
        let row = definition.stored_row().map_err(|errors| {
            let problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Failure::of("could not list instances", StatusError::internal(problems.join("; ")))
        })?;
        let outcome = self.delete_all(row.clone()).await;
        self.registry.discard(&row);
        outcome
    }

    async fn delete_all(&self, row: Arc<Row>) -> Result<(), Failure> {
        let since = Instant::now();
        loop {
            let all = Target::new(row.clone(), "", "");
            let unlisted = |error| Failure::of("could not list instances", error);
            let listed = self.registry.list(&self.ctx, &all, &ListOptions::default()).await.map_err(unlisted)?;
            if listed.items.is_empty() {
                return Ok(());
            }
            if since.elapsed() > PATIENCE {
                return Err(Failure::check());
            }
            // What was listed was there under this definition; the uids below keep later instances out.
            self.latest().await.map_err(unlisted)?;
            let mut waiting = 0;
            for item in &listed.items {
                let instance = item.value().map_err(unlisted)?;
                if instance.deletion_timestamp().is_some() {
                    waiting += 1;
                    continue;
                }
                let target = Target::new(row.clone(), instance.namespace(), instance.name());
                let preconditions = Preconditions { uid: Some(instance.uid().to_owned()), resource_version: None };
                let options = DeleteOptions { preconditions, ..DeleteOptions::default() };
                match self.registry.delete(&self.ctx, &target, &options).await {
                    Ok(_) => {}
                    Err(error) if matches!(*error.reason(), Reason::NotFound | Reason::Conflict) => {}
                    Err(error) => return Err(Failure::of("could not issue all deletes", error)),
                }
            }
            if waiting > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Why instances are there still, and what the definition's condition says of it.
struct Failure {
    condition: Condition,
    error: StatusError,
}

impl Failure {
    fn of(what: &str, error: StatusError) -> Self {
        let condition = terminating(true, "InstanceDeletionFailed", &format!("{what}: {error}"));
        Self { condition, error }
    }

    fn check() -> Self {
        let message = "could not confirm zero CustomResources remaining: context deadline exceeded";
        Self { condition: terminating(true, "InstanceDeletionCheck", message), error: StatusError::internal(message) }
    }
}

fn terminating(holds: bool, reason: &str, message: &str) -> Condition {
    Condition::new("Terminating", holds, reason, message)
}

/// Whether instances would stand where built-in objects are stored.
fn overlaps(crd: &Value) -> bool {
    matches!(
        (crd["spec"]["group"].as_str(), crd["spec"]["names"]["plural"].as_str()),
        (Some("apiregistration.k8s.io"), Some("apiservices"))
            | (Some("apiextensions.k8s.io"), Some("customresourcedefinitions"))
    )
}

#[cfg(test)]
mod tests {
    use registry::CreateOptions;
    use serde_json::json;
    use storage::embedded::{Embedded, Options};

    use super::*;
    use crate::identity;

    struct World {
        registry: Arc<Registry>,
        ctx: RequestContext,
        definitions: Arc<Row>,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::TempDir::new().unwrap();
            let store = Embedded::open(folder.path().join("store"), Options::default()).unwrap();
            let registry = Registry::new(Arc::new(store), registry::Options::default());
            let ctx = RequestContext::new(identity::loopback(), "test");
            let table = registry.table();
            let definitions = table.row("apiextensions.k8s.io", "v1", "customresourcedefinitions").unwrap().clone();
            Self { registry, ctx, definitions, _folder: folder }
        }

        async fn create(&self, row: &Arc<Row>, object: Value) -> Arc<Value> {
            let target = Target::new(row.clone(), "", "");
            let created = self.registry.create(&self.ctx, &target, object.into(), &CreateOptions::default()).await;
            created.unwrap().object.value().unwrap()
        }

        /// A definition of widgets that are stored in v1, and one of them.
        async fn install(&self, versions: &[&str], conversion: Value) -> Arc<Value> {
            let versions: Vec<Value> = versions
                .iter()
                .map(|name| {
                    json!({"name": name, "served": true, "storage": *name == "v1",
                        "schema": {"openAPIV3Schema": {"type": "object"}}})
                })
                .collect();
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "widgets.example.com"},
                "spec": {"group": "example.com", "scope": "Cluster", "versions": versions, "conversion": conversion,
                    "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}},
            });
            let crd = self.create(&self.definitions, definition).await;
            let rows = Definition::of(&crd).unwrap().rows().unwrap();
            self.registry.update_table(|table| table.with_crd(crd.name(), rows.clone()));
            let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
            self.create(&self.widgets(), widget).await;
            crd
        }

        fn widgets(&self) -> Arc<Row> {
            self.registry.table().row("example.com", "v1", "widgets").unwrap().clone()
        }

        async fn widget(&self) -> Option<Arc<Value>> {
            let target = Target::new(self.widgets(), "", "w");
            let got = self.registry.get(&self.ctx, &target, &GetOptions::default()).await;
            got.ok().map(|served| served.value().unwrap())
        }

        /// Cleans up as for a definition that is being deleted.
        async fn clean(&self, mut crd: Value) {
            crd["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
            crd["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
            let definition = Definition::of(&crd).unwrap();
            run(self.registry.clone(), self.ctx.clone(), self.definitions.clone(), definition).await;
        }
    }

    #[tokio::test]
    async fn a_definition_made_anew_under_the_same_name_keeps_its_instances() {
        let world = World::new();
        let anew = world.install(&["v1"], json!({"strategy": "None"})).await;

        // What was being cleaned up lost its finalizer to somebody else, and was gone.
        let mut old = Value::clone(&anew);
        old["metadata"]["uid"] = json!("that-of-the-old-one");
        world.clean(old).await;

        world.widget().await.expect("the instance is the new definition's");
        let target = Target::new(world.definitions.clone(), "", anew.name());
        let now = world.registry.get(&world.ctx, &target, &GetOptions::default()).await.unwrap().value().unwrap();
        assert_eq!(now.resource_version(), anew.resource_version(), "the new definition is as it was: {now}");
    }

    #[tokio::test]
    async fn instances_go_without_a_webhook_that_converts_them() {
        let world = World::new();
        let nobody = json!({"strategy": "Webhook", "webhook": {
            "clientConfig": {"url": "https://127.0.0.1:1/nobody"}, "conversionReviewVersions": ["v1"]}});
        let crd = world.install(&["v2", "v1"], nobody).await;
        world.clean(Value::clone(&crd)).await;
        assert_eq!(world.widget().await, None);
    }
}
