//! What every call carries: who asks, about which object, and where warnings go.

use std::sync::Arc;
use std::time::Instant;

use apimachinery::user::UserInfo;

use crate::table::Row;

/// Warnings for the client, in the order in which they were given. Clones share one list.
pub type Warnings = admission::Context;

/// The request around a call.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub user: Arc<UserInfo>,
    /// Collects warnings (to be sent as `Warning` headers) and audit annotations.
    pub warnings: Warnings,
    /// When the request has to be answered; `None` is never.
    pub deadline: Option<Instant>,
    /// The manager of changed fields where the options name none: the User-Agent up to the first `/`.
    pub field_manager: String,
}

impl RequestContext {
    /// A context without a deadline.
    pub fn new(user: Arc<UserInfo>, field_manager: impl Into<String>) -> Self {
        Self { user, warnings: Warnings::new(), deadline: None, field_manager: field_manager.into() }
    }
}

/// What a call is about.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource, in the version of the request.
    pub row: Arc<Row>,
    /// The namespace; empty for cluster-scoped resources and for lists over all namespaces.
    pub namespace: String,
    /// The object's name; empty for collections.
    pub name: String,
    /// The subresource; empty for the object itself.
    pub subresource: String,
}

impl Target {
    /// The object `name` of `row`, or its collection if `name` is empty.
    pub fn new(row: Arc<Row>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { row, namespace: namespace.into(), name: name.into(), subresource: String::new() }
    }

    /// The same object's subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: impl Into<String>) -> Self {
        self.subresource = subresource.into();
        self
    }
}
