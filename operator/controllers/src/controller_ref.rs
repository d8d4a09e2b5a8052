//! Who controls an object: its owner reference with `controller: true`. An object that a controller's selector takes
//! in and that has no controller is adopted; one that the selector has lost is released.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::api::Patch;
use kube::core::{Selector, SelectorExt};
use kube::{Api, Resource, ResourceExt};
use runtime::ObjectKey;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::field_manager;

/// The reference that makes an object controlled by `owner`.
pub fn of<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference to an object's controller.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The value of an index of objects by their controller: its uid, or for those without one the namespace's orphans.
pub fn index_value(meta: &ObjectMeta) -> String {
    match controller_of(meta) {
        Some(owner) => owner.uid.clone(),
        None => orphans_of(meta.namespace.as_deref().unwrap_or_default()),
    }
}

/// The index value of a namespace's objects without a controller.
pub fn orphans_of(namespace: &str) -> String {
    format!("_orphans/{namespace}")
}

/// The key of an object's controller, when that is of kind `K`.
pub fn key_of<K: Resource<DynamicType = ()>>(meta: &ObjectMeta) -> Option<(ObjectKey, &str)> {
    let owner = controller_of(meta)?;
    let same_group = owner.api_version.split_once('/').map_or("", |(group, _)| group) == K::group(&());
    (owner.kind == K::kind(&()) && same_group)
        .then(|| (ObjectKey::new(meta.namespace.clone().unwrap_or_default(), owner.name.as_str()), owner.uid.as_str()))
}

/// What a selector is, read once. An absent one selects nothing, an empty one everything.
pub fn selector(selector: Option<&LabelSelector>) -> Option<Selector> {
    Selector::try_from(selector?.clone()).ok()
}

/// Whether a selector takes an object in.
pub fn selects(selector: &Selector, labels: Option<&BTreeMap<String, String>>) -> bool {
    match labels {
        Some(labels) => selector.matches(labels),
        None => selector.matches(&BTreeMap::new()),
    }
}

/// What an object is to a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the controller's.
    Owned,
    /// It has no controller and is to become this one's.
    Adopt,
    /// It is this one's and is not selected any more.
    Release,
    /// It is none of its business.
    Ignore,
}

/// What an object is to a controller with this selector. Pure.
pub fn claim(controller: &ObjectMeta, selector: &Selector, object: &ObjectMeta) -> Claim {
    let selected = selects(selector, object.labels.as_ref());
    match controller_of(object) {
        Some(owner) if Some(&owner.uid) != controller.uid.as_ref() => Claim::Ignore,
        Some(_) if selected => Claim::Owned,
        Some(_) if controller.deletion_timestamp.is_some() => Claim::Ignore,
        Some(_) => Claim::Release,
        None if controller.deletion_timestamp.is_some() || object.deletion_timestamp.is_some() => Claim::Ignore,
        None if selected => Claim::Adopt,
        None => Claim::Ignore,
    }
}

/// Claims objects for a controller.
pub struct Claimer<'a, K, O> {
    /// The controller, as the cache has it.
    pub controller: &'a K,
    /// Where it is.
    pub controllers: Api<K>,
    /// Where the objects are.
    pub objects: Api<O>,
    /// Finalizers that an adopted object gets.
    pub finalizers: &'a [&'a str],
}

impl<K, O> Claimer<'_, K, O>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    O: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    /// The objects that are the controller's, after what is to be adopted was and what is to be released was.
    ///
    /// # Errors
    /// Those of the requests, but not that an object is gone.
    pub async fn claim<T: AsRef<O>>(&self, selector: &Selector, objects: Vec<T>) -> kube::Result<Vec<T>> {
        let mut claimed = Vec::with_capacity(objects.len());
        let mut failure = None;
        let mut may_adopt = None;
        for object in objects {
            let outcome = match claim(self.controller.meta(), selector, object.as_ref().meta()) {
                Claim::Owned => Ok(true),
                Claim::Ignore => Ok(false),
                Claim::Release => self.release(object.as_ref()).await.map(|()| false),
                Claim::Adopt => {
                    if may_adopt.is_none() {
                        may_adopt = Some(self.is_alive().await?);
                    }
                    if may_adopt == Some(true) { self.adopt(object.as_ref()).await } else { Ok(false) }
                }
            };
            match outcome {
                Ok(true) => claimed.push(object),
                Ok(false) => (),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(claimed), Err)
    }

    /// Whether a live read finds the controller, and not on its way out: the cache may be behind.
    async fn is_alive(&self) -> kube::Result<bool> {
        let fresh = self.controllers.get_opt(&self.controller.name_any()).await?;
        Ok(fresh.is_some_and(|fresh| {
            fresh.meta().uid == self.controller.meta().uid && fresh.meta().deletion_timestamp.is_none()
        }))
    }

    async fn patch(&self, object: &O, metadata: Value) -> kube::Result<bool> {
        let patch = Patch::Strategic(json!({ "metadata": metadata }));
        match self.objects.patch(&object.name_any(), &field_manager::patch(), &patch).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn adopt(&self, object: &O) -> kube::Result<bool> {
        let mut metadata = json!({"ownerReferences": [of(self.controller)], "uid": object.meta().uid});
        if !self.finalizers.is_empty() {
            metadata["finalizers"] = json!(self.finalizers);
        }
        self.patch(object, metadata).await
    }

    async fn release(&self, object: &O) -> kube::Result<()> {
        let owner = json!({"$patch": "delete", "uid": self.controller.meta().uid});
        let mut metadata = json!({"ownerReferences": [owner], "uid": object.meta().uid});
        if !self.finalizers.is_empty() {
            metadata["$deleteFromPrimitiveList/finalizers"] = json!(self.finalizers);
        }
        match self.patch(object, metadata).await {
            // It has another uid by now, or the reference is gone.
            Err(kube::Error::Api(status)) if status.code == 422 => Ok(()),
            patched => patched.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_claimed_by_reference_first_and_selector_second() {
        let meta = |value: Value| serde_json::from_value::<ObjectMeta>(value).unwrap();
        let selected = json!({"app": "a"});
        let owner = |uid: &str| json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": uid, "controller": true}]);
        let gone = "2026-01-01T00:00:00Z";
        let selector = selector(Some(&serde_json::from_value(json!({"matchLabels": {"app": "a"}})).unwrap())).unwrap();
        for (name, controller, object, expected) in [
            ("owned", json!({"uid": "u"}), json!({"labels": selected, "ownerReferences": owner("u")}), Claim::Owned),
            (
                "another's",
                json!({"uid": "u"}),
                json!({"labels": selected, "ownerReferences": owner("v")}),
                Claim::Ignore,
            ),
            ("lost", json!({"uid": "u"}), json!({"labels": {}, "ownerReferences": owner("u")}), Claim::Release),
            (
                "lost by one that is going",
                json!({"uid": "u", "deletionTimestamp": gone}),
                json!({"ownerReferences": owner("u")}),
                Claim::Ignore,
            ),
            ("orphan", json!({"uid": "u"}), json!({"labels": selected}), Claim::Adopt),
            (
                "going orphan",
                json!({"uid": "u"}),
                json!({"labels": selected, "deletionTimestamp": gone}),
                Claim::Ignore,
            ),
            ("orphan of another", json!({"uid": "u"}), json!({"labels": {"app": "b"}}), Claim::Ignore),
        ] {
            assert_eq!(claim(&meta(controller), &selector, &meta(object)), expected, "{name}");
        }
    }
}
