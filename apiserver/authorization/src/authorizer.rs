//! The question whether a user may do something, and who answers it. The filters ask it of every request, reviews and some
//! admission plugins ask it of others.

use std::sync::Arc;

use apimachinery::aggregate;
use apimachinery::gvk::GroupResource;
use apimachinery::selector::{fields, labels};
use apimachinery::status::StatusError;
use apimachinery::user::UserInfo;
use async_trait::async_trait;

/// What is asked for (upstream's `authorizer.Attributes`).
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Who asks.
    pub user: Arc<UserInfo>,
    /// The verb of a resource request (`get`, `list`, `deletecollection`…) or the lower-case method of another.
    pub verb: String,
    /// Whether a resource is asked for; else only `path` counts.
    pub resource_request: bool,
    /// The API group, empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource's plural.
    pub resource: String,
    /// The subresource, empty for none.
    pub subresource: String,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The object's name, empty for none.
    pub name: String,
    /// The request's path.
    pub path: String,
    /// The terms of the request's field selector; empty if it has none, or one that cannot be read.
    pub field_selector: Vec<fields::Requirement>,
    /// The terms of the request's label selector, likewise.
    pub label_selector: Vec<labels::Requirement>,
}

impl Attributes {
    /// The question whether `user` may do `verb`, of nothing yet.
    pub fn new(user: Arc<UserInfo>, verb: impl Into<String>) -> Self {
        Self {
            user,
            verb: verb.into(),
            resource_request: false,
            group: String::new(),
            version: String::new(),
            resource: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
            path: String::new(),
            field_selector: Vec::new(),
            label_selector: Vec::new(),
        }
    }

    /// The 403 of a request that was not allowed, in upstream's words.
    pub fn forbidden(&self, reason: &str) -> StatusError {
        let user = apimachinery::quote::quoted(&self.user.name);
        let verb = &self.verb;
        let (resource, mut message) = if self.resource_request {
            let mut resource = self.resource.clone();
            if !self.subresource.is_empty() {
                resource = format!("{resource}/{}", self.subresource);
            }
            let place = match self.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace \"{namespace}\""),
            };
            let group = &self.group;
            let message = format!("User {user} cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}");
            (GroupResource { group: group.clone(), resource: self.resource.clone() }, message)
        } else {
            let message = format!("User {user} cannot {verb} path {}", apimachinery::quote::quoted(&self.path));
            (GroupResource::default(), message)
        };
        // Upstream's words are safe to show in a page.
        message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !reason.is_empty() {
            message = format!("{message}: {reason}");
        }
        StatusError::forbidden(&resource, &self.name, message)
    }
}

/// An authorizer's answer. The texts may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, by what; no other authorizer is asked.
    Allow(String),
    /// Refused; no other authorizer is asked. The text goes to the client behind upstream's words.
    Deny(String),
    /// No opinion: the next one is asked; when none is left the request is refused.
    NoOpinion(String),
    /// It could not be found out. Where nobody else allows it, the request fails.
    Failed {
        /// Whether no other authorizer is to be asked.
        denied: bool,
        /// What there is to say besides.
        reason: String,
        /// What went wrong.
        error: String,
    },
}

impl Decision {
    /// Allowed, without further words.
    pub fn allow() -> Self {
        Self::Allow(String::new())
    }

    /// No opinion, without further words.
    pub fn no_opinion() -> Self {
        Self::NoOpinion(String::new())
    }

    /// What there is to say about it.
    pub fn reason(&self) -> &str {
        match self {
            Self::Allow(reason) | Self::Deny(reason) | Self::NoOpinion(reason) | Self::Failed { reason, .. } => reason,
        }
    }

    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// What a user may do with resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceRule {
    /// Verbs; `*` is all.
    pub verbs: Vec<String>,
    /// API groups; `*` is all.
    pub api_groups: Vec<String>,
    /// Resources, `resource/subresource`; `*` is all.
    pub resources: Vec<String>,
    /// Names; none is all.
    pub resource_names: Vec<String>,
}

/// What a user may do with other paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NonResourceRule {
    /// Lower-case methods; `*` is all.
    pub verbs: Vec<String>,
    /// Paths; a trailing `*` matches any rest.
    pub urls: Vec<String>,
}

/// What a user may do in a namespace, as far as an authorizer can list it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of resources.
    pub resource: Vec<ResourceRule>,
    /// Of other paths.
    pub non_resource: Vec<NonResourceRule>,
    /// There may be more.
    pub incomplete: bool,
    /// What could not be found out, one sentence each.
    pub errors: Vec<String>,
}

impl Rules {
    /// What could not be found out, as one sentence.
    pub fn evaluation_error(&self) -> Option<String> {
        (!self.errors.is_empty()).then(|| aggregate(&self.errors))
    }
}

/// Decides whether a request may go on.
#[async_trait]
pub trait Authorizer: Send + Sync + 'static {
    /// Its decision.
    async fn authorize(&self, attributes: &Attributes) -> Decision;

    /// What it allows `user` in `namespace`; nothing unless it says so.
    async fn rules(&self, _user: &UserInfo, _namespace: &str) -> Rules {
        Rules::default()
    }
}
