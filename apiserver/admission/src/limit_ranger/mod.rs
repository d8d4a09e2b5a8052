//! `LimitRanger`: containers get the limits of their namespace where they state none, and what is out of its bounds is
//! refused.

mod constraints;

use std::sync::Arc;

use apimachinery::gvk::GroupVersionResource;
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// Tells what was set.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// The plugin.
pub struct LimitRanger {
    lister: Arc<dyn Lister>,
    ranges: GroupVersionResource,
}

impl LimitRanger {
    /// Reads limit ranges through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { lister, ranges: GroupVersionResource::new("", "v1", "limitranges") }
    }

    async fn ranges(&self, namespace: &str) -> Result<Vec<Arc<Value>>, StatusError> {
        let all = self.lister.list(&self.ranges).await?;
        Ok(all.iter().filter(|range| range.namespace() == namespace).cloned().collect())
    }
}

/// Whether limits say anything of a request: new Pods and claims, and Pods whose resources change.
fn concerns(attributes: &Attributes) -> bool {
    if !attributes.resource.group.is_empty() || attributes.namespace.is_empty() {
        return false;
    }
    let goes = attributes.operation == Operation::Update
        && attributes.old_object.as_ref().is_some_and(|old| old.deletion_timestamp().is_some());
    let concerned = match (attributes.resource.resource.as_str(), attributes.subresource.as_str()) {
        ("pods", "resize") => attributes.operation == Operation::Update,
        ("pods", "") => attributes.operation == Operation::Create,
        ("persistentvolumeclaims", "") => true,
        _ => false,
    };
    concerned && !goes
}

#[async_trait]
impl Plugin for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    fn handles(&self, operation: Operation) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        if !concerns(attributes) || attributes.resource.resource != "pods" {
            return Ok(());
        }
        let ranges = self.ranges(&attributes.namespace).await?;
        let Some(pod) = attributes.object_mut() else { return Ok(()) };
        for range in ranges {
            set_defaults(pod, &range);
        }
        Ok(())
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        if !concerns(attributes) {
            return Ok(());
        }
        let Some(object) = &attributes.object else { return Ok(()) };
        for range in self.ranges(&attributes.namespace).await? {
            let mut broken = match attributes.resource.resource.as_str() {
                "pods" => constraints::of_pod(object, limits(&range)),
                _ => constraints::of_claim(object, limits(&range)),
            };
            let mut seen = std::collections::HashSet::new();
            broken.retain(|words| seen.insert(words.clone()));
            match broken.as_slice() {
                [] => {}
                [one] => return Err(attributes.forbidden(one)),
                many => return Err(attributes.forbidden(&format!("[{}]", many.join(", ")))),
            }
        }
        Ok(())
    }
}

fn limits(range: &Value) -> impl Iterator<Item = &Value> {
    range.pointer("/spec/limits").and_then(Value::as_array).into_iter().flatten()
}

/// Gives the containers what the range's defaults state and they do not.
fn set_defaults(pod: &mut Value, range: &Value) {
    let defaults = |field: &str| {
        let mut all = Map::new();
        for limit in limits(range).filter(|limit| limit["type"] == "Container") {
            all.extend(limit.get(field).and_then(Value::as_object).cloned().unwrap_or_default());
        }
        all
    };
    let (requests, limits) = (defaults("defaultRequest"), defaults("default"));
    let mut told = Vec::new();
    for (field, words) in [("containers", "container"), ("initContainers", "init container")] {
        let containers = pod.pointer_mut(&format!("/spec/{field}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            for (kind, part, defaults) in [("request", "requests", &requests), ("limit", "limits", &limits)] {
                let set = set_missing(container, part, defaults);
                if !set.is_empty() {
                    told.push(format!("{} {kind} for {words} {name}", set.join(", ")));
                }
            }
        }
    }
    if !told.is_empty() {
        pod.set_annotation(ANNOTATION, &format!("LimitRanger plugin set: {}", told.join("; ")));
    }
}

/// The names of what was missing, sorted.
fn set_missing(container: &mut Value, part: &str, defaults: &Map<String, Value>) -> Vec<String> {
    let stated = container.get("resources").and_then(|resources| resources.get(part)).and_then(Value::as_object);
    let missing: Vec<String> =
        defaults.keys().filter(|name| !stated.is_some_and(|stated| stated.contains_key(*name))).cloned().collect();
    for name in &missing {
        if !container["resources"].is_object() {
            container["resources"] = Value::Object(Map::new());
        }
        if !container["resources"][part].is_object() {
            container["resources"][part] = Value::Object(Map::new());
        }
        container["resources"][part][name] = defaults[name].clone();
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, attributes};
    use serde_json::json;

    fn plugin() -> LimitRanger {
        let range = json!({"metadata": {"name": "l", "namespace": "ns"}, "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "200m", "memory": "64Mi"}, "defaultRequest": {"cpu": "100m"},
             "min": {"cpu": "50m"}, "max": {"cpu": "1", "memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "4"}},
            {"type": "Pod", "max": {"cpu": "1500m"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}},
        ]}});
        LimitRanger::new(Arc::new(Fixed::new([("limitranges", range)])))
    }

    async fn admit(resource: &str, object: Value) -> Result<Value, String> {
        let mut of = attributes(Operation::Create, resource, "ns", "n");
        of.object = Some(object.into());
        let admitted = plugin().admit(&mut of, &Context::new()).await;
        let validated = if admitted.is_ok() { plugin().validate(&of, &Context::new()).await } else { admitted };
        validated.map_err(|error| error.message().to_owned())?;
        Ok(of.object.map(Arc::unwrap_or_clone).unwrap())
    }

    #[tokio::test]
    async fn what_is_not_stated_is_set_and_told_of() {
        let pod = json!({"spec": {
            "containers": [{"name": "c"}, {"name": "d", "resources": {"limits": {"memory": "32Mi"}, "requests": {"cpu": "150m"}}}],
            "initContainers": [{"name": "f"}],
        }});
        let pod = admit("pods", pod).await.unwrap();
        assert_eq!(
            pod["spec"]["containers"][0]["resources"],
            json!({"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m"}})
        );
        assert_eq!(
            pod.annotation(ANNOTATION).unwrap(),
            "LimitRanger plugin set: cpu request for container c; cpu, memory limit for container c; cpu limit for container d; \
             cpu request for init container f; cpu, memory limit for init container f"
        );
    }

    #[tokio::test]
    async fn what_is_out_of_bounds_is_refused_in_upstreams_words() {
        let pod = |resources: Value| json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        for (resource, object, words) in [
            (
                "pods",
                pod(json!({"limits": {"cpu": "40m"}, "requests": {"cpu": "10m"}})),
                "minimum cpu usage per Container is 50m, but request is 10m",
            ),
            (
                "pods",
                pod(json!({"limits": {"cpu": "2"}, "requests": {"cpu": "900m"}})),
                "[maximum cpu usage per Container is 1, but limit is 2, maximum cpu usage per Pod is 1500m, but limit is 2]",
            ),
            (
                "pods",
                pod(json!({"limits": {"cpu": "500m"}})),
                "cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000",
            ),
            (
                "persistentvolumeclaims",
                claim("500Mi"),
                "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi",
            ),
            (
                "persistentvolumeclaims",
                claim("5Gi"),
                "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 5Gi",
            ),
        ] {
            let refused = admit(resource, object).await.unwrap_err();
            assert!(refused.ends_with(words), "{refused}\n{words}");
        }
        assert!(admit("persistentvolumeclaims", claim("1536Mi")).await.is_ok());
    }
}
