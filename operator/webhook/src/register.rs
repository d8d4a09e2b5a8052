//! The webhook's registration: one configuration of each kind, kept as it should be.

use std::fmt::Debug;
use std::time::Duration;

use base64::Engine;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::Config;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::{Change, Informer, Metrics, Outcome, WorkQueue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The name of both configurations.
pub const NAME: &str = "admission.coxswain.dev";
const FIELD_MANAGER: &str = "admission-webhook";
/// The longest wait after errors.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How the API server reaches this webhook.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `https://127.0.0.1:34567`
    pub url: String,
    /// The authority of its certificate, as PEM.
    pub ca_bundle: String,
    /// `Ignore` or `Fail`.
    pub failure_policy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Mutating,
    Validating,
}

fn webhook(kind: Kind, endpoint: &Endpoint) -> Value {
    let (name, path) = match kind {
        Kind::Mutating => ("mutate.apps.coxswain.dev", "mutate"),
        Kind::Validating => ("validate.apps.coxswain.dev", "validate"),
    };
    let mut webhook = json!({
        "name": name,
        "clientConfig": {
            "url": format!("{}/{path}", endpoint.url),
            "caBundle": base64::engine::general_purpose::STANDARD.encode(&endpoint.ca_bundle),
        },
        "rules": [{
            "apiGroups": [crds::GROUP],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["apps"],
            "scope": "Namespaced",
        }],
        "failurePolicy": endpoint.failure_policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
    });
    if kind == Kind::Mutating {
        webhook["reinvocationPolicy"] = json!("IfNeeded");
    }
    webhook
}

async fn apply<K>(client: &Client, kind: Kind, endpoint: &Endpoint) -> kube::Result<()>
where
    K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope> + Clone + DeserializeOwned + Debug,
{
    let configuration = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": NAME},
        "webhooks": [webhook(kind, endpoint)],
    });
    Api::<K>::all(client.clone())
        .patch(NAME, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(configuration))
        .await
        .map(|_| ())
}

fn informer<K>(client: &Client, queue: &WorkQueue<Kind>, kind: Kind) -> Informer<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let only = Config::default().fields(&format!("metadata.name={NAME}"));
    let mut informer = Informer::new(Api::<K>::all(client.clone()), only, &[]);
    let queue = queue.clone();
    informer.on_change(move |change| match change {
        // What others changed is put right; what this applied changes nothing when it is applied again.
        Change::Applied { old: Some(old), new } if old.meta().generation == new.meta().generation => (),
        Change::Applied { old, new } => {
            if old.is_some() || new.meta().generation.is_some_and(|generation| generation > 1) {
                queue.add(kind);
            }
        }
        Change::Deleted(gone) => {
            tracing::warn!(name = gone.name_any(), "webhook configuration deleted, registering anew");
            queue.add(kind);
        }
    });
    informer
}

/// Registers, says so, and keeps the registration for as long as it is polled.
pub async fn keep(client: Client, endpoint: Endpoint, metrics: Metrics, registered: impl FnOnce()) {
    let queue = WorkQueue::<Kind>::new(LONGEST_WAIT, metrics.queue("registration"));
    let mut backoff = runtime::informer::Backoff::default();
    loop {
        let applied = tokio::try_join!(
            apply::<MutatingWebhookConfiguration>(&client, Kind::Mutating, &endpoint),
            apply::<ValidatingWebhookConfiguration>(&client, Kind::Validating, &endpoint),
        );
        let Err(error) = applied else { break };
        let wait = backoff.failed();
        tracing::warn!(error = %runtime::error::line(&error), ?wait, "not registered yet, trying again");
        tokio::time::sleep(wait).await;
    }
    tracing::info!(url = endpoint.url, "registered");
    registered();
    let mut watches = JoinSet::new();
    watches.spawn(informer::<MutatingWebhookConfiguration>(&client, &queue, Kind::Mutating).run());
    watches.spawn(informer::<ValidatingWebhookConfiguration>(&client, &queue, Kind::Validating).run());
    let work = |kind| {
        let (client, endpoint) = (client.clone(), endpoint.clone());
        async move {
            match kind {
                Kind::Mutating => apply::<MutatingWebhookConfiguration>(&client, kind, &endpoint).await,
                Kind::Validating => apply::<ValidatingWebhookConfiguration>(&client, kind, &endpoint).await,
            }
            .map(|()| Outcome::Done)
        }
    };
    queue.process(2, work).await;
}
