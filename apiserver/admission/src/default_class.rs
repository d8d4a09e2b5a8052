//! `DefaultStorageClass` and `DefaultIngressClass`: claims and ingresses that name no class get the one that is marked as
//! the default; of several the newest.

use std::sync::Arc;

use apimachinery::gvk::GroupVersionResource;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use serde_json::Value;

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// What differs between the two plugins.
#[derive(Debug)]
struct Of {
    name: &'static str,
    /// Group and resource of what gets a class.
    resource: (&'static str, &'static str),
    /// The resource of the classes.
    classes: (&'static str, &'static str),
    /// The field of `spec` that names the class.
    field: &'static str,
    /// The annotation that named it before there was a field.
    annotation: &'static str,
    /// The annotations that mark a default.
    marks: &'static [&'static str],
}

static STORAGE: Of = Of {
    name: "DefaultStorageClass",
    resource: ("", "persistentvolumeclaims"),
    classes: ("storage.k8s.io", "storageclasses"),
    field: "storageClassName",
    annotation: "volume.beta.kubernetes.io/storage-class",
    marks: &["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"],
};

static INGRESS: Of = Of {
    name: "DefaultIngressClass",
    resource: ("networking.k8s.io", "ingresses"),
    classes: ("networking.k8s.io", "ingressclasses"),
    field: "ingressClassName",
    annotation: "kubernetes.io/ingress.class",
    marks: &["ingressclass.kubernetes.io/is-default-class"],
};

/// The plugin.
pub struct DefaultClass {
    of: &'static Of,
    lister: Arc<dyn Lister>,
    classes: GroupVersionResource,
}

impl DefaultClass {
    /// `DefaultStorageClass`, reading storage classes through `lister`.
    pub fn of_storage(lister: Arc<dyn Lister>) -> Self {
        Self::new(&STORAGE, lister)
    }

    /// `DefaultIngressClass`, reading ingress classes through `lister`.
    pub fn of_ingress(lister: Arc<dyn Lister>) -> Self {
        Self::new(&INGRESS, lister)
    }

    fn new(of: &'static Of, lister: Arc<dyn Lister>) -> Self {
        Self { of, lister, classes: GroupVersionResource::new(of.classes.0, "v1", of.classes.1) }
    }

    fn is_default(&self, class: &Value) -> bool {
        self.of.marks.iter().any(|mark| class.annotation(mark) == Some("true"))
    }
}

#[async_trait]
impl Plugin for DefaultClass {
    fn name(&self) -> &'static str {
        self.of.name
    }

    fn handles(&self, operation: Operation) -> bool {
        operation == Operation::Create
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        let (group, resource) = self.of.resource;
        if attributes.resource.group != group
            || attributes.resource.resource != resource
            || !attributes.subresource.is_empty()
        {
            return Ok(());
        }
        let Some(object) = attributes.object_mut() else { return Ok(()) };
        let named = object.get("spec").and_then(|spec| spec.get(self.of.field)).is_some_and(|class| !class.is_null());
        if named || object.annotation(self.of.annotation).is_some() {
            return Ok(());
        }
        let all = self.lister.list(&self.classes).await?;
        let defaults = all.iter().filter(|class| self.is_default(class));
        // Times are written so that their text sorts as they do.
        let created = |class: &Value| class["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
        let newest = defaults.min_by_key(|class| (std::cmp::Reverse(created(class)), class.name().to_owned()));
        let Some(newest) = newest else { return Ok(()) };
        if !object["spec"].is_object() {
            object["spec"] = Value::Object(serde_json::Map::new());
        }
        object["spec"][self.of.field] = newest.name().into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, attributes};
    use serde_json::json;

    #[tokio::test]
    async fn the_newest_default_is_taken_where_no_class_is_named() {
        let class = |name: &str, created: &str, default: &str| {
            let mark = "storageclass.kubernetes.io/is-default-class";
            json!({"metadata": {"name": name, "creationTimestamp": created, "annotations": {mark: default}}})
        };
        let lister = Arc::new(Fixed::new([
            ("storageclasses", class("old", "2024-01-01T00:00:00Z", "true")),
            ("storageclasses", class("b", "2025-01-01T00:00:00Z", "true")),
            ("storageclasses", class("a", "2025-01-01T00:00:00Z", "true")),
            ("storageclasses", class("none", "2026-01-01T00:00:00Z", "false")),
        ]));
        for (claim, expected) in [
            (json!({"spec": {}}), json!("a")),
            (json!({}), json!("a")),
            (json!({"spec": {"storageClassName": ""}}), json!("")),
            (
                json!({"spec": {}, "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "x"}}}),
                Value::Null,
            ),
        ] {
            let mut of = attributes(Operation::Create, "persistentvolumeclaims", "ns", "c");
            of.object = Some(claim.clone().into());
            DefaultClass::of_storage(lister.clone()).admit(&mut of, &Context::new()).await.unwrap();
            assert_eq!(of.object.unwrap()["spec"]["storageClassName"], expected, "{claim}");
        }
    }
}
