//! `StorageObjectInUseProtection`: volumes, claims and volume attributes classes are held by a finalizer, which a
//! controller takes off when nothing uses them any more.

use std::sync::Arc;

use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;

use crate::{Attributes, Context, Operation, Plugin};

/// The plugin.
#[derive(Debug, Default)]
pub struct StorageObjectInUseProtection;

#[async_trait]
impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Create
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        let resource = &attributes.resource;
        let finalizer = match (resource.group.as_str(), resource.resource.as_str(), attributes.subresource.as_str()) {
            ("", "persistentvolumes", "") => "kubernetes.io/pv-protection",
            ("", "persistentvolumeclaims", "") => "kubernetes.io/pvc-protection",
            ("storage.k8s.io", "volumeattributesclasses", "") => "kubernetes.io/vac-protection",
            _ => return Ok(()),
        };
        if let Some(object) = attributes.object.as_mut().filter(|object| !object.has_finalizer(finalizer)) {
            let finalizers = object.finalizers().chain([finalizer]).map(str::to_owned).collect();
            Arc::make_mut(object).set_finalizers(finalizers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;
    use serde_json::json;

    #[tokio::test]
    async fn claims_and_volumes_are_held_and_nothing_else_is() {
        for (resource, subresource, expected) in [
            ("persistentvolumes", "", json!(["mine", "kubernetes.io/pv-protection"])),
            ("persistentvolumeclaims", "", json!(["mine", "kubernetes.io/pvc-protection"])),
            ("persistentvolumes", "status", json!(["mine"])),
            ("pods", "", json!(["mine"])),
        ] {
            let mut of = attributes(Operation::Create, resource, "ns", "n");
            of.subresource = subresource.into();
            of.object = Some(json!({"metadata": {"finalizers": ["mine"]}}).into());
            for _ in 0..2 {
                StorageObjectInUseProtection.admit(&mut of, &Context::new()).await.unwrap();
            }
            assert_eq!(of.object.unwrap()["metadata"]["finalizers"], expected, "{resource} {subresource}");
        }
    }
}
