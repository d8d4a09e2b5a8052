//! The end of a definition: its instances are deleted, then its finalizer is removed.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::meta::ObjectExt as _;
use apimachinery::status::{Reason, StatusError};
use registry::{DeleteOptions, GetOptions, ListOptions, Registry, RequestContext, Row, Target, UpdateOptions};
use serde_json::Value;
use tracing::warn;

use super::conditions::is_true;
use super::controller::{FINALIZER, now, terminating};

/// Instances that are left wait for their own finalizers; this is how often they are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Deletes the instances of `crd`, waits until they are gone, and lets go of the definition. Returns its name when
/// that is done, or failed in a way that a later event or restart takes up again.
pub(super) async fn run(registry: Arc<Registry>, ctx: RequestContext, row: Arc<Row>, crd: Arc<Value>) -> String {
    let name = crd.name().to_owned();
    let cleanup = Cleanup { registry, ctx, target: Target::new(row, "", name.clone()) };
    loop {
        match cleanup.attempt(&crd).await {
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
}

impl Cleanup {
    async fn attempt(&self, crd: &Value) -> Result<(), StatusError> {
        self.condition(true, "InstanceDeletionInProgress", "CustomResource deletion is in progress").await?;
        if is_true(crd, "Established") {
            self.delete_instances(crd).await?;
        }
        self.condition(false, "InstanceDeletionCompleted", "removed all instances").await?;
        let mut latest = self.latest().await?;
        latest.remove_finalizer(FINALIZER);
        self.registry.update(&self.ctx, &self.target, latest.into(), &UpdateOptions::default()).await.map(drop)
    }

    async fn latest(&self) -> Result<Value, StatusError> {
        let served = self.registry.get(&self.ctx, &self.target, &GetOptions::default()).await?;
        Ok(Value::clone(&*served.value()?))
    }

    async fn condition(&self, status: bool, reason: &str, message: &str) -> Result<(), StatusError> {
        let mut latest = self.latest().await?;
        if !terminating(status, reason, message).set(&mut latest, &now()) {
            return Ok(());
        }
        let target = self.target.clone().subresource("status");
        self.registry.update(&self.ctx, &target, latest.into(), &UpdateOptions::default()).await.map(drop)
    }

    async fn delete_instances(&self, crd: &Value) -> Result<(), StatusError> {
        let (group, plural) = (&crd["spec"]["group"], &crd["spec"]["names"]["plural"]);
        let table = self.registry.table();
        let instances = crd["spec"]["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|version| table.row(group.as_str()?, version["name"].as_str()?, plural.as_str()?).cloned());
        // Not in the table: nothing of it was ever served by this server, and no version is served now.
        let Some(row) = instances else { return Ok(()) };
        loop {
            let all = Target::new(row.clone(), "", "");
            let listed = self.registry.list(&self.ctx, &all, &ListOptions::default()).await?;
            if listed.items.is_empty() {
                return Ok(());
            }
            let mut waiting = 0;
            for item in &listed.items {
                let instance = item.value()?;
                if instance.deletion_timestamp().is_some() {
                    waiting += 1;
                    continue;
                }
                let target = Target::new(row.clone(), instance.namespace(), instance.name());
                match self.registry.delete(&self.ctx, &target, &DeleteOptions::default()).await {
                    Ok(_) => {}
                    Err(error) if *error.reason() == Reason::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            if waiting > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}
