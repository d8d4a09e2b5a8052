//! Claims, volumes and volume attributes classes are held by a finalizer for as long as something uses them: a Pod on a
//! node, a binding, a claim or volume of the class. The admission plugin `StorageObjectInUseProtection` puts the
//! finalizers on; here they are put on what is older than it, and taken off.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::VolumeAttributesClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::core::discovery::ApiResource;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::{Change, Context, Error, ObjectKey, Outcome, Store, WorkQueue};
use serde_json::json;

use crate::informers::{Informers, PODS_BY_NAMESPACE};

/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Objects worked on at once.
const CONCURRENT: usize = 4;

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Claim,
    Volume,
    Class,
}

impl Kind {
    fn finalizer(self) -> &'static str {
        match self {
            Self::Claim => "kubernetes.io/pvc-protection",
            Self::Volume => "kubernetes.io/pv-protection",
            Self::Class => "kubernetes.io/vac-protection",
        }
    }

    fn resource(self) -> ApiResource {
        match self {
            Self::Claim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Volume => ApiResource::erase::<PersistentVolume>(&()),
            Self::Class => ApiResource::erase::<VolumeAttributesClass>(&()),
        }
    }
}

/// What is to be done with an object. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Nothing,
    /// It gets the finalizer.
    Hold,
    /// It loses the finalizer if nothing uses it.
    MayGo,
}

fn verdict(meta: &ObjectMeta, finalizer: &str) -> Verdict {
    let held = meta.finalizers.iter().flatten().any(|found| found == finalizer);
    match (meta.deletion_timestamp.is_some(), held) {
        (false, false) => Verdict::Hold,
        (true, true) => Verdict::MayGo,
        _ => Verdict::Nothing,
    }
}

type Task = (Kind, ObjectKey);

struct Controller {
    client: Client,
    pods: Store<Pod>,
}

/// Hooks the controller up to the informers; the future works for as long as it is polled.
pub fn controller(
    context: &Context,
    informers: &mut Informers,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let queue = WorkQueue::<Task>::new(LONGEST_WAIT, context.metrics.queue("storage_protection"));
    let classes = informers.volume_attributes_classes().store();
    let claims = informers.claims().store();
    // A class may go when the last claim or volume of it does.
    let classes_may_go = {
        let queue = queue.clone();
        move || {
            for class in classes.list().iter().filter(|class| class.metadata.deletion_timestamp.is_some()) {
                queue.add((Kind::Class, ObjectKey::of(&**class)));
            }
        }
    };
    informers.claims().on_change(looks_at(Kind::Claim, &queue, classes_may_go.clone()));
    informers.volumes().on_change(looks_at(Kind::Volume, &queue, classes_may_go));
    informers.volume_attributes_classes().on_change(looks_at(Kind::Class, &queue, || ()));
    informers.pods().on_change({
        let queue = queue.clone();
        move |change| {
            let pod = change.object();
            if matches!(change, Change::Applied { .. }) && !has_ended(pod) {
                return;
            }
            let namespace = pod.namespace().unwrap_or_default();
            for claim in claims_of(pod) {
                let key = ObjectKey::new(namespace.as_str(), claim);
                if claims.get(&key).is_some_and(|claim| claim.metadata.deletion_timestamp.is_some()) {
                    queue.add((Kind::Claim, key));
                }
            }
        }
    });
    let controller = Arc::new(Controller { client: context.client.clone(), pods: informers.pods().store() });
    async move {
        controller.pods.synced().await;
        let work = |(kind, key)| {
            let controller = controller.clone();
            async move { controller.look_at(kind, key).await }
        };
        queue.process(CONCURRENT, work).await;
        Ok(())
    }
}

fn looks_at<K>(
    kind: Kind,
    queue: &WorkQueue<Task>,
    also: impl Fn() + Send + Sync + 'static,
) -> impl Fn(Change<'_, PartialObjectMeta<K>>) + Send + Sync + 'static
where
    PartialObjectMeta<K>: ResourceExt,
    K: 'static,
{
    let queue = queue.clone();
    move |change| {
        if let Change::Applied { new, .. } = &change
            && verdict(new.meta(), kind.finalizer()) != Verdict::Nothing
        {
            queue.add((kind, ObjectKey::of(&***new)));
        }
        also();
    }
}

fn has_ended(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// The claims that a Pod names, those of its ephemeral volumes included.
fn claims_of(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let claim = |volume: &k8s_openapi::api::core::v1::Volume| match (&volume.persistent_volume_claim, &volume.ephemeral)
    {
        (Some(source), _) => Some(source.claim_name.clone()),
        (None, Some(_)) => Some(format!("{}-{}", pod.name_any(), volume.name)),
        _ => None,
    };
    volumes.iter().filter_map(claim).collect()
}

/// Whether a Pod may use a claim: one that has no node does not, and gets none while the claim is on its way out.
fn uses(pod: &Pod, claim: &str) -> bool {
    let on_a_node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).is_some_and(|node| !node.is_empty());
    on_a_node && claims_of(pod).iter().any(|named| named == claim)
}

impl Controller {
    async fn look_at(&self, kind: Kind, key: ObjectKey) -> kube::Result<Outcome> {
        let resource = kind.resource();
        let api = match kind {
            Kind::Claim => Api::<DynamicObject>::namespaced_with(self.client.clone(), &key.namespace, &resource),
            Kind::Volume | Kind::Class => Api::<DynamicObject>::all_with(self.client.clone(), &resource),
        };
        let Some(object) = api.get_opt(&key.name).await? else { return Ok(Outcome::Done) };
        let mut finalizers = object.metadata.finalizers.clone().unwrap_or_default();
        match verdict(&object.metadata, kind.finalizer()) {
            Verdict::Nothing => return Ok(Outcome::Done),
            Verdict::Hold => finalizers.push(kind.finalizer().to_owned()),
            Verdict::MayGo if self.is_used(kind, &key, &object).await? => return Ok(Outcome::Done),
            Verdict::MayGo => finalizers.retain(|finalizer| finalizer != kind.finalizer()),
        }
        let patch = Patch::Merge(json!({"metadata": {
            "uid": object.metadata.uid, "resourceVersion": object.metadata.resource_version, "finalizers": finalizers,
        }}));
        match api.patch_metadata(&key.name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Outcome::Done),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Retry),
            patched => patched.map(|_| Outcome::Done),
        }
    }

    async fn is_used(&self, kind: Kind, key: &ObjectKey, object: &DynamicObject) -> kube::Result<bool> {
        match kind {
            Kind::Volume => Ok(object.data.pointer("/status/phase").is_some_and(|phase| phase == "Bound")),
            Kind::Claim => {
                if self.pods.by_index(PODS_BY_NAMESPACE, &key.namespace).iter().any(|pod| uses(pod, &key.name)) {
                    return Ok(true);
                }
                // The cache may be behind.
                let pods = Api::<Pod>::namespaced(self.client.clone(), &key.namespace);
                Ok(pods.list(&ListParams::default()).await?.items.iter().any(|pod| uses(pod, &key.name)))
            }
            Kind::Class => {
                let is = |class: &Option<String>| class.as_deref() == Some(key.name.as_str());
                let volumes = Api::<PersistentVolume>::all(self.client.clone()).list(&ListParams::default()).await?;
                let claims =
                    Api::<PersistentVolumeClaim>::all(self.client.clone()).list(&ListParams::default()).await?;
                let by_volume = |volume: &PersistentVolume| {
                    volume.spec.as_ref().is_some_and(|spec| is(&spec.volume_attributes_class_name))
                };
                let by_claim = |claim: &PersistentVolumeClaim| {
                    let status = claim.status.as_ref();
                    let target = status.and_then(|status| status.modify_volume_status.as_ref());
                    claim.spec.as_ref().is_some_and(|spec| is(&spec.volume_attributes_class_name))
                        || status.is_some_and(|status| is(&status.current_volume_attributes_class_name))
                        || target.is_some_and(|target| is(&target.target_volume_attributes_class_name))
                };
                Ok(volumes.items.iter().any(by_volume) || claims.items.iter().any(by_claim))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_loses_the_finalizer_and_what_stays_gets_it() {
        let finalizer = Kind::Claim.finalizer();
        for (going, held, expected) in [
            (false, false, Verdict::Hold),
            (false, true, Verdict::Nothing),
            (true, true, Verdict::MayGo),
            (true, false, Verdict::Nothing),
        ] {
            let meta: ObjectMeta = serde_json::from_value(json!({
                "deletionTimestamp": going.then_some("2026-01-01T00:00:00Z"),
                "finalizers": if held { vec![finalizer] } else { vec!["other"] },
            }))
            .unwrap();
            assert_eq!(verdict(&meta, finalizer), expected, "going {going}, held {held}");
        }
    }

    #[test]
    fn a_pod_on_a_node_uses_the_claims_it_names() {
        let pod = |node: Option<&str>| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "p"},
                "spec": {"nodeName": node, "containers": [], "volumes": [
                    {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                    {"name": "b", "ephemeral": {}},
                    {"name": "c", "emptyDir": {}},
                ]},
            }))
            .unwrap()
        };
        for (node, claim, expected) in
            [(Some("n"), "data", true), (Some("n"), "p-b", true), (Some("n"), "p-c", false), (None, "data", false)]
        {
            assert_eq!(uses(&pod(node), claim), expected, "{node:?} {claim}");
        }
    }
}
