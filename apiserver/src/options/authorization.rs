//! Options of authorization: who is asked, in which order, and where a webhook is.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::error::Error;

/// Who says what a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// Nodes, by what their pods use.
    Node,
    /// Roles and bindings.
    Rbac,
    /// Another server.
    Webhook,
    /// Everybody may do everything.
    AlwaysAllow,
    /// Nobody may do anything.
    AlwaysDeny,
}

impl AuthorizationMode {
    /// All, by the names of the command line.
    pub const ALL: [(&'static str, Self); 5] = [
        ("Node", Self::Node),
        ("RBAC", Self::Rbac),
        ("Webhook", Self::Webhook),
        ("AlwaysAllow", Self::AlwaysAllow),
        ("AlwaysDeny", Self::AlwaysDeny),
    ];
}

/// The form of the questions to a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReviewVersion {
    /// `authorization.k8s.io/v1`.
    V1,
    /// `authorization.k8s.io/v1beta1`, which calls the groups `group`.
    V1beta1,
}

/// How requests are authorized.
#[derive(Args, Clone, Debug)]
pub struct AuthorizationOptions {
    /// Who is asked what a user may do, in order: Node, RBAC, Webhook, AlwaysAllow, AlwaysDeny. Members of
    /// system:masters may do everything
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "Node,RBAC",
        value_name = "MODE,...",
        help_heading = "Authorization"
    )]
    pub authorization_mode: Vec<String>,

    /// Where the webhook of the mode Webhook is and as whom it is asked, in kubeconfig's form
    #[arg(long, value_name = "FILE", help_heading = "Authorization")]
    pub authorization_webhook_config_file: Option<PathBuf>,

    /// Version of the SubjectAccessReviews that the webhook is sent
    #[arg(long, value_enum, default_value = "v1beta1", value_name = "VERSION", help_heading = "Authorization")]
    pub authorization_webhook_version: ReviewVersion,

    /// Time that what the webhook allowed is remembered
    #[arg(long, default_value = "5m0s", value_parser = duration, value_name = "DURATION", help_heading = "Authorization")]
    pub authorization_webhook_cache_authorized_ttl: Duration,

    /// Time that what the webhook did not allow is remembered
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Authorization")]
    pub authorization_webhook_cache_unauthorized_ttl: Duration,
}

impl AuthorizationOptions {
    /// The modes in their order.
    ///
    /// # Errors
    /// One is not known or given twice, or the webhook's file and its mode are not given together.
    pub fn modes(&self) -> Result<Vec<AuthorizationMode>, Error> {
        let mut modes = Vec::new();
        for name in &self.authorization_mode {
            let known = AuthorizationMode::ALL.into_iter().find(|(known, _)| known == name);
            let Some((_, mode)) = known else {
                let known: Vec<&str> = AuthorizationMode::ALL.iter().map(|(name, _)| *name).collect();
                let words = format!("authorization-mode {name:?} is not one of {}", known.join(", "));
                return Err(Error::Options(words));
            };
            if modes.contains(&mode) {
                return Err(Error::Options(format!("authorization-mode {name:?} is given more than once")));
            }
            modes.push(mode);
        }
        let asked = modes.contains(&AuthorizationMode::Webhook);
        match &self.authorization_webhook_config_file {
            None if asked => {
                Err(Error::Options("authorization-mode Webhook's authorization config file not passed".into()))
            }
            Some(_) if !asked => {
                Err(Error::Options("cannot specify --authorization-webhook-config-file without mode Webhook".into()))
            }
            _ => Ok(modes),
        }
    }
}
