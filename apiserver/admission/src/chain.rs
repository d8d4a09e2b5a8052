//! The order in which plugins are asked.

use std::sync::Arc;

use apimachinery::status::StatusError;
use async_trait::async_trait;

use crate::{Attributes, Context, Operation};

/// One admission plugin. Both methods allow everything unless overridden.
#[async_trait]
pub trait Plugin: Send + Sync {
    /// Upstream's name of the plugin, e.g. `NamespaceLifecycle`.
    fn name(&self) -> &'static str;

    /// Whether the plugin wants to see this operation at all.
    fn handles(&self, operation: Operation) -> bool;

    /// May change `attributes.object`, or refuse.
    async fn admit(&self, _attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        Ok(())
    }

    /// May refuse.
    async fn validate(&self, _attributes: &Attributes, _context: &Context) -> Result<(), StatusError> {
        Ok(())
    }
}

/// Plugins in the order in which they are asked; the first refusal ends it.
#[derive(Clone, Default)]
pub struct Chain {
    plugins: Arc<[Arc<dyn Plugin>]>,
}

impl Chain {
    /// A chain of these plugins, asked in this order.
    pub fn new(plugins: Vec<Arc<dyn Plugin>>) -> Self {
        Self { plugins: plugins.into() }
    }

    /// Whether any plugin wants to see this operation.
    pub fn handles(&self, operation: Operation) -> bool {
        self.plugins.iter().any(|plugin| plugin.handles(operation))
    }

    /// The mutating phase.
    pub async fn admit(&self, attributes: &mut Attributes, context: &Context) -> Result<(), StatusError> {
        let operation = attributes.operation;
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(operation)) {
            plugin.admit(attributes, context).await?;
        }
        Ok(())
    }

    /// The validating phase.
    pub async fn validate(&self, attributes: &Attributes, context: &Context) -> Result<(), StatusError> {
        for plugin in self.plugins.iter().filter(|plugin| plugin.handles(attributes.operation)) {
            plugin.validate(attributes, context).await?;
        }
        Ok(())
    }
}
