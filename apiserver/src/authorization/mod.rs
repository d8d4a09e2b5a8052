//! Who is asked what a user may do: the modes of the command line, in their order.

mod webhook;

use std::sync::Arc;

use authorization::node::Node;
use authorization::rbac::Rbac;
use authorization::{Always, Authorizer, Privileged, Union};
use registry::Known;

use crate::bootstrap;
use crate::config::Config;
use crate::error::Error;
use crate::options::AuthorizationMode;
use crate::webhook::Webhook;
pub(crate) use webhook::SubjectAccessReviews;

/// Asks the modes in their order, after those who may do everything.
///
/// # Errors
/// The webhook's file cannot be used.
pub fn authorizer(config: &Config, known: &Known) -> Result<Arc<dyn Authorizer>, Error> {
    let prepare = |error: apimachinery::StatusError| Error::Prepare(error.to_string());
    let options = &config.options().authorization;
    let mut all: Vec<Arc<dyn Authorizer>> = vec![Arc::new(Privileged)];
    for mode in config.authorization_modes() {
        all.push(match mode {
            AuthorizationMode::Node => {
                let rules = bootstrap::rules_of_cluster_role("system:node").map_err(prepare)?;
                Arc::new(Node { graph: known.graph.clone(), rules })
            }
            AuthorizationMode::Rbac => Arc::new(Rbac(known.policy.clone())),
            AuthorizationMode::Webhook => {
                let file = options.authorization_webhook_config_file.as_deref();
                let file = file.ok_or_else(|| Error::Options("the mode Webhook has no configuration file".into()))?;
                Arc::new(SubjectAccessReviews::new(
                    Arc::new(Webhook::open(file)?),
                    options.authorization_webhook_version,
                    options.authorization_webhook_cache_authorized_ttl,
                    options.authorization_webhook_cache_unauthorized_ttl,
                ))
            }
            AuthorizationMode::AlwaysAllow => Arc::new(Always::Allow),
            AuthorizationMode::AlwaysDeny => Arc::new(Always::Deny),
        });
    }
    Ok(Arc::new(Union(all)))
}
