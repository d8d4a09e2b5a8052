//! Tokens of the accounts of pods that run on the node, for the audiences that those pods mount them for.

use apimachinery::ObjectExt as _;
use apimachinery::gvk::GroupVersionResource;
use apimachinery::quote::quoted;
use serde_json::Value;

use super::{Request, Verdict, list, text};
use crate::Operation;

/// What a node may ask for of accounts, besides what their pods say. The audience is the resource.
const ANY_AUDIENCE: &str = "request-serviceaccounts-token-audience";

impl Request<'_> {
    pub(super) async fn token(&self) -> Verdict {
        if !self.is(Operation::Create) {
            return Ok(());
        }
        let spec = &self.object()["spec"];
        let bound = &spec["boundObjectRef"];
        let (name, uid) = (text(bound, "name"), text(bound, "uid"));
        if text(bound, "apiVersion") != "v1" || text(bound, "kind") != "Pod" || name.is_empty() {
            return self.refuse("node requested token not bound to a pod");
        }
        if uid.is_empty() {
            return self.refuse("node requested token with a pod binding without a uid");
        }
        let pod = self.existing_pod(name).await?;
        if pod.uid() != uid {
            return self.refuse(format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have \
                 been deleted and then recreated"
            ));
        }
        if text(&pod["spec"], "nodeName") != self.node {
            return self.refuse("node requested token bound to a pod scheduled on a different node");
        }
        let audience = match list(spec, "audiences") {
            [] => "",
            [audience] => audience.as_str().unwrap_or_default(),
            _ => return self.refuse("node may only request 0 or 1 audiences"),
        };
        if self.is_mounted(&pod, audience).await? || self.may_ask(audience).await {
            return Ok(());
        }
        self.refuse(format!(
            "audience {} not found in pod spec volume, {} is not authorized to request tokens for this audience",
            quoted(audience),
            self.asked.user.name
        ))
    }

    /// Whether a volume of the pod holds a token for that audience, or its driver wants one.
    async fn is_mounted(&self, pod: &Value, audience: &str) -> Result<bool, apimachinery::StatusError> {
        for volume in list(&pod["spec"], "volumes") {
            let projects = |source: &Value| {
                source["serviceAccountToken"].is_object()
                    && text(&source["serviceAccountToken"], "audience") == audience
            };
            if list(&volume["projected"], "sources").iter().any(projects) {
                return Ok(true);
            }
            let claim = match text(&volume["persistentVolumeClaim"], "claimName") {
                "" if volume["ephemeral"].is_object() => format!("{}-{}", pod.name(), text(volume, "name")),
                name => name.to_owned(),
            };
            let driver = if claim.is_empty() {
                text(&volume["csi"], "driver").to_owned()
            } else {
                self.driver_of_claim(&claim).await?.unwrap_or_default()
            };
            if driver.is_empty() {
                continue;
            }
            let drivers = GroupVersionResource::new("storage.k8s.io", "v1", "csidrivers");
            let driver = self.plugin.lister.get(&drivers, "", &driver).await?;
            let wanted = driver.as_deref().map_or(&[][..], |driver| list(&driver["spec"], "tokenRequests"));
            if wanted.iter().any(|request| text(request, "audience") == audience) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn driver_of_claim(&self, name: &str) -> Result<Option<String>, apimachinery::StatusError> {
        let of = |resource: &str| GroupVersionResource::new("", "v1", resource);
        let lister = &self.plugin.lister;
        let claim = lister.get(&of("persistentvolumeclaims"), &self.asked.namespace, name).await?;
        let Some(claim) = claim else { return Ok(None) };
        let volume = lister.get(&of("persistentvolumes"), "", text(&claim["spec"], "volumeName")).await?;
        Ok(volume.map(|volume| text(&volume["spec"]["csi"], "driver").to_owned()))
    }

    async fn may_ask(&self, audience: &str) -> bool {
        let asked = authorization::Attributes {
            resource_request: true,
            version: "v1".to_owned(),
            resource: audience.to_owned(),
            namespace: self.asked.namespace.clone(),
            name: self.asked.name.clone(),
            ..authorization::Attributes::new(self.asked.user.clone(), ANY_AUDIENCE)
        };
        self.plugin.authorizer.authorize(&asked).await.is_allowed()
    }
}
