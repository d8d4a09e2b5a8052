//! The verbs over the embedded store, without a socket.

mod definitions;
mod deletion;
mod ownership;
mod reads;
mod writes;

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError, UserInfo};
use serde_json::{Value, json};
use storage::embedded::{self, Embedded};

use crate::*;

/// A registry over a store of its own.
pub(crate) struct Server {
    pub(crate) registry: Arc<Registry>,
    pub(crate) ctx: RequestContext,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::over(embedded::Options::default())
    }

    fn over(options: embedded::Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Embedded::open(dir.path().join("store"), options).unwrap();
        let registry = Registry::new(Arc::new(store), Options::default());
        let ctx = RequestContext::new(Arc::new(UserInfo::new("admin", ["system:masters"])), "test");
        Self { registry, ctx, _dir: dir }
    }

    /// `apps/v1/deployments/web` or `v1/pods/p/status`; a collection has no name. Everything is in namespace `ns`.
    fn target(&self, path: &str) -> Target {
        let mut parts: Vec<&str> = path.split('/').collect();
        let is_version = |part: &str| part.starts_with('v') && part[1..].starts_with(|c: char| c.is_ascii_digit());
        let group = if is_version(parts[0]) { "" } else { parts.remove(0) };
        let row =
            self.registry.table().row(group, parts[0], parts[1]).unwrap_or_else(|| panic!("no row {path}")).clone();
        let namespace = if row.namespaced { "ns" } else { "" };
        let target = Target::new(row, namespace, parts.get(2).copied().unwrap_or_default());
        match parts.get(3) {
            Some(sub) => target.subresource(*sub),
            None => target,
        }
    }

    async fn create(&self, path: &str, object: Value) -> Result<Value, StatusError> {
        let written =
            self.registry.create(&self.ctx, &self.target(path), object.into(), &CreateOptions::default()).await?;
        Ok(Value::clone(&*written.object.value()?))
    }

    async fn get(&self, path: &str) -> Result<Value, StatusError> {
        let served = self.registry.get(&self.ctx, &self.target(path), &GetOptions::default()).await?;
        Ok(serde_json::from_slice(served.bytes()).unwrap())
    }

    async fn update(&self, path: &str, object: Value) -> Result<Value, StatusError> {
        let written =
            self.registry.update(&self.ctx, &self.target(path), object.into(), &UpdateOptions::default()).await?;
        Ok(Value::clone(&*written.object.value()?))
    }

    async fn merge(&self, path: &str, patch: Value) -> Result<Value, StatusError> {
        self.patch(path, Patch::Merge(patch.to_string().into()), PatchOptions::default()).await
    }

    async fn apply(&self, path: &str, manager: &str, force: bool, config: Value) -> Result<Value, StatusError> {
        let options = PatchOptions { field_manager: manager.into(), force: Some(force), ..PatchOptions::default() };
        self.patch(path, Patch::Apply(config.into()), options).await
    }

    async fn patch(&self, path: &str, patch: Patch, options: PatchOptions) -> Result<Value, StatusError> {
        let written = self.registry.patch(&self.ctx, &self.target(path), patch, &options).await?;
        Ok(Value::clone(&*written.object.value()?))
    }

    async fn delete(&self, path: &str, options: DeleteOptions) -> Result<Deleted, StatusError> {
        self.registry.delete(&self.ctx, &self.target(path), &options).await
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

fn words<T: std::fmt::Debug>(outcome: Result<T, StatusError>) -> (u16, String) {
    let error = outcome.expect_err("a refusal");
    (error.code(), error.message().to_owned())
}
