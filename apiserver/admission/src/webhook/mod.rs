//! Webhooks: other servers that admit. `MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook` read their
//! configurations through the [`Lister`] and call over HTTPS.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Lister, Operation, Plugin};

/// `MutatingAdmissionWebhook`: webhooks that may answer with a JSON patch.
pub struct Mutating {
    _lister: Arc<dyn Lister>,
}

impl Mutating {
    /// Reads configurations, namespaces and services through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { _lister: lister }
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
}

/// `ValidatingAdmissionWebhook`: webhooks that may only refuse.
pub struct Validating {
    _lister: Arc<dyn Lister>,
}

impl Validating {
    /// Reads configurations, namespaces and services through `lister`.
    pub fn new(lister: Arc<dyn Lister>) -> Self {
        Self { _lister: lister }
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
}
