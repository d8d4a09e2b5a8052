//! Webhooks: other servers that admit. `MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook` read their
//! configurations through the [`Lister`] and call over HTTPS.

mod call;
mod client;
mod hook;
mod matching;
mod pool;
mod review;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use apimachinery::gvk::{GroupVersionKind, GroupVersionResource};
use apimachinery::{StatusError, field_sets, patch};
use async_trait::async_trait;
use futures::future::join_all;
use serde_json::Value;

use crate::{Attributes, Context, Lister, Operation, Plugin};
use call::{Failure, Reviewed};
pub use client::Client;
pub use hook::{ClientConfig, ServiceReference};
use hook::{Configurations, Hook};
use matching::Invocation;

/// What both plugins share.
struct Webhooks {
    lister: Arc<dyn Lister>,
    client: Client,
    configurations: Configurations,
}

impl Webhooks {
    fn new(lister: Arc<dyn Lister>, resource: &str) -> Self {
        let resource = GroupVersionResource::new("admissionregistration.k8s.io", "v1", resource);
        Self {
            client: Client::new(lister.clone()),
            configurations: Configurations::new(lister.clone(), resource),
            lister,
        }
    }

    /// The hooks in order. What configures admission is never submitted to it.
    async fn hooks(&self, attributes: &Attributes) -> Result<Arc<[Hook]>, StatusError> {
        let is_configuration = attributes.kind.group == "admissionregistration.k8s.io";
        if is_configuration { Ok(Arc::from([])) } else { self.configurations.hooks().await }
    }

    /// The object and the old one as a hook is to see them, with their [field sets](field_sets) as everybody has them.
    async fn shown(
        &self,
        attributes: &Attributes,
        kind: &GroupVersionKind,
    ) -> Result<(Option<Arc<Value>>, Option<Arc<Value>>), StatusError> {
        let object = self.shown_as(attributes.object.as_ref(), attributes, kind).await?;
        let old = self.shown_as(attributes.old_object.as_ref(), attributes, kind).await?;
        Ok((object, old))
    }

    async fn shown_as(
        &self,
        object: Option<&Arc<Value>>,
        attributes: &Attributes,
        kind: &GroupVersionKind,
    ) -> Result<Option<Arc<Value>>, StatusError> {
        let Some(object) = object else { return Ok(None) };
        let expanded = field_sets::expanded(object);
        if *kind != attributes.kind {
            return Ok(Some(Arc::new(self.lister.convert(&expanded, kind).await?)));
        }
        Ok(Some(expanded))
    }

    async fn call(
        &self,
        invocation: &Invocation<'_>,
        attributes: &Attributes,
        mutating: bool,
        context: &Context,
    ) -> Result<Reviewed, Failure> {
        let (object, old) = self.shown(attributes, &invocation.kind).await.map_err(Failure::Refused)?;
        call::review(&self.client, invocation, attributes, object.as_deref(), old.as_deref(), mutating, context).await
    }
}

/// `MutatingAdmissionWebhook`: webhooks that may answer with a JSON patch.
pub struct Mutating(Webhooks);

impl Mutating {
    /// Reads configurations, namespaces and services through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self(Webhooks::new(lister, "mutatingwebhookconfigurations"))
    }

    /// Calls one hook; whether it changed the object.
    async fn invoke(
        &self,
        hook: &Hook,
        attributes: &mut Attributes,
        context: &Context,
    ) -> Result<Option<bool>, StatusError> {
        let Some(invocation) = matching::invocation(&*self.0.lister, hook, attributes).await? else { return Ok(None) };
        let reviewed = match self.0.call(&invocation, attributes, true, context).await {
            Ok(reviewed) => reviewed,
            Err(Failure::Refused(error)) => return Err(error),
            Err(Failure::Call(error)) if hook.ignores_failures() => {
                tracing::warn!(webhook = %hook.name, %error, "the webhook cannot be called; its policy lets the request pass");
                return Ok(Some(false));
            }
            Err(Failure::Call(error)) => return Err(StatusError::internal(error)),
        };
        let Some(operations) = reviewed.patch else { return Ok(Some(false)) };
        let (shown, _) = self.0.shown(attributes, &invocation.kind).await?;
        let Some(shown) = shown else {
            return Err(StatusError::internal(format!(
                "admission webhook \"{}\" attempted to modify the object, which is not supported for this operation",
                hook.name
            )));
        };
        let mut patched = patch::json::apply(&shown, &operations).map_err(StatusError::internal)?;
        field_sets::refuse_texts(&mut patched);
        if patched == *shown {
            return Ok(Some(false));
        }
        let patched = if invocation.kind == attributes.kind {
            patched
        } else {
            self.0.lister.convert(&patched, &attributes.kind).await?
        };
        let before = attributes.object.replace(Arc::new(patched));
        context.note_mutated(before.as_deref());
        Ok(Some(true))
    }
}

#[async_trait]
impl Plugin for Mutating {
    fn name(&self) -> &'static str {
        "MutatingAdmissionWebhook"
    }

    fn handles(&self, _operation: Operation) -> bool {
        true
    }

    async fn admit(&self, attributes: &mut Attributes, context: &Context) -> Result<(), StatusError> {
        let hooks = self.0.hooks(attributes).await?;
        // Hooks that ask for it are called once more when a later one has changed the object.
        let mut invoked: HashSet<usize> = HashSet::new();
        let mut again: HashSet<usize> = HashSet::new();
        for (at, hook) in hooks.iter().enumerate() {
            let Some(changed) = self.invoke(hook, attributes, context).await? else { continue };
            if changed {
                again.extend(invoked.drain());
            }
            if hook.reinvocation_if_needed() {
                invoked.insert(at);
            }
        }
        for (at, hook) in hooks.iter().enumerate() {
            if again.contains(&at) {
                self.invoke(hook, attributes, context).await?;
            }
        }
        Ok(())
    }
}

/// `ValidatingAdmissionWebhook`: webhooks that may only refuse.
pub struct Validating(Webhooks);

impl Validating {
    /// Reads configurations, namespaces and services through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self(Webhooks::new(lister, "validatingwebhookconfigurations"))
    }
}

#[async_trait]
impl Plugin for Validating {
    fn name(&self) -> &'static str {
        "ValidatingAdmissionWebhook"
    }

    fn handles(&self, _operation: Operation) -> bool {
        true
    }

    async fn validate(&self, attributes: &Attributes, context: &Context) -> Result<(), StatusError> {
        let hooks = self.0.hooks(attributes).await?;
        let mut invocations = Vec::new();
        for hook in hooks.iter() {
            invocations.extend(matching::invocation(&*self.0.lister, hook, attributes).await?);
        }
        let calls = invocations.iter().map(|invocation| self.0.call(invocation, attributes, false, context));
        for (invocation, outcome) in invocations.iter().zip(join_all(calls).await) {
            match outcome {
                Ok(_) => {}
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Call(error)) if invocation.hook.ignores_failures() => {
                    tracing::warn!(webhook = %invocation.hook.name, %error, "the webhook cannot be called; its policy lets the request pass");
                }
                Err(Failure::Call(error)) => return Err(StatusError::internal(error)),
            }
        }
        Ok(())
    }
}
