//! Webhooks as configured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apimachinery::gvk::GroupVersionResource;
use apimachinery::selector::labels::Selector;
use apimachinery::{ObjectExt, StatusError};
use serde::Deserialize;
use serde_json::Value;

use crate::Lister;

/// One webhook of a configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hook {
    pub name: String,
    pub client_config: ClientConfig,
    #[serde(default)]
    pub rules: Vec<Rule>,
    failure_policy: Option<String>,
    match_policy: Option<String>,
    #[serde(default)]
    namespace_selector: Value,
    #[serde(default)]
    object_selector: Value,
    pub side_effects: Option<String>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    pub admission_review_versions: Vec<String>,
    reinvocation_policy: Option<String>,
    #[serde(skip)]
    pub namespaces: Selection,
    #[serde(skip)]
    pub objects: Selection,
}

/// Where a webhook is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientConfig {
    /// Where it is, if it is no service.
    pub url: Option<String>,
    /// The service that answers.
    pub service: Option<ServiceReference>,
    /// Whom to believe: base64 of PEM, the system's authorities if it is empty.
    #[serde(default)]
    pub ca_bundle: String,
}

/// A service that answers.
#[derive(Clone, Debug, Deserialize)]
pub struct ServiceReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where in its URL the webhook is, else at `/`.
    pub path: Option<String>,
    /// The service's port, else 443.
    pub port: Option<u16>,
}

/// Which requests a webhook wants to see.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    #[serde(default)]
    pub operations: Vec<String>,
    #[serde(default)]
    pub api_groups: Vec<String>,
    #[serde(default)]
    pub api_versions: Vec<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    pub scope: Option<String>,
}

/// A parsed label selector. Absent means everything here, unlike elsewhere.
#[derive(Debug, Default)]
pub(super) enum Selection {
    #[default]
    Everything,
    Some(Selector),
    /// It cannot be read; the error is upstream's.
    Bad(String),
}

impl Selection {
    fn of(selector: &Value) -> Self {
        if selector.is_null() {
            return Self::Everything;
        }
        match Selector::from_label_selector(selector) {
            Ok(selector) if selector.is_everything() => Self::Everything,
            Ok(selector) => Self::Some(selector),
            Err(error) => Self::Bad(error.to_string()),
        }
    }
}

impl Hook {
    /// Whether requests pass when the webhook cannot be called.
    pub fn ignores_failures(&self) -> bool {
        self.failure_policy.as_deref() == Some("Ignore")
    }

    /// Whether requests for other versions of a named resource count, too.
    pub fn matches_equivalents(&self) -> bool {
        self.match_policy.as_deref() != Some("Exact")
    }

    pub fn reinvocation_if_needed(&self) -> bool {
        self.reinvocation_policy.as_deref() == Some("IfNeeded")
    }

    /// Whether the webhook promises that a dry run has no effects.
    pub fn is_safe_to_try(&self) -> bool {
        matches!(self.side_effects.as_deref(), Some("None" | "NoneOnDryRun"))
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(10))
    }
}

/// Configurations, and the webhooks that were read from them.
type Parsed = (Arc<[Arc<Value>]>, Arc<[Hook]>);

/// All webhooks, parsed again only when a configuration has changed.
pub(super) struct Configurations {
    lister: Arc<dyn Lister>,
    resource: GroupVersionResource,
    parsed: Mutex<Option<Parsed>>,
}

impl Configurations {
    pub fn new(lister: Arc<dyn Lister>, resource: GroupVersionResource) -> Self {
        Self { lister, resource, parsed: Mutex::new(None) }
    }

    /// The webhooks of all configurations, by the configurations' names.
    pub async fn hooks(&self) -> Result<Arc<[Hook]>, StatusError> {
        let source = self.lister.list(&self.resource).await?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, hooks)) = &*parsed
            && Arc::ptr_eq(known, &source)
        {
            return Ok(hooks.clone());
        }
        let hooks: Arc<[Hook]> = source.iter().flat_map(|configuration| hooks_of(configuration)).collect();
        *parsed = Some((source, hooks.clone()));
        Ok(hooks)
    }
}

fn hooks_of(configuration: &Value) -> Vec<Hook> {
    let hooks = configuration.get("webhooks").and_then(Value::as_array);
    let parse = |hook: &Value| match serde_json::from_value::<Hook>(hook.clone()) {
        Ok(mut hook) => {
            hook.namespaces = Selection::of(&hook.namespace_selector);
            hook.objects = Selection::of(&hook.object_selector);
            Some(hook)
        }
        Err(error) => {
            tracing::error!(configuration = configuration.name(), %error, "a webhook cannot be read");
            None
        }
    };
    hooks.into_iter().flatten().filter_map(parse).collect()
}
