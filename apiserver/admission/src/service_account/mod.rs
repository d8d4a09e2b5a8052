//! `ServiceAccount`: a pod runs as an account that exists (`default`, where it names none), has that account's token, the root
//! certificate and its namespace mounted into its containers, and pulls images with the account's secrets.

mod mount;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use apimachinery::gvk::{GroupResource, GroupVersionResource};
use apimachinery::{ObjectExt, StatusError};
use async_trait::async_trait;
use authorization::node::MIRROR;
use serde_json::{Value, json};

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// The account of pods that name none.
const DEFAULT: &str = "default";
/// An account so annotated lets its pods use no secrets but its own.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// How often, and after what time each, an account `default` is looked for: a controller makes it in new namespaces.
const ATTEMPTS: usize = 10;
const INTERVAL: Duration = Duration::from_millis(150);

/// Makes a name of a beginning.
pub type GenerateName = fn(&str) -> String;

/// The plugin.
pub struct ServiceAccount {
    lister: Arc<dyn Lister>,
    generate_name: GenerateName,
}

impl ServiceAccount {
    /// The plugin over `lister`; `generate_name` names volumes.
    pub fn new(lister: Arc<dyn Lister>, generate_name: GenerateName) -> Self {
        Self { lister, generate_name }
    }

    /// The account, waited for a little if it is the namespace's default one.
    async fn account(&self, attributes: &Attributes, name: &str) -> Result<Arc<Value>, StatusError> {
        let namespace = &attributes.namespace;
        let looked_up = async {
            let accounts = GroupVersionResource::new("", "v1", "serviceaccounts");
            if let Some(account) = self.lister.get(&accounts, namespace, name).await? {
                return Ok(account);
            }
            for attempt in 0..if name == DEFAULT { ATTEMPTS } else { 1 } {
                if attempt > 0 {
                    tokio::time::sleep(INTERVAL).await;
                }
                if let Some(account) = self.lister.get_fresh(&accounts, namespace, name).await? {
                    return Ok(account);
                }
            }
            Err(StatusError::not_found(&GroupResource::new("", "serviceaccount"), name))
        };
        looked_up.await.map_err(|error: StatusError| {
            let words = format!("error looking up service account {namespace}/{name}: {}", error.message());
            attributes.forbidden(&words)
        })
    }

    async fn check(&self, attributes: &Attributes, pod: &Value) -> Result<(), StatusError> {
        let spec = &pod["spec"];
        if pod.annotation(MIRROR).is_some() {
            return secrets::check_mirror(spec).map_err(|words| attributes.forbidden(words));
        }
        let account = self.account_of(attributes, pod).await?;
        if !enforces(&account) {
            return Ok(());
        }
        let words = secrets::check(&account, spec, &["initContainers", "containers"]);
        let words = words.and_then(|()| secrets::check_pull_secrets(&account, spec));
        words.map_err(|words| attributes.forbidden(&words))
    }

    async fn account_of(&self, attributes: &Attributes, pod: &Value) -> Result<Arc<Value>, StatusError> {
        let name = text(&pod["spec"], "serviceAccountName");
        if name.is_empty() {
            let words = format!("no service account specified for pod {}/{}", attributes.namespace, pod.name());
            return Err(attributes.forbidden(&words));
        }
        self.account(attributes, name).await
    }
}

#[async_trait]
impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn handles(&self, operation: Operation) -> bool {
        matches!(operation, Operation::Create | Operation::Update)
    }

    async fn admit(&self, attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        if !attributes.is_of_pods() || attributes.operation != Operation::Create {
            return Ok(());
        }
        let Some(mut pod) = attributes.object.take() else { return Ok(()) };
        let admitted = self.prepare(attributes, Arc::make_mut(&mut pod)).await;
        attributes.object = Some(pod);
        admitted
    }

    async fn validate(&self, attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        let Some(pod) = &attributes.object else { return Ok(()) };
        if attributes.is_of_pods() {
            // What an update may change refers to no secret.
            return match attributes.operation {
                Operation::Create => self.check(attributes, pod).await,
                _ => Ok(()),
            };
        }
        let resource = &attributes.resource;
        let is_debugged = resource.group.is_empty()
            && resource.resource == "pods"
            && attributes.subresource == "ephemeralcontainers"
            && attributes.operation == Operation::Update;
        if !is_debugged {
            return Ok(());
        }
        let account = self.account_of(attributes, pod).await?;
        if !enforces(&account) {
            return Ok(());
        }
        // Upstream says this without "is forbidden", which its handler makes an internal error of.
        secrets::check(&account, &pod["spec"], &["ephemeralContainers"]).map_err(StatusError::internal)
    }
}

impl ServiceAccount {
    /// Gives a new pod what its account has for it.
    async fn prepare(&self, attributes: &Attributes, pod: &mut Value) -> Result<(), StatusError> {
        if pod.annotation(MIRROR).is_some() {
            return self.check(attributes, pod).await;
        }
        if !pod["spec"].is_object() {
            pod["spec"] = json!({});
        }
        let named = text(&pod["spec"], "serviceAccountName").to_owned();
        // The older name of the field counts where the newer one is not used.
        let named = if named.is_empty() { text(&pod["spec"], "serviceAccount").to_owned() } else { named };
        let name = if named.is_empty() { DEFAULT.to_owned() } else { named };
        for field in ["serviceAccountName", "serviceAccount"] {
            pod["spec"][field] = name.as_str().into();
        }
        let account = self.account(attributes, &name).await?;
        let spec = &mut pod["spec"];
        let mounts = [&*spec, &*account].iter().find_map(|of| of["automountServiceAccountToken"].as_bool());
        if mounts.unwrap_or(true) {
            mount::token(spec, self.generate_name);
        }
        let own = account["imagePullSecrets"].as_array().filter(|secrets| !secrets.is_empty());
        if let Some(own) = own.filter(|_| spec["imagePullSecrets"].as_array().is_none_or(Vec::is_empty)) {
            let secrets = own.iter().map(|secret| match text(secret, "name") {
                "" => json!({}),
                name => json!({ "name": name }),
            });
            spec["imagePullSecrets"] = secrets.collect();
        }
        self.check(attributes, pod).await
    }
}

/// Whether the pods of an account may use its own secrets only. What Go does not read as a yes is a no.
fn enforces(account: &Value) -> bool {
    matches!(account.annotation(ENFORCE), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn text<'v>(of: &'v Value, field: &str) -> &'v str {
    of.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(of: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    of.get(field).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests;
